"""Angles in degrees, exact where the angle is (`sind(30)` is 0.5), as PostgreSQL has them; areas of hyperbolas."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from mynode.base.sql_errors import NumericOutOfRangeError
from mynode.sql.functions.function import Function
from mynode.values.types import FLOAT

_SIN_30: Final = math.sin(math.radians(30))
_ONE_LESS_COS_60: Final = 1 - math.cos(math.radians(60))
_ASIN_HALF: Final = math.asin(0.5)
_ACOS_HALF: Final = math.acos(0.5)
_ATAN_1: Final = math.atan(1)


def _out_of_range() -> NumericOutOfRangeError:
    return NumericOutOfRangeError("input is out of range")


def _sine_to_30(angle: float) -> float:
    return math.sin(math.radians(angle)) / _SIN_30 / 2


def _cosine_to_60(angle: float) -> float:
    return 1 - (1 - math.cos(math.radians(angle))) / _ONE_LESS_COS_60 / 2


def _sine_to_90(angle: float) -> float:
    return _sine_to_30(angle) if angle <= 30 else _cosine_to_60(90 - angle)


def _cosine_to_90(angle: float) -> float:
    return _cosine_to_60(angle) if angle <= 60 else _sine_to_30(90 - angle)


_TAN_45: Final = _sine_to_90(45) / _cosine_to_90(45)
_COT_45: Final = _cosine_to_90(45) / _sine_to_90(45)


def _in_first_quadrant(angle: float) -> tuple[float, int, int]:
    """The angle from 0 to 90 with the same functions but for their signs; the signs of its sine and its cosine."""
    if math.isinf(angle):
        raise _out_of_range()
    sine = cosine = 1
    angle = math.fmod(angle, 360)
    if angle < 0:
        angle, sine = -angle, -sine
    if angle > 180:
        angle, sine = 360 - angle, -sine
    if angle > 90:
        angle, cosine = 180 - angle, -cosine
    return angle, sine, cosine


def _sine(angle: float) -> float:
    reduced, sign, _ = _in_first_quadrant(angle)
    return sign * _sine_to_90(reduced)


def _cosine(angle: float) -> float:
    reduced, _, sign = _in_first_quadrant(angle)
    return sign * _cosine_to_90(reduced)


def _tangent(angle: float) -> float:
    reduced, sine, cosine = _in_first_quadrant(angle)
    return _ratio(_sine_to_90(reduced), _cosine_to_90(reduced), sine * cosine, _TAN_45)


def _cotangent(angle: float) -> float:
    reduced, sine, cosine = _in_first_quadrant(angle)
    return _ratio(_cosine_to_90(reduced), _sine_to_90(reduced), sine * cosine, _COT_45)


def _ratio(above: float, below: float, sign: int, unit: float) -> float:
    if below == 0:
        return sign * math.inf
    return sign * (above / below / unit) + 0.0  # never -0


def _arc_sine_to_1(value: float) -> float:
    return math.asin(value) / _ASIN_HALF * 30 if value <= 0.5 else 90 - math.acos(value) / _ACOS_HALF * 60


def _arc_cosine_to_1(value: float) -> float:
    return 90 - math.asin(value) / _ASIN_HALF * 30 if value <= 0.5 else math.acos(value) / _ACOS_HALF * 60


def _arc_sine(value: float) -> float:
    if value != value:
        return value
    if abs(value) > 1:
        raise _out_of_range()
    return _arc_sine_to_1(value) if value >= 0 else -_arc_sine_to_1(-value)


def _arc_cosine(value: float) -> float:
    if value != value:
        return value
    if abs(value) > 1:
        raise _out_of_range()
    return _arc_cosine_to_1(value) if value >= 0 else 90 + _arc_sine_to_1(-value)


def _within(operate: Callable[[float], float], *, infinite_at_1: bool = False) -> Callable[[float], float]:
    def checked(value: float) -> float:
        if infinite_at_1 and abs(value) == 1:
            return math.copysign(math.inf, value)
        try:
            return operate(value)
        except ValueError:
            raise _out_of_range() from None

    return checked


_FUNCTIONS: Final[dict[str, Callable[[float], float]]] = {
    "sind": _sine,
    "cosd": _cosine,
    "tand": _tangent,
    "cotd": _cotangent,
    "asind": _arc_sine,
    "acosd": _arc_cosine,
    "atand": lambda value: math.atan(value) / _ATAN_1 * 45,
    "asinh": math.asinh,
    "acosh": _within(math.acosh),
    "atanh": _within(math.atanh, infinite_at_1=True),
}

TRIGONOMETRY: Final = (
    *(Function(name, (FLOAT,), FLOAT, run) for name, run in _FUNCTIONS.items()),
    Function("atan2d", (FLOAT, FLOAT), FLOAT, lambda y, x: math.atan2(y, x) / _ATAN_1 * 45),
)
