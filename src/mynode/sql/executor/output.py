"""The rows that leave a statement: in full batches, within the limits of rows and bytes."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from mynode.base.limits import BYTES_PER_BATCH, ROWS_PER_BATCH
from mynode.sql.executor.context import Batches, Execute, Execution, ExecutionContext, RowsOf
from mynode.sql.executor.per_row import PerRow
from mynode.sql.expressions import PlanColumn
from mynode.sql.result import Completion
from mynode.values.types import BPCHAR, TEXT, Row


def text_places(columns: Sequence[PlanColumn]) -> list[int]:
    """The places of the columns whose values can be long."""
    return [place for place, column in enumerate(columns) if column.type in (TEXT, BPCHAR)]


def select(source: Batches, texts: list[int], tag: str = "SELECT") -> Execute:
    """Gives the source's rows out in full batches, and pauses between."""

    def run(context: ExecutionContext) -> Execution:
        count = 0
        held: list[Row] | None = None
        for batch in source(context):
            if held is None:
                held = batch
                continue
            held = held + batch if held else batch
            if len(held) < ROWS_PER_BATCH:
                yield []
                continue
            count += len(held)
            yield from _sized(held, texts)
            held = []
        if held:
            count += len(held)
            yield from _sized(held, texts)
        return Completion(f"{tag} {count}" if tag == "SELECT" else tag, count)

    return run


def select_at_once(rows_of: RowsOf) -> Execute:
    """The same of what gives one row at most."""

    def run(context: ExecutionContext) -> Execution:
        rows = rows_of(context)
        if rows:
            yield rows
        return Completion(f"SELECT {len(rows)}", len(rows))

    return run


class Returning:
    """RETURNING: what a statement that changes rows answers.

    The rows are kept until the statement is done, because it can fail until then.

    Args:
        made: from rows as the statement has them (see `plan.Insert` and its like) to those it returns.
        columns: of the rows that it returns.
    """

    __slots__ = ("_made", "_texts")

    def __init__(self, made: PerRow, columns: Sequence[PlanColumn]) -> None:
        self._made = made
        self._texts = text_places(columns)

    def of(self, rows: Sequence[Row], context: ExecutionContext) -> Generator[list[Row], None, list[Row]]:
        """The rows returned for these, with pauses. Raises `QueryMemoryError`."""
        returned = yield from self._made(rows, context)
        context.memory.keep(returned)
        return returned

    def batches(self, returned: list[Row]) -> list[list[Row]]:
        return _sized(returned, self._texts) if returned else []


def _sized(rows: list[Row], texts: list[int]) -> list[list[Row]]:
    """The rows in batches within the limits of rows and, about, of bytes."""
    small = len(rows) <= ROWS_PER_BATCH and _text_length(rows, texts) <= BYTES_PER_BATCH
    if small or len(rows) == 1:
        return [rows]
    middle = len(rows) // 2
    return [*_sized(rows[:middle], texts), *_sized(rows[middle:], texts)]


def _text_length(rows: list[Row], texts: list[int]) -> int:
    return sum([len(value) for place in texts for row in rows if isinstance(value := row[place], str)])
