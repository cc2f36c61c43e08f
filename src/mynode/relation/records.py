"""A row's record: a msgpack array of values (`values.packing`) by slot.

A column keeps its slot as long as it lives, and no other column of the table gets it. So a record stays as it is when
columns are added (it is too short for them: they have the value `Column.missing` there) or dropped (what is in their
slots is passed over). New records are NULL in the slots of dropped columns.

Most tables have all columns at the slots of their positions and in every record. Then one call of C code turns a record
into the tuple that expressions index, as it makes one of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from struct import Struct
from typing import Final, TypeAlias

import msgpack

from mynode.base.limits import MAX_ROW_BYTES, MIB
from mynode.base.sql_errors import ProgramLimitExceededError
from mynode.relation.schema import Table
from mynode.values.packing import pack_value, unpack_value
from mynode.values.types import Row, Value

RecordDecoder: TypeAlias = Callable[[bytes], Row]
RecordsDecoder: TypeAlias = Callable[[Sequence[bytes]], list[Row]]
RecordEncoder: TypeAlias = Callable[[Row], bytes]

_ARRAY_CODE: Final = 0xDD
_ARRAY: Final = Struct(">BI")
_DECODED_AT_ONCE_BYTES: Final = 1 * MIB

decode_record: Final[RecordDecoder] = partial(msgpack.unpackb, use_list=False, ext_hook=unpack_value)
"""The values of a record by slot."""


def decode_records(records: Sequence[bytes]) -> list[Row]:
    """The values of many records, in a third of the time: their bytes, one after another, are an array's in msgpack."""
    if sum(map(len, records)) > _DECODED_AT_ONCE_BYTES:
        return [decode_record(record) for record in records]
    rows: tuple[Row, ...] = msgpack.unpackb(
        _ARRAY.pack(_ARRAY_CODE, len(records)) + b"".join(records), use_list=False, ext_hook=unpack_value
    )
    return list(rows)


def encode_record(values: Row) -> bytes:
    """Raises `ProgramLimitExceededError` beyond `limits.MAX_ROW_BYTES`."""
    record: bytes = msgpack.packb(values, default=pack_value)
    if len(record) > MAX_ROW_BYTES:
        raise ProgramLimitExceededError(f"a row of {len(record)} bytes is over the limit of {MAX_ROW_BYTES}")
    return record


def record_decoder(table: Table) -> RecordDecoder:
    """From a record to the row: one value a column, in the table's order."""
    places = tuple(column.slot for column in table.columns)
    if table.shortest_record >= table.slots:
        return decode_record if _is_identity(table) else _picker(decode_record, places)
    missing: list[Value] = [None] * table.slots
    for column in table.columns:
        missing[column.slot] = column.missing
    rest = tuple(missing)

    def decode_padded(record: bytes) -> Row:
        values = decode_record(record)
        return values + rest[len(values) :]

    return decode_padded if _is_identity(table) else _picker(decode_padded, places)


def records_decoder(table: Table) -> RecordsDecoder:
    """From records to their rows."""
    decode = record_decoder(table)
    return decode_records if decode is decode_record else lambda records: list(map(decode, records))


def record_encoder(table: Table) -> RecordEncoder:
    """From a row to its record, which has all slots of the table. The encoder raises as `encode_record` does."""
    if _is_identity(table):
        return encode_record
    places = [(column.slot, position) for position, column in enumerate(table.columns)]

    def encode(row: Row) -> bytes:
        values: list[Value] = [None] * table.slots
        for slot, position in places:
            values[slot] = row[position]
        return encode_record(tuple(values))

    return encode


def _is_identity(table: Table) -> bool:
    return [column.slot for column in table.columns] == list(range(table.slots))


def _picker(decode: RecordDecoder, places: tuple[int, ...]) -> RecordDecoder:
    if len(places) > 1:
        pick = itemgetter(*places)

        def decode_some(record: bytes) -> Row:
            row: Row = pick(decode(record))
            return row

        return decode_some

    def decode_few(record: bytes) -> Row:
        values = decode(record)
        return tuple([values[place] for place in places])

    return decode_few
