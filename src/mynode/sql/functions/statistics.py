"""Variances and standard deviations, in PostgreSQL's way.

Exact sums for INTEGER and NUMERIC, Youngs and Cramer's updates for FLOAT ("Some Results Relevant to Choice of Sum and
Sum-of-Product Algorithms", 1971).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from functools import partial, reduce
from typing import Final, TypeAlias

from mynode.base.sql_errors import NumericOutOfRangeError
from mynode.sql.functions.function import Aggregate
from mynode.sql.functions.numeric import add, divide, multiply, root_to_scale, subtract
from mynode.values.numeric import scale_of
from mynode.values.types import FLOAT, INTEGER, NUMERIC

_Integers: TypeAlias = tuple[int, int, int]
"""The count, the sum and the sum of squares."""
_Numerics: TypeAlias = tuple[int, Decimal, Decimal]
_Floats: TypeAlias = tuple[int, float, float]
"""The count, the sum and the sum of squares of differences from the mean."""


def _add_integers(state: _Integers, values: Sequence[int]) -> _Integers:
    count, total, squares = state
    return count + len(values), total + sum(values), squares + sum([value * value for value in values])


def _add_numerics(state: _Numerics, values: Sequence[Decimal]) -> _Numerics:
    count, total, squares = state
    return count + len(values), reduce(add, values, total), reduce(add, map(multiply, values, values), squares)


def _add_floats(state: _Floats, values: Sequence[float]) -> _Floats:
    count, total, differences = state
    for value in values:
        count += 1
        total += value
        if count > 1:
            step = value * count - total
            differences += step * step / (count * (count - 1))
        elif not math.isfinite(value):
            differences = math.nan
    if math.isinf(differences) or (math.isinf(total) and not math.isnan(differences)):
        if all(map(math.isfinite, values)):
            raise NumericOutOfRangeError("value out of range: overflow")
        differences = math.nan
    return count, total, differences


def _exact(state: _Integers | _Numerics, *, of_sample: bool, root: bool) -> Decimal | None:
    count = state[0]
    if count == 0 or (of_sample and count == 1):
        return None
    number, total, squares = (Decimal(part) for part in state)
    above = subtract(multiply(number, squares), multiply(total, total))
    if not above.is_nan() and above <= 0:
        return Decimal(0)
    variance = divide(above, multiply(number, number - 1 if of_sample else number))
    return root_to_scale(variance, scale_of(variance)) if root else variance


def _inexact(state: _Floats, *, of_sample: bool, root: bool) -> float | None:
    count, _, differences = state
    if count == 0 or (of_sample and count == 1):
        return None
    variance = differences / (count - 1 if of_sample else count)
    return math.sqrt(variance) if root else variance


_KINDS: Final = {
    "variance": (True, False),
    "var_samp": (True, False),
    "var_pop": (False, False),
    "stddev": (True, True),
    "stddev_samp": (True, True),
    "stddev_pop": (False, True),
}
"""By name: whether the values are a sample of all, and whether the root of the variance is wanted."""


def _aggregates(name: str, of_sample: bool, root: bool) -> tuple[Aggregate, ...]:
    exact, inexact = (partial(finish, of_sample=of_sample, root=root) for finish in (_exact, _inexact))
    return (
        Aggregate(name, INTEGER, NUMERIC, (0, 0, 0), _add_integers, exact, nullable=True),
        Aggregate(name, NUMERIC, NUMERIC, (0, Decimal(0), Decimal(0)), _add_numerics, exact, nullable=True),
        Aggregate(name, FLOAT, FLOAT, (0, 0.0, 0.0), _add_floats, inexact, nullable=True),
    )


STATISTICS: Final = tuple(
    aggregate for name, (of_sample, root) in _KINDS.items() for aggregate in _aggregates(name, of_sample, root)
)
