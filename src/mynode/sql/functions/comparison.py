"""The six comparisons of each type; FLOAT's know NaN."""

from __future__ import annotations

import operator
from typing import Final

from mynode.sql.functions.function import Function, Implementation
from mynode.values.compare import float_equal, float_less, float_less_or_equal
from mynode.values.types import BOOLEAN, FLOAT, INTEGER, TEXT

_PYTHON_OPERATORS: Final[dict[str, tuple[str, Implementation]]] = {
    "=": ("==", operator.eq),
    "<>": ("!=", operator.ne),
    "<": ("<", operator.lt),
    "<=": ("<=", operator.le),
    ">": (">", operator.gt),
    ">=": (">=", operator.ge),
}

EQUALITY: Final = "({0} == {1})"
"""The inline source of `=` for all types but FLOAT: FALSE rather than NULL where one side is None."""

_FLOAT_OPERATORS: Final[dict[str, Implementation]] = {
    "=": float_equal,
    "<>": lambda left, right: not float_equal(left, right),
    "<": float_less,
    "<=": float_less_or_equal,
    ">": lambda left, right: float_less(right, left),
    ">=": lambda left, right: float_less_or_equal(right, left),
}

COMPARISONS: Final = (
    *(
        Function(name, (type_, type_), BOOLEAN, implementation, f"({{0}} {symbol} {{1}})", is_operator=True)
        for type_ in (BOOLEAN, INTEGER, TEXT)
        for name, (symbol, implementation) in _PYTHON_OPERATORS.items()
    ),
    *(
        Function(name, (FLOAT, FLOAT), BOOLEAN, implementation, is_operator=True)
        for name, implementation in _FLOAT_OPERATORS.items()
    ),
)
