"""Operators between the tables and the statement: values, filters and projections, limits, aggregates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from mynode.base.errors import InvalidRowCountError
from mynode.sql.compiler import RowsFunction
from mynode.sql.executor.context import ROWS_PER_STEP, Batches, ExecutionContext
from mynode.sql.functions.function import Aggregate
from mynode.values.compare import OrderKey, order_key
from mynode.values.types import Row, Value

ValuesFunction: TypeAlias = Callable[[Sequence[Row], ExecutionContext], list[Value]]
"""From a batch to some value of each row."""

_EVERY_ROW: Final[list[Value]] = [True]


def value_rows(rows: Callable[[ExecutionContext], Sequence[Row]]) -> Batches:
    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        made = rows(context)
        for start in range(0, len(made), ROWS_PER_STEP):
            yield list(made[start : start + ROWS_PER_STEP])

    return run


def computed(source: Batches, compute: RowsFunction) -> Batches:
    """The rows that a compiled filter, projection or both make of each batch."""

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        for batch in source(context):
            yield compute(batch, context) if batch else batch

    return run


def limited(source: Batches, limit_and_offset: Callable[[ExecutionContext], Row]) -> Batches:
    """Raises `InvalidRowCountError` if one of the two is negative."""

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


def _row_count(value: Value, word: str) -> int | None:
    if not isinstance(value, int):
        return None
    if value < 0:
        raise InvalidRowCountError(f"{word} must not be negative")
    return value


@dataclass(frozen=True, slots=True)
class AggregateStep:
    """An aggregate and the function from a batch to the values it takes, None for `count(*)`."""

    aggregate: Aggregate
    values: ValuesFunction | None
    distinct: bool


def aggregated(source: Batches, steps: Sequence[AggregateStep]) -> Batches:
    """One row with the result of each aggregate over all rows."""

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        states: list[object] = [step.aggregate.initial for step in steps]
        seen: list[dict[OrderKey, None]] = [{} for _ in steps]
        for batch in source(context):
            for place, step in enumerate(steps):
                values = _EVERY_ROW * len(batch) if step.values is None else step.values(batch, context)
                if step.distinct:
                    values = _not_seen(values, seen[place])
                states[place] = step.aggregate.step(states[place], values)
            yield []
        yield [tuple(step.aggregate.finish(state) for step, state in zip(steps, states, strict=True))]

    return run


def _not_seen(values: Sequence[Value], seen: dict[OrderKey, None]) -> list[Value]:
    new: list[Value] = []
    for value in values:
        key = order_key(value)
        if key not in seen:
            seen[key] = None
            new.append(value)
    return new
