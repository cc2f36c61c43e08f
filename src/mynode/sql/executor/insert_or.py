"""INSERT ... ON CONFLICT: each row is inserted, or else the row that is in its way stays or is updated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from mynode.base.sql_errors import CardinalityError
from mynode.mvcc.transaction import Transaction
from mynode.relation.rows import TableRows
from mynode.sql.executor.changes import Target, finish, microseconds
from mynode.sql.executor.context import Batches, Execute, Execution, ExecutionContext
from mynode.sql.executor.output import Returning
from mynode.sql.executor.per_row import PerRow
from mynode.sql.result import Completion
from mynode.values.types import Row

_Finder: TypeAlias = Callable[[Transaction, Row], bytes | None]
"""The key of the row that is in the way of a new one; enters the read set."""


def insert_or(
    target: Target, source: Batches, constraints: Sequence[str], update: PerRow | None, returning: Returning | None
) -> Execute:
    """Adds the source's rows, which have the table's columns, as far as nothing is in their way.

    A row of the table that is, by one of the constraints, becomes what `update` makes of it and the new row together.

    The execution raises what the check does, `UniqueViolationError` of constraints that the clause does not mean,
    `CardinalityError` for a row that is in the way of two, and what follows by foreign keys.
    """
    rows, check = target.rows, target.check
    find = _finder(rows, constraints)

    def run(context: ExecutionContext) -> Execution:
        transaction = context.transaction
        row_id = rows.row_ids(transaction, microseconds(context.now)) if rows.table.primary_key is None else None
        consequences = None if target.foreign_keys is None else target.foreign_keys.begin(context)
        touched: set[bytes] = set()
        count = 0
        returned: list[Row] = []
        for batch in source(context):
            yield []
            check(batch, context)
            written: list[Row] = []
            for row in batch:
                present = find(transaction, row)
                if present is None:
                    key = _insert(rows, transaction, row, row_id and row_id(count + len(written)))
                    touched.add(key)
                    written.append(row)
                    if consequences is not None:
                        consequences.inserted(rows.table.name, key, row)
                elif update is not None:
                    if present in touched:
                        raise _changed_twice()
                    old = rows.read_again(transaction, present)
                    for new in (yield from update([(*old, *row)], context)):
                        check([new], context)
                        key = _update(rows, transaction, present, new)
                        touched.update((present, key))
                        written.append(new)
                        if consequences is not None:
                            consequences.updated(rows.table.name, key, old, new)
            count += len(written)
            if returning is not None:
                returned += yield from returning.of(written, context)
        yield from finish(consequences, returning, returned)
        return Completion(f"INSERT 0 {count}", count)

    return run


def _insert(rows: TableRows, transaction: Transaction, row: Row, row_id: bytes | None) -> bytes:
    """The key at which the row lies now. Raises `UniqueViolationError`."""
    if row_id is not None:
        rows.insert_at(transaction, row_id, row)
        return row_id
    return rows.insert(transaction, row)


def _update(rows: TableRows, transaction: Transaction, key: bytes, row: Row) -> bytes:
    """Puts the row in the place of the one at the key. The key at which it lies now. Raises `UniqueViolationError`."""
    if rows.table.primary_key is not None and rows.key_of(row) != key:
        rows.remove(transaction, key)
        return rows.insert(transaction, row)
    for index in rows.update(transaction, key, row):
        index.add(transaction, row, key)
    return key


def _changed_twice() -> CardinalityError:
    return CardinalityError(
        "ON CONFLICT DO UPDATE command cannot affect row a second time",
        hint="Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
    )


def _finder(rows: TableRows, constraints: Sequence[str]) -> _Finder:
    """Looks for a row with the same values in one of the primary key and the unique indexes with these names."""
    primary_key = rows.table.primary_key
    by_key = primary_key is not None and primary_key.name in constraints
    indexes = [index for index in rows.indexes if index.index.name in constraints]

    def find(transaction: Transaction, row: Row) -> bytes | None:
        if by_key:
            key = rows.key_of(row)
            if transaction.get(key) is not None:
                return key
        found = (index.find(transaction, row) for index in indexes)
        return next((key for key in found if key is not None), None)

    return find
