"""Operators between the tables and the statement: values, filters and projections, limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from mynode.base.sql_errors import InvalidLimitError, InvalidOffsetError
from mynode.mvcc.keyspace import CATALOG
from mynode.relation.keys import CATALOG_END
from mynode.sql.compiler import RowsFunction
from mynode.sql.executor.context import ROWS_PER_STEP, Batches, ExecutionContext, RowsOf
from mynode.sql.executor.pace import Pace
from mynode.values.types import Row, Value


def value_rows(rows: Callable[[ExecutionContext], Sequence[Row]]) -> Batches:
    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        made = rows(context)
        for start in range(0, len(made), ROWS_PER_STEP):
            yield list(made[start : start + ROWS_PER_STEP])

    return run


def catalog_rows(rows: Callable[[], Iterator[Row]]) -> Batches:
    """Rows that are made from the catalog; all of it enters the read set."""

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        if context.transaction.record_reads:
            context.transaction.reads.add_range(CATALOG, CATALOG_END)
        made = rows()
        while batch := list(islice(made, ROWS_PER_STEP)):
            yield batch

    return run


def computed(source: Batches, compute: RowsFunction) -> Batches:
    """The rows that a compiled filter, projection or both make of each batch."""

    pace = Pace()

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        def work(rows: Sequence[Row]) -> list[Row]:
            return compute(rows, context)

        for batch in source(context):
            if batch:
                yield from pace.work(work, batch)
            else:
                yield batch

    return run


def computed_at_once(source: RowsOf, compute: RowsFunction) -> RowsOf:
    def rows_of(context: ExecutionContext) -> list[Row]:
        rows = source(context)
        return compute(rows, context) if rows else rows

    return rows_of


def gathered(source: Batches) -> Batches:
    """The same rows, all of them found before the first is given out. Raises `QueryMemoryError`."""

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        with context.memory.holder() as hold:
            batches: list[list[Row]] = []
            for batch in source(context):
                hold(batch)
                batches.append(batch)
                yield []
            yield from batches

    return run


def limited(source: Batches, limit_and_offset: Callable[[ExecutionContext], Row]) -> Batches:
    """Raises `InvalidLimitError` or `InvalidOffsetError` if one of the two is negative."""

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        left, skip = map(_row_count, limit_and_offset(context), ("LIMIT", "OFFSET"))
        skip = skip or 0
        if left == 0:
            return
        for source_batch in source(context):
            batch = source_batch[skip:] if skip else source_batch
            skip = max(skip - len(source_batch), 0)
            if left is None:
                yield batch
                continue
            if len(batch) >= left:
                yield batch[:left]
                return
            left -= len(batch)
            yield batch

    return run


def limited_with_ties(
    source: Batches, limit_and_offset: Callable[[ExecutionContext], Row], key_of: RowsFunction
) -> Batches:
    """As `limited`, with the rows after the last one that have its key."""

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        left, skip = map(_row_count, limit_and_offset(context), ("LIMIT", "OFFSET"))
        skip, last = skip or 0, None
        if left == 0:
            return
        for source_batch in source(context):
            batch = source_batch[skip:] if skip else source_batch
            skip = max(skip - len(source_batch), 0)
            if left is not None and len(batch) >= left:
                if left:
                    (last,) = key_of(batch[left - 1 : left], context)
                keys = key_of(batch[left:], context)
                kept = left + next((place for place, key in enumerate(keys) if key != last), len(keys))
                yield batch[:kept]
                if kept < len(batch):
                    return
                left = 0
                continue
            left = None if left is None else left - len(batch)
            yield batch

    return run


def _row_count(value: Value, word: str) -> int | None:
    if not isinstance(value, int):
        return None
    if value < 0:
        error = InvalidLimitError if word == "LIMIT" else InvalidOffsetError
        raise error(f"{word} must not be negative")
    return value
