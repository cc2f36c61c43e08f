"""Bits of INTEGER, as its 64 in two's complement, and of BYTEA."""

from __future__ import annotations

import operator
from typing import Final

from mynode.base.sql_errors import ArraySubscriptError, InvalidParameterValueError
from mynode.sql.functions.function import Function
from mynode.values.types import BYTEA, INTEGER

_WIDTH: Final = 64
_SIGN: Final = 1 << (_WIDTH - 1)


def shift_left(value: int, places: int) -> int:
    """The places count modulo 64, as PostgreSQL's processors have it; bits that leave are gone."""
    moved = (value << (places % _WIDTH)) & ((_SIGN << 1) - 1)
    return moved - (_SIGN << 1) if moved & _SIGN else moved


def shift_right(value: int, places: int) -> int:
    """The sign moves in."""
    return value >> (places % _WIDTH)


def get_byte(value: bytes, place: int) -> int:
    return value[_checked(place, len(value))]


def set_byte(value: bytes, place: int, byte: int) -> bytes:
    start = _checked(place, len(value))
    return value[:start] + bytes((byte & 0xFF,)) + value[start + 1 :]


def get_bit(value: bytes, place: int) -> int:
    """The bits of a byte are counted from the least significant one."""
    _checked(place, 8 * len(value))
    return value[place // 8] >> place % 8 & 1


def set_bit(value: bytes, place: int, bit: int) -> bytes:
    _checked(place, 8 * len(value))
    if bit not in (0, 1):
        raise InvalidParameterValueError("new bit must be 0 or 1")
    byte = value[place // 8] & ~(1 << place % 8) | bit << place % 8
    return set_byte(value, place // 8, byte)


def _checked(place: int, length: int) -> int:
    if not 0 <= place < length:
        raise ArraySubscriptError(f"index {place} out of valid range, 0..{length - 1}")
    return place


_INTEGERS: Final = (INTEGER, INTEGER)

BITS: Final = (
    Function("&", _INTEGERS, INTEGER, operator.and_, "({0} & {1})", is_operator=True),
    Function("|", _INTEGERS, INTEGER, operator.or_, "({0} | {1})", is_operator=True),
    Function("#", _INTEGERS, INTEGER, operator.xor, "({0} ^ {1})", is_operator=True),
    Function("~", (INTEGER,), INTEGER, operator.invert, "(~{0})", is_operator=True),
    Function("<<", _INTEGERS, INTEGER, shift_left, is_operator=True),
    Function(">>", _INTEGERS, INTEGER, shift_right, is_operator=True),
    Function("get_byte", (BYTEA, INTEGER), INTEGER, get_byte),
    Function("set_byte", (BYTEA, INTEGER, INTEGER), BYTEA, set_byte),
    Function("get_bit", (BYTEA, INTEGER), INTEGER, get_bit),
    Function("set_bit", (BYTEA, INTEGER, INTEGER), BYTEA, set_bit),
    Function("bit_count", (BYTEA,), INTEGER, lambda value: int.from_bytes(value).bit_count()),
)
