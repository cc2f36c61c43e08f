"""Work cut into portions of a few milliseconds, so that between two of them a statement can pause.

How long a row takes is not known before: most take a microsecond, some functions of NUMERIC take ten thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Final, TypeVar

from mynode.sql.executor.context import ROWS_PER_STEP
from mynode.values.types import Row

T = TypeVar("T")

_FEW: Final = 4
"""Rows that are worked on at once whatever it takes."""
LONG_S: Final = 0.005
"""After so long, work should pause."""
_SHORT_S: Final = 0.001
_LET_GO_AT_ONCE: Final = 4_096


class Pace:
    """Of one operator, for all its executions: how many rows its work may be given at a time.

    One row at first, then more as long as they take less than a millisecond together, fewer when they take over five.

    Args:
        most: rows at a time.

    Attributes:
        rows: that may be given at a time now.
    """

    __slots__ = ("_clock", "_most", "rows")

    def __init__(self, most: int = ROWS_PER_STEP, clock: Callable[[], float] = perf_counter) -> None:
        self._most = most
        self._clock = clock
        self.rows = 1

    def work(self, work: Callable[[Sequence[Row]], T], rows: Sequence[Row]) -> Iterator[T]:
        """What `work` makes of the rows, a portion at a time."""
        if len(rows) <= _FEW:
            yield work(rows)
            return
        start = 0
        while start < len(rows):
            count = self.rows
            portion = rows[start : start + count] if start or count < len(rows) else rows
            began = self._clock()
            made = work(portion)
            self._learn(len(portion), self._clock() - began)
            start += count
            yield made

    def _learn(self, count: int, took_s: float) -> None:
        if took_s > LONG_S:
            self.rows = max(1, int(count * LONG_S / took_s))
        elif took_s < _SHORT_S and count >= self.rows:
            self.rows = min(self._most, 4 * self.rows)


def let_go(held: list[Row] | set[Row] | dict[Row, T]) -> Iterator[list[Row]]:
    """Empties what an operator has kept, with pauses: to free a million rows at once takes a tenth of a second."""
    while len(held) > _LET_GO_AT_ONCE:
        if isinstance(held, list):
            del held[-_LET_GO_AT_ONCE:]
        else:
            take = held.pop if isinstance(held, set) else held.popitem
            for _ in range(_LET_GO_AT_ONCE):
                take()
        yield []
