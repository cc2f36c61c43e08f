"""Joins: by a hash table of the right side, or by running the right side again for each row of the left."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mynode.sql.compiler import PairsFunction, RowsFunction
from mynode.sql.executor.context import ROWS_PER_STEP, Batches, ExecutionContext
from mynode.sql.executor.pace import let_go
from mynode.sql.plan import ONE_SIDED, JoinKind
from mynode.values.types import Row, Value

_ALL: Final[Row] = ()
_PAIRS_AT_ONCE: Final = 8 * ROWS_PER_STEP
"""Pairs of rows made between two pauses at most: a part of a ms."""


@dataclass(frozen=True, slots=True)
class JoinSide:
    """One input of a join: its rows, how many columns they have, and their keys (None: all rows have the same).

    A key that is None equals none.
    """

    rows: Batches
    width: int
    key_of: Callable[[Sequence[Row], ExecutionContext], list[Any]] | None

    def keys(self, batch: list[Row], context: ExecutionContext) -> list[Any]:
        return [_ALL] * len(batch) if self.key_of is None else self.key_of(batch, context)

    def keyed(self, batch: list[Row], context: ExecutionContext) -> Iterator[tuple[Any, Row]]:
        """Each row behind its key."""
        return zip(self.keys(batch, context), batch, strict=True)


@dataclass(slots=True)
class _Table:
    """The right side of a join. For a full join each row has its number as one more value, and `rows` holds all."""

    by_key: dict[Any, list[Row]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    matched: set[Value] = field(default_factory=set)


def hash_joined(left: JoinSide, right: JoinSide, kind: JoinKind, test: RowsFunction | None) -> Batches:
    """An outer, semi or anti join by equal keys.

    Args:
        test: the filter of the pairs of rows that count as matches.
    """

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        with context.memory.holder() as hold:
            table = _Table()
            for batch in right.rows(context):
                hold(batch)
                _add(table, right, batch, kind, context)
                yield []
            if kind in ONE_SIDED:
                yield from _one_sided(left, table, kind is JoinKind.SEMI, test, context)
            else:
                yield from _outer(left, table, right.width, kind, test, context)
            for start in range(0, len(table.rows), ROWS_PER_STEP):
                chunk = table.rows[start : start + ROWS_PER_STEP]
                yield [(*(None,) * left.width, *row[:-1]) for row in chunk if row[-1] not in table.matched]
            yield from let_go(table.rows)
            yield from let_go(table.by_key)

    return run


def inner_joined(left: JoinSide, right: JoinSide, make: PairsFunction) -> Batches:
    """What is made of the pairs of rows of both sides with equal keys."""

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        with context.memory.holder() as hold:
            table = _Table()
            for batch in right.rows(context):
                hold(batch)
                _add(table, right, batch, JoinKind.INNER, context)
                yield []
            by_key = table.by_key
            if not by_key:
                return
            most = max(map(len, by_key.values()))
            at_once = _PAIRS_AT_ONCE // most
            for batch in left.rows(context):
                found = zip(batch, map(by_key.get, left.keys(batch, context)), strict=True)
                if at_once >= ROWS_PER_STEP:
                    yield make(found, context)
                else:
                    yield from _many(found, make, context)

    return run


def _many(
    found: Iterator[tuple[Row, list[Row] | None]], make: PairsFunction, context: ExecutionContext
) -> Iterator[list[Row]]:
    """The same, where a batch may have more pairs than may be examined between two pauses."""
    waiting: list[tuple[Row, list[Row]]] = []
    examined = 0
    for row, partners in found:
        for start in range(0, len(partners or ()), ROWS_PER_STEP):
            part = (partners or [])[start : start + ROWS_PER_STEP]
            if examined + len(part) > ROWS_PER_STEP:
                yield make(waiting, context)
                waiting, examined = [], 0
            waiting.append((row, part))
            examined += len(part)
    yield make(waiting, context)


def _add(table: _Table, side: JoinSide, batch: list[Row], kind: JoinKind, context: ExecutionContext) -> None:
    keys = side.keys(batch, context)  # of the rows as they are: a key can be the whole row
    if kind is JoinKind.FULL:
        batch = [(*row, number) for number, row in enumerate(batch, len(table.rows))]
        table.rows += batch
    by_key = table.by_key
    for key, row in zip(keys, batch, strict=True):
        if key in by_key:
            by_key[key].append(row)
        elif key is not None:
            by_key[key] = [row]


def _outer(
    left: JoinSide,
    table: _Table,
    right_width: int,
    kind: JoinKind,
    test: RowsFunction | None,
    context: ExecutionContext,
) -> Iterator[list[Row]]:
    nulls = (None,) * right_width
    for batch in left.rows(context):
        made: list[Row] = []
        for key, row in left.keyed(batch, context):
            matches = yield from _matches(row, table.by_key.get(key, []), test, context)
            if kind is JoinKind.FULL:
                table.matched.update([match[-1] for match in matches])
                matches = [match[:-1] for match in matches]
            made += matches or [row + nulls]
            if len(made) >= ROWS_PER_STEP:
                yield made
                made = []
        yield made


def _one_sided(
    left: JoinSide, table: _Table, wanted: bool, test: RowsFunction | None, context: ExecutionContext
) -> Iterator[list[Row]]:
    """The rows of the left side that have a match, or those that have none."""
    by_key = table.by_key
    for batch in left.rows(context):
        made: list[Row] = []
        for key, row in left.keyed(batch, context):
            has_match = key in by_key
            if has_match and test is not None:
                has_match = yield from _has_match(row, by_key[key], test, context)
            if has_match is wanted:
                made.append(row)
        yield made


def _has_match(
    row: Row, others: list[Row], test: RowsFunction, context: ExecutionContext
) -> Generator[list[Row], None, bool]:
    for start in range(0, len(others), ROWS_PER_STEP):
        if start:
            yield []
        if test([row + other for other in others[start : start + ROWS_PER_STEP]], context):
            return True
    return False


def _matches(
    row: Row, others: list[Row], test: RowsFunction | None, context: ExecutionContext
) -> Generator[list[Row], None, list[Row]]:
    found: list[Row] = []
    for start in range(0, len(others), ROWS_PER_STEP):
        if start:
            yield []
        pairs = [row + other for other in others[start : start + ROWS_PER_STEP]]
        found += test(pairs, context) if test else pairs
    return found


def lookup_joined(
    left: Batches, right: Batches, bindings: Sequence[tuple[int, int]], right_width: int, kind: JoinKind
) -> Batches:
    """Each row of the left side beside the rows that the right side then has; in a LEFT join beside NULLs if none.

    Args:
        bindings: the ids of the left side's columns that the right side uses, each with its place in the row.
    """
    nulls = (None,) * right_width

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        outer = context.outer
        for batch in left(context):
            made: list[Row] = []
            examined = 0
            for row in batch:
                found = False
                others = right(context)
                while True:
                    for column_id, place in bindings:  # again after each pause: others may have used these
                        outer[column_id] = row[place]
                    inner = next(others, None)
                    if inner is None:
                        break
                    found = found or bool(inner)
                    examined += len(inner) + 1
                    if kind in ONE_SIDED:
                        if found:
                            break
                    else:
                        made += [row + other for other in inner]
                    if examined >= ROWS_PER_STEP:
                        yield made
                        made, examined = [], 0
                if kind in ONE_SIDED:
                    if found is (kind is JoinKind.SEMI):
                        made.append(row)
                elif not found and kind is JoinKind.LEFT:
                    made.append(row + nulls)
            yield made

    return run
