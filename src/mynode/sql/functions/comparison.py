"""The six comparisons of each type; those of numbers with NaN know it."""

from __future__ import annotations

import operator
from typing import Final

from mynode.sql.functions.function import Function, Implementation
from mynode.values.compare import (
    float_equal,
    float_less,
    float_less_or_equal,
    numeric_equal,
    numeric_less,
    numeric_less_or_equal,
)
from mynode.values.types import BOOLEAN, FLOAT, NUMERIC, STORED_TYPES

_PYTHON_OPERATORS: Final[dict[str, tuple[str, Implementation]]] = {
    "=": ("==", operator.eq),
    "<>": ("!=", operator.ne),
    "<": ("<", operator.lt),
    "<=": ("<=", operator.le),
    ">": (">", operator.gt),
    ">=": (">=", operator.ge),
}

EQUALITY: Final = "({0} == {1})"
"""The inline source of `=` for all types without NaN: FALSE rather than NULL where one side is None."""


def _of_nan(equal: Implementation, less: Implementation, less_or_equal: Implementation) -> dict[str, Implementation]:
    return {
        "=": equal,
        "<>": lambda left, right: not equal(left, right),
        "<": less,
        "<=": less_or_equal,
        ">": lambda left, right: less(right, left),
        ">=": lambda left, right: less_or_equal(right, left),
    }


_WITH_NAN: Final = {
    FLOAT: _of_nan(float_equal, float_less, float_less_or_equal),
    NUMERIC: _of_nan(numeric_equal, numeric_less, numeric_less_or_equal),
}

COMPARISONS: Final = (
    *(
        Function(name, (type_, type_), BOOLEAN, implementation, f"({{0}} {symbol} {{1}})", is_operator=True)
        for type_ in STORED_TYPES
        if type_ not in _WITH_NAN
        for name, (symbol, implementation) in _PYTHON_OPERATORS.items()
    ),
    *(
        Function(name, (type_, type_), BOOLEAN, implementation, is_operator=True)
        for type_, operators in _WITH_NAN.items()
        for name, implementation in operators.items()
    ),
)
