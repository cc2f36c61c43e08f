"""The entries of an index, kept in step with the rows in the transaction that changes them.

An entry of a unique index, for a row without NULLs in its columns, has the values alone as its key: two transactions
that add the same values read and write the same key, so the second one meets the first or conflicts with it. All other
entries have the row's key behind the values, and so meet nobody.
"""

from __future__ import annotations

from collections.abc import Sequence

from mynode.base.limits import MAX_KEY_BYTES
from mynode.base.sql_errors import ProgramLimitExceededError, UniqueViolationError
from mynode.mvcc.transaction import Transaction
from mynode.relation.keys import ROW_PREFIX_BYTES, index_prefix
from mynode.relation.schema import Index, Table
from mynode.values.key_codec import column_encoder
from mynode.values.text import format_text
from mynode.values.types import Row, Value


class IndexEntries:
    """Access to the entries of one index, ready or not.

    Attributes:
        prefix: what the keys of all entries begin with.
    """

    __slots__ = ("_columns", "_encoders", "_table", "index", "prefix")

    def __init__(self, table: Table, index: Index) -> None:
        self.index = index
        self.prefix = index_prefix(table.id, index.id)
        self._table = table
        self._columns = [column.position for column in index.columns]
        self._encoders = [
            (column.position, column_encoder(descending=column.descending, nulls_first=column.nulls_first))
            for column in index.columns
        ]

    def key(self, row: Row, row_key: bytes) -> bytes:
        """The key of a row's entry. Raises `ProgramLimitExceededError`."""
        key = self.prefix + b"".join([encode(row[position]) for position, encode in self._encoders])
        if not self.index.is_unique or self._has_null(row):
            key += row_key[ROW_PREFIX_BYTES:]
        if len(key) > MAX_KEY_BYTES:
            raise ProgramLimitExceededError(
                f'an entry of {len(key)} bytes in index "{self.index.name}" is over the limit of {MAX_KEY_BYTES}'
            )
        return key

    def find(self, transaction: Transaction, row: Row) -> bytes | None:
        """Of a unique index: the key of the row that has the same values, none of them NULL; enters the read set."""
        return None if self._has_null(row) else transaction.get(self.key(row, b""))

    def has(self, transaction: Transaction, row: Row) -> bool:
        """Of a unique index: whether some row has the same values, none of them NULL; that enters the read set."""
        return not self._has_null(row) and transaction.exists(self.key(row, b""))

    def add(self, transaction: Transaction, row: Row, row_key: bytes) -> None:
        """Raises `UniqueViolationError` if another row has the values already."""
        if not self._add(transaction, row, row_key):
            raise duplicate_key(self._table, self.index.name, self._columns, row)

    def add_existing(self, transaction: Transaction, row: Row, row_key: bytes) -> None:
        """As `add`, for a row that was there before the index."""
        if not self._add(transaction, row, row_key):
            raise UniqueViolationError(
                f'could not create unique index "{self.index.name}"',
                detail=f"{_shown_key(self._table, self._columns, row)} is duplicated.",
            )

    def _add(self, transaction: Transaction, row: Row, row_key: bytes) -> bool:
        key = self.key(row, row_key)
        if self.index.is_unique and transaction.get(key) not in (None, row_key):
            return False
        transaction.put(key, row_key)
        return True

    def remove(self, transaction: Transaction, row: Row, row_key: bytes) -> None:
        """Take away the row's entry.

        While a unique index is built it may be another row's: of two with the same values one has its entry, and the
        other has not been come by yet.
        """
        key = self.key(row, row_key)
        if self.index.is_ready or not self.index.is_unique or transaction.get(key) == row_key:
            transaction.delete(key)

    def keep(self, transaction: Transaction, row: Row, row_key: bytes) -> None:
        """While the index is built: see that a row which keeps its values has its entry.

        If another row has the values, that is for the build to find, not for who changes this row in something else.
        """
        key = self.key(row, row_key)
        if not self.index.is_unique or transaction.get(key) is None:
            transaction.put(key, row_key)

    def differs(self, old: Row, new: Row) -> bool:
        """Whether the two rows have different values in the index."""
        return any(old[position] != new[position] for position in self._columns)

    def _has_null(self, row: Row) -> bool:
        return None in [row[position] for position in self._columns]


def duplicate_key(table: Table, constraint: str, columns: Sequence[int], row: Row) -> UniqueViolationError:
    """The error that another row has the same values in the columns (positions) of a primary key or unique index."""
    return UniqueViolationError(
        f'duplicate key value violates unique constraint "{constraint}"',
        detail=f"{_shown_key(table, columns, row)} already exists.",
    )


def _shown_key(table: Table, columns: Sequence[int], row: Row) -> str:
    names = ", ".join(table.columns[position].name for position in columns)
    values = ", ".join(_shown(row[position]) for position in columns)
    return f"Key ({names})=({values})"


def _shown(value: Value) -> str:
    return "null" if value is None else format_text(value)
