"""The order-preserving key codec: encoded values compare as bytes just as the values compare in SQL.

A key is the encodings of its values, one after another; each says where it ends, so that keys of several values keep
the order too and a prefix of the values is a prefix of the bytes. The first byte is a tag:

| tag  | value     | then                                                                           |
|------|-----------|--------------------------------------------------------------------------------|
| 0x10 | FALSE     | nothing                                                                        |
| 0x11 | TRUE      | nothing                                                                        |
| 0x20 | INTEGER   | value + 2**63, 8 bytes big-endian                                              |
| 0x30 | FLOAT     | IEEE bits, 8 bytes big-endian; negative: all inverted, else sign bit inverted   |
| 0x38 | NUMERIC   | a class, 1 byte; of 2 and 4: exponent + 2**31, 4 bytes big-endian, then digits  |
| 0x40 | TEXT      | UTF-8 with 0x00 written as 0x00 0xFF, then 0x00                                 |
| 0x48 | BYTEA     | the bytes, written as those of TEXT                                            |
| 0x50 | DATE      | day 1 is 0001-01-01, 4 bytes big-endian                                        |
| 0x58 | TIMESTAMP | microseconds since 1970 + 2**63, 8 bytes big-endian                            |
| 0x60 | TIMESTAMPTZ | the same, in UTC                                                             |
| 0x68 | UUID      | its 16 bytes                                                                   |
| 0xF0 | NULL      | nothing (last in an ascending order)                                           |

The classes of NUMERIC are 1 -Infinity, 2 negative, 3 zero, 4 positive, 5 Infinity, 6 NaN. A number is 0.d1d2d3… times
10**exponent, d1 not 0 and no zeros at its end, so 1.0 and 1.00 have one key; its digits are written in pairs, each as
1 + the pair, then 0x00. After the class 2 all bytes are inverted.

A column of an index can also be in descending order, and have its NULLs at either end (`column_encoder`):

| column           | value that is not NULL             | NULL |
|------------------|------------------------------------|------|
| ASC NULLS LAST   | as above                           | 0xF0 |
| ASC NULLS FIRST  | as above                           | 0x01 |
| DESC NULLS FIRST | as above, 0x01, all bits inverted  | 0x0F |
| DESC NULLS LAST  | as above, 0x01, all bits inverted  | 0xFE |

The 0x01 keeps an inverted encoding from being the beginning of another one, which would then not come before it.

-0.0 is encoded as 0.0, and every NaN as one NaN, which is greater than infinity. No tag is 0xFF, so `prefix + b"\\xff"`
is above all keys that begin with `prefix`. UTF-8 keeps the order of code points.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from struct import Struct
from typing import Final, TypeAlias

from mynode.base.invariant import invariant
from mynode.values.datetimes import from_microseconds, microseconds_of
from mynode.values.numeric import EXACT, INFINITY, NAN, NEGATIVE_INFINITY
from mynode.values.types import Row, Value

FALSE_TAG: Final = 0x10
TRUE_TAG: Final = 0x11
INTEGER_TAG: Final = 0x20
FLOAT_TAG: Final = 0x30
NUMERIC_TAG: Final = 0x38
TEXT_TAG: Final = 0x40
BYTEA_TAG: Final = 0x48
DATE_TAG: Final = 0x50
TIMESTAMP_TAG: Final = 0x58
TIMESTAMPTZ_TAG: Final = 0x60
UUID_TAG: Final = 0x68
NULL_TAG: Final = 0xF0

INTEGER_OFFSET: Final = 2**63
_SIGN: Final = 2**63
_ALL_BITS: Final = 2**64 - 1

_TAGGED_WORD: Final = Struct(">BQ")
_WORD: Final = Struct(">Q")
_FLOAT: Final = Struct(">d")
_WORD_END: Final = 9

_NULL_BEFORE_ALL: Final = b"\x01"
_VALUE_END: Final = b"\x01"
_INVERTED: Final = bytes(range(255, -1, -1))

_FALSE: Final = bytes((FALSE_TAG,))
_TRUE: Final = bytes((TRUE_TAG,))
_NULL: Final = bytes((NULL_TAG,))
_TEXT: Final = bytes((TEXT_TAG,))
_BYTEA: Final = bytes((BYTEA_TAG,))
_UUID: Final = bytes((UUID_TAG,))

_TAGGED_DAY: Final = Struct(">BI")
_DAY_END: Final = 5
_UUID_END: Final = 17

_NEGATIVE: Final = 2
_POSITIVE: Final = 4
_NUMERIC_NAN: Final = bytes((NUMERIC_TAG, 6))
_SPECIAL_NUMERICS: Final = {1: NEGATIVE_INFINITY, 3: Decimal(0), 5: INFINITY, 6: NAN}
_EXPONENT_OFFSET: Final = 2**31
_NUMERIC_HEAD: Final = Struct(">I")
_NUMERIC_HEAD_END: Final = 6


def encode_value(value: Value) -> bytes:
    """One value's encoding; an integer has at most 64 bits."""
    match value:
        case None:
            return _NULL
        case bool():
            return _TRUE if value else _FALSE
        case int():
            return _TAGGED_WORD.pack(INTEGER_TAG, value + INTEGER_OFFSET)
        case float():
            return _encode_float(value)
        case str():
            return _TEXT + value.encode().replace(b"\0", b"\0\xff") + b"\0"
        case Decimal():
            return _encode_numeric(value)
        case bytes():
            return _BYTEA + value.replace(b"\0", b"\0\xff") + b"\0"
        case datetime():
            tag = TIMESTAMP_TAG if value.tzinfo is None else TIMESTAMPTZ_TAG
            return _TAGGED_WORD.pack(tag, microseconds_of(value) + INTEGER_OFFSET)
        case date():
            return _TAGGED_DAY.pack(DATE_TAG, value.toordinal())
        case uuid.UUID():
            return _UUID + value.bytes
    invariant(False, f"{type(value).__name__} cannot be a key")
    return b""


def encode_key(values: Iterable[Value]) -> bytes:
    """The encodings of the values, one after another."""
    return b"".join(map(encode_value, values))


def encode_descending(value: Value) -> bytes:
    """The encoding in a descending column of a value that is not NULL."""
    return (encode_value(value) + _VALUE_END).translate(_INVERTED)


def null_encoding(*, descending: bool, nulls_first: bool) -> bytes:
    """NULL's encoding in a column of this order; one byte."""
    ascending = _NULL if nulls_first == descending else _NULL_BEFORE_ALL
    return ascending.translate(_INVERTED) if descending else ascending


def column_encoder(*, descending: bool, nulls_first: bool) -> Callable[[Value], bytes]:
    """The encoding of one value in a column of this order."""
    if not descending and not nulls_first:
        return encode_value
    null = null_encoding(descending=descending, nulls_first=nulls_first)
    encode = encode_descending if descending else encode_value
    return lambda value: null if value is None else encode(value)


def decode_key(key: bytes, start: int = 0) -> Row:
    """The values whose encodings `key` holds from byte `start` on.

    The inverse of `encode_key` but for -0.0 and the scales of NUMERICs.
    """
    values: list[Value] = []
    while start < len(key):
        value, start = _decode_value(key, start)
        values.append(value)
    return tuple(values)


def _encode_float(value: float) -> bytes:
    if value != value:
        value = math.nan
    bits = _WORD.unpack(_FLOAT.pack(value + 0.0))[0]  # -0.0 + 0.0 is 0.0
    return _TAGGED_WORD.pack(FLOAT_TAG, bits ^ (_ALL_BITS if bits & _SIGN else _SIGN))


def _encode_numeric(value: Decimal) -> bytes:
    if value != value:
        return _NUMERIC_NAN
    if not value or value.is_infinite():
        return bytes((NUMERIC_TAG, 3 if not value else 5 if value > 0 else 1))
    sign, digits, _ = value.as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    text += "0" * (len(text) % 2)
    pairs = bytes([1 + int(text[place : place + 2]) for place in range(0, len(text), 2)])
    magnitude = _NUMERIC_HEAD.pack(value.adjusted() + 1 + _EXPONENT_OFFSET) + pairs + b"\0"
    if sign:
        return bytes((NUMERIC_TAG, _NEGATIVE)) + magnitude.translate(_INVERTED)
    return bytes((NUMERIC_TAG, _POSITIVE)) + magnitude


def _decode_numeric(key: bytes, start: int) -> tuple[Value, int]:
    kind = key[start + 1]
    if kind in _SPECIAL_NUMERICS:
        return _SPECIAL_NUMERICS[kind], start + 2
    first = start + _NUMERIC_HEAD_END
    end = key.index(b"\0" if kind == _POSITIVE else b"\xff", first)
    magnitude = key[start + 2 : end] if kind == _POSITIVE else key[start + 2 : end].translate(_INVERTED)
    exponent = _NUMERIC_HEAD.unpack_from(magnitude)[0] - _EXPONENT_OFFSET
    digits = "".join(f"{pair - 1:02d}" for pair in magnitude[_NUMERIC_HEAD.size :])
    value = Decimal(digits).scaleb(exponent - len(digits), EXACT)
    value = value.normalize(EXACT) if exponent < len(digits) else value.quantize(Decimal(1), context=EXACT)
    if value == value.to_integral_value():
        value = value.quantize(Decimal(1), context=EXACT)
    return (value if kind == _POSITIVE else value.copy_negate()), end + 1


def _decode_integer(key: bytes, start: int) -> tuple[Value, int]:
    return _TAGGED_WORD.unpack_from(key, start)[1] - INTEGER_OFFSET, start + _WORD_END


def _decode_float(key: bytes, start: int) -> tuple[Value, int]:
    bits = _TAGGED_WORD.unpack_from(key, start)[1]
    bits ^= _SIGN if bits & _SIGN else _ALL_BITS
    return _FLOAT.unpack(_WORD.pack(bits))[0], start + _WORD_END


def _decode_bytes(key: bytes, start: int) -> tuple[bytes, int]:
    end = key.index(b"\0", start)
    while key[end + 1 : end + 2] == b"\xff":
        end = key.index(b"\0", end + 1)
    return key[start + 1 : end].replace(b"\0\xff", b"\0"), end + 1


def _decode_text(key: bytes, start: int) -> tuple[Value, int]:
    encoded, end = _decode_bytes(key, start)
    return encoded.decode(), end


def _decode_date(key: bytes, start: int) -> tuple[Value, int]:
    return date.fromordinal(_TAGGED_DAY.unpack_from(key, start)[1]), start + _DAY_END


def _decode_timestamp(key: bytes, start: int) -> tuple[Value, int]:
    tag, count = _TAGGED_WORD.unpack_from(key, start)
    return from_microseconds(count - INTEGER_OFFSET, aware=tag == TIMESTAMPTZ_TAG), start + _WORD_END


_Decoder: TypeAlias = Callable[[bytes, int], tuple[Value, int]]

_DECODERS: Final[dict[int, _Decoder]] = {
    FALSE_TAG: lambda _, start: (False, start + 1),
    TRUE_TAG: lambda _, start: (True, start + 1),
    INTEGER_TAG: _decode_integer,
    FLOAT_TAG: _decode_float,
    NUMERIC_TAG: _decode_numeric,
    TEXT_TAG: _decode_text,
    BYTEA_TAG: _decode_bytes,
    DATE_TAG: _decode_date,
    TIMESTAMP_TAG: _decode_timestamp,
    TIMESTAMPTZ_TAG: _decode_timestamp,
    UUID_TAG: lambda key, start: (uuid.UUID(bytes=key[start + 1 : start + _UUID_END]), start + _UUID_END),
    NULL_TAG: lambda _, start: (None, start + 1),
}
"""By the tag: the value that begins at a place of the key, and the place behind it."""


def _decode_value(key: bytes, start: int) -> tuple[Value, int]:
    decode = _DECODERS.get(key[start])
    if decode is None:
        invariant(False, f"no value has the key tag {key[start]:#04x}")
        return None, start
    return decode(key, start)
