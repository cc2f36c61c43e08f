"""Aggregates. Each takes a batch of values at a time; NULLs are left out before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, TypeAlias, TypeVar

from mynode.base.errors import NumericOutOfRangeError
from mynode.sql.functions.function import Aggregate
from mynode.values.casts import check_integer
from mynode.values.compare import order_key
from mynode.values.types import BOOLEAN, FLOAT, INTEGER, TEXT, Value

_Mean: TypeAlias = tuple[float, int]
"""The sum and the number of values."""

_Scalar = TypeVar("_Scalar", bound=Value)
_Choose: TypeAlias = Callable[[Iterable[_Scalar]], _Scalar]


def _count(count: int, values: Sequence[Value]) -> int:
    return count + len(values)


def _sum_integers(total: int | None, values: Sequence[int]) -> int | None:
    return (total or 0) + sum(values) if values else total


def _sum_floats(total: float | None, values: Sequence[float]) -> float | None:
    return _plus(total or 0.0, values) if values else total


def _plus(total: float, values: Sequence[float]) -> float:
    """The sum of all; raises `NumericOutOfRangeError` if it is infinite and no part of it is."""
    grown = total + sum(values)
    if math.isinf(grown) and not math.isinf(total) and not any(map(math.isinf, values)):
        raise NumericOutOfRangeError("value out of range: overflow")
    return grown


def _finish_integers(total: int | None) -> int | None:
    return None if total is None else check_integer(total)


def _add_to_mean(mean: _Mean, values: Sequence[float]) -> _Mean:
    return _plus(mean[0], values), mean[1] + len(values)


def _finish_mean(mean: _Mean) -> float | None:
    total, count = mean
    try:
        return total / count if count else None
    except OverflowError:
        raise NumericOutOfRangeError("value out of range: overflow") from None


def _best(best: _Scalar | None, values: Sequence[_Scalar], choose: _Choose[_Scalar]) -> _Scalar | None:
    if not values:
        return best
    found = choose(values)
    return found if best is None else choose((best, found))


def _same(value: Value) -> Value:
    return value


_float_min: Final = partial(min, key=order_key)
_float_max: Final = partial(max, key=order_key)

AGGREGATES: Final = (
    Aggregate("count", None, INTEGER, 0, _count, _same, nullable=False),
    Aggregate("sum", INTEGER, INTEGER, None, _sum_integers, _finish_integers, nullable=True),
    Aggregate("sum", FLOAT, FLOAT, None, _sum_floats, _same, nullable=True),
    Aggregate("avg", INTEGER, FLOAT, (0, 0), _add_to_mean, _finish_mean, nullable=True),
    Aggregate("avg", FLOAT, FLOAT, (0.0, 0), _add_to_mean, _finish_mean, nullable=True),
    *(
        Aggregate(name, type_, type_, None, partial(_best, choose=choose), _same, nullable=True)
        for name, python_choose, float_choose in (("min", min, _float_min), ("max", max, _float_max))
        for type_ in (INTEGER, TEXT, BOOLEAN, FLOAT)
        for choose in ((float_choose if type_ is FLOAT else python_choose),)
    ),
)
"""min and max of BOOLEAN are an addition to PostgreSQL's."""
