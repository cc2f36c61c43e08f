"""The entries of a row that is one value: what a sub-query of several columns gives to `(a, b) = (SELECT …)`."""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter
from typing import Final

from mynode.sql.functions.function import Function
from mynode.values.types import RECORD, SqlType

_KEPT: Final = 1_024


@lru_cache(_KEPT)
def entry_of(place: int, type_: SqlType) -> Function:
    """The function from a row to its entry at a place, from 0."""
    return Function(f"entry{place + 1}", (RECORD,), type_, itemgetter(place), nullable=True)
