"""Rows' records: by slot, with columns added and dropped since they were written."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from mynode.relation.records import (
    decode_record,
    decode_records,
    encode_record,
    record_decoder,
    record_encoder,
    records_decoder,
)
from mynode.relation.schema import Column, Table, new_table
from mynode.values.types import INTEGER, TEXT, Row, Value

ROWS = ((1, "a"), (None, None))
PLAIN = new_table("t", (Column("id", INTEGER, True, slot=0), Column("name", TEXT, False, slot=1)), None)


def added(table: Table, name: str, missing: Value) -> Table:
    column = Column(name, INTEGER, False, slot=table.slots, missing=missing)
    return replace(table, columns=(*table.columns, column), slots=table.slots + 1)


def dropped(table: Table, position: int) -> Table:
    return replace(table, columns=table.columns[:position] + table.columns[position + 1 :])


def test_records_read_back_as_tuples() -> None:
    row = (1, "ü", None, True, -0.0, float("inf"), -(2**63))
    assert decode_record(encode_record(row)) == row
    assert repr(decode_record(encode_record((-0.0,)))) == "(-0.0,)"


def test_a_table_that_was_never_changed_takes_records_as_they_are() -> None:
    assert record_decoder(PLAIN) is decode_record
    assert record_encoder(PLAIN) is encode_record


def test_many_records_read_back_at_once() -> None:
    rows: list[Row] = [(1, "ü", None), (2, Decimal("1.50"), date(2026, 1, 2)), (), (-0.0, b"x" * 300, True)]
    for some in (rows, rows * 100, [("x" * 400_000,)] * 3, []):
        assert repr(decode_records([encode_record(row) for row in some])) == repr(some)


def test_an_added_column_has_its_value_in_old_rows() -> None:
    old = [record_encoder(PLAIN)(row) for row in ROWS]
    table = added(added(PLAIN, "a", 7), "b", None)
    decode = record_decoder(table)
    assert [decode(record) for record in old] == [(*row, 7, None) for row in ROWS]
    assert decode(record_encoder(table)((1, "x", None, 5))) == (1, "x", None, 5)


def test_a_dropped_column_leaves_its_slot() -> None:
    old = [record_encoder(PLAIN)(row) for row in ROWS]
    table = dropped(PLAIN, 0)
    assert [record_decoder(table)(record) for record in old] == [row[1:] for row in ROWS]
    assert decode_record(record_encoder(table)(("x",))) == (None, "x")
    table = added(dropped(table, 0), "c", 9)
    assert [record_decoder(table)(record) for record in old] == [(9,), (9,)]
    assert decode_record(record_encoder(table)((1,))) == (None, None, 1)
    assert record_decoder(dropped(table, 0))(old[0]) == ()


@given(st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=12))
def test_any_changes_of_a_table_leave_the_rest_of_its_rows(changes: list[int | None]) -> None:
    """A number drops a column, None adds one; a row is written after each change, and the model keeps them by name."""
    table = PLAIN
    written: list[tuple[bytes, dict[str, Value]]] = []
    for number, change in enumerate(changes):
        row: Row = tuple(number * 100 + place for place in range(len(table.columns)))
        names = [column.name for column in table.columns]
        written.append((record_encoder(table)(row), dict(zip(names, row, strict=True))))
        if change is None:
            table = added(table, f"c{number}", -number)
            for _, values in written:
                values[f"c{number}"] = -number
        elif change < len(table.columns):
            table = dropped(table, change)
        decode = record_decoder(table)
        for record, values in written:
            assert decode(record) == tuple(values[column.name] for column in table.columns)
        records = [record for record, _ in written]
        assert records_decoder(table)(records) == [decode(record) for record in records]
