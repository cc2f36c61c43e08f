"""INSERT, UPDATE and DELETE: rows from a source, written into the transaction as they come.

The source gives none that rests on what is written meanwhile; the builder sees to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from mynode.base.invariant import invariant
from mynode.relation.indexes import IndexEntries
from mynode.relation.rows import TableRows
from mynode.sql.executor.context import Batches, Execute, Execution, ExecutionContext
from mynode.sql.executor.output import Returning
from mynode.sql.executor.row_checks import RowCheck
from mynode.sql.result import Completion
from mynode.values.types import Row, Value

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def insert(rows: TableRows, check: RowCheck, source: Batches, returning: Returning | None) -> Execute:
    """Adds the source's rows, which have the table's columns.

    The execution raises what the check does, or `UniqueViolationError`.
    """
    has_key = rows.table.primary_key is not None

    def run(context: ExecutionContext) -> Execution:
        transaction = context.transaction
        row_id = None if has_key else rows.row_ids(transaction, microseconds(context.now))
        count = 0
        returned: list[Row] = []
        for batch in source(context):
            if count:
                yield []
            check(batch, context)
            for row in batch:
                if row_id is None:
                    rows.insert(transaction, row)
                else:
                    rows.insert_at(transaction, row_id(count), row)
                count += 1
            if returning is not None:
                returned += returning.of(batch, context)
        if returning is not None:
            yield from returning.batches(returned)
        return Completion(f"INSERT 0 {count}", count)

    return run


def update(rows: TableRows, check: RowCheck, source: Batches, returning: Returning | None, *, moves: bool) -> Execute:
    """Writes the source's rows: each the new values, then the key, then what only RETURNING wants.

    With `moves` rows may get other keys. All are taken away before they are put at their new keys, and so are their
    entries in indexes, so that a statement may exchange keys (`SET id = id + 1`); PostgreSQL refuses that.

    The execution raises what the check does, or `UniqueViolationError`.
    """
    width = len(rows.table.columns)

    def run(context: ExecutionContext) -> Execution:
        transaction = context.transaction
        count = 0
        moved: list[Row] = []
        returned: list[Row] = []
        without_entry: list[tuple[Sequence[IndexEntries], Row, bytes]] = []
        for batch in source(context):
            if count:
                yield []
            count += len(batch)
            check(batch, context)
            for found in batch:
                row, key = found[:width], _key(found, width)
                if moves and rows.key_of(row) != key:
                    rows.remove(transaction, key)
                    moved.append(row)
                elif late := rows.update(transaction, key, row):
                    without_entry.append((late, row, key))
            if returning is not None:
                returned += returning.of(batch, context)
        for row in moved:
            rows.insert(transaction, row)
        for indexes, row, key in without_entry:
            for index in indexes:
                index.add(transaction, row, key)
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
                rows.remove(transaction, _key(found, width))
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


def microseconds(now: datetime) -> int:
    """Since 1970; 0 before."""
    aware = now if now.tzinfo is not None else now.replace(tzinfo=UTC)
    return max((aware - _EPOCH) // timedelta(microseconds=1), 0)
