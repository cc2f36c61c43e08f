"""Casts as functions, so that a cast is a call like any other. Its name is `::` and the type."""

from __future__ import annotations

from functools import cache
from typing import Final

from mynode.sql.functions.function import Function
from mynode.values.casts import Cast
from mynode.values.restrictions import restriction
from mynode.values.types import BPCHAR, FLOAT, INTEGER, TEXT, SqlType

CAST_SYMBOL: Final = "::"


@cache
def cast_function(cast: Cast) -> Function:
    """The function that converts a value as `cast` does; the same one for the same cast."""
    inline = {(INTEGER, FLOAT): "float({0})", (BPCHAR, TEXT): "{0}"}.get((cast.source, cast.target))
    return Function(f"{CAST_SYMBOL}{cast.target}", (cast.source,), cast.target, cast.convert, inline)


@cache
def restricting_function(target: SqlType, *, explicit: bool) -> Function | None:
    """The function that makes a value of `target.base` one of `target`, if the type has modifiers."""
    restrict = restriction(target, explicit=explicit)
    return restrict and Function(f"{CAST_SYMBOL}{target}", (target.base,), target.base, restrict)
