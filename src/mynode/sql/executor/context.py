"""What an execution needs besides its plan, and the shape of what it gives."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from random import Random
from time import perf_counter
from typing import Any, Final, TypeAlias

from mynode.base.limits import MAX_QUERY_BYTES, MIB, ROWS_BETWEEN_PAUSES, ROWS_PER_BATCH
from mynode.base.sql_errors import QueryMemoryError
from mynode.mvcc.transaction import Transaction
from mynode.relation.counters import NumberPool, Numbers
from mynode.sql.explain import Measure
from mynode.sql.result import Completion
from mynode.values.types import Row, Value

_SAMPLED: Final = 16
_ROW_BYTES: Final = 72
_VALUE_BYTES: Final = 40
_OF_ANY_SIZE: Final = frozenset((str, bytes, Decimal))


class Memory:
    """What the operators of one execution hold, about, against `limits.MAX_QUERY_BYTES`."""

    __slots__ = ("held_bytes",)

    def __init__(self) -> None:
        self.held_bytes = 0

    @contextmanager
    def holder(self) -> Iterator[Callable[[Sequence[Row]], None]]:
        """For one operator: a function that it calls with rows that it keeps until the end of the block.

        The function raises `QueryMemoryError`.
        """
        held = 0

        def hold(rows: Sequence[Row]) -> None:
            nonlocal held
            held += self.keep(rows)

        try:
            yield hold
        finally:
            self.release(held)

    def keep(self, rows: Sequence[Row]) -> int:
        """Count rows that are kept until `release` is called with the number of bytes that this returns, or for good.

        Raises `QueryMemoryError`; the rows do not count then.
        """
        size = estimated_bytes(rows)
        if self.held_bytes + size > MAX_QUERY_BYTES:
            raise QueryMemoryError(
                f"the query holds more than {MAX_QUERY_BYTES // MIB} MiB in sorts, groups and joins",
                hint="Let it find fewer rows, or order, group and join by a primary key.",
            )
        self.held_bytes += size
        return size

    def release(self, size_bytes: int) -> None:
        self.held_bytes -= size_bytes


def estimated_bytes(rows: Sequence[Row]) -> int:
    """About what the rows take in memory, from every sixteenth of them."""
    if not rows:
        return 0
    sample = rows[::_SAMPLED]
    more = sum([value.__sizeof__() for row in sample for value in row if type(value) in _OF_ANY_SIZE])
    return len(rows) * (_ROW_BYTES + _VALUE_BYTES * len(rows[0])) + more * min(len(rows), _SAMPLED)


@dataclass(slots=True)
class ExecutionContext:
    """One execution of a statement.

    Attributes:
        parameters: a value for each parameter of the statement.
        now: the time of the transaction, for `now()` and for hidden row ids; UTC.
        random: for `random()`.
        clock: tells the time as it goes on, for `clock_timestamp()`; without one it stands at `now`.
        memory: what its operators hold.
        outer: by a column's id, its value in the row for which what is below is run again.
        before: the transaction as it was when the statement began, if it needs that.
        numbers: for columns that count by themselves.
        measures: what was counted of the plan's nodes, by their identities; only for EXPLAIN ANALYZE.
        stopwatch: seconds since any moment, for the same.
        kept: what operators that are run again remember of their last runs, each under a key of its own.
    """

    transaction: Transaction
    parameters: Row
    now: datetime
    random: Random
    clock: Callable[[], datetime] | None = None
    memory: Memory = field(default_factory=Memory)
    outer: dict[int, Value] = field(default_factory=dict)
    before: Transaction | None = None
    numbers: Numbers = field(default_factory=lambda: Numbers(NumberPool()))
    kept: dict[object, Any] = field(default_factory=dict)
    measures: dict[int, Measure] = field(default_factory=dict)
    stopwatch: Callable[[], float] = perf_counter

    def before_statement(self) -> ExecutionContext:
        """The same without what the statement has written, if `before` is known."""
        return self if self.before is None else replace(self, transaction=self.before)


Batches: TypeAlias = Callable[[ExecutionContext], Iterator[list[Row]]]
"""An operator. An execution gives its rows in batches of any size, after no more than `ROWS_PER_STEP` rows examined
each: so there are empty ones. Whoever takes them may stop early."""

RowsOf: TypeAlias = Callable[[ExecutionContext], list[Row]]
"""An operator that gives a few rows, which take no time worth a pause."""

Execution: TypeAlias = Generator[list[Row], None, Completion]
"""A statement at work: gives batches of at most `limits.ROWS_PER_BATCH` rows; an empty one is a pause, in which other
tasks may run."""

Execute: TypeAlias = Callable[[ExecutionContext], Execution]

ROWS_PER_STEP: Final = min(ROWS_PER_BATCH, ROWS_BETWEEN_PAUSES // 2)
"""Half of what may be examined between two pauses, because a statement pauses after the second batch, not the first."""
