"""Aggregates. Each takes a batch of values at a time; NULLs are left out before."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial, reduce
from typing import Any, Final, TypeAlias, TypeVar

from mynode.base.limits import MAX_ROW_BYTES
from mynode.base.sql_errors import NumericOutOfRangeError
from mynode.sql.functions.function import Aggregate
from mynode.sql.functions.numeric import add, divide
from mynode.sql.functions.regression import REGRESSION
from mynode.sql.functions.statistics import STATISTICS
from mynode.sql.functions.strings import text_too_long
from mynode.values.casts import check_integer
from mynode.values.compare import order_key
from mynode.values.types import BOOLEAN, BYTEA, FLOAT, INTEGER, NUMERIC, STORED_TYPES, TEXT, WITH_NAN, Value

_Mean: TypeAlias = tuple[float, int]
_ExactMean: TypeAlias = tuple[Decimal, int]
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


def _sum_numerics(total: Decimal | None, values: Sequence[Decimal]) -> Decimal | None:
    return reduce(add, values if total is None else (total, *values)) if values else total


def _add_to_mean(mean: _Mean, values: Sequence[float]) -> _Mean:
    return _plus(mean[0], values), mean[1] + len(values)


def _finish_mean(mean: _Mean) -> float | None:
    total, count = mean
    return total / count if count else None


def _add_integers_to_mean(mean: tuple[int, int], values: Sequence[int]) -> tuple[int, int]:
    return mean[0] + sum(values), mean[1] + len(values)


def _add_to_exact_mean(mean: _ExactMean, values: Sequence[Decimal]) -> _ExactMean:
    return reduce(add, values, mean[0]), mean[1] + len(values)


def _finish_exact_mean(mean: tuple[Decimal | int, int]) -> Decimal | None:
    total, count = mean
    return divide(Decimal(total), Decimal(count)) if count else None


def _best(best: _Scalar | None, values: Sequence[_Scalar], choose: _Choose[_Scalar]) -> _Scalar | None:
    if not values:
        return best
    found = choose(values)
    return found if best is None else choose((best, found))


class _Joined:
    """Texts, or bytes, to be joined when all are known, with what comes between them."""

    __slots__ = ("parts", "size")

    def __init__(self) -> None:
        self.parts: list[Any] = []
        self.size = 0


def _join(joined: _Joined | None, pairs: Sequence[tuple[str, str] | tuple[bytes, bytes]]) -> _Joined | None:
    """A pair is a part and what comes before it, unless it is the first."""
    if not pairs:
        return joined
    found = joined or _Joined()
    added = [one for part, separator in pairs for one in (separator, part)]
    if joined is None:
        del added[0]
    found.parts += added
    found.size += sum(map(len, added))
    if found.size > MAX_ROW_BYTES:
        text_too_long()
    return found


def _finish_join(joined: _Joined | None, nothing: str | bytes) -> Value:
    return None if joined is None else nothing.join(joined.parts)


def _folded(
    found: _Scalar | None, values: Sequence[_Scalar], fold: Callable[[Iterable[_Scalar]], _Scalar]
) -> _Scalar | None:
    if not values:
        return found
    return fold(values if found is None else (found, *values))


def _same(value: Value) -> Value:
    return value


_least: Final = partial(min, key=order_key)
_greatest: Final = partial(max, key=order_key)

AGGREGATES: Final = (
    Aggregate("count", None, INTEGER, 0, _count, _same, nullable=False, inline="{s} += 1"),
    Aggregate(
        "sum", INTEGER, INTEGER, None, _sum_integers, _finish_integers, nullable=True, inline="{s} = ({s} or 0) + {v}"
    ),
    Aggregate("sum", NUMERIC, NUMERIC, None, _sum_numerics, _same, nullable=True),
    Aggregate("sum", FLOAT, FLOAT, None, _sum_floats, _same, nullable=True),
    Aggregate("avg", INTEGER, NUMERIC, (0, 0), _add_integers_to_mean, _finish_exact_mean, nullable=True),
    Aggregate("avg", NUMERIC, NUMERIC, (Decimal(0), 0), _add_to_exact_mean, _finish_exact_mean, nullable=True),
    Aggregate("avg", FLOAT, FLOAT, (0.0, 0), _add_to_mean, _finish_mean, nullable=True),
    *(
        Aggregate(name, type_, type_, None, partial(_best, choose=choose), _same, nullable=True, inline=inline)
        for name, sign, python_choose, sql_choose in (("min", "<", min, _least), ("max", ">", max, _greatest))
        for type_ in STORED_TYPES
        for choose, inline in (
            (
                (sql_choose, None)
                if type_ in WITH_NAN
                else (python_choose, f"if {{s}} is None or {{v}} {sign} {{s}}: {{s}} = {{v}}")
            ),
        )
    ),
    *(
        Aggregate(name, type_, type_, None, partial(_folded, fold=fold), _same, nullable=True)
        for name, type_, fold in (
            ("bool_and", BOOLEAN, all),
            ("every", BOOLEAN, all),
            ("bool_or", BOOLEAN, any),
            ("bit_and", INTEGER, partial(reduce, operator.and_)),
            ("bit_or", INTEGER, partial(reduce, operator.or_)),
            ("bit_xor", INTEGER, partial(reduce, operator.xor)),
        )
    ),
    *(
        Aggregate(
            "string_agg", type_, type_, None, _join, partial(_finish_join, nothing=nothing), True, True, second=type_
        )
        for type_, nothing in ((TEXT, ""), (BYTEA, b""))
    ),
    *STATISTICS,
    *REGRESSION,
)
"""The sum of INTEGERs is an INTEGER, as that of PostgreSQL's integers is a bigint; more than 64 bits are an error.
min and max of BOOLEAN, BYTEA and UUID are an addition."""
