"""INSERT, UPDATE and DELETE: rows from a source, written into the transaction as they come.

The source gives none that rests on what is written meanwhile; the builder sees to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from mynode.base.invariant import invariant
from mynode.relation.indexes import IndexEntries
from mynode.relation.rows import TableRows
from mynode.sql.executor.context import ROWS_PER_STEP, Batches, Execute, Execution, ExecutionContext
from mynode.sql.executor.foreign_keys import Consequences, ForeignKeys
from mynode.sql.executor.output import Returning
from mynode.sql.executor.row_checks import RowCheck
from mynode.sql.result import Completion
from mynode.values.types import Row, Value

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Target:
    """The table that a statement changes.

    Attributes:
        check: of its new rows.
        foreign_keys: those that the statement has to do with, if any.
    """

    rows: TableRows
    check: RowCheck
    foreign_keys: ForeignKeys | None


def finish(consequences: Consequences | None, returning: Returning | None, returned: list[Row]) -> Iterator[list[Row]]:
    """The end of every change of rows: what follows by foreign keys, then the rows that RETURNING gives."""
    if consequences is not None:
        yield from consequences.settle()
    if returning is not None:
        yield from returning.batches(returned)


def insert(target: Target, source: Batches, returning: Returning | None) -> Execute:
    """Adds the source's rows, which have the table's columns.

    The execution raises what the check does, `UniqueViolationError`, and what follows by foreign keys.
    """
    rows, check, foreign_keys = target.rows, target.check, target.foreign_keys
    has_key, name = rows.table.primary_key is not None, rows.table.name

    def run(context: ExecutionContext) -> Execution:
        transaction = context.transaction
        consequences = None if foreign_keys is None else foreign_keys.begin(context)
        row_id = None if has_key else rows.row_ids(transaction, microseconds(context.now))
        count = 0
        returned: list[Row] = []
        for batch in source(context):
            if count:
                yield []
            check(batch, context)
            for row in batch:
                if row_id is None:
                    key = rows.insert(transaction, row)
                else:
                    key = row_id(count)
                    rows.insert_at(transaction, key, row)
                count += 1
                if consequences is not None:
                    consequences.inserted(name, key, row)
            if returning is not None:
                returned += yield from returning.of(batch, context)
        yield from finish(consequences, returning, returned)
        return Completion(f"INSERT 0 {count}", count)

    return run


def update(target: Target, source: Batches, returning: Returning | None, *, moves: bool) -> Execute:
    """Writes the source's rows: each the new values, then the key, then what only RETURNING wants.

    With `moves` rows may get other keys. All are taken away before they are put at their new keys, and so are their
    entries in indexes, so that a statement may exchange keys (`SET id = id + 1`); PostgreSQL refuses that.

    The execution raises what the check does, `UniqueViolationError`, and what follows by foreign keys.
    """
    rows, check, foreign_keys = target.rows, target.check, target.foreign_keys
    width, name = len(rows.table.columns), rows.table.name

    def run(context: ExecutionContext) -> Execution:
        transaction = context.transaction
        consequences = None if foreign_keys is None else foreign_keys.begin(context)
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
                new_key = rows.key_of(row) if moves else key
                if consequences is not None:
                    consequences.updated(name, new_key, rows.read_again(transaction, key), row)
                if new_key != key:
                    rows.remove(transaction, key)
                    moved.append(row)
                elif late := rows.update(transaction, key, row):
                    without_entry.append((late, row, key))
            if returning is not None:
                returned += yield from returning.of(batch, context)
        for number, row in enumerate(moved, 1):
            rows.insert(transaction, row)
            if number % ROWS_PER_STEP == 0:
                yield []
        for number, (indexes, row, key) in enumerate(without_entry, 1):
            for index in indexes:
                index.add(transaction, row, key)
            if number % ROWS_PER_STEP == 0:
                yield []
        yield from finish(consequences, returning, returned)
        return Completion(f"UPDATE {count}", count)

    return run


def delete(rows: TableRows, foreign_keys: ForeignKeys | None, source: Batches, returning: Returning | None) -> Execute:
    """Deletes the source's rows: each the values, then the key, then what only RETURNING wants.

    The execution raises what follows by foreign keys.
    """
    width, name = len(rows.table.columns), rows.table.name

    def run(context: ExecutionContext) -> Execution:
        transaction = context.transaction
        consequences = None if foreign_keys is None else foreign_keys.begin(context)
        count = 0
        returned: list[Row] = []
        for batch in source(context):
            if count:
                yield []
            count += len(batch)
            for found in batch:
                rows.remove(transaction, _key(found, width))
                if consequences is not None:
                    consequences.deleted(name, found[:width])
            if returning is not None:
                returned += yield from returning.of(batch, context)
        yield from finish(consequences, returning, returned)
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
