"""Order and equality of values, as PostgreSQL defines them.

NaN equals NaN and is greater than every other number; -0.0 equals 0.0; NUMERICs are equal whatever their scales; text
compares by code point, BYTEA and UUID by their bytes, times as they follow one another; NULL compares as unknown (None)
in `compare`, and after everything in an ascending order.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

from mynode.values.types import Value

OrderKey: TypeAlias = tuple[object, ...]


def compare(left: Value, right: Value) -> int | None:
    """-1, 0 or 1 as `left` is less than, equal to or greater than `right`; None (unknown) if one of them is NULL.

    Both values are of the same SQL type.
    """
    if left is None or right is None:
        return None
    left_key, right_key = order_key(left), order_key(right)
    return (left_key > right_key) - (left_key < right_key)


def order_key(value: Value) -> OrderKey:
    """A key by which Python sorts values of one SQL type as SQL does, ascending and NULL last."""
    if value is None:
        return (2,)
    if value != value:
        return (1,)
    return (0, value)


def float_equal(left: float, right: float) -> bool:
    return left == right or (left != left and right != right)


def float_less(left: float, right: float) -> bool:
    return left < right or (right != right and left == left)


def float_less_or_equal(left: float, right: float) -> bool:
    return left <= right or right != right


def numeric_equal(left: Decimal, right: Decimal) -> bool:
    return left == right or (left != left and right != right)


def numeric_less(left: Decimal, right: Decimal) -> bool:
    """Unlike floats, Decimals raise an exception when NaN is ordered."""
    return left == left and (right != right or left < right)


def numeric_less_or_equal(left: Decimal, right: Decimal) -> bool:
    return right != right or (left == left and left <= right)
