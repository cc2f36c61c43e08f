"""Making, filling and dropping indexes.

A small table gets its index in the transaction that creates it. A big one would make an entry of the raft log that
stops all writers while it is applied, so its index is built while they go on:

1. A small transaction adds the index to the table's record as *building*: nothing reads it, and every change of a row
   maintains it. A writer that planned before has the table's record in its read set, so it conflicts and plans again.
2. Batches, each a transaction of its own, add the entries of the rows that were there before. A batch has read these
   rows, so a change of one of them in the meantime conflicts, and the batch runs again. It has not read rows that have
   their entry already: whatever changes them maintains it. As any change of a row gives it its entry, one that changes
   all the time holds up no batch twice.
3. A small transaction marks the index *ready*.

How far the index is built is a record of its own (`progress`), written with each batch. So whoever goes on with a
build, after the death of the node that began it or beside it, goes on from there, and two at a time conflict rather
than do the same work twice. A half-built index that nobody goes on with costs writers its maintenance, and can be
dropped like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from mynode.base.limits import INDEX_BATCH_ROWS, MAX_TRANSACTION_BYTES, ROWS_BETWEEN_PAUSES, ROWS_INDEXED_AT_ONCE
from mynode.base.sql_errors import ProgramLimitExceededError
from mynode.mvcc.transaction import Transaction
from mynode.relation.catalog import discard, new_id, put_table
from mynode.relation.indexes import IndexEntries
from mynode.relation.rows import TableRows
from mynode.relation.schema import Index, Table

_MOST_BYTES: Final = MAX_TRANSACTION_BYTES // 4


class IndexTooBigError(ProgramLimitExceededError):
    """The table has too many rows for an index to be built in one transaction.

    Attributes:
        table, draft: what is to be built where; the draft has no id.
    """

    sqlstate = "25001"

    def __init__(self, table: Table, draft: Index) -> None:
        super().__init__(
            f'the table "{table.name}" has too many rows (more than {ROWS_INDEXED_AT_ONCE:,}, or long keys) to build '
            f'index "{draft.name}" inside a transaction block',
            hint="Create the index in a statement by itself.",
        )
        self.table = table
        self.draft = draft


def add_index(transaction: Transaction, table: Table, draft: Index) -> Table:
    """Write the table's record with one more index; returns the new table, in which the index has its id."""
    index = replace(draft, id=new_id(transaction))
    return _put(transaction, replace(table, indexes=(*table.indexes, index)))


def make_ready(transaction: Transaction, table: Table, index: Index) -> Table:
    """Let queries use an index whose entries are all there."""
    transaction.delete(IndexEntries(table, index).prefix)
    ready = replace(index, is_ready=True)
    return _put(transaction, replace(table, indexes=tuple(ready if one is index else one for one in table.indexes)))


def drop_index(transaction: Transaction, table: Table, index: Index) -> Table:
    """Write the table's record without the index, whose entries become garbage."""
    without = replace(table, indexes=tuple(one for one in table.indexes if one.id != index.id))
    discard(transaction, table, without)
    return _put(transaction, without)


def _put(transaction: Transaction, table: Table) -> Table:
    put_table(transaction, table)
    return table


def create_index(transaction: Transaction, table: Table, draft: Index) -> Iterator[None]:
    """Add an index to a table with rows, and all its entries; or finish what was built in batches. Pauses in between.

    Raises:
        UniqueViolationError: two rows have the same values.
        IndexTooBigError: it must be built in batches first.
    """
    index = unfinished(table, draft)
    if index is not None:
        if not is_filled(transaction, table, index):
            raise IndexTooBigError(table, draft)
        make_ready(transaction, table, index)
        return
    table = add_index(transaction, table, draft)
    rows, entries = TableRows(table), IndexEntries(table, table.indexes[-1])
    for count, (key, record) in enumerate(transaction.scan(rows.low, rows.high)):
        if count >= ROWS_INDEXED_AT_ONCE or transaction.writes.size_bytes > _MOST_BYTES:
            raise IndexTooBigError(table, draft)
        entries.add_existing(transaction, rows.decode(record), key)
        if count % ROWS_BETWEEN_PAUSES == 0:
            yield


def unfinished(table: Table, draft: Index) -> Index | None:
    """The table's index that is being built as the draft wants it."""
    index = table.index(draft.name)
    if index is not None and not index.is_ready and replace(draft, id=index.id, is_ready=False) == index:
        return index
    return None


def building(draft: Index) -> Index:
    """The draft as it is while it is built."""
    return replace(draft, is_ready=False)


def is_filled(transaction: Transaction, table: Table, index: Index) -> bool:
    """Whether all entries of an index that is being built are there."""
    return _progress(transaction, table, index) == TableRows(table).high


def _progress(transaction: Transaction, table: Table, index: Index) -> bytes:
    """The key of the row with which the build goes on; `TableRows.high` when all entries are there."""
    return transaction.get(IndexEntries(table, index).prefix) or TableRows(table).low


def add_batch(
    transaction: Transaction, table: Table, index: Index, most_rows: int = INDEX_BATCH_ROWS
) -> Iterator[None]:
    """Add the entries of the next rows, and note how far that has come. Pauses in between.

    The transaction has no other writes. That no more rows follow the last one is not in its read set: any that come
    later are the business of those who add them.

    Raises:
        UniqueViolationError: two rows have the same values.
    """
    rows, entries = TableRows(table), IndexEntries(table, index)
    reached = rows.high
    first_unread: bytes | None = None
    found = transaction.view.scan(_progress(transaction, table, index), rows.high)
    for count, (key, record) in enumerate(found):
        if count == most_rows or transaction.writes.size_bytes > _MOST_BYTES:
            reached = key
            break
        row = rows.decode(record)
        if transaction.view.get(entries.key(row, key)) == key:
            first_unread = None
        else:
            first_unread = first_unread or key
            transaction.reads.add_range(first_unread, key + b"\0")
            entries.add_existing(transaction, row, key)
        if count % ROWS_BETWEEN_PAUSES == 0:
            yield
    transaction.put(entries.prefix, reached)
