"""Values of every type go into a node inside this process and come out of it as the Python values that went in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

import mynode
from mynode import dbapi


@pytest.fixture(scope="module")
def cursor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dbapi.Cursor]:
    directory: Path = tmp_path_factory.mktemp("node")
    with mynode.connect(f"file:{directory}", autocommit=True) as connection:
        yield connection.cursor()


NOON = datetime(2026, 1, 2, 12, 0, 0, 7)


@pytest.mark.parametrize(
    ("column", "value", "type_object"),
    [
        ("BOOLEAN", True, dbapi.NUMBER),
        ("BIGINT", -(2**63), dbapi.NUMBER),
        ("FLOAT", 0.1, dbapi.NUMBER),
        ("NUMERIC", Decimal("-12345678901234567890.50"), dbapi.NUMBER),
        ("NUMERIC(10, 2)", Decimal("1.50"), dbapi.NUMBER),
        ("TEXT", "é", dbapi.STRING),
        ("VARCHAR(3)", "abc", dbapi.STRING),
        ("BYTEA", b"\0\xff", dbapi.BINARY),
        ("DATE", date(2026, 1, 2), dbapi.DATETIME),
        ("TIMESTAMP", NOON, dbapi.DATETIME),
        ("TIMESTAMP WITH TIME ZONE", NOON.replace(tzinfo=UTC), dbapi.DATETIME),
        ("UUID", UUID(int=2**100), None),
    ],
)
def test_a_value_comes_back(
    cursor: dbapi.Cursor, column: str, value: object, type_object: dbapi.types.TypeObject | None
) -> None:
    cursor.execute("DROP TABLE IF EXISTS v")
    cursor.execute(f"CREATE TABLE v (x {column} PRIMARY KEY, y {column})")
    cursor.execute("INSERT INTO v VALUES (?, ?)", (value, None))
    cursor.execute("SELECT x, y FROM v WHERE x = ?", (value,))
    assert cursor.description is not None
    assert type_object is None or cursor.description[0][1] == type_object
    found = cursor.fetchall()
    assert found == [(value, None)]
    assert repr(found[0][0]) == repr(value)


def test_a_value_decides_where_the_text_does_not(cursor: dbapi.Cursor) -> None:
    oslo = datetime(2026, 1, 2, 14, 0, 0, 7, tzinfo=timezone(timedelta(hours=2)))
    given = (Decimal("1.5"), date(2026, 1, 2), NOON, oslo, UUID(int=1), b"x")
    cursor.execute("SELECT ?, ?, ?, ?, ?, ?", given)
    assert cursor.fetchall() == [given]
    cursor.execute("SELECT ? + 1, ? - 1, ?::TEXT, ? = ?", (Decimal("1.50"), date(2026, 1, 2), UUID(int=1), NOON, oslo))
    assert cursor.fetchall() == [(Decimal("2.50"), date(2026, 1, 1), str(UUID(int=1)), True)]


def test_times_of_ticks() -> None:
    assert dbapi.DateFromTicks(86_400) == dbapi.Date(1970, 1, 2)
    assert dbapi.TimestampFromTicks(1.5) == dbapi.Timestamp(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
