"""Values in msgpack, in rows on disk and on the wire: what msgpack has itself as that, the rest as extension types.

| code | type        | data                                                                        |
|------|-------------|-----------------------------------------------------------------------------|
| 1    | NUMERIC     | its text in ASCII: digits with a point, no exponent; or NaN, ±Infinity        |
| 2    | DATE        | day 1 is 0001-01-01, 4 bytes big-endian                                     |
| 3    | TIMESTAMP   | microseconds since 1970, 8 bytes big-endian, signed                         |
| 4    | TIMESTAMPTZ | the same, in UTC                                                            |
| 5    | UUID        | its 16 bytes                                                                |

Decoding takes nothing on trust: what is not as above raises `ValueError`.
"""

from __future__ import annotations

import re
import uuid
from datetime import date, datetime
from decimal import Decimal
from struct import Struct
from typing import Final

import msgpack

from mynode.values.datetimes import from_microseconds, in_utc, microseconds_of
from mynode.values.numeric import INFINITY, MAX_SCALE, MAX_WHOLE_DIGITS, NAN, NEGATIVE_INFINITY, checked, format_numeric
from mynode.values.types import Value

NUMERIC_CODE: Final = 1
DATE_CODE: Final = 2
TIMESTAMP_CODE: Final = 3
TIMESTAMPTZ_CODE: Final = 4
UUID_CODE: Final = 5

EXTENSION_TYPES: Final = frozenset((Decimal, date, datetime, uuid.UUID))
"""The Python types of the values above."""

_UUID_BYTES: Final = 16
_DAY: Final = Struct(">I")
_MICROSECONDS: Final = Struct(">q")
_SPECIAL_NUMERICS: Final = {
    b"NaN": NAN,
    b"Infinity": INFINITY,
    b"-Infinity": NEGATIVE_INFINITY,
}
_NUMERIC: Final = re.compile(rb"-?[0-9]{1,%d}(\.[0-9]{1,%d})?" % (MAX_WHOLE_DIGITS, MAX_SCALE))


def pack_value(value: object) -> msgpack.ExtType:
    """For msgpack's `default`: a value that it has no type for.

    Raises:
        OverflowError: an integer that msgpack's have not the bits for.
        TypeError: no value.
    """
    match value:
        case int():
            raise OverflowError("an integer of more than 64 bits")
        case Decimal():
            return msgpack.ExtType(NUMERIC_CODE, format_numeric(value).encode("ascii"))
        case datetime():
            if value.tzinfo is None:
                return msgpack.ExtType(TIMESTAMP_CODE, _MICROSECONDS.pack(microseconds_of(value)))
            return msgpack.ExtType(TIMESTAMPTZ_CODE, _MICROSECONDS.pack(microseconds_of(in_utc(value))))
        case date():
            return msgpack.ExtType(DATE_CODE, _DAY.pack(value.toordinal()))
        case uuid.UUID():
            return msgpack.ExtType(UUID_CODE, value.bytes)
    raise TypeError(f"{type(value).__name__} is no SQL value")


def unpack_value(code: int, data: bytes) -> Value:
    """For msgpack's `ext_hook`: the inverse of `pack_value`."""
    try:
        if code == NUMERIC_CODE and data in _SPECIAL_NUMERICS:
            return _SPECIAL_NUMERICS[data]
        if code == NUMERIC_CODE and _NUMERIC.fullmatch(data):
            return checked(Decimal(data.decode("ascii")))
        if code == UUID_CODE and len(data) == _UUID_BYTES:
            return uuid.UUID(bytes=data)
        if code == DATE_CODE and len(data) == _DAY.size:
            return date.fromordinal(_DAY.unpack(data)[0])
        if code in (TIMESTAMP_CODE, TIMESTAMPTZ_CODE) and len(data) == _MICROSECONDS.size:
            return from_microseconds(_MICROSECONDS.unpack(data)[0], aware=code == TIMESTAMPTZ_CODE)
    except (OverflowError, ValueError):
        raise ValueError("a time is out of range") from None
    raise ValueError(f"an extension value of code {code} is no SQL value")
