"""Comparisons of row values, `(a, b) < (1, 2)`, by those of their entries: no expression has a row as its value.

An operand that stands in several of them is evaluated for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mynode.base.limits import MAX_ROW_ENTRIES
from mynode.base.sql_errors import ProgramLimitExceededError, SqlSyntaxError
from mynode.sql.expressions import And, Expression, IsNull, Not, Or
from mynode.sql.predicates import is_distinct
from mynode.sql.typed_calls import TypedCalls

_STRICT: Final = {"<": "<", "<=": "<", ">": ">", ">=": ">"}
_OR_EQUAL: Final = {"<": "<=", "<=": "<=", ">": ">=", ">=": ">="}


def compared_rows(
    calls: TypedCalls, symbol: str, left: Sequence[Expression], right: Sequence[Expression], position: int
) -> Expression:
    """`left symbol right` of two rows: the first entries that differ decide, or that one of which is NULL.

    Raises `SqlSyntaxError`, `ProgramLimitExceededError`, and what `TypedCalls` does.
    """
    check_widths(left, right, position)
    pairs = list(zip(left, right, strict=True))
    if symbol in ("=", "<>"):
        tests = tuple(calls.comparison(symbol, *pair, position) for pair in pairs)
        return _joined(And if symbol == "=" else Or, tests)
    test: Expression = calls.comparison(symbol, *pairs[-1], position)
    for pair in reversed(pairs[:-1]):
        differs = calls.comparison(_STRICT[symbol], *pair, position)
        test = Or((differs, And((calls.comparison("=", *pair, position), test))))
    if len(pairs) == 1:
        return test
    # What follows from the rest is said too, because an index can be read by it.
    return And((calls.comparison(_OR_EQUAL[symbol], *pairs[0], position), test))


def distinct_rows(
    calls: TypedCalls, left: Sequence[Expression], right: Sequence[Expression], position: int
) -> Expression:
    """`left IS DISTINCT FROM right`."""
    check_widths(left, right, position)
    return _joined(Or, tuple(is_distinct(calls, *pair, position) for pair in zip(left, right, strict=True)))


def null_row(entries: Sequence[Expression], *, is_negated: bool) -> Expression:
    """`row IS NULL`: all entries are; `row IS NOT NULL`: no entry is. Both can be false."""
    tests = tuple(Not(IsNull(entry)) if is_negated else IsNull(entry) for entry in entries)
    return _joined(And, tests)


def check_widths(left: Sequence[Expression], right: Sequence[Expression], position: int) -> None:
    if len(left) != len(right):
        raise SqlSyntaxError("unequal number of entries in row expressions", position=position)
    if len(left) > MAX_ROW_ENTRIES:
        raise ProgramLimitExceededError(f"a row value can have at most {MAX_ROW_ENTRIES} entries", position=position)


def _joined(word: type[And] | type[Or], tests: tuple[Expression, ...]) -> Expression:
    return tests[0] if len(tests) == 1 else word(tests)
