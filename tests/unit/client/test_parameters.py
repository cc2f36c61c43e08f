"""`checked`: what may not join a frame is refused before it can spoil one."""

from __future__ import annotations

import pytest

from mynode.base.errors import (
    CharacterNotInRepertoireError,
    DatatypeMismatchError,
    MyNodeError,
    NumericOutOfRangeError,
    ProgramLimitExceededError,
)
from mynode.base.limits import MAX_PARAMETERS, MAX_STATEMENT_BYTES, MAX_TRANSACTION_BYTES
from mynode.client.parameters import checked


def test_sql_values_pass_as_they_are() -> None:
    values = (None, True, -(2**63), 2**63 - 1, 1.5, "ü", b"\x00")
    assert checked("SELECT", values)[0] == values


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
