"""Arithmetic on NUMERIC: exact sums and products, and PostgreSQL's choice of the digits of a quotient or a root.

The rules for scales are those of PostgreSQL's `numeric.c` (`select_div_scale`, `numeric_sqrt` and their like): at least
16 significant digits, and at least as many digits behind the point as the operands show.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Final

from mynode.base.sql_errors import DivisionByZeroError, InvalidArgumentForPowerError, NumericOutOfRangeError
from mynode.sql.functions.function import Function, Implementation
from mynode.values.numeric import (
    EXACT,
    MAX_SCALE,
    MAX_WHOLE_DIGITS,
    NAN,
    checked,
    overflow,
    scale_of,
    with_digits,
    with_scale,
)
from mynode.values.types import INTEGER, NUMERIC, SqlType

SIGNIFICANT_DIGITS: Final = 16
_MAX_RESULT_SCALE: Final = 1_000
_GROUP_DIGITS: Final = 4
"""PostgreSQL counts digits in groups of four, and its choices of scales show that."""


def add(left: Decimal, right: Decimal) -> Decimal:
    return checked(EXACT.add(left, right))


def subtract(left: Decimal, right: Decimal) -> Decimal:
    return checked(EXACT.subtract(left, right))


def multiply(left: Decimal, right: Decimal) -> Decimal:
    product = EXACT.multiply(left, right)
    return checked(product) if product.is_nan() or scale_of(product) <= MAX_SCALE else with_scale(product, MAX_SCALE)


def divide(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Rounded, halves away from zero, to the scale that `_quotient_scale` chooses."""
    _check_divisor(dividend, divisor)
    if not (dividend.is_finite() and divisor.is_finite()):
        return (
            checked(EXACT.divide(dividend, divisor)) if divisor.is_finite() or not dividend.is_finite() else Decimal(0)
        )
    scale = _quotient_scale(dividend, divisor)
    digits = dividend.adjusted() - divisor.adjusted() + scale + 2
    return with_scale(with_digits(digits, ROUND_DOWN).divide(dividend, divisor), scale)


def modulo(dividend: Decimal, divisor: Decimal) -> Decimal:
    """The remainder of a division that cuts off the fraction; it has the dividend's sign."""
    _check_divisor(dividend, divisor)
    return checked(EXACT.remainder(dividend, divisor))


def whole_quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """The quotient without its fraction."""
    _check_divisor(dividend, divisor)
    return checked(EXACT.divide_int(dividend, divisor))


def _check_divisor(dividend: Decimal, divisor: Decimal) -> None:
    if not divisor and not dividend.is_nan():
        raise DivisionByZeroError("division by zero")


def _quotient_scale(dividend: Decimal, divisor: Decimal) -> int:
    weights = _weight(dividend) - _weight(divisor)
    if _first_group(dividend) <= _first_group(divisor):
        weights -= 1
    return bounded_scale(SIGNIFICANT_DIGITS - weights * _GROUP_DIGITS, dividend, divisor)


def bounded_scale(wanted: int, *operands: Decimal) -> int:
    """A scale not below the operands' and not above the greatest that results have."""
    return min(max(wanted, 0, *map(scale_of, operands)), _MAX_RESULT_SCALE)


def _weight(value: Decimal) -> int:
    """Which group of four digits, counted from the point, is the first that is not zero."""
    return value.adjusted() // _GROUP_DIGITS if value else 0


def _first_group(value: Decimal) -> int:
    """The first group of four digits that is not zero, as a number."""
    if not value:
        return 0
    in_group = value.adjusted() % _GROUP_DIGITS + 1
    digits = value.as_tuple().digits[:in_group]
    return int("".join(map(str, digits)).ljust(in_group, "0"))


# --- roundings ------------------------------------------------------------------------------------------------------


def round_to_digits(value: Decimal, digits: int) -> Decimal:
    """To `digits` digits behind the point (before it if negative), halves away from zero."""
    return with_scale(value, max(min(digits, MAX_SCALE), -MAX_WHOLE_DIGITS))


def truncate_to_digits(value: Decimal, digits: int) -> Decimal:
    return with_scale(value, max(min(digits, MAX_SCALE), -MAX_WHOLE_DIGITS), ROUND_DOWN)


def _integral(rounding: str) -> Callable[[Decimal], Decimal]:
    return lambda value: with_scale(value, 0, rounding)


def absolute(value: Decimal) -> Decimal:
    return value.copy_abs()


def negative(value: Decimal) -> Decimal:
    return value.copy_negate() if value == value and value else value


def sign(value: Decimal) -> Decimal:
    return value if value != value else Decimal((value > 0) - (value < 0))


# --- roots and powers -----------------------------------------------------------------------------------------------


def square_root(value: Decimal) -> Decimal:
    if value == value and value < 0:
        raise InvalidArgumentForPowerError("cannot take square root of a negative number")
    if not value.is_finite():
        return value
    scale = bounded_scale(SIGNIFICANT_DIGITS + 1 - (_weight(value) + 1) * _GROUP_DIGITS // 2, value)
    return root_to_scale(value, scale)


def root_to_scale(value: Decimal, scale: int) -> Decimal:
    """The square root of a value that is not negative, rounded to the scale; NaN and Infinity stay."""
    if not value.is_finite():
        return value
    digits = value.adjusted() // 2 + 1 + scale
    return with_scale(with_digits(digits + 1, ROUND_DOWN).sqrt(value) if digits > 0 else Decimal(0), scale)


def least_common_multiple(left: Decimal, right: Decimal) -> Decimal:
    if not left or not right:
        return with_scale(Decimal(0), max(scale_of(left), scale_of(right)))
    return absolute(multiply(whole_quotient(left, greatest_common_divisor(left, right)), right))


def greatest_common_divisor(left: Decimal, right: Decimal) -> Decimal:
    """NaN if one of both is no finite number."""
    if not (left.is_finite() and right.is_finite()):
        return NAN
    scale = max(scale_of(left), scale_of(right))
    divisor = math.gcd(*(int(value.scaleb(scale, EXACT)) for value in (left, right)))
    return checked(Decimal(divisor).scaleb(-scale, EXACT))


def factorial(number: int) -> Decimal:
    if number < 0:
        raise NumericOutOfRangeError("factorial of a negative number is undefined")
    if number > _LARGEST_FACTORIAL:
        raise overflow()
    return checked(Decimal(math.factorial(number)))


_LARGEST_FACTORIAL: Final = 5_100
"""The next ones have more digits than a NUMERIC."""


# --- scales ---------------------------------------------------------------------------------------------------------


def scale(value: Decimal) -> int | None:
    """The number of digits behind the point; NULL for what is no finite number."""
    return scale_of(value) if value.is_finite() else None


def least_scale(value: Decimal) -> int | None:
    """The digits behind the point that are needed; NULL for what is no finite number."""
    return scale_of(without_zeros(value)) if value.is_finite() else None


def without_zeros(value: Decimal) -> Decimal:
    """The same number without zeros at the end behind the point."""
    if not value.is_finite() or not scale_of(value):
        return value
    shortest = value.normalize(EXACT)
    return with_scale(shortest, max(scale_of(shortest), 0))


def _operators() -> list[Function]:
    pair, one = (NUMERIC, NUMERIC), (NUMERIC,)

    def of(name: str, types: tuple[SqlType, ...], run: Implementation, inline: str | None = None) -> Function:
        return Function(name, types, NUMERIC, run, inline, is_operator=True)

    return [
        of("+", pair, add),
        of("-", pair, subtract),
        of("*", pair, multiply),
        of("/", pair, divide),
        of("%", pair, modulo),
        of("-", one, negative),
        of("+", one, lambda value: value, "{0}"),
        of("@", one, absolute),
    ]


def _integer_as_numeric(operate: Callable[[Decimal, int], Decimal]) -> Implementation:
    return lambda value, digits: operate(Decimal(value), digits)


NUMERICS: Final = (
    *_operators(),
    Function("abs", (NUMERIC,), NUMERIC, absolute),
    Function("mod", (NUMERIC, NUMERIC), NUMERIC, modulo),
    Function("div", (NUMERIC, NUMERIC), NUMERIC, whole_quotient),
    Function("sign", (NUMERIC,), NUMERIC, sign),
    Function("ceil", (NUMERIC,), NUMERIC, _integral(ROUND_CEILING)),
    Function("ceiling", (NUMERIC,), NUMERIC, _integral(ROUND_CEILING)),
    Function("floor", (NUMERIC,), NUMERIC, _integral(ROUND_FLOOR)),
    Function("round", (NUMERIC,), NUMERIC, lambda value: with_scale(value, 0)),
    Function("trunc", (NUMERIC,), NUMERIC, _integral(ROUND_DOWN)),
    Function("round", (NUMERIC, INTEGER), NUMERIC, round_to_digits),
    Function("round", (INTEGER, INTEGER), NUMERIC, _integer_as_numeric(round_to_digits)),
    Function("trunc", (NUMERIC, INTEGER), NUMERIC, truncate_to_digits),
    Function("trunc", (INTEGER, INTEGER), NUMERIC, _integer_as_numeric(truncate_to_digits)),
    Function("sqrt", (NUMERIC,), NUMERIC, square_root),
    Function("gcd", (NUMERIC, NUMERIC), NUMERIC, greatest_common_divisor),
    Function("lcm", (NUMERIC, NUMERIC), NUMERIC, least_common_multiple),
    Function("factorial", (INTEGER,), NUMERIC, factorial),
    Function("scale", (NUMERIC,), INTEGER, scale, nullable=True),
    Function("min_scale", (NUMERIC,), INTEGER, least_scale, nullable=True),
    Function("trim_scale", (NUMERIC,), NUMERIC, without_zeros),
)
