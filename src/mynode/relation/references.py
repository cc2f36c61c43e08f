"""Both ends of foreign keys: how the rows that refer and those that are referred to are found in a transaction.

That a row is there, or that none refers, is a read like any other: it enters the read set, so whoever changes it at the
same time conflicts. The catalog keeps both ends in step too: a table's record names the tables that refer to it, so
whoever writes rows on a schema without a foreign key conflicts with whoever adds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from mynode.base.invariant import invariant
from mynode.base.limits import ROWS_BETWEEN_PAUSES
from mynode.base.sql_errors import ForeignKeyViolationError
from mynode.mvcc.transaction import Item, Transaction
from mynode.relation.indexes import IndexEntries
from mynode.relation.keys import ABOVE
from mynode.relation.paths import AccessPath, access_paths
from mynode.relation.rows import TableRows
from mynode.relation.schema import ForeignKey, Table
from mynode.values.text import format_text
from mynode.values.types import Row, Value

_LOOKED_UP_AT_ONCE: Final = 64
"""Values that were referred to, each of which has a range of keys of its own."""


def unique_positions(table: Table) -> Iterator[tuple[int, ...]]:
    """The columns, by position, of each key of the table that a foreign key may refer to."""
    if table.primary_key is not None:
        yield table.primary_key.columns
    for index in table.indexes:
        if index.is_unique and index.is_ready:
            yield tuple(column.position for column in index.columns)


class Reference:
    """One foreign key with the tables at both ends.

    Attributes:
        child, parent: the table that refers, and the one referred to; can be the same.
        child_columns, parent_columns: positions of the columns that must be equal, in the foreign key's order.
    """

    __slots__ = ("_index", "_key_order", "_path", "child", "child_columns", "foreign_key", "parent", "parent_columns")

    def __init__(self, foreign_key: ForeignKey, child: TableRows, parent: TableRows) -> None:
        self.foreign_key = foreign_key
        self.child = child
        self.parent = parent
        self.child_columns = foreign_key.columns
        positions = [parent.table.position_of(name) for name in foreign_key.referenced]
        self.parent_columns = tuple(position for position in positions if position is not None)
        self._key_order, self._index = self._unique_key()
        self._path = self._best_path()

    def _unique_key(self) -> tuple[tuple[int, ...], IndexEntries | None]:
        """The places among the values of the parent's primary key's columns, or else the index of the same columns."""
        primary_key = self.parent.table.primary_key
        wanted = set(self.parent_columns)
        if primary_key is not None and set(primary_key.columns) == wanted:
            return tuple(self.parent_columns.index(position) for position in primary_key.columns), None
        for entries in self.parent.indexes:
            if (
                entries.index.is_unique
                and entries.index.is_ready
                and {column.position for column in entries.index.columns} == wanted
            ):
                return (), entries
        invariant(False, f'what "{self.foreign_key.name}" refers to is unique')
        return (), None

    def _best_path(self) -> tuple[AccessPath, tuple[int, ...]] | None:
        """The path of the child whose first columns are most of the foreign key's, with their places among the values.

        None if there is no such path: then the whole table must be read.
        """
        best: tuple[AccessPath, tuple[int, ...]] | None = None
        for path in access_paths(self.child.table):
            places: list[int] = []
            for column in path.columns:
                if column.position not in self.child_columns:
                    break
                places.append(self.child_columns.index(column.position))
            if places and (best is None or len(places) > len(best[1])):
                best = (path, tuple(places))
        return best

    # --- values -------------------------------------------------------------------------------------------------------

    def of_child(self, row: Row) -> Row | None:
        """The values by which a row refers; None if one is NULL, so that it refers to nothing.

        Raises `ForeignKeyViolationError` for a mixture that MATCH FULL does not allow.
        """
        values = tuple([row[position] for position in self.child_columns])
        if None not in values:
            return values
        if self.foreign_key.match_full and any(value is not None for value in values):
            raise ForeignKeyViolationError(
                f'insert or update on table "{self.child.table.name}" violates foreign key constraint '
                f'"{self.foreign_key.name}"',
                detail="MATCH FULL does not allow mixing of null and nonnull key values.",
            )
        return None

    def of_parent(self, row: Row) -> Row | None:
        """The values by which a row is referred to; None if one is NULL, so that it cannot be."""
        values = tuple([row[position] for position in self.parent_columns])
        return None if None in values else values

    def shown_child(self, values: Row) -> str:
        return _shown(self.child.table, self.child_columns, values)

    def shown_parent(self, values: Row) -> str:
        return _shown(self.parent.table, self.parent_columns, values)

    # --- rows ---------------------------------------------------------------------------------------------------------

    def has_parent(self, transaction: Transaction, values: Row) -> bool:
        """Whether there is a row that these values refer to; enters the read set.

        If there is, a change of that row in other columns conflicts with nothing.
        """
        if self._index is None:
            key = self.parent.encode_key([values[place] for place in self._key_order])
            return transaction.exists(key)
        row: list[Value] = [None] * len(self.parent.table.columns)
        for position, value in zip(self.parent_columns, values, strict=True):
            row[position] = value
        return self._index.has(transaction, tuple(row))

    def children(self, transaction: Transaction, wanted: Mapping[Row, object]) -> Iterator[tuple[bytes, Row] | None]:
        """Keys and rows that refer by one of the values wanted; None now and then, so that other tasks can run.

        What is read enters the read set.
        """
        if self._path is None:
            yield from self._matching(transaction.scan(self.child.low, self.child.high), wanted)
            return
        path, places = self._path
        encode = path.encoder()
        for number, values in enumerate(wanted, 1):
            if number % _LOOKED_UP_AT_ONCE == 0:
                yield None
            prefix = encode([values[place] for place in places])
            yield from self._matching(
                path.rows(transaction, prefix, prefix + ABOVE, reverse=False), {values: wanted[values]}
            )

    def _matching(self, items: Iterator[Item], wanted: Mapping[Row, object]) -> Iterator[tuple[bytes, Row] | None]:
        decode = self.child.decode
        for number, (key, record) in enumerate(items, 1):
            if number % ROWS_BETWEEN_PAUSES == 0:
                yield None
            row = decode(record)
            if self.of_child(row) in wanted:
                yield key, row


def _shown(table: Table, positions: Sequence[int], values: Row) -> str:
    names = ", ".join(table.columns[position].name for position in positions)
    return f"({names})=({', '.join(map(format_text, values))})"
