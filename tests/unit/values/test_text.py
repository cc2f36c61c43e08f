"""Text forms of values: what is read, what is refused, how floats look."""

from __future__ import annotations

import pytest

from mynode.base.sql_errors import CharacterNotInRepertoireError, InvalidTextRepresentationError, NumericOutOfRangeError
from mynode.values.text import check_text, format_float, parse_text
from mynode.values.types import BOOLEAN, FLOAT, INTEGER, SqlType


@pytest.mark.parametrize(
    ("text", "target", "value"),
    [
        ("12", INTEGER, 12),
        (" -7\n", INTEGER, -7),
        ("+0009", INTEGER, 9),
        ("9223372036854775807", INTEGER, 2**63 - 1),
        ("-9223372036854775808", INTEGER, -(2**63)),
        (".5", FLOAT, 0.5),
        ("5.", FLOAT, 5.0),
        (" 1E-3 ", FLOAT, 0.001),
        ("-Infinity", FLOAT, float("-inf")),
        ("+inf", FLOAT, float("inf")),
        ("0e99999", FLOAT, 0.0),
        ("TRUE", BOOLEAN, True),
        (" of ", BOOLEAN, False),
        ("n", BOOLEAN, False),
    ],
)
def test_what_is_read(text: str, target: SqlType, value: object) -> None:
    assert parse_text(text, target) == value


@pytest.mark.parametrize(
    ("text", "target"),
    [
        *((text, INTEGER) for text in ("", "-", "1.0", "1e3", "0x10", "1_000", "٣", "1 2")),
        *((text, FLOAT) for text in ("", ".", "e5", "1e", "1_0.0", "--inf", "infinit", "nan1", "0x1p3")),
        *((text, BOOLEAN) for text in ("", "o", "2", "tru e", "yess")),
    ],
)
def test_what_is_no_value(text: str, target: SqlType) -> None:
    with pytest.raises(InvalidTextRepresentationError, match=f"invalid input syntax for type {target}"):
        parse_text(text, target)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("9223372036854775808", INTEGER),
        ("-9223372036854775809", INTEGER),
        ("9" * 5_000, INTEGER),
        ("1e400", FLOAT),
        ("-1e400", FLOAT),
        ("1e-400", FLOAT),
    ],
)
def test_what_is_out_of_range(text: str, target: SqlType) -> None:
    with pytest.raises(NumericOutOfRangeError):
        parse_text(text, target)


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "ok\udfff"])
def test_text_that_cannot_be_stored(text: str) -> None:
    with pytest.raises(CharacterNotInRepertoireError):
        check_text(text)
    with pytest.raises(CharacterNotInRepertoireError):
        parse_text(text, INTEGER)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (0.1, "0.1"),
        (-1234.5, "-1234.5"),
        (1e14, "100000000000000"),
        (1e15, "1e+15"),
        (123456789012345678.0, "1.2345678901234568e+17"),
        (1e16, "1e+16"),
        (0.0001, "0.0001"),
        (0.00001234, "1.234e-05"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_floats_look_as_in_postgresql(value: float, text: str) -> None:
    assert format_float(value) == text
