"""The order-preserving key codec: encoded values compare as bytes just as the values compare in SQL.

A key is the encodings of its values, one after another; each says where it ends, so that keys of several values keep
the order too and a prefix of the values is a prefix of the bytes. The first byte is a tag:

| tag  | value     | then                                                                           |
|------|-----------|--------------------------------------------------------------------------------|
| 0x10 | FALSE     | nothing                                                                        |
| 0x11 | TRUE      | nothing                                                                        |
| 0x20 | INTEGER   | value + 2**63, 8 bytes big-endian                                              |
| 0x30 | FLOAT     | IEEE bits, 8 bytes big-endian; negative: all inverted, else sign bit inverted   |
| 0x40 | TEXT      | UTF-8 with 0x00 written as 0x00 0xFF, then 0x00                                 |
| 0xF0 | NULL      | nothing (last in an ascending order)                                           |

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
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Final

from mynode.base.invariant import invariant
from mynode.values.types import Row, Value

FALSE_TAG: Final = 0x10
TRUE_TAG: Final = 0x11
INTEGER_TAG: Final = 0x20
FLOAT_TAG: Final = 0x30
TEXT_TAG: Final = 0x40
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
    """The values whose encodings `key` holds from byte `start` on; the inverse of `encode_key` but for -0.0."""
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


def _decode_value(key: bytes, start: int) -> tuple[Value, int]:
    tag = key[start]
    if tag == INTEGER_TAG:
        return _TAGGED_WORD.unpack_from(key, start)[1] - INTEGER_OFFSET, start + _WORD_END
    if tag == TEXT_TAG:
        end = key.index(b"\0", start)
        while key[end + 1 : end + 2] == b"\xff":
            end = key.index(b"\0", end + 1)
        return key[start + 1 : end].replace(b"\0\xff", b"\0").decode(), end + 1
    if tag == FLOAT_TAG:
        bits = _TAGGED_WORD.unpack_from(key, start)[1]
        bits ^= _SIGN if bits & _SIGN else _ALL_BITS
        return _FLOAT.unpack(_WORD.pack(bits))[0], start + _WORD_END
    if tag == NULL_TAG:
        return None, start + 1
    invariant(tag in (FALSE_TAG, TRUE_TAG), f"no value has the key tag {tag:#04x}")
    return tag == TRUE_TAG, start + 1
