"""All operators, functions and aggregates by name, and the choice among those of one name by the argument types.

The choice is PostgreSQL's (its manual, chapter 10, Type Conversion), made short for few types: an exact match; else, in
an operator, an unknown side taken as the type of the other; else the candidates that implicit casts reach, those with
the most exact matches first, and TEXT before other types for what is unknown. Two left are an ambiguity.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from mynode.base.errors import AmbiguousFunctionError, UndefinedFunctionError
from mynode.sql.functions.aggregates import AGGREGATES
from mynode.sql.functions.arithmetic import ARITHMETIC
from mynode.sql.functions.comparison import COMPARISONS
from mynode.sql.functions.function import Aggregate, Function
from mynode.sql.functions.strings import STRINGS
from mynode.sql.functions.system import SYSTEM
from mynode.values.casts import CastLevel, find_cast
from mynode.values.types import FLOAT, TEXT, UNKNOWN, SqlType


def _by_name(functions: Iterable[Function]) -> dict[str, tuple[Function, ...]]:
    found: defaultdict[str, tuple[Function, ...]] = defaultdict(tuple)
    for function in functions:
        found[function.name] += (function,)
    return dict(found)


_ALL: Final = (*ARITHMETIC, *COMPARISONS, *STRINGS, *SYSTEM)
_OPERATORS: Final = _by_name(function for function in _ALL if function.is_operator)
_FUNCTIONS: Final = _by_name(function for function in _ALL if not function.is_operator)
_CACHED_CHOICES: Final = 4_096

_AGGREGATE_NAMES: Final = frozenset(aggregate.name for aggregate in AGGREGATES)


def resolve_operator(symbol: str, types: Sequence[SqlType], position: int) -> Function:
    """The operator for one or two operand types. Raises `UndefinedFunctionError` or `AmbiguousFunctionError`."""
    chosen = _operators_for(symbol, tuple(types))
    if len(chosen) == 1:
        return chosen[0]
    operands = f"{types[0]} {symbol} {types[1]}" if len(types) == 2 else f"{symbol} {types[0]}"
    if chosen:
        raise AmbiguousFunctionError(
            f"operator is not unique: {operands}",
            position=position,
            hint="Could not choose a best candidate operator. You might need to add explicit type casts.",
        )
    raise UndefinedFunctionError(
        f"operator does not exist: {operands}",
        position=position,
        hint="No operator matches the given name and argument types. You might need to add explicit type casts.",
    )


def resolve_function(name: str, types: Sequence[SqlType], position: int, *, prefer_float: bool = False) -> Function:
    """The function for these argument types, that of FLOATs if there are several and they are preferred.

    Raises `UndefinedFunctionError` or `AmbiguousFunctionError`.
    """
    chosen = _functions_for(name, tuple(types))
    if len(chosen) > 1 and prefer_float:
        chosen = [function for function in chosen if set(function.parameters) == {FLOAT}]
    if len(chosen) == 1:
        return chosen[0]
    call = f"{name}({', '.join(map(str, types))})"
    if chosen:
        raise AmbiguousFunctionError(
            f"function {call} is not unique",
            position=position,
            hint="Could not choose a best candidate function. You might need to add explicit type casts.",
        )
    raise UndefinedFunctionError(f"function {call} does not exist", position=position, hint=_hint(name))


def is_aggregate(name: str) -> bool:
    return name in _AGGREGATE_NAMES


def resolve_aggregate(name: str, argument: SqlType | None, position: int) -> Aggregate:
    """The aggregate for an argument type, None for `name(*)`. Raises `UndefinedFunctionError`."""
    candidates = [aggregate for aggregate in AGGREGATES if aggregate.name == name]
    for aggregate in candidates:
        if aggregate.parameter is None or aggregate.parameter is argument:
            return aggregate
    if argument is UNKNOWN:
        for aggregate in candidates:
            if aggregate.parameter is TEXT:
                return aggregate
    call = f"{name}({'*' if argument is None else argument})"
    raise UndefinedFunctionError(f"function {call} does not exist", position=position, hint=_hint(name))


@lru_cache(_CACHED_CHOICES)
def _operators_for(symbol: str, types: tuple[SqlType, ...]) -> list[Function]:
    """The best operators; the list is shared, not to be changed."""
    if len(types) == 2 and types.count(UNKNOWN) == 1:
        known = types[0] if types[1] is UNKNOWN else types[1]
        assumed = _choose(_OPERATORS[symbol], (known, known))
        if assumed:
            return assumed[:1]
    return _choose(_OPERATORS[symbol], types)


@lru_cache(_CACHED_CHOICES)
def _functions_for(name: str, types: tuple[SqlType, ...]) -> list[Function]:
    """The best functions; the list is shared, not to be changed."""
    return _choose(_FUNCTIONS.get(name, ()), types)


def _choose(candidates: Iterable[Function], types: Sequence[SqlType]) -> list[Function]:
    """The best candidates: none if there is no match, more than one if the choice is ambiguous."""
    matching = [function for function in candidates if _accepts(function, types)]
    if len(matching) < 2:
        return matching
    exact = [sum(map(SqlType.__eq__, function.parameters, types)) for function in matching]
    best = [function for function, matches in zip(matching, exact, strict=True) if matches == max(exact)]
    if len(best) > 1 and UNKNOWN in types:
        unknown = [index for index, type_ in enumerate(types) if type_ is UNKNOWN]
        best = [function for function in best if all(function.parameters[index] is TEXT for index in unknown)] or best
    return best


def _accepts(function: Function, types: Sequence[SqlType]) -> bool:
    return len(function.parameters) == len(types) and all(
        source in (target, UNKNOWN) or find_cast(source, target, CastLevel.IMPLICIT) is not None
        for source, target in zip(types, function.parameters, strict=True)
    )


def _hint(name: str) -> str:
    if name in _FUNCTIONS or name in _AGGREGATE_NAMES:
        return "No function matches the given name and argument types. You might need to add explicit type casts."
    near = get_close_matches(name, [*_FUNCTIONS, *_AGGREGATE_NAMES], 1)
    return f"Perhaps you meant the function {near[0]}." if near else "There is no function of this name."
