"""`checked`: what may not join a frame is refused before it can spoil one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from mynode.base.errors import MyNodeError
from mynode.base.limits import MAX_PARAMETERS, MAX_STATEMENT_BYTES, MAX_TRANSACTION_BYTES
from mynode.base.sql_errors import (
    CharacterNotInRepertoireError,
    DatatypeMismatchError,
    DatetimeOverflowError,
    NumericOutOfRangeError,
    ProgramLimitExceededError,
)
from mynode.client.parameters import checked


def test_sql_values_pass_as_they_are() -> None:
    values = (None, True, -(2**63), 2**63 - 1, 1.5, "ü", b"\x00", Decimal("1.50"), date(2026, 1, 2), UUID(int=1))
    assert checked("SELECT", values)[0] == values
    assert checked("SELECT", [datetime(2026, 1, 2, 3)])[0] == (datetime(2026, 1, 2, 3),)


def test_decimals_get_the_form_of_numeric() -> None:
    values = [Decimal("1E+3"), Decimal("-0.00"), Decimal("sNaN"), Decimal("-Infinity")]
    assert list(map(str, checked("SELECT", values)[0])) == ["1000", "0.00", "NaN", "-Infinity"]


def test_times_with_a_zone_are_sent_in_utc() -> None:
    oslo = datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    (sent,), _ = checked("SELECT", [oslo])
    assert repr(sent) == repr(datetime(2026, 1, 2, 1, tzinfo=UTC))


def test_buffers_become_bytes() -> None:
    assert checked("SELECT", [bytearray(b"a"), memoryview(b"b")])[0] == (b"a", b"b")


def test_size_is_about_the_encoded_one() -> None:
    assert checked("SELECT ü", [None, "ü" * 100, b"x" * 50])[1] == 9 + 9 + 200 + 50


@pytest.mark.parametrize(
    ("sql", "parameters", "expected"),
    [
        ("SELECT", (object(),), DatatypeMismatchError),
        ("SELECT", (2**63,), NumericOutOfRangeError),
        ("SELECT", (-(2**63) - 1,), NumericOutOfRangeError),
        ("SELECT", (Decimal("1e200000"),), NumericOutOfRangeError),
        ("SELECT", (datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))),), DatetimeOverflowError),
        ("SELECT", ("\ud800",), CharacterNotInRepertoireError),
        ("SELECT \ud800", (), CharacterNotInRepertoireError),
        ("x" * (MAX_STATEMENT_BYTES + 1), (), ProgramLimitExceededError),
        ("SELECT", (None,) * (MAX_PARAMETERS + 1), ProgramLimitExceededError),
        ("SELECT", (b"x" * MAX_TRANSACTION_BYTES,), ProgramLimitExceededError),
    ],
)
def test_what_cannot_be_sent_is_refused(sql: str, parameters: tuple[object, ...], expected: type[MyNodeError]) -> None:
    with pytest.raises(expected):
        checked(sql, parameters)
