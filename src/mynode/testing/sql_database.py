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
from mynode.relation.counters import Numbers, NumbersNeeded, draw_block
from mynode.sql.engine import ExecutionContext, SqlEngine
from mynode.sql.optimizer.rewriting import Rule
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

    def __init__(self, *, seed: int = 1, counts_rows: bool = True, without_rule: Rule | None = None) -> None:
        self.engine = SqlEngine(counts_rows=counts_rows, without_rule=without_rule)
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
        while True:
            savepoint = transaction.writes.savepoint()
            try:
                return self._run(transaction, sql, parameters)
            except NumbersNeeded as needed:
                transaction.writes.rollback_to(savepoint)
                drawing = Transaction(self.view)
                self.engine.numbers.add(needed.counter, draw_block(drawing, needed.counter, needed.count))
                self.commit(drawing)
            finally:
                transaction.writes.release(savepoint)

    def _run(self, transaction: Transaction, sql: str, parameters: Row) -> Result:
        prepared = self.engine.prepare(self.engine.parse(sql), transaction, parameters)
        numbers = Numbers(self.engine.numbers)
        context = ExecutionContext(transaction, parameters, _NOW, self._random, numbers=numbers, stopwatch=lambda: 0.0)
        execution = prepared.run(context)
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
