"""Logarithms, powers and angles: of FLOAT by Python's `math`, of NUMERIC to PostgreSQL's number of digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from mynode.base.sql_errors import (
    InvalidArgumentForLogarithmError,
    InvalidArgumentForPowerError,
    InvalidArgumentForWidthBucketError,
    NumericOutOfRangeError,
)
from mynode.sql.functions import numeric
from mynode.sql.functions.arithmetic import power as power_of_floats
from mynode.sql.functions.function import Function, Implementation
from mynode.sql.functions.numeric import SIGNIFICANT_DIGITS, bounded_scale, multiply
from mynode.values.casts import check_integer
from mynode.values.numeric import (
    INFINITY,
    MAX_WHOLE_DIGITS,
    NAN,
    overflow,
    with_digits,
    with_scale,
)
from mynode.values.types import FLOAT, INTEGER, NUMERIC

_GUARD_DIGITS: Final = 12
"""More digits than are shown, so that what is cut off twice is rounded right."""
_LOG10_E: Final = 0.434294481903252
_MOST_DIGITS: Final = 1_000
"""Whole digits beyond which exp(x), and x ^ y where y is no whole number, are refused: they would take too long."""

# --- FLOAT ----------------------------------------------------------------------------------------------------------


def _of_float(operate: Callable[[float], float], *, underflows: bool = False) -> Implementation:
    def checked(value: float) -> float:
        try:
            result = operate(value)
        except ValueError:
            raise NumericOutOfRangeError("input is out of range") from None
        except OverflowError:
            raise NumericOutOfRangeError("value out of range: overflow") from None
        if underflows and result == 0 and math.isfinite(value):
            raise NumericOutOfRangeError("value out of range: underflow")
        return result

    return checked


def _logarithm(operate: Callable[[float], float]) -> Implementation:
    def checked(value: float) -> float:
        _check_logarithm(value)
        return operate(value)

    return checked


def _check_logarithm(value: float | Decimal) -> None:
    if value == 0:
        raise InvalidArgumentForLogarithmError("cannot take logarithm of zero")
    if value == value and value < 0:
        raise InvalidArgumentForLogarithmError("cannot take logarithm of a negative number")


# --- NUMERIC --------------------------------------------------------------------------------------------------------


def _logarithm_weight(value: Decimal) -> int:
    """Where, about, the first digit of the natural logarithm stands, as `estimate_ln_dweight` of PostgreSQL has it."""
    if Decimal("0.9") <= value <= Decimal("1.1"):
        return (value - 1).adjusted() if value != 1 else 0
    return int(math.log10(abs(float(with_digits(17).ln(value)))))


def natural_logarithm(value: Decimal) -> Decimal:
    _check_logarithm(value)
    if not value.is_finite():
        return value
    scale = bounded_scale(SIGNIFICANT_DIGITS - _logarithm_weight(value), value)
    return _rounded(lambda digits: with_digits(digits).ln(value), scale)


def logarithm(base: Decimal, value: Decimal) -> Decimal:
    """To any base."""
    _check_logarithm(base)
    _check_logarithm(value)
    if not (base.is_finite() and value.is_finite()):
        return _infinite_logarithm(base, value)
    scale = bounded_scale(SIGNIFICANT_DIGITS - (_logarithm_weight(value) - _logarithm_weight(base)), base, value)
    if base == 10:
        return _rounded(lambda digits: with_digits(digits).log10(value), scale)
    if base == 1:
        return numeric.divide(Decimal(1), Decimal(0))

    def quotient(digits: int) -> Decimal:
        context = with_digits(digits + _GUARD_DIGITS)
        return context.divide(context.ln(value), context.ln(base))

    return _rounded(quotient, scale)


def _infinite_logarithm(base: Decimal, value: Decimal) -> Decimal:
    if base.is_nan() or value.is_nan() or (base.is_infinite() and value.is_infinite()):
        return NAN
    return Decimal(0) if base.is_infinite() else INFINITY


def exponential(value: Decimal) -> Decimal:
    if not value.is_finite():
        return Decimal(0) if value == -INFINITY else value
    digits_before = float(value) * _LOG10_E if abs(value) < 10**6 else math.copysign(10**6, value)
    if digits_before > _MOST_DIGITS:
        raise overflow()
    scale = bounded_scale(SIGNIFICANT_DIGITS - int(digits_before), value)
    return _rounded(lambda digits: with_digits(digits).exp(value), scale, before=int(digits_before) + 1)


def power(base: Decimal, exponent: Decimal) -> Decimal:
    """With at least 16 significant digits, as since PostgreSQL 16 for whole exponents too."""
    if not (base.is_finite() and exponent.is_finite()):
        return _infinite_power(base, exponent)
    if base == 0 and exponent < 0:
        raise InvalidArgumentForPowerError("zero raised to a negative power is undefined")
    is_whole = exponent == exponent.to_integral_value()
    if base < 0 and not is_whole:
        raise InvalidArgumentForPowerError("a negative number raised to a non-integer power yields a complex result")
    if base == 0:
        return with_scale(Decimal(0 if exponent else 1), SIGNIFICANT_DIGITS)
    weight = float(exponent) * float(with_digits(20).log10(base.copy_abs()))
    if weight > (MAX_WHOLE_DIGITS if is_whole else _MOST_DIGITS):
        raise overflow()
    scale = bounded_scale(SIGNIFICANT_DIGITS - int(max(weight, -MAX_WHOLE_DIGITS)), base, exponent)
    if weight + 1 < -scale:
        return with_scale(Decimal(0), scale)
    return _rounded(lambda digits: with_digits(digits).power(base, exponent), scale, before=int(weight) + 1)


def _infinite_power(base: Decimal, exponent: Decimal) -> Decimal:
    if base == 1 or exponent == 0:
        return Decimal(1)
    if base.is_nan() or exponent.is_nan():
        return NAN
    if base == 0 and exponent < 0:
        raise InvalidArgumentForPowerError("zero raised to a negative power is undefined")
    result = power_of_floats(float(base), float(exponent))
    return with_scale(Decimal(result), 0)


def _rounded(compute: Callable[[int], Decimal], scale: int, before: int = 8) -> Decimal:
    """What `compute` makes with enough significant digits, rounded to the scale."""
    return with_scale(compute(max(before, 0) + scale + _GUARD_DIGITS), scale)


# --- histograms -----------------------------------------------------------------------------------------------------


def _width_bucket(operand: float, low: float, high: float, count: int) -> int:
    if not (math.isfinite(low) and math.isfinite(high)) or operand != operand:
        raise InvalidArgumentForWidthBucketError("operand, lower bound, and upper bound cannot be NaN")
    _check_buckets(low == high, count)
    if (operand < low) if low < high else (operand > low):
        return 0
    if (operand >= high) if low < high else (operand <= high):
        return check_integer(count + 1)
    return int((operand - low) / (high - low) * count) + 1


def _width_bucket_of_numerics(operand: Decimal, low: Decimal, high: Decimal, count: int) -> int:
    if not (low.is_finite() and high.is_finite()) or operand.is_nan():
        raise InvalidArgumentForWidthBucketError("operand, lower bound, and upper bound cannot be NaN")
    _check_buckets(low == high, count)
    if (operand < low) if low < high else (operand > low):
        return 0
    if (operand >= high) if low < high else (operand <= high):
        return check_integer(count + 1)
    scaled = multiply(numeric.subtract(operand, low), Decimal(count))
    return int(numeric.whole_quotient(scaled, numeric.subtract(high, low))) + 1


def _check_buckets(is_empty: bool, count: int) -> None:
    if count <= 0:
        raise InvalidArgumentForWidthBucketError("count must be greater than zero")
    if is_empty:
        raise InvalidArgumentForWidthBucketError("lower bound cannot equal upper bound")


_FLOAT_FUNCTIONS: Final[dict[str, Implementation]] = {
    "cbrt": math.cbrt,
    "exp": _of_float(math.exp, underflows=True),
    "ln": _logarithm(math.log),
    "log": _logarithm(math.log10),
    "log10": _logarithm(math.log10),
    "sin": _of_float(math.sin),
    "cos": _of_float(math.cos),
    "tan": _of_float(math.tan),
    "cot": _of_float(lambda value: 1 / math.tan(value) if value else math.copysign(math.inf, value)),
    "asin": _of_float(math.asin),
    "acos": _of_float(math.acos),
    "atan": _of_float(math.atan),
    "sinh": _of_float(math.sinh),
    "cosh": _of_float(math.cosh),
    "tanh": _of_float(math.tanh),
    "degrees": _of_float(math.degrees),
    "radians": _of_float(math.radians),
}

_NUMERIC_FUNCTIONS: Final[dict[str, Implementation]] = {
    "exp": exponential,
    "ln": natural_logarithm,
    "log": lambda value: logarithm(Decimal(10), value),
    "log10": lambda value: logarithm(Decimal(10), value),
}

MATHEMATICS: Final = (
    *(Function(name, (FLOAT,), FLOAT, run) for name, run in _FLOAT_FUNCTIONS.items()),
    *(Function(name, (NUMERIC,), NUMERIC, run) for name, run in _NUMERIC_FUNCTIONS.items()),
    Function("log", (NUMERIC, NUMERIC), NUMERIC, logarithm),
    Function("^", (NUMERIC, NUMERIC), NUMERIC, power, is_operator=True),
    Function("power", (NUMERIC, NUMERIC), NUMERIC, power),
    Function("pow", (NUMERIC, NUMERIC), NUMERIC, power),
    Function("pow", (FLOAT, FLOAT), FLOAT, power_of_floats),
    Function("atan2", (FLOAT, FLOAT), FLOAT, math.atan2),
    Function("pi", (), FLOAT, lambda: math.pi),
    Function("width_bucket", (FLOAT, FLOAT, FLOAT, INTEGER), INTEGER, _width_bucket),
    Function("width_bucket", (NUMERIC, NUMERIC, NUMERIC, INTEGER), INTEGER, _width_bucket_of_numerics),
)
