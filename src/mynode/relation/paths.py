"""Ordered access paths: the orders in which a table's rows can be read, by its primary key or by an index.

Planner and executor know only this one class: where the keys of a path lie, how values become keys and ranges of keys,
and how a key leads to its row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple, TypeAlias, cast

from mynode.base.invariant import invariant
from mynode.mvcc.transaction import Item, Transaction
from mynode.relation.keys import ABOVE, index_prefix, row_prefix
from mynode.relation.schema import KeyColumn, Table
from mynode.values.key_codec import (
    INTEGER_OFFSET,
    INTEGER_TAG,
    column_encoder,
    encode_descending,
    encode_key,
    encode_value,
    null_encoding,
)
from mynode.values.types import INTEGER, Value

KeyEncoder: TypeAlias = Callable[[Sequence[Value]], bytes]
"""From the values of the first columns, some or all, to what the keys of all rows with these values begin with."""

KeyLimits: TypeAlias = tuple[bytes, bytes]
"""low <= key < high"""

_ONE_INTEGER_KEY: Final = Struct(">5sBQ")
_FIRST: Final = b"\x01"
"""No entry of an index is below its prefix and this."""


class Bound(NamedTuple):
    """One end of a range of values; the value is not NULL."""

    value: Value
    inclusive: bool


@dataclass(frozen=True, slots=True)
class AccessPath:
    """An order of a table's rows.

    Attributes:
        index_id: of the index; None for the primary key.
        is_unique: no two rows have the same values in the columns, unless one of them is NULL.
        prefix: what all keys of the path begin with.
    """

    name: str
    table_id: int
    index_id: int | None
    columns: tuple[KeyColumn, ...]
    is_unique: bool
    prefix: bytes

    @property
    def is_primary(self) -> bool:
        return self.index_id is None

    @property
    def limits(self) -> KeyLimits:
        """Between which all keys lie."""
        return (self.prefix if self.is_primary else self.prefix + _FIRST), self.prefix + ABOVE

    def encoder(self) -> KeyEncoder:
        """A function that makes keys, for repeated use."""
        prefix = self.prefix
        if all(not column.descending and not column.nulls_first for column in self.columns):
            return lambda values: prefix + encode_key(values)
        encoders = [column_encoder(descending=one.descending, nulls_first=one.nulls_first) for one in self.columns]
        return lambda values: (
            prefix + b"".join([encode(value) for encode, value in zip(encoders, values, strict=False)])
        )

    def between(self, prefix: bytes, column: KeyColumn, low: Bound | None, high: Bound | None) -> KeyLimits:
        """The keys that go on after `prefix` with a value of `column` between the bounds that is not NULL."""
        encode = encode_descending if column.descending else encode_value
        null = null_encoding(descending=column.descending, nulls_first=column.nulls_first)
        first, last = (high, low) if column.descending else (low, high)
        start = prefix + bytes((null[0] + 1,)) if null < b"\x10" else prefix
        end = prefix + (null if null >= b"\x10" else ABOVE)
        if first is not None:
            start = prefix + encode(first.value) + (b"" if first.inclusive else ABOVE)
        if last is not None:
            end = prefix + encode(last.value) + (ABOVE if last.inclusive else b"")
        return start, end

    def rows(self, transaction: Transaction, low: bytes, high: bytes, *, reverse: bool) -> Iterator[Item]:
        """The keys and records of the rows whose keys in the path are between `low` and `high`, in the path's order."""
        found = transaction.scan(low, high, reverse=reverse)
        return found if self.is_primary else _records(transaction, found)

    def find(self, transaction: Transaction, key: bytes) -> Item | None:
        """Of a unique path: the row's key and record, by its full key in the path without NULLs."""
        found = transaction.get(key)
        if found is None:
            return None
        return (key, found) if self.is_primary else next(_records(transaction, iter(((key, found),))), None)


def _records(transaction: Transaction, entries: Iterator[Item]) -> Iterator[Item]:
    """The rows that the entries lead to. One that the statement itself has deleted since it began may be missing."""
    for _, key in entries:
        record = transaction.get(key)
        if record is None:
            invariant(key in transaction.writes.values, "an entry of an index leads to a row")
            continue
        yield key, record


def primary_path(table: Table) -> AccessPath | None:
    """The path of the primary key, if there is one."""
    primary_key = table.primary_key
    if primary_key is None:
        return None
    columns = tuple(map(KeyColumn, primary_key.columns))
    return AccessPath(primary_key.name, table.id, None, columns, True, row_prefix(table.id))


def access_paths(table: Table) -> tuple[AccessPath, ...]:
    """All paths that a query may use: the primary key's first, then those of the indexes that are ready."""
    primary = primary_path(table)
    indexes = tuple(
        AccessPath(index.name, table.id, index.id, index.columns, index.is_unique, index_prefix(table.id, index.id))
        for index in table.indexes
        if index.is_ready
    )
    return indexes if primary is None else (primary, *indexes)


def primary_key_encoder(table: Table) -> KeyEncoder:
    """Makes the keys of rows from the values of the primary key; the quickest there is for one integer."""
    path = primary_path(table)
    if path is None:
        return lambda _: row_prefix(table.id)
    if len(path.columns) == 1 and table.columns[path.columns[0].position].type is INTEGER:
        pack, low = _ONE_INTEGER_KEY.pack, path.prefix

        def encode_integer(values: Sequence[int]) -> bytes:
            return pack(low, INTEGER_TAG, values[0] + INTEGER_OFFSET)

        return cast(KeyEncoder, encode_integer)
    return path.encoder()
