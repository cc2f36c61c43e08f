"""Names of types, and types of Python values."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from mynode.base.sql_errors import InvalidParameterValueError, SqlSyntaxError
from mynode.values.types import (
    BOOLEAN,
    BPCHAR,
    BYTEA,
    DATE,
    FLOAT,
    INTEGER,
    NUMERIC,
    STORED_TYPES,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    AwareDatetime,
    SqlType,
    python_types,
    type_from_text,
    type_named,
    type_of_python,
)


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        ("BOOLEAN BOOL", BOOLEAN),
        ("INTEGER INT BIGINT SMALLINT INT8", INTEGER),
        ("NUMERIC DECIMAL DEC", NUMERIC),
        ("FLOAT REAL DOUBLE FLOAT8", FLOAT),
        ("TEXT VARCHAR STRING", TEXT),
        ("BPCHAR", BPCHAR),
        ("TIMESTAMP", TIMESTAMP),
        ("TIMESTAMPTZ", TIMESTAMPTZ),
        ("BYTEA", BYTEA),
        ("DATE", DATE),
        ("UUID", UUID),
        ("NOSUCH timestamp BLOB", None),
    ],
)
def test_names(names: str, meant: SqlType | None) -> None:
    assert {type_named(name) for name in names.split()} == {meant}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DOUBLE PRECISION", FLOAT),
        ("CHARACTER VARYING", TEXT),
        ("TIMESTAMP WITHOUT TIME ZONE", TIMESTAMP),
        ("TIMESTAMP WITH TIME ZONE", TIMESTAMPTZ),
    ],
)
def test_names_of_several_words(name: str, meant: SqlType) -> None:
    assert type_named(name) is meant


@pytest.mark.parametrize(
    ("name", "arguments", "text", "label", "base"),
    [
        ("NUMERIC", (10, 2), "NUMERIC(10,2)", "numeric(10,2)", NUMERIC),
        ("DECIMAL", (5,), "NUMERIC(5,0)", "numeric(5,0)", NUMERIC),
        ("VARCHAR", (20,), "VARCHAR(20)", "character varying(20)", TEXT),
        ("CHARACTER", (), "CHAR(1)", "character(1)", BPCHAR),
        ("CHAR VARYING", (3,), "VARCHAR(3)", "character varying(3)", TEXT),
        ("TIMESTAMP", (3,), "TIMESTAMP(3)", "timestamp(3) without time zone", TIMESTAMP),
        ("TIMESTAMPTZ", (0,), "TIMESTAMP(0) WITH TIME ZONE", "timestamp(0) with time zone", TIMESTAMPTZ),
    ],
)
def test_modifiers(name: str, arguments: tuple[int, ...], text: str, label: str, base: SqlType) -> None:
    found = type_named(name, arguments)
    assert found is not None
    assert (found.name, str(found), found.base) == (text, label, base)
    assert found.category is base.category
    assert type_from_text(text) == found


@pytest.mark.parametrize("sql_type", STORED_TYPES)
def test_types_read_back_from_their_names(sql_type: SqlType) -> None:
    assert type_from_text(sql_type.name) is sql_type
    assert sql_type.base is sql_type


@pytest.mark.parametrize("text", ["NOSUCH", "NUMERIC(", "NUMERIC(5,2", "INTEGER[]", ""])
def test_text_that_is_no_type(text: str) -> None:
    assert type_from_text(text) is None


@pytest.mark.parametrize(
    ("name", "arguments"), [("NUMERIC", (0,)), ("NUMERIC", (1001, 0)), ("VARCHAR", (0,)), ("FLOAT", (54,))]
)
def test_numbers_out_of_bounds(name: str, arguments: tuple[int, ...]) -> None:
    with pytest.raises(InvalidParameterValueError, match="must be between"):
        type_named(name, arguments)


@pytest.mark.parametrize(
    ("name", "arguments"), [("TEXT", (5,)), ("BOOLEAN", (1,)), ("NUMERIC", (1, 2, 3)), ("CHAR", (1, 2)), ("REAL", (4,))]
)
def test_types_that_take_no_such_numbers(name: str, arguments: tuple[int, ...]) -> None:
    with pytest.raises(InvalidParameterValueError if name == "NUMERIC" else SqlSyntaxError):
        type_named(name, arguments)


def test_python_values_say_their_types() -> None:
    noon = datetime(2026, 1, 2, 12)
    row = (True, 1, Decimal(1), 1.0, "", b"", date(2026, 1, 2), noon, noon.replace(tzinfo=UTC), uuid.UUID(int=1))
    found = [type_of_python(python_type) for python_type in python_types(row)]
    assert found == [type_ for type_ in STORED_TYPES if type_ is not BPCHAR]
    assert python_types((noon, None)) == (datetime, type(None))
    assert python_types((noon.replace(tzinfo=UTC),)) == (AwareDatetime,)
    assert type_of_python(list) is None


def test_messages_name_types_as_postgresql_does() -> None:
    assert f"{FLOAT}, {INTEGER}" == "double precision, integer"
