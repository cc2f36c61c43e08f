"""One database in memory, without a cluster: statements run one after another, each committed as the machine would."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Final

from mynode.base.invariant import invariant
from mynode.base.limits import ROWS_PER_BATCH
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.validation import conflict
from mynode.mvcc.view import ReadView
from mynode.sql.engine import ExecutionContext, SqlEngine
from mynode.sql.result import ColumnInfo, Completion
from mynode.storage.tree import Tree
from mynode.values.types import Row

_NOW: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Result:
    """All that a statement answered. `pauses` counts its empty batches."""

    columns: tuple[ColumnInfo, ...]
    rows: list[Row]
    completion: Completion
    pauses: int


class SqlDatabase:
    """A tree with an engine.

    Attributes:
        view: the newest state.
        last: the transaction of the last statement, with what it read and wrote.
    """

    def __init__(self, *, seed: int = 1, counts_rows: bool = True) -> None:
        self.engine = SqlEngine(counts_rows=counts_rows)
        self.view = ReadView(0, Tree.empty())
        self.last = Transaction(self.view)
        self._random = Random(seed)

    def execute(self, sql: str, parameters: Row = ()) -> Result:
        """Run and commit one statement. Raises its `SqlError`; nothing is changed then."""
        parsed = self.engine.parse(sql)
        transaction = self.last = Transaction(self.view, record_reads=not parsed.is_read_only)
        result = self.run(transaction, sql, parameters)
        self.commit(transaction)
        return result

    def rows(self, sql: str, parameters: Row = ()) -> list[Row]:
        return self.execute(sql, parameters).rows

    def run(self, transaction: Transaction, sql: str, parameters: Row = ()) -> Result:
        """Run a statement in a transaction that stays open."""
        prepared = self.engine.prepare(self.engine.parse(sql), transaction, parameters)
        execution = prepared.run(ExecutionContext(transaction, parameters, _NOW, self._random, stopwatch=lambda: 0.0))
        rows: list[Row] = []
        pauses = 0
        while True:
            try:
                batch = next(execution)
            except StopIteration as stop:
                completion: Completion = stop.value
                return Result(prepared.columns, rows, completion, pauses)
            invariant(len(batch) <= ROWS_PER_BATCH, "a batch is within its limit")
            pauses += not batch
            rows += batch

    def commit(self, transaction: Transaction) -> bool:
        """Validate and apply; False after a conflict."""
        if conflict(self.view.tree, transaction.view.version, transaction.reads) is not None:
            return False
        if transaction.writes.values:
            version = self.view.version + 1
            editor = self.view.tree.edit()
            for key, value in transaction.writes.in_order():
                editor.put(key, version, value)
            self.view = ReadView(version, editor.commit())
        return True
