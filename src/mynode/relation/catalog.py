"""The catalog: all tables and views, as of one state. Its records are described in `catalog_codec`.

A dropped table's record goes. Its rows stay as garbage (`mvcc.garbage`) that no table id leads to: ids are not used
again, and one transaction could not delete the rows of a big table (`limits.MAX_TRANSACTION_BYTES`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeAlias

import msgpack

from mynode.base.sql_errors import DuplicateTableError
from mynode.mvcc.garbage import note_garbage
from mynode.mvcc.keyspace import CATALOG
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.relation.catalog_codec import decode_relation, encode_table, encode_view
from mynode.relation.counters import counter_key
from mynode.relation.keys import (
    CATALOG_END,
    CHANGED,
    NEXT_ID,
    TABLES,
    TABLES_END,
    index_prefix,
    index_prefix_of_table,
    row_prefix,
    table_record_key,
)
from mynode.relation.schema import NO_ID, Index, Table, View

CatalogVersion: TypeAlias = int
"""Names one state of the catalog: >= 0 a committed one, < 0 one with a transaction's own changes."""

_uncommitted_versions = count(-1, -1)


@dataclass(frozen=True, slots=True)
class Catalog:
    """An immutable snapshot of all tables and views, by name. Two with the same `version` are equal."""

    version: CatalogVersion
    tables: Mapping[str, Table]
    views: Mapping[str, View] = field(default_factory=dict)

    @classmethod
    def load(cls, source: ReadView | Transaction) -> Catalog:
        """The catalog as `source` sees it, a transaction's own changes included. Enters no read set."""
        view = source.view if isinstance(source, Transaction) else source
        records: dict[bytes, bytes | None] = dict(view.scan(TABLES, TABLES_END))
        version = view.newest_in(CATALOG, CATALOG_END)
        if isinstance(source, Transaction) and changes_catalog(source):
            version = next(_uncommitted_versions)
            records.update(source.writes.in_range(TABLES, TABLES_END))
        relations = [decode_relation(record) for record in records.values() if record is not None]
        tables = {one.name: one for one in relations if isinstance(one, Table)}
        return cls(version, tables, {one.name: one for one in relations if isinstance(one, View)})

    def table(self, name: str) -> Table | None:
        return self.tables.get(name)

    def index(self, name: str) -> tuple[Table, Index] | None:
        """The index of this name and its table. A primary key is none."""
        for table in self.tables.values():
            index = table.index(name)
            if index is not None:
                return table, index
        return None

    def primary_key(self, name: str) -> Table | None:
        """The table whose primary key has this name."""
        has_it = (table for table in self.tables.values() if table.primary_key and table.primary_key.name == name)
        return next(has_it, None)

    def has_relation(self, name: str) -> bool:
        """Whether the name is taken: tables, views, indexes and primary keys share one space of names."""
        if name in self.tables or name in self.views:
            return True
        return self.index(name) is not None or self.primary_key(name) is not None

    def views_on(self, names: Iterable[str]) -> tuple[View, ...]:
        """The views that rest on tables or views of these names, directly or through other views, sorted by name."""
        known = set(names)
        found: dict[str, View] = {}
        while new := [one for one in self.views.values() if one.name not in found and one.uses_any(known)]:
            found.update((one.name, one) for one in new)
            known.update(one.name for one in new)
        return tuple(found[name] for name in sorted(found))


def changes_catalog(transaction: Transaction) -> bool:
    """Whether the transaction has changed the catalog so far."""
    return CHANGED in transaction.writes.values


def read_catalog(transaction: Transaction) -> None:
    """Let any change of the catalog conflict with the transaction, whose answer rests on what is not there."""
    transaction.get(CHANGED)


def mark_changed(transaction: Transaction) -> None:
    """Part of every change of the catalog. No two such transactions pass each other: that keeps names unique."""
    read_catalog(transaction)
    transaction.put(CHANGED, b"")


def new_id(transaction: Transaction) -> int:
    """An id for a table, index or counter that none ever had."""
    stored = transaction.get(NEXT_ID)
    next_id: int = 1 if stored is None else msgpack.unpackb(stored)
    transaction.put(NEXT_ID, msgpack.packb(next_id + 1))
    return next_id


def create_table(transaction: Transaction, draft: Table) -> Table:
    """Write a new table's record, as the draft says but with ids. Raises `DuplicateTableError`."""
    if transaction.get(table_record_key(draft.name)) is not None:
        raise DuplicateTableError(f'relation "{draft.name}" already exists')
    table_id = new_id(transaction)
    indexes = tuple(replace(index, id=new_id(transaction)) for index in draft.indexes)
    table = with_new_counters(transaction, replace(draft, id=table_id, indexes=indexes))
    put_table(transaction, table)
    for parent in sorted({foreign_key.table for foreign_key in table.foreign_keys}):
        link(transaction, parent)
    return table


def with_new_counters(transaction: Transaction, table: Table) -> Table:
    """The table with counters, which begin at 1, for the columns that count by themselves and have none."""
    columns = tuple(
        replace(column, counter=new_id(transaction)) if column.identity and column.counter == NO_ID else column
        for column in table.columns
    )
    return replace(table, columns=columns)


def put_table(transaction: Transaction, table: Table) -> None:
    """Write the table's record, in the place of the one of this name if there is one."""
    transaction.put(table_record_key(table.name), encode_table(table))
    mark_changed(transaction)


def current_table(transaction: Transaction, name: str) -> Table | None:
    """The table of this name as the transaction sees it now; enters the read set."""
    record = transaction.get(table_record_key(name))
    found = None if record is None else decode_relation(record)
    return found if isinstance(found, Table) else None


def table_exists(transaction: Transaction, name: str) -> bool:
    """Whether there is a table or view of this name; enters the read set."""
    return transaction.get(table_record_key(name)) is not None


def table_names(transaction: Transaction) -> list[str]:
    """The names of all tables and views, in code-point order; all of them enter the read set."""
    return [key[len(TABLES) :].decode() for key, _ in transaction.scan(TABLES, TABLES_END)]


def put_view(transaction: Transaction, view: View, replaced: View | None) -> None:
    """Write a view's record, in the place of another view's if one is given. Raises `DuplicateTableError`."""
    key = table_record_key(view.name)
    there = transaction.get(key)
    if there is not None and (replaced is None or there != encode_view(replaced)):
        raise DuplicateTableError(f'relation "{view.name}" already exists')
    change_view(transaction, view)


def change_view(transaction: Transaction, view: View) -> None:
    """Write the view's record in the place of the one of its name."""
    transaction.put(table_record_key(view.name), encode_view(view))
    mark_changed(transaction)


def drop_view(transaction: Transaction, view: View) -> None:
    """Delete the view's record."""
    drop_relation(transaction, view.name)


def drop_relation(transaction: Transaction, name: str) -> None:
    """Delete the record of a name, and nothing else."""
    transaction.delete(table_record_key(name))
    mark_changed(transaction)


def drop_table(transaction: Transaction, table: Table) -> None:
    """Delete the table's record and the foreign keys of others that refer to it; its rows become garbage."""
    for name in table.referenced_by:
        child = current_table(transaction, name)
        if child is not None and child.name != table.name:
            kept = tuple(one for one in child.foreign_keys if one.table != table.name)
            put_table(transaction, replace(child, foreign_keys=kept))
    drop_relation(transaction, table.name)
    discard(transaction, table, None)
    for parent in sorted({foreign_key.table for foreign_key in table.foreign_keys}):
        link(transaction, parent)


def discard(transaction: Transaction, before: Table, after: Table | None) -> None:
    """Rows, entries of indexes and counters that a table does not need any more, as it is gone or another one now."""
    if after is None or after.id != before.id:
        note_garbage(transaction, row_prefix(before.id))
        note_garbage(transaction, index_prefix_of_table(before.id))
    else:
        kept = {index.id for index in after.indexes}
        for index in before.indexes:
            if index.id not in kept:
                note_garbage(transaction, index_prefix(before.id, index.id))
    counters = {NO_ID} | ({column.counter for column in after.columns} if after else set[int]())
    for column in before.columns:
        if column.counter not in counters:
            transaction.delete(counter_key(column.counter))


def link(transaction: Transaction, name: str) -> None:
    """Let a table's record name the tables that refer to it, as their foreign keys now are."""
    table = current_table(transaction, name)
    if table is None:
        return
    relations = [decode_relation(record) for _, record in transaction.scan(TABLES, TABLES_END)]
    tables = [one for one in relations if isinstance(one, Table)]
    referring = sorted(child.name for child in tables if any(one.table == name for one in child.foreign_keys))
    if tuple(referring) != table.referenced_by:
        put_table(transaction, replace(table, referenced_by=tuple(referring)))
