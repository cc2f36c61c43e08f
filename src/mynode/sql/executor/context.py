"""What an execution needs besides its plan, and the shape of what it gives."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final, TypeAlias

from mynode.base.limits import ROWS_BETWEEN_PAUSES, ROWS_PER_BATCH
from mynode.mvcc.transaction import Transaction
from mynode.sql.result import Completion
from mynode.values.types import Row


@dataclass(slots=True)
class ExecutionContext:
    """One execution of a statement.

    Attributes:
        parameters: a value for each parameter of the statement.
        now: the time of the statement, for `now()` and for hidden row ids; UTC.
        random: for `random()`.
    """

    transaction: Transaction
    parameters: Row
    now: datetime
    random: Random


Batches: TypeAlias = Callable[[ExecutionContext], Iterator[list[Row]]]
"""An operator. An execution gives its rows in batches of any size, after no more than `ROWS_PER_STEP` rows examined
each: so there are empty ones. Whoever takes them may stop early."""

Execution: TypeAlias = Generator[list[Row], None, Completion]
"""A statement at work: gives batches of at most `limits.ROWS_PER_BATCH` rows; an empty one is a pause, in which other
tasks may run."""

Execute: TypeAlias = Callable[[ExecutionContext], Execution]

ROWS_PER_STEP: Final = min(ROWS_PER_BATCH, ROWS_BETWEEN_PAUSES // 2)
"""Half of what may be examined between two pauses, because a statement pauses after the second batch, not the first."""
