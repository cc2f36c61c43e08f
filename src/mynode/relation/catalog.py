"""The catalog: all tables, as of one state. Its records are described in `catalog_codec`.

A dropped table's record goes, its rows stay as garbage that no table id leads to: table ids are not used again, and
one transaction could not delete the rows of a big table (`limits.MAX_TRANSACTION_BYTES`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import TypeAlias

import msgpack

from mynode.base.errors import DuplicateTableError
from mynode.mvcc.keyspace import CATALOG
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.relation.catalog_codec import decode_table, encode_table
from mynode.relation.keys import CATALOG_END, CHANGED, NEXT_TABLE_ID, TABLES, TABLES_END, table_record_key
from mynode.relation.schema import Table

CatalogVersion: TypeAlias = int
"""Names one state of the catalog: >= 0 a committed one, < 0 one with a transaction's own changes."""

_uncommitted_versions = count(-1, -1)


@dataclass(frozen=True, slots=True)
class Catalog:
    """An immutable snapshot of all tables, by name. Two with the same `version` are equal."""

    version: CatalogVersion
    tables: Mapping[str, Table]

    @classmethod
    def load(cls, source: ReadView | Transaction) -> Catalog:
        """The catalog as `source` sees it, a transaction's own changes included. Enters no read set."""
        view = source.view if isinstance(source, Transaction) else source
        records: dict[bytes, bytes | None] = dict(view.scan(TABLES, TABLES_END))
        version = view.newest_in(CATALOG, CATALOG_END)
        if isinstance(source, Transaction) and changes_catalog(source):
            version = next(_uncommitted_versions)
            records.update(source.writes.in_range(TABLES, TABLES_END))
        tables = [decode_table(record) for record in records.values() if record is not None]
        return cls(version, {table.name: table for table in tables})

    def table(self, name: str) -> Table | None:
        return self.tables.get(name)


def changes_catalog(transaction: Transaction) -> bool:
    """Whether the transaction has changed the catalog so far."""
    return CHANGED in transaction.writes.values


def create_table(transaction: Transaction, draft: Table) -> Table:
    """Write a new table's record, as the draft says but with an id. Raises `DuplicateTableError`."""
    key = table_record_key(draft.name)
    if transaction.get(key) is not None:
        raise DuplicateTableError(f'relation "{draft.name}" already exists')
    next_id = transaction.get(NEXT_TABLE_ID)
    table_id: int = 1 if next_id is None else msgpack.unpackb(next_id)
    table = replace(draft, id=table_id)
    transaction.put(NEXT_TABLE_ID, msgpack.packb(table_id + 1))
    transaction.put(key, encode_table(table))
    transaction.put(CHANGED, b"")
    return table


def table_exists(transaction: Transaction, name: str) -> bool:
    """Whether there is a table of this name; enters the read set."""
    return transaction.get(table_record_key(name)) is not None


def table_names(transaction: Transaction) -> list[str]:
    """The names of all tables, in code-point order; all of them enter the read set."""
    return [key[len(TABLES) :].decode() for key, _ in transaction.scan(TABLES, TABLES_END)]


def drop_table(transaction: Transaction, table: Table) -> None:
    """Delete the table's record; its rows become garbage."""
    transaction.delete(table_record_key(table.name))
    transaction.put(CHANGED, b"")
