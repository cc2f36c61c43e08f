"""Sorting, with pauses."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from math import inf
from operator import itemgetter
from typing import Any, Final, TypeAlias

from mynode.sql.executor.context import ROWS_PER_STEP, Batches, ExecutionContext
from mynode.sql.executor.pace import Pace, let_go
from mynode.values.types import Row

RowKey: TypeAlias = Callable[[Row], Any]

_RUN_ROWS: Final = 4_096
"""Rows sorted at a time, which takes a few ms."""

_Run: TypeAlias = list[tuple[Any, Row]]
"""Rows in order, each behind its key."""

_key_of: Final = itemgetter(0)
_GONE: Final[tuple[Any, Row]] = (None, ())


@dataclass(frozen=True, slots=True)
class SortPass:
    """One stable sort by a key that `key_of` makes for a context."""

    key_of: Callable[[ExecutionContext], RowKey]
    descending: bool
    pace: Pace = field(default_factory=lambda: Pace(_RUN_ROWS))


def sorted_rows(
    source: Batches, passes: Sequence[SortPass], first: Callable[[ExecutionContext], Row] | None = None
) -> Batches:
    """All rows in order. `passes` are applied one after another, so the last one decides first.

    With `first`, only so many rows as its numbers together are given, and not many more are held at a time.
    """

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        wanted = _wanted(first(context)) if first else None
        room = inf if wanted is None else wanted + max(wanted, _RUN_ROWS)
        rows: list[Row] = []
        with context.memory.holder() as hold:
            for batch in source(context):
                if wanted is None or len(rows) < wanted:
                    hold(batch)
                rows += batch
                if len(rows) > room:
                    rows = (yield from in_order(rows, passes, context))[:wanted]
                yield []
            rows = (yield from in_order(rows, passes, context))[:wanted]
            for start in range(0, len(rows), ROWS_PER_STEP):
                yield rows[start : start + ROWS_PER_STEP]
            yield from let_go(rows)

    return run


def _wanted(limit_and_offset: Row) -> int | None:
    numbers = [number or 0 for number in limit_and_offset if isinstance(number, int)]
    if not isinstance(limit_and_offset[0], int) or min(numbers) < 0:
        return None
    return sum(numbers)


def in_order(
    rows: list[Row], passes: Sequence[SortPass], context: ExecutionContext
) -> Generator[list[Row], None, list[Row]]:
    """The rows in order, with pauses. The passes are applied one after another."""
    for one in passes:
        rows = yield from _sorted(rows, one, one.key_of(context))
    return rows


def _sorted(rows: list[Row], one: SortPass, key: RowKey) -> Generator[list[Row], None, list[Row]]:
    """Sorts short runs and then merges neighbours, a piece of each at a time: Timsort finds that what it gets are two
    runs, and merges them in linear time, in C.
    """
    if len(rows) <= one.pace.rows:
        return sorted(rows, key=key, reverse=one.descending)

    def with_keys(rows: Sequence[Row]) -> _Run:
        return [(key(row), row) for row in rows]

    runs: list[_Run] = []
    for start in range(0, len(rows), _RUN_ROWS):
        keyed: _Run = []
        for portion in one.pace.work(with_keys, rows[start : start + _RUN_ROWS]):
            keyed += portion
            yield []
        keyed.sort(key=_key_of, reverse=one.descending)
        runs.append(keyed)
    run = yield from _one_run(runs, one.descending)
    runs.clear()
    found: list[Row] = []
    for start in range(0, len(run), _RUN_ROWS):
        piece = run[start : start + _RUN_ROWS]
        found += [row for _, row in piece]
        run[start : start + _RUN_ROWS] = [_GONE] * len(piece)  # frees the pairs a part at a time
        yield []
    return found


def _one_run(runs: list[_Run], descending: bool) -> Generator[list[Row], None, _Run]:
    left: _Run
    right: _Run
    while len(runs) > 1:
        merged: list[_Run] = []
        for left, right in zip_longest(runs[::2], runs[1::2], fillvalue=[]):
            merged.append((yield from _merged(left, right, descending)))
        runs = merged
    return runs[0]


def _merged(left: _Run, right: _Run, descending: bool) -> Generator[list[Row], None, _Run]:
    """Both runs in one, a piece at a time: what comes first of two equal keys is from the left."""
    found: _Run = []
    i = j = 0
    while i < len(left) and j < len(right):
        last = min(i + _RUN_ROWS, len(left)) - 1
        taken = _before(right, j, min(j + _RUN_ROWS, len(right)), left[last][0], descending)
        is_cut = taken == j + _RUN_ROWS  # then more of the right may come before the end of the left piece
        until = _not_after(left, i, last + 1, right[taken - 1][0], descending) if is_cut else last + 1
        found += sorted([*left[i:until], *right[j:taken]], key=_key_of, reverse=descending)
        i, j = until, taken
        yield []
    found += left[i:]
    found += right[j:]
    return found


def _before(run: _Run, start: int, stop: int, key: Any, descending: bool) -> int:
    """The first place whose key does not come before `key`."""
    while start < stop:
        middle = (start + stop) // 2
        if (key < run[middle][0]) if descending else (run[middle][0] < key):
            start = middle + 1
        else:
            stop = middle
    return start


def _not_after(run: _Run, start: int, stop: int, key: Any, descending: bool) -> int:
    """The first place whose key comes after `key`."""
    while start < stop:
        middle = (start + stop) // 2
        if (run[middle][0] < key) if descending else (key < run[middle][0]):
            stop = middle
        else:
            start = middle + 1
    return start
