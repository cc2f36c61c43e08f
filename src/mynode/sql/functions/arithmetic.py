"""Arithmetic on INTEGER (64 bits, errors beyond) and FLOAT (IEEE, but a finite operation never gives an infinity)."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

from mynode.base.sql_errors import DivisionByZeroError, InvalidArgumentForPowerError, NumericOutOfRangeError
from mynode.sql.functions.function import Function, Implementation
from mynode.values.casts import check_integer
from mynode.values.types import FLOAT, INTEGER, MAX_INTEGER, MIN_INTEGER, SqlType


def integer_out_of_range() -> int:
    raise NumericOutOfRangeError(f"{INTEGER} out of range")


def divide_integers(dividend: int, divisor: int) -> int:
    """Truncates towards zero."""
    if divisor == 0:
        raise DivisionByZeroError("division by zero")
    quotient = abs(dividend) // abs(divisor)
    return check_integer(quotient if (dividend < 0) == (divisor < 0) else -quotient)


def modulo_integers(dividend: int, divisor: int) -> int:
    """The remainder of `divide_integers`; it has the dividend's sign."""
    if divisor == 0:
        raise DivisionByZeroError("division by zero")
    remainder = abs(dividend) % abs(divisor)
    return -remainder if dividend < 0 else remainder


def _checked(operate: Callable[[float, float], float]) -> Implementation:
    def checked(left: float, right: float) -> float:
        result = operate(left, right)
        if math.isinf(result) and not (math.isinf(left) or math.isinf(right)):
            raise NumericOutOfRangeError("value out of range: overflow")
        return result

    return checked


def multiply_floats(left: float, right: float) -> float:
    result = left * right
    if math.isinf(result) and not (math.isinf(left) or math.isinf(right)):
        raise NumericOutOfRangeError("value out of range: overflow")
    if result == 0 and left != 0 and right != 0:
        raise NumericOutOfRangeError("value out of range: underflow")
    return result


def divide_floats(dividend: float, divisor: float) -> float:
    if divisor == 0:
        if dividend != dividend:
            return dividend
        raise DivisionByZeroError("division by zero")
    result = dividend / divisor
    if math.isinf(result) and not math.isinf(dividend):
        raise NumericOutOfRangeError("value out of range: overflow")
    if result == 0 and dividend != 0 and not math.isinf(divisor):
        raise NumericOutOfRangeError("value out of range: underflow")
    return result


def power(base: float, exponent: float) -> float:
    if base == 0 and exponent < 0:
        raise InvalidArgumentForPowerError("zero raised to a negative power is undefined")
    if base < 0 and math.isfinite(exponent) and not exponent.is_integer():
        raise InvalidArgumentForPowerError("a negative number raised to a non-integer power yields a complex result")
    try:
        result = math.pow(base, exponent)
    except OverflowError:
        raise NumericOutOfRangeError("value out of range: overflow") from None
    if result == 0 and base != 0 and math.isfinite(base) and math.isfinite(exponent):
        raise NumericOutOfRangeError("value out of range: underflow")
    return result


def square_root(value: float) -> float:
    if value < 0:
        raise InvalidArgumentForPowerError("cannot take square root of a negative number")
    return math.sqrt(value)


def _integral(operate: Callable[[float], int]) -> Implementation:
    """A rounding to an integral float that keeps infinities, NaN and the sign of zero."""

    def rounded(value: float) -> float:
        return math.copysign(float(operate(value)), value) if math.isfinite(value) else value

    return rounded


def round_to_digits(value: float, digits: int) -> float:
    """To `digits` digits behind the point (before it if negative), halves away from zero."""
    if not math.isfinite(value) or digits > _MOST_DIGITS:
        return value
    if digits < -_MOST_DIGITS:
        return 0.0
    try:
        return float(Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))
    except InvalidOperation:  # more digits than a float has
        return value


_MOST_DIGITS: Final = 330


def _sign(value: float) -> float:
    return value if value != value else float((value > 0) - (value < 0))


def _in_64_bits(source: str) -> str:
    return f"({{t}} if {MIN_INTEGER} <= ({{t}} := {source}) <= {MAX_INTEGER} else integer_out_of_range())"


def _operators() -> list[Function]:
    integers, floats = (INTEGER, INTEGER), (FLOAT, FLOAT)

    def checked_integers(operate: Callable[[int, int], int]) -> Implementation:
        return lambda left, right: check_integer(operate(left, right))

    def of(name: str, types: tuple[SqlType, ...], run: Implementation, inline: str | None = None) -> Function:
        return Function(name, types, types[0], run, inline, is_operator=True)

    return [
        of("+", integers, checked_integers(operator.add), _in_64_bits("{0} + {1}")),
        of("-", integers, checked_integers(operator.sub), _in_64_bits("{0} - {1}")),
        of("*", integers, checked_integers(operator.mul), _in_64_bits("{0} * {1}")),
        of("/", integers, divide_integers),
        of("%", integers, modulo_integers),
        of("+", floats, _checked(operator.add)),
        of("-", floats, _checked(operator.sub)),
        of("*", floats, multiply_floats),
        of("/", floats, divide_floats),
        of("^", floats, power),
        of("-", (INTEGER,), lambda value: check_integer(-value)),
        of("-", (FLOAT,), operator.neg, "(-{0})"),
        of("+", (INTEGER,), operator.pos, "{0}"),
        of("+", (FLOAT,), operator.pos, "{0}"),
        of("@", (INTEGER,), lambda value: check_integer(abs(value))),
        of("@", (FLOAT,), abs),
        of("|/", (FLOAT,), square_root),
        of("||/", (FLOAT,), math.cbrt),
    ]


ARITHMETIC: Final = (
    *_operators(),
    Function("abs", (INTEGER,), INTEGER, lambda value: check_integer(abs(value))),
    Function("abs", (FLOAT,), FLOAT, abs),
    Function("mod", (INTEGER, INTEGER), INTEGER, modulo_integers),
    Function("gcd", (INTEGER, INTEGER), INTEGER, lambda left, right: check_integer(math.gcd(left, right))),
    Function("lcm", (INTEGER, INTEGER), INTEGER, lambda left, right: check_integer(math.lcm(left, right))),
    Function("sign", (FLOAT,), FLOAT, _sign),
    Function("ceil", (FLOAT,), FLOAT, _integral(math.ceil)),
    Function("ceiling", (FLOAT,), FLOAT, _integral(math.ceil)),
    Function("floor", (FLOAT,), FLOAT, _integral(math.floor)),
    Function("trunc", (FLOAT,), FLOAT, _integral(math.trunc)),
    Function("round", (FLOAT,), FLOAT, _integral(round)),
    Function("round", (FLOAT, INTEGER), FLOAT, round_to_digits),
    Function("sqrt", (FLOAT,), FLOAT, square_root),
    Function("power", (FLOAT, FLOAT), FLOAT, power),
)
