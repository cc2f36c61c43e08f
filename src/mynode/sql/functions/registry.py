"""All operators, functions and aggregates by name, and the choice among those of one name by the argument types.

The choice is PostgreSQL's (its manual, chapter 10, Type Conversion): in an operator an unknown side is first taken as
the type of the other. Of the candidates that implicit casts reach stay those with the most exact matches; then those
that take preferred types at the most places; then, for what is unknown, TEXT before other types. Two left are an
ambiguity.

One thing is ours: where a parameter has no type yet, no preferred number type is chosen for it, because its value will
say a better one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from mynode.base.sql_errors import AmbiguousFunctionError, UndefinedFunctionError
from mynode.sql.functions.aggregates import AGGREGATES
from mynode.sql.functions.arithmetic import ARITHMETIC
from mynode.sql.functions.bits import BITS
from mynode.sql.functions.comparison import COMPARISONS
from mynode.sql.functions.conditional import CONDITIONAL
from mynode.sql.functions.date_templates import DATE_TEMPLATES
from mynode.sql.functions.dates import DATES
from mynode.sql.functions.encodings import ENCODINGS
from mynode.sql.functions.formatting import FORMATTING
from mynode.sql.functions.function import Aggregate, Function
from mynode.sql.functions.mathematics import MATHEMATICS
from mynode.sql.functions.number_templates import NUMBER_TEMPLATES
from mynode.sql.functions.numeric import NUMERICS
from mynode.sql.functions.strings import STRINGS
from mynode.sql.functions.system import SYSTEM
from mynode.sql.functions.trigonometry import TRIGONOMETRY
from mynode.sql.other_databases import hint_for_function
from mynode.values.casts import CastLevel, find_cast
from mynode.values.types import ANY, TEXT, UNKNOWN, Category, SqlType


def _by_name(functions: Iterable[Function]) -> dict[str, tuple[Function, ...]]:
    found: defaultdict[str, tuple[Function, ...]] = defaultdict(tuple)
    for function in functions:
        found[function.name] += (function,)
    return dict(found)


_ALL: Final = (
    *ARITHMETIC,
    *NUMERICS,
    *MATHEMATICS,
    *TRIGONOMETRY,
    *BITS,
    *DATES,
    *DATE_TEMPLATES,
    *NUMBER_TEMPLATES,
    *COMPARISONS,
    *CONDITIONAL,
    *STRINGS,
    *FORMATTING,
    *ENCODINGS,
    *SYSTEM,
)
_OPERATORS: Final = _by_name(function for function in _ALL if function.is_operator)
_FUNCTIONS: Final = _by_name(function for function in _ALL if not function.is_operator)
_CACHED_CHOICES: Final = 4_096

_AGGREGATE_NAMES: Final = frozenset(aggregate.name for aggregate in AGGREGATES)
_OF_PAIRS: Final = frozenset(aggregate.name for aggregate in AGGREGATES if aggregate.second is not None)


def resolve_operator(
    symbol: str, types: Sequence[SqlType], position: int, *, untyped_parameter: bool = False
) -> Function:
    """The operator for one or two operand types. Raises `UndefinedFunctionError` or `AmbiguousFunctionError`."""
    chosen = _operators_for(symbol, tuple(types), untyped_parameter)
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


def resolve_function(
    name: str, types: Sequence[SqlType], position: int, *, untyped_parameter: bool = False
) -> Function:
    """The function for these argument types. Raises `UndefinedFunctionError` or `AmbiguousFunctionError`."""
    chosen = _functions_for(name, tuple(types), untyped_parameter)
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


def is_function(name: str) -> bool:
    return name in _FUNCTIONS


def is_aggregate(name: str) -> bool:
    return name in _AGGREGATE_NAMES


def takes_pairs(name: str) -> bool:
    """Whether an aggregate has two arguments."""
    return name in _OF_PAIRS


def resolve_aggregate(name: str, arguments: Sequence[SqlType], position: int) -> Aggregate:
    """The aggregate for argument types, none for `name(*)`. Raises `UndefinedFunctionError`."""
    candidates = [aggregate for aggregate in AGGREGATES if aggregate.name == name]
    fitting = [aggregate for aggregate in candidates if aggregate.parameter is None or _takes(aggregate, arguments)]
    for aggregate in fitting:
        is_best = arguments and aggregate.parameter is (TEXT if arguments[0] is UNKNOWN else arguments[0])
        if is_best or aggregate.parameter is None or len(fitting) == 1:
            return aggregate
    call = f"{name}({', '.join(map(str, arguments)) or '*'})"
    raise UndefinedFunctionError(f"function {call} does not exist", position=position, hint=_hint(name))


def _takes(aggregate: Aggregate, arguments: Sequence[SqlType]) -> bool:
    return len(arguments) > 0 and all(
        wanted is not None and (given in (wanted, UNKNOWN) or find_cast(given, wanted, CastLevel.IMPLICIT) is not None)
        for given, wanted in zip(arguments, (aggregate.parameter, aggregate.second), strict=False)
    )


@lru_cache(_CACHED_CHOICES)
def _operators_for(symbol: str, types: tuple[SqlType, ...], untyped_parameter: bool) -> list[Function]:
    """The best operators; the list is shared, not to be changed."""
    if len(types) == 2 and types.count(UNKNOWN) == 1:
        known = types[0] if types[1] is UNKNOWN else types[1]
        for function in _OPERATORS[symbol]:
            if function.parameters == (known, known):
                return [function]
    return _choose(_OPERATORS[symbol], types, untyped_parameter)


@lru_cache(_CACHED_CHOICES)
def _functions_for(name: str, types: tuple[SqlType, ...], untyped_parameter: bool) -> list[Function]:
    """The best functions; the list is shared, not to be changed."""
    return _choose(_FUNCTIONS.get(name, ()), types, untyped_parameter)


def _choose(candidates: Iterable[Function], types: Sequence[SqlType], untyped_parameter: bool) -> list[Function]:
    """The best candidates: none if there is no match, more than one if the choice is ambiguous."""
    best = [function for function in candidates if _accepts(function, types)]
    places = range(len(types))
    best = _most(best, len(types), lambda wanted: sum(wanted[place] is types[place] for place in places))
    if not untyped_parameter:
        best = _most(best, len(types), lambda wanted: sum(_prefers(wanted[place], types[place]) for place in places))
    for place in places:
        if types[place] is UNKNOWN and len(best) > 1:
            best = _of_best_category(best, place, untyped_parameter)
    return best


def _most(candidates: list[Function], count: int, points: Callable[[Sequence[SqlType]], int]) -> list[Function]:
    """The candidates whose types of `count` arguments get the most points."""
    if len(candidates) < 2:
        return candidates
    found = [points(function.parameters_for(count)) for function in candidates]
    return [function for function, number in zip(candidates, found, strict=True) if number == max(found)]


def _prefers(wanted: SqlType, given: SqlType) -> bool:
    return wanted is given or (wanted.preferred and wanted.category is given.category)


def _of_best_category(candidates: list[Function], place: int, untyped_parameter: bool) -> list[Function]:
    """Those that take text for an unknown argument, else, if all want types of one category, the preferred type."""
    wanted = {function: function.parameters_for(place + 1)[place] for function in candidates}
    categories = {type_.category for type_ in wanted.values()}
    if Category.STRING in categories:
        category = Category.STRING
    elif len(categories) == 1 and not untyped_parameter:
        (category,) = categories
    else:
        return candidates
    fitting = [function for function in candidates if wanted[function].category is category]
    preferred = [function for function in fitting if wanted[function].preferred]
    return preferred or fitting


def _accepts(function: Function, types: Sequence[SqlType]) -> bool:
    parameters = function.parameters_for(len(types))
    return len(parameters) == len(types) and all(
        source in (target, UNKNOWN) or target is ANY or find_cast(source, target, CastLevel.IMPLICIT) is not None
        for source, target in zip(types, parameters, strict=True)
    )


def _hint(name: str) -> str:
    if name in _FUNCTIONS or name in _AGGREGATE_NAMES:
        return "No function matches the given name and argument types. You might need to add explicit type casts."
    elsewhere = hint_for_function(name)
    if elsewhere is not None:
        return elsewhere
    near = get_close_matches(name, [*_FUNCTIONS, *_AGGREGATE_NAMES], 1)
    return f"Perhaps you meant the function {near[0]}." if near else "There is no function of this name."
