"""GREATEST, LEAST and NULLIF, of each type, and counts of NULLs: they look at their arguments though one is NULL."""

from __future__ import annotations

from typing import Final

from mynode.sql.functions.function import Function
from mynode.values.compare import compare, order_key
from mynode.values.types import ANY, INTEGER, STORED_TYPES, SqlType, Value


def greatest(*values: Value) -> Value:
    """The greatest of those that are not NULL; NULL if all are."""
    return max((value for value in values if value is not None), key=order_key, default=None)


def least(*values: Value) -> Value:
    """The least of those that are not NULL; NULL if all are."""
    return min((value for value in values if value is not None), key=order_key, default=None)


def nullif(left: Value, right: Value) -> Value:
    """NULL if both are equal, else the first."""
    return None if compare(left, right) == 0 else left


GREATEST: Final[dict[SqlType, Function]] = {
    type_: Function("greatest", (type_,), type_, greatest, strict=False, nullable=True, variadic=True)
    for type_ in STORED_TYPES
}
LEAST: Final[dict[SqlType, Function]] = {
    type_: Function("least", (type_,), type_, least, strict=False, nullable=True, variadic=True)
    for type_ in STORED_TYPES
}
NULLIF: Final[dict[SqlType, Function]] = {
    type_: Function("nullif", (type_, type_), type_, nullif, strict=False, nullable=True) for type_ in STORED_TYPES
}

CONDITIONAL: Final = (
    Function(
        "num_nulls", (ANY,), INTEGER, lambda *values: values.count(None), strict=False, nullable=False, variadic=True
    ),
    Function(
        "num_nonnulls",
        (ANY,),
        INTEGER,
        lambda *values: len(values) - values.count(None),
        strict=False,
        nullable=False,
        variadic=True,
    ),
)
