"""The bytes of the key codec, which are a format on disk; its order is in tests/property."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import cast

import pytest

from mynode.base.errors import InvariantViolation
from mynode.values.key_codec import decode_key, encode_key, encode_value
from mynode.values.types import Value


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (False, "10"),
        (True, "11"),
        (0, "20 8000000000000000"),
        (-1, "20 7fffffffffffffff"),
        (2**63 - 1, "20 ffffffffffffffff"),
        (-(2**63), "20 0000000000000000"),
        (0.0, "30 8000000000000000"),
        (-0.0, "30 8000000000000000"),
        (1.5, "30 bff8000000000000"),
        (-1.5, "30 4007ffffffffffff"),
        (float("inf"), "30 fff0000000000000"),
        (float("nan"), "30 fff8000000000000"),
        ("", "40 00"),
        ("aé", "40 61c3a9 00"),
        ("a\0b", "40 6100ff62 00"),
        (Decimal(0), "38 03"),
        (Decimal("0.000"), "38 03"),
        (Decimal(1), "38 04 80000001 0b 00"),
        (Decimal("1.00"), "38 04 80000001 0b 00"),
        (Decimal("123.45"), "38 04 80000003 0d 23 33 00"),
        (Decimal("0.05"), "38 04 7fffffff 33 00"),
        (Decimal("-1"), "38 02 7ffffffe f4 ff"),
        (Decimal("-Infinity"), "38 01"),
        (Decimal("Infinity"), "38 05"),
        (Decimal("NaN"), "38 06"),
        (b"", "48 00"),
        (b"a\0b", "48 6100ff62 00"),
        (date(1, 1, 1), "50 00000001"),
        (date(2026, 1, 2), "50 000b4922"),
        (datetime(1970, 1, 1, 0, 0, 1), "58 80000000000f4240"),
        (datetime(1969, 12, 31, 23, 59, 59, 999999), "58 7fffffffffffffff"),
        (datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), "60 80000000000f4240"),
        (uuid.UUID(int=255), "68 000000000000000000000000000000ff"),
        (None, "f0"),
    ],
)
def test_bytes(value: Value, encoded: str) -> None:
    assert encode_value(value) == bytes.fromhex(encoded)


def test_every_nan_is_one() -> None:
    assert encode_value(-float("nan")) == encode_value(float("nan"))


def test_several_values() -> None:
    assert encode_key((1, "a", None)) == encode_value(1) + encode_value("a") + encode_value(None)
    assert decode_key(b"??" + encode_key((1, "a", None, True)), 2) == (1, "a", None, True)


def test_what_is_no_key() -> None:
    with pytest.raises(InvariantViolation):
        encode_value(cast(Value, ["a", "list"]))
    with pytest.raises(InvariantViolation):
        decode_key(b"\x99")
