"""INSERT, UPDATE and DELETE: rows from a source, written into the transaction as they come.

The source gives none that rests on what is written meanwhile; the builder sees to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from mynode.base.errors import NotNullViolationError
from mynode.base.invariant import invariant
from mynode.relation.rows import TableRows
from mynode.sql.executor.context import Batches, Execute, Execution, ExecutionContext
from mynode.sql.executor.output import Returning
from mynode.sql.result import Completion
from mynode.values.text import format_text
from mynode.values.types import Row, Value

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def insert(rows: TableRows, source: Batches, returning: Returning | None) -> Execute:
    """Adds the source's rows, which have the table's columns.

    The execution raises `NotNullViolationError` or `UniqueViolationError`.
    """
    check = _not_null_check(rows)
    has_key = rows.table.primary_key is not None

    def run(context: ExecutionContext) -> Execution:
        transaction = context.transaction
        row_id = None if has_key else rows.row_ids(transaction, _microseconds(context.now))
        count = 0
        returned: list[Row] = []
        for batch in source(context):
            if count:
                yield []
            for row in batch:
                check(row)
                if row_id is None:
                    rows.insert(transaction, row)
                else:
                    rows.write(transaction, row_id(count), row)
                count += 1
            if returning is not None:
                returned += returning.of(batch, context)
        if returning is not None:
            yield from returning.batches(returned)
        return Completion(f"INSERT 0 {count}", count)

    return run


def update(rows: TableRows, source: Batches, returning: Returning | None, *, moves: bool) -> Execute:
    """Writes the source's rows: each the new values, then the key, then what only RETURNING wants.

    With `moves` rows may get other keys. All are taken away before they are put at their new keys, so that a statement
    may exchange keys (`SET id = id + 1`); PostgreSQL refuses that.

    The execution raises `NotNullViolationError` or `UniqueViolationError`.
    """
    check = _not_null_check(rows)
    width = len(rows.table.columns)

    def run(context: ExecutionContext) -> Execution:
        transaction = context.transaction
        count = 0
        moved: list[Row] = []
        returned: list[Row] = []
        for batch in source(context):
            if count:
                yield []
            count += len(batch)
            for found in batch:
                row, key = found[:width], _key(found, width)
                check(row)
                if moves and rows.key_of(row) != key:
                    transaction.delete(key)
                    moved.append(row)
                else:
                    rows.write(transaction, key, row)
            if returning is not None:
                returned += returning.of(batch, context)
        for row in moved:
            rows.insert(transaction, row)
        if returning is not None:
            yield from returning.batches(returned)
        return Completion(f"UPDATE {count}", count)

    return run


def delete(rows: TableRows, source: Batches, returning: Returning | None) -> Execute:
    """Deletes the source's rows: each the values, then the key, then what only RETURNING wants."""
    width = len(rows.table.columns)

    def run(context: ExecutionContext) -> Execution:
        transaction = context.transaction
        count = 0
        returned: list[Row] = []
        for batch in source(context):
            if count:
                yield []
            count += len(batch)
            for found in batch:
                transaction.delete(_key(found, width))
            if returning is not None:
                returned += returning.of(batch, context)
        if returning is not None:
            yield from returning.batches(returned)
        return Completion(f"DELETE {count}", count)

    return run


def once_each(source: Batches, key_place: int) -> Batches:
    """Of the rows with the same key the first only: a row of a table that is joined to several others."""

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        seen: set[Value] = set()
        for batch in source(context):
            first: list[Row] = []
            for row in batch:
                if row[key_place] not in seen:
                    seen.add(row[key_place])
                    first.append(row)
            yield first

    return run


def _key(found: Row, place: int) -> bytes:
    key = found[place]
    if isinstance(key, bytes):
        return key
    invariant(False, "a changed row comes with its key")
    return b""


def _not_null_check(rows: TableRows) -> Callable[[Row], None]:
    """A function that raises `NotNullViolationError` for a row with a NULL where none may be."""
    table = rows.table
    places = [place for place, column in enumerate(table.columns) if column.not_null]

    def check(row: Row) -> None:
        for place in places:
            if row[place] is None:
                shown = ", ".join(map(_shown, row))
                raise NotNullViolationError(
                    f'null value in column "{table.columns[place].name}" of relation "{table.name}" '
                    "violates not-null constraint",
                    detail=f"Failing row contains ({shown}).",
                )

    return check


def _shown(value: Value) -> str:
    return "null" if value is None else format_text(value)


def _microseconds(now: datetime) -> int:
    """Since 1970; 0 before."""
    aware = now if now.tzinfo is not None else now.replace(tzinfo=UTC)
    return max((aware - _EPOCH) // timedelta(microseconds=1), 0)
