"""What a statement that changes rows makes of each of them: RETURNING, and DO UPDATE of ON CONFLICT."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from time import perf_counter
from typing import TypeAlias

from mynode.sql.compiler import RowsFunction
from mynode.sql.executor.context import Batches, ExecutionContext
from mynode.sql.executor.pace import LONG_S
from mynode.sql.expressions import PlanColumn
from mynode.values.types import Row

PerRow: TypeAlias = Callable[[Sequence[Row], ExecutionContext], Generator[list[Row], None, list[Row]]]
"""From rows to what is made of them, with pauses."""


def computed(compute: RowsFunction) -> PerRow:
    """By expressions alone."""

    def run(rows: Sequence[Row], context: ExecutionContext) -> Generator[list[Row], None, list[Row]]:
        yield from ()  # it takes too little time to pause
        return compute(rows, context)

    return run


def queried(query: Batches, columns: Sequence[PlanColumn]) -> PerRow:
    """By a query that has the columns of a row as outer values, and sees what was there before the statement."""
    places = [(column.id, place) for place, column in enumerate(columns)]

    def run(rows: Sequence[Row], context: ExecutionContext) -> Generator[list[Row], None, list[Row]]:
        earlier = context.before_statement()
        made: list[Row] = []
        began_s = perf_counter()
        for row in rows:
            for column_id, place in places:
                context.outer[column_id] = row[place]
            for batch in query(earlier):
                made += batch
                if perf_counter() - began_s > LONG_S:
                    yield []
                    began_s = perf_counter()
        return made

    return run
