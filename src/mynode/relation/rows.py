"""The rows of one table: where they lie, and how they are read and written in a transaction.

A row's record (`relation.records`) holds all its columns, the key's columns too: a key is never decoded to answer a
query.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy

from mynode.base.errors import InvariantViolation
from mynode.base.limits import MAX_KEY_BYTES
from mynode.base.sql_errors import ProgramLimitExceededError, UniqueViolationError
from mynode.mvcc.transaction import Transaction
from mynode.relation.catalog_codec import encode_table
from mynode.relation.indexes import IndexEntries, duplicate_key
from mynode.relation.keys import ABOVE, ROW_ID, ROW_ID_STATEMENT, row_prefix, table_record_key
from mynode.relation.paths import primary_key_encoder
from mynode.relation.records import record_decoder, record_encoder, records_decoder
from mynode.relation.schema import Table
from mynode.values.types import Row


def _nothing(_: bytes) -> Row:
    return ()


def _nothing_of_all(records: Sequence[bytes]) -> list[Row]:
    return [()] * len(records)


class TableRows:
    """Access to the rows of one table.

    Attributes:
        low, high: all keys of the table's rows are in low <= key < high.
        encode_key: the key of the row with these primary-key values, or, for fewer values, the prefix of all rows that
            begin with them. Made for the table; undefined without a primary key.
        encode, decode: from a row to its record, which raises `ProgramLimitExceededError`, and back.
        decode_all: from many records to their rows.
        indexes: all, ready or not; every change of a row goes through this object, which keeps them in step.
        catalog_key, catalog_record: where the table's record is, and what it was when this object was made.
    """

    __slots__ = (
        "_key_columns",
        "catalog_key",
        "catalog_record",
        "decode",
        "decode_all",
        "encode",
        "encode_key",
        "high",
        "indexes",
        "low",
        "table",
    )

    def __init__(self, table: Table) -> None:
        self.table = table
        self.low = row_prefix(table.id)
        self.high = self.low + ABOVE
        self.encode = record_encoder(table)
        self.decode = record_decoder(table)
        self.decode_all = records_decoder(table)
        self.catalog_key = table_record_key(table.name)
        self.catalog_record = encode_table(table)
        self.indexes = tuple(IndexEntries(table, index) for index in table.indexes)
        self._key_columns = table.primary_key.columns if table.primary_key else ()
        self.encode_key = primary_key_encoder(table)

    def without_values(self) -> TableRows:
        """The same rows, each read as an empty one."""
        made = copy(self)
        made.decode = _nothing
        made.decode_all = _nothing_of_all
        return made

    def is_current(self, transaction: Transaction) -> bool:
        """Whether the transaction sees the same schema; enters its read set, so that a later change conflicts."""
        return transaction.get(self.catalog_key) == self.catalog_record

    def key_of(self, row: Row) -> bytes:
        """The key of a row of a table with a primary key. Raises `ProgramLimitExceededError`."""
        key = self.encode_key([row[position] for position in self._key_columns])
        if len(key) > MAX_KEY_BYTES:
            raise ProgramLimitExceededError(f"a key of {len(key)} bytes is over the limit of {MAX_KEY_BYTES}")
        return key

    def insert(self, transaction: Transaction, row: Row) -> bytes:
        """Add a row of a table with a primary key; returns its key. Raises `UniqueViolationError`."""
        key = self.key_of(row)
        if transaction.get(key) is not None:
            raise self._duplicate(row)
        transaction.put(key, self.encode(row))
        for index in self.indexes:
            index.add(transaction, row, key)
        return key

    def insert_at(self, transaction: Transaction, key: bytes, row: Row) -> None:
        """Add a row at a key from `row_ids`. Raises `UniqueViolationError`."""
        transaction.put(key, self.encode(row))
        for index in self.indexes:
            index.add(transaction, row, key)

    def update(self, transaction: Transaction, key: bytes, row: Row) -> Sequence[IndexEntries]:
        """Put a row in the place of the one that the transaction has read at its key.

        Returns the indexes that have no entry of the row now, because it has other values in them: it must be added to
        these once all rows of the statement are changed, which may exchange values among them.
        """
        if not self.indexes:
            transaction.put(key, self.encode(row))
            return ()
        old = self.read_again(transaction, key)
        transaction.put(key, self.encode(row))
        changed: list[IndexEntries] = []
        for index in self.indexes:
            if index.differs(old, row):
                index.remove(transaction, old, key)
                changed.append(index)
            elif not index.index.is_ready:
                index.keep(transaction, row, key)
        return changed

    def remove(self, transaction: Transaction, key: bytes) -> None:
        """Take away the row that the transaction has read at its key, if it is still there."""
        if self.indexes:
            record = transaction.read_again(key)
            if record is not None:
                old = self.decode(record)
                for index in self.indexes:
                    index.remove(transaction, old, key)
        transaction.delete(key)

    def read_again(self, transaction: Transaction, key: bytes) -> Row:
        """The row at a key at which the transaction has found one."""
        record = transaction.read_again(key)
        if record is None:
            raise InvariantViolation("a row is where it was found")
        return self.decode(record)

    def row_ids(self, transaction: Transaction, now_us: int) -> Callable[[int], bytes]:
        """For a table without a primary key: gives the key of the statement's first, second, … new row (from 0).

        No other row has or gets these keys: the range they lie in was found empty and is in the read set.
        """
        statement = len(transaction.writes)
        prefix = self.low + ROW_ID_STATEMENT.pack(now_us, statement)
        if next(transaction.scan(prefix, prefix + ABOVE * 5), None) is not None:
            last_key, _ = next(transaction.scan(self.low, self.high, reverse=True))
            now_us = ROW_ID.unpack_from(last_key, len(self.low))[0] + 1
        low, pack = self.low, ROW_ID.pack
        return lambda number: low + pack(now_us, statement, number)

    def _duplicate(self, row: Row) -> UniqueViolationError:
        primary_key = self.table.primary_key
        return duplicate_key(self.table, primary_key.name if primary_key else "", self._key_columns, row)
