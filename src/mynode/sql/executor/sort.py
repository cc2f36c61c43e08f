"""Sorting, with pauses."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import inf
from operator import itemgetter
from typing import Any, Final, TypeAlias

from mynode.sql.executor.context import ROWS_PER_STEP, Batches, ExecutionContext
from mynode.values.types import Row

RowKey: TypeAlias = Callable[[Row], Any]

_RUN_ROWS: Final = 4_096
"""Rows sorted at a time, which takes a few ms."""

_key_of: Final = itemgetter(0)


@dataclass(frozen=True, slots=True)
class SortPass:
    """One stable sort by a key that `key_of` makes for a context."""

    key_of: Callable[[ExecutionContext], RowKey]
    descending: bool


def sorted_rows(
    source: Batches, passes: Sequence[SortPass], first: Callable[[ExecutionContext], Row] | None = None
) -> Batches:
    """All rows in order. `passes` are applied one after another, so the last one decides first.

    With `first`, only so many rows as its numbers together are given, and not many more are held at a time.
    """

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        wanted = _wanted(first(context)) if first else None
        room = inf if wanted is None else wanted + max(wanted, _RUN_ROWS)
        keys = [(one.key_of(context), one.descending) for one in passes]
        rows: list[Row] = []
        with context.memory.holder() as hold:
            for batch in source(context):
                if wanted is None or len(rows) < wanted:
                    hold(batch)
                rows += batch
                if len(rows) > room:
                    rows = (yield from in_order(rows, keys))[:wanted]
                yield []
            rows = (yield from in_order(rows, keys))[:wanted]
            for start in range(0, len(rows), ROWS_PER_STEP):
                yield rows[start : start + ROWS_PER_STEP]

    return run


def _wanted(limit_and_offset: Row) -> int | None:
    numbers = [number or 0 for number in limit_and_offset if isinstance(number, int)]
    if not isinstance(limit_and_offset[0], int) or min(numbers) < 0:
        return None
    return sum(numbers)


def in_order(rows: list[Row], keys: Sequence[tuple[RowKey, bool]]) -> Generator[list[Row], None, list[Row]]:
    """The rows in order, with pauses. The keys are applied one after another."""
    for key, descending in keys:
        rows = yield from _sorted(rows, key, descending)
    return rows


def _sorted(rows: list[Row], key: RowKey, descending: bool) -> Generator[list[Row], None, list[Row]]:
    """Sorts short runs and then merges neighbours: Timsort finds that what it gets are two runs, and merges them in
    linear time, in C.
    """
    if len(rows) <= _RUN_ROWS:
        return sorted(rows, key=key, reverse=descending)
    runs: list[list[tuple[Any, Row]]] = []
    for start in range(0, len(rows), _RUN_ROWS):
        keyed = [(key(row), row) for row in rows[start : start + _RUN_ROWS]]
        runs.append(sorted(keyed, key=_key_of, reverse=descending))
        yield []
    while len(runs) > 1:
        merged: list[list[tuple[Any, Row]]] = []
        for left, right in zip_longest(runs[::2], runs[1::2], fillvalue=()):
            merged.append(sorted([*left, *right], key=_key_of, reverse=descending))
            yield []
        runs = merged
    return [row for _, row in runs[0]]
