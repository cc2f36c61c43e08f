"""Values in msgpack: the bytes, which are a format on disk and wire, and what is refused."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import msgpack
import pytest

from mynode.values.packing import pack_value, unpack_value
from mynode.values.types import Value


@pytest.mark.parametrize(
    ("value", "code", "data"),
    [
        (Decimal("-1.50"), 1, b"-1.50"),
        (Decimal("1E-7"), 1, b"0.0000001"),
        (Decimal("NaN"), 1, b"NaN"),
        (Decimal("-Infinity"), 1, b"-Infinity"),
        (date(1, 1, 1), 2, b"\0\0\0\x01"),
        (datetime(1970, 1, 1, 0, 0, 0, 1), 3, b"\0" * 7 + b"\x01"),
        (datetime(1970, 1, 1, tzinfo=UTC), 4, b"\0" * 8),
        (uuid.UUID(int=1), 5, b"\0" * 15 + b"\x01"),
    ],
)
def test_bytes(value: Value, code: int, data: bytes) -> None:
    assert pack_value(value) == msgpack.ExtType(code, data)
    assert repr(unpack_value(code, data)) == repr(value)


def test_a_time_zone_becomes_utc() -> None:
    oslo = datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert pack_value(oslo) == msgpack.ExtType(4, b"\0" * 8)


def test_there_is_no_minus_zero() -> None:
    assert str(unpack_value(1, b"-0.0")) == "0.0"


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (0, b""),
        (6, b"\0" * 16),
        *((1, text) for text in (b"", b"1e999999999", b"sNaN", b"1_0", b" 1", b".5", b"5.", b"9" * 16_385)),
        (2, b"\0\0\0\0"),
        (2, b"\xff\xff\xff\xff"),
        (2, b"\0"),
        (3, b"\x7f" + b"\xff" * 7),
        (4, b"\0" * 7),
        (5, b"\0" * 15),
    ],
)
def test_what_is_no_value(code: int, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"is no SQL value|out of range"):
        unpack_value(code, data)


def test_what_cannot_be_packed() -> None:
    with pytest.raises(TypeError):
        msgpack.packb([object()], default=pack_value)
    with pytest.raises(OverflowError):
        msgpack.packb([2**64], default=pack_value)
