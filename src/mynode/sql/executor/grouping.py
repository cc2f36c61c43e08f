"""Groups and their aggregates, and rows without their duplicates: both keep what they have seen in a dict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeAlias

from mynode.sql.compiler import Accumulate, RowsFunction, canonical
from mynode.sql.executor.context import ROWS_PER_STEP, Batches, ExecutionContext
from mynode.sql.executor.pace import Pace, let_go
from mynode.sql.executor.sort import SortPass, in_order
from mynode.sql.functions.function import Aggregate
from mynode.values.types import Row, Value

ValuesFunction: TypeAlias = Callable[[Sequence[Row], ExecutionContext], list[Value]]
"""From a batch to some value of each row."""

_GROUPED_AT_ONCE: Final = 4_096
"""Rows, which take some ms."""
_SMALL_GROUP: Final = 32
"""Rows of a group in a batch up to which it costs less to take them one by one."""
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


@dataclass(frozen=True, slots=True)
class GroupKey:
    """What makes rows a group.

    Attributes:
        part: from a batch to its rows by their keys.
        accumulate: adds each row of a batch to its group at once, if all aggregates allow it.
    """

    part: Callable[[Sequence[Row], ExecutionContext], dict[Row, list[Row]]]
    accumulate: Accumulate | None


class _Groups:
    """The states of the aggregates of each group, and the values that those with DISTINCT have seen.

    The state of an aggregate with an order is the rows that it will take, until `take_in_order`.
    """

    __slots__ = ("_context", "_hold", "_seen", "_steps", "by_key")

    def __init__(
        self, steps: Sequence[AggregateStep], context: ExecutionContext, hold: Callable[[Sequence[Row]], None]
    ) -> None:
        self.by_key: dict[Row, list[Any]] = {}
        self._steps = steps
        self._context = context
        self._hold = hold
        self._seen: dict[tuple[Row, int], set[Value]] = {}

    def new(self, key: Row) -> list[Any]:
        made = self.by_key[key] = [[] if step.order else step.aggregate.initial for step in self._steps]
        return made

    def add(self, key: Row, rows: Sequence[Row]) -> None:
        states = self.by_key.get(key)
        if states is None:
            states = self.new(key)
        for place, step in enumerate(self._steps):
            if step.order:
                self._hold(rows)
                states[place] += rows
                continue
            values = _EVERY_ROW * len(rows) if step.values is None else step.values(rows, self._context)
            if step.distinct:
                values = _not_seen(values, self._seen.setdefault((key, place), set()))
            if step.distinct or step.aggregate.keeps_values:
                self._hold([(value,) for value in values])
            states[place] = step.aggregate.step(states[place], values)

    def take_in_order(self, states: list[Any]) -> Iterator[list[Row]]:
        """The aggregates with an order take their rows, with pauses."""
        for place, step in enumerate(self._steps):
            if step.order:
                rows = yield from in_order(states[place], step.order, self._context)
                states[place] = step.aggregate.initial
                seen: set[Value] = set()
                for start in range(0, len(rows), _GROUPED_AT_ONCE):
                    if start:
                        yield []
                    some = rows[start : start + _GROUPED_AT_ONCE]
                    values = _EVERY_ROW * len(some) if step.values is None else step.values(some, self._context)
                    if step.distinct:
                        values = _not_seen(values, seen)
                    states[place] = step.aggregate.step(states[place], values)


def grouped(source: Batches, key: GroupKey | None, steps: Sequence[AggregateStep]) -> Batches:
    """A row a group: its key, then the result of each aggregate. Without a key all rows are one group.

    Groups come in the order of their first rows.
    """

    pace = Pace(_GROUPED_AT_ONCE)

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        with context.memory.holder() as hold:
            groups = _Groups(steps, context, hold)
            by_key = groups.by_key
            if key is None:
                groups.new(_ONLY_GROUP)

            def add(batch: Sequence[Row]) -> None:
                known = len(by_key)
                if key is None:
                    groups.add(_ONLY_GROUP, batch)
                elif key.accumulate is not None and known * _SMALL_GROUP > len(batch):
                    key.accumulate(batch, context, by_key.get, groups.new)
                else:
                    for one, rows in key.part(batch, context).items():
                        groups.add(one, rows)
                if len(by_key) > known:
                    hold(list(islice(reversed(by_key), len(by_key) - known)) * (1 + len(steps)))

            for batch in source(context) if key is None else _larger(source(context)):
                for _ in pace.work(add, batch):
                    yield []
            yield from _results(groups, steps)
            yield from let_go(by_key)

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


def _results(groups: _Groups, steps: Sequence[AggregateStep]) -> Iterator[list[Row]]:
    finish = [step.aggregate.finish for step in steps]
    has_order = any(step.order for step in steps)
    batch: list[Row] = []
    for key, states in groups.by_key.items():
        if has_order:
            yield from groups.take_in_order(states)
        batch.append((*key, *[one(state) for one, state in zip(finish, states, strict=True)]))
        if len(batch) == ROWS_PER_STEP:
            yield batch
            batch = []
    yield batch


def _not_seen(values: Sequence[Value], seen: set[Value]) -> list[Value]:
    new = [value for value in dict.fromkeys(map(canonical, values)) if value not in seen]
    seen.update(new)
    return new


def distinct(source: Batches, key_of: RowsFunction) -> Batches:
    """The rows whose key no earlier row had."""

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
            yield from let_go(seen)

    return run
