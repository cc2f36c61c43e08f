"""Groups and their aggregates, and rows without their duplicates: both keep what they have seen in a dict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from mynode.sql.compiler import RowsFunction, canonical
from mynode.sql.executor.context import ROWS_PER_STEP, Batches, ExecutionContext
from mynode.sql.executor.sort import SortPass, in_order
from mynode.sql.functions.function import Aggregate
from mynode.values.types import Row, Value

ValuesFunction: TypeAlias = Callable[[Sequence[Row], ExecutionContext], list[Value]]
"""From a batch to some value of each row."""

_GROUPED_AT_ONCE: Final = 4_096
"""Rows, which take some ms."""
_EVERY_ROW: Final[list[Value]] = [True]
_ONLY_GROUP: Final[Row] = ()


@dataclass(frozen=True, slots=True)
class AggregateStep:
    """An aggregate and the function from a batch to the values it takes, None for `count(*)`.

    Attributes:
        order: the passes of the sort that puts a group's rows in the order in which the aggregate takes them.
    """

    aggregate: Aggregate
    values: ValuesFunction | None
    distinct: bool
    order: Sequence[SortPass] = ()


class _Group:
    """The states of the aggregates of one group, and the values that those with DISTINCT have seen.

    The state of an aggregate with an order is the rows that it will take, until `take_in_order`.
    """

    __slots__ = ("seen", "states")

    def __init__(self, steps: Sequence[AggregateStep]) -> None:
        self.states: list[Any] = [[] if step.order else step.aggregate.initial for step in steps]
        self.seen: list[set[Value]] = [set() for step in steps if step.distinct and not step.order]

    def add(
        self,
        rows: Sequence[Row],
        steps: Sequence[AggregateStep],
        context: ExecutionContext,
        hold: Callable[[Sequence[Row]], None],
    ) -> None:
        seen = iter(self.seen)
        for place, step in enumerate(steps):
            if step.order:
                hold(rows)
                self.states[place] += rows
                continue
            values = _EVERY_ROW * len(rows) if step.values is None else step.values(rows, context)
            if step.distinct:
                values = _not_seen(values, next(seen))
            if step.distinct or step.aggregate.keeps_values:
                hold([(value,) for value in values])
            self.states[place] = step.aggregate.step(self.states[place], values)

    def take_in_order(self, steps: Sequence[AggregateStep], context: ExecutionContext) -> Iterator[list[Row]]:
        """The aggregates with an order take their rows, with pauses."""
        for place, step in enumerate(steps):
            if step.order:
                keys = [(one.key_of(context), one.descending) for one in step.order]
                rows = yield from in_order(self.states[place], keys)
                values = _EVERY_ROW * len(rows) if step.values is None else step.values(rows, context)
                if step.distinct:
                    values = _not_seen(values, set())
                self.states[place] = step.aggregate.step(step.aggregate.initial, values)


def grouped(source: Batches, key_of: RowsFunction | None, steps: Sequence[AggregateStep]) -> Batches:
    """A row a group: its key, then the result of each aggregate. Without `key_of` all rows are one group.

    Groups come in the order of their first rows.
    """

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        groups: dict[Row, _Group] = {} if key_of else {_ONLY_GROUP: _Group(steps)}
        with context.memory.holder() as hold:
            for batch in source(context) if key_of is None else _larger(source(context)):
                new: list[Row] = []
                for key, rows in _by_key(batch, key_of, context).items():
                    group = groups.get(key)
                    if group is None:
                        group = groups[key] = _Group(steps)
                        new.append(key)
                    group.add(rows, steps, context, hold)
                hold(new * (1 + len(steps)))
                yield []
            yield from _results(groups, steps, context)

    return run


def _larger(batches: Iterator[list[Row]]) -> Iterator[list[Row]]:
    """The same rows in larger batches, so that a group gets more at a time; an empty one for each that waits."""
    waiting: list[Row] = []
    for batch in batches:
        waiting += batch
        if len(waiting) < _GROUPED_AT_ONCE:
            yield []
        else:
            yield waiting
            waiting = []
    yield waiting


def _by_key(batch: list[Row], key_of: RowsFunction | None, context: ExecutionContext) -> dict[Row, list[Row]]:
    if key_of is None:
        return {_ONLY_GROUP: batch}
    found: dict[Row, list[Row]] = {}
    for key, row in zip(key_of(batch, context), batch, strict=True):
        if key in found:
            found[key].append(row)
        else:
            found[key] = [row]
    return found


def _results(
    groups: dict[Row, _Group], steps: Sequence[AggregateStep], context: ExecutionContext
) -> Iterator[list[Row]]:
    finish = [step.aggregate.finish for step in steps]
    has_order = any(step.order for step in steps)
    batch: list[Row] = []
    for key, group in groups.items():
        if has_order:
            yield from group.take_in_order(steps, context)
        batch.append((*key, *[one(state) for one, state in zip(finish, group.states, strict=True)]))
        if len(batch) == ROWS_PER_STEP:
            yield batch
            batch = []
    yield batch


def _not_seen(values: Sequence[Value], seen: set[Value]) -> list[Value]:
    new = [value for value in dict.fromkeys(map(canonical, values)) if value not in seen]
    seen.update(new)
    return new


def distinct(source: Batches, key_of: RowsFunction) -> Batches:
    """The rows whose key, made of all columns, no earlier row had."""

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        seen: set[Row] = set()
        with context.memory.holder() as hold:
            for batch in source(context):
                new: list[Row] = []
                for key, row in zip(key_of(batch, context), batch, strict=True):
                    if key not in seen:
                        seen.add(key)
                        new.append(row)
                hold(new)
                yield new

    return run
