"""Where everything of the relational layer lies in the key space.

| key                                        | value                                       |
|--------------------------------------------|---------------------------------------------|
| 01 "c"                                     | empty; every change of the catalog puts it  |
| 01 "n"                                     | the next table or index id, msgpack integer |
| 01 "t" name in UTF-8                       | a table's or view's record, `catalog_codec` |
| 02 table id (4 bytes) primary key          | the row, see `rows`                         |
| 02 table id (4 bytes) row id (16 bytes)    | the row of a table without a primary key    |
| 03 table id (4) index id (4)               | how far the index is built: the key of the  |
|                                            | next row, only while it is built            |
| 03 table id (4) index id (4) values        | of a unique index, for a row without NULLs  |
|                                            | in its columns: the row's key               |
| 03 table id (4) index id (4) values and    | of any other row or index: the row's key    |
| the row's key from its 6th byte on         |                                             |

Integers are big-endian. The values of a primary key or an index are encoded by `values.key_codec`, so the rows of a
table lie together and in the order of its primary key. A row id is (the statement's time in µs: 8 bytes, writes of the
transaction before the statement: 4, number of the row in the statement: 4), so rows lie in the order in which they were
inserted.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from mynode.mvcc.keyspace import CATALOG, INDEXES, ROWS

CHANGED: Final = CATALOG + b"c"
NEXT_ID: Final = CATALOG + b"n"
TABLES: Final = CATALOG + b"t"
TABLES_END: Final = CATALOG + b"u"
CATALOG_END: Final = bytes((CATALOG[0] + 1,))

ABOVE: Final = b"\xff"
"""`prefix + ABOVE` is above every key that goes on after `prefix` with an encoded value."""

ROW_ID: Final = Struct(">QII")
ROW_ID_STATEMENT: Final = Struct(">QI")
"""The part of a row id that all rows of one statement share."""

ROW_PREFIX_BYTES: Final = 5

_TABLE_PREFIX: Final = Struct(">1sI")
_INDEX_PREFIX: Final = Struct(">1sII")


def table_record_key(name: str) -> bytes:
    return TABLES + name.encode()


def row_prefix(table_id: int) -> bytes:
    """What the keys of all rows of the table begin with, 5 bytes."""
    return _TABLE_PREFIX.pack(ROWS, table_id)


def index_prefix_of_table(table_id: int) -> bytes:
    """What the keys of all entries of all indexes of the table begin with, 5 bytes."""
    return _TABLE_PREFIX.pack(INDEXES, table_id)


def index_prefix(table_id: int, index_id: int) -> bytes:
    """What the keys of all entries of the index begin with, 9 bytes."""
    return _INDEX_PREFIX.pack(INDEXES, table_id, index_id)
