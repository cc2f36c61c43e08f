"""Statistics of pairs of numbers: covariance, correlation, linear regression, in PostgreSQL's way.

By Youngs and Cramer's updates ("Some Results Relevant to Choice of Sum and Sum-of-Product Algorithms", 1971). A pair is
(y, x), as in SQL: the dependent variable comes first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from mynode.base.sql_errors import NumericOutOfRangeError
from mynode.sql.functions.function import Aggregate
from mynode.values.types import FLOAT, INTEGER


class _Pairs(NamedTuple):
    """The number of pairs, the sums, and the sums of squares and products of the differences from the means."""

    number: int = 0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    yy: float = 0.0
    xy: float = 0.0


_Finish: TypeAlias = Callable[[_Pairs], float | None]


def _add(state: _Pairs, pairs: Sequence[tuple[float, float]]) -> _Pairs:
    count, sum_x, sum_y, xx, yy, xy = state
    for y, x in pairs:
        count += 1
        sum_x += x
        sum_y += y
        if count > 1:
            step_x, step_y = x * count - sum_x, y * count - sum_y
            scale = 1.0 / (count * (count - 1))
            xx += step_x * step_x * scale
            yy += step_y * step_y * scale
            xy += step_x * step_y * scale
        else:
            xx = 0.0 if math.isfinite(x) else math.nan
            yy = 0.0 if math.isfinite(y) else math.nan
            xy = xx + yy
    found = _Pairs(count, sum_x, sum_y, xx, yy, xy)
    if not all(map(math.isfinite, found)):
        if all(math.isfinite(number) for pair in pairs for number in pair) and any(map(math.isinf, found)):
            raise NumericOutOfRangeError("value out of range: overflow")
        xx, yy, xy = (math.nan if math.isinf(number) else number for number in (xx, yy, xy))
        found = found._replace(xx=xx, yy=yy, xy=xy)
    return found


def _correlation(of: _Pairs) -> float | None:
    return of.xy / math.sqrt(of.xx * of.yy) if of.xx and of.yy else None


def _determination(of: _Pairs) -> float | None:
    if not of.xx:
        return None
    return of.xy * of.xy / (of.xx * of.yy) if of.yy else 1.0


def _slope(of: _Pairs) -> float | None:
    return of.xy / of.xx if of.xx else None


def _intercept(of: _Pairs) -> float | None:
    return (of.y - of.x * of.xy / of.xx) / of.number if of.xx else None


def _finish(state: _Pairs, *, compute: _Finish, least: int) -> float | None:
    return compute(state) if state.number >= least else None


_KINDS: Final[tuple[tuple[str, int, _Finish], ...]] = (
    ("corr", 1, _correlation),
    ("covar_pop", 1, lambda of: of.xy / of.number),
    ("covar_samp", 2, lambda of: of.xy / (of.number - 1)),
    ("regr_avgx", 1, lambda of: of.x / of.number),
    ("regr_avgy", 1, lambda of: of.y / of.number),
    ("regr_intercept", 1, _intercept),
    ("regr_r2", 1, _determination),
    ("regr_slope", 1, _slope),
    ("regr_sxx", 1, lambda of: of.xx),
    ("regr_sxy", 1, lambda of: of.xy),
    ("regr_syy", 1, lambda of: of.yy),
)
"""The name, the fewest pairs of which it is something but NULL, and what it is."""


def _add_count(count: int, pairs: Sequence[tuple[float, float]]) -> int:
    return count + len(pairs)


def _same(count: int) -> int:
    return count


REGRESSION: Final = (
    *(
        Aggregate(
            name, FLOAT, FLOAT, _Pairs(), _add, partial(_finish, compute=compute, least=least), True, second=FLOAT
        )
        for name, least, compute in _KINDS
    ),
    Aggregate("regr_count", FLOAT, INTEGER, 0, _add_count, _same, nullable=False, second=FLOAT),
)
