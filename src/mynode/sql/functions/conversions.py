"""Casts as functions, so that a cast is a call like any other."""

from __future__ import annotations

from functools import cache
from typing import Final

from mynode.sql.functions.function import Function
from mynode.values.casts import Cast
from mynode.values.types import FLOAT, INTEGER

CAST_NAME: Final = "cast"


@cache
def cast_function(cast: Cast) -> Function:
    """The function that converts a value as `cast` does; the same one for the same cast."""
    inline = "float({0})" if (cast.source, cast.target) == (INTEGER, FLOAT) else None
    return Function(CAST_NAME, (cast.source,), cast.target, cast.convert, inline)
