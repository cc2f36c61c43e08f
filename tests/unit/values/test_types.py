"""Names of types, and types of Python values."""

from __future__ import annotations

import pytest

from mynode.values.types import BOOLEAN, FLOAT, INTEGER, TEXT, TYPES_BY_NAME, SqlType, type_of_python


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        ("BOOLEAN BOOL", BOOLEAN),
        ("INTEGER INT BIGINT SMALLINT INT8", INTEGER),
        ("FLOAT REAL DOUBLE FLOAT8", FLOAT),
        ("TEXT VARCHAR STRING", TEXT),
    ],
)
def test_names(names: str, meant: SqlType) -> None:
    assert {TYPES_BY_NAME[name] for name in names.split()} == {meant}


def test_names_of_two_words() -> None:
    assert TYPES_BY_NAME["DOUBLE PRECISION"] is FLOAT
    assert TYPES_BY_NAME["CHARACTER VARYING"] is TEXT


def test_a_bool_is_no_integer() -> None:
    assert type_of_python(bool) is BOOLEAN
    assert type_of_python(int) is INTEGER
    assert type_of_python(bytes) is None


def test_messages_name_types_as_postgresql_does() -> None:
    assert f"{FLOAT}, {INTEGER}" == "double precision, integer"
