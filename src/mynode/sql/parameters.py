"""The parameters of a statement: the types that its text gives them, and the check of the values they get."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from mynode.base.sql_errors import FeatureNotSupportedError, ParameterCountError
from mynode.values.casts import CastLevel, check_integer, find_cast
from mynode.values.datetimes import in_utc
from mynode.values.text import check_text, parse_text
from mynode.values.types import TEXT, TIMESTAMPTZ, UNKNOWN, Row, SqlType, Value, type_of_python

ValueTypes: TypeAlias = tuple[type, ...]
"""The Python types of a statement's parameter values, as `values.types.python_types` tells them."""


class ParameterTypes:
    """The types of a statement's parameters, while it is bound.

    A parameter is UNKNOWN until the first use that wants a type gives it one, unless its type was declared.
    """

    __slots__ = ("_types", "count")

    def __init__(self, declared: Mapping[int, SqlType]) -> None:
        self._types = dict(declared)
        self.count = 0
        """The greatest number used."""

    def use(self, number: int) -> SqlType:
        """The type so far."""
        self.count = max(self.count, number)
        return self._types.get(number, UNKNOWN)

    def infer(self, number: int, wanted: SqlType) -> SqlType:
        """Give the parameter a type if it has none; returns the one it has."""
        return self._types.setdefault(number, wanted)

    def types(self) -> tuple[SqlType, ...]:
        return tuple(self._types.get(number, UNKNOWN) for number in range(1, self.count + 1))


def types_by_value(inferred: Sequence[SqlType], value_types: ValueTypes) -> dict[int, SqlType]:
    """The parameters whose values cannot stand for the inferred types, by number, with the types of their values."""
    declared = {}
    for number, (wanted, python_type) in enumerate(zip(inferred, value_types, strict=True), 1):
        given = _type_of(python_type, number)
        if given in (None, TEXT, wanted) or wanted is UNKNOWN:
            continue
        if given is not None and find_cast(given, wanted, CastLevel.IMPLICIT) is None:
            declared[number] = given
    return declared


def known_value_types(value_types: ValueTypes) -> dict[int, SqlType]:
    """The types of all parameters whose values say one by themselves (not NULL and text), by number."""
    given = ((number, _type_of(python_type, number)) for number, python_type in enumerate(value_types, 1))
    return {number: type_ for number, type_ in given if type_ is not None and type_ is not TEXT}


def check_count(wanted: int, given: int) -> None:
    """Raises `ParameterCountError`."""
    if wanted != given:
        parameters = "1 parameter" if wanted == 1 else f"{wanted} parameters"
        values = "1 value was" if given == 1 else f"{given} values were"
        raise ParameterCountError(f"the statement has {parameters}, but {values} given")


Convert: TypeAlias = Callable[[Row], Row]


def converter(types: Sequence[SqlType], value_types: ValueTypes) -> Convert:
    """A function that checks and converts values of these Python types to the parameters' SQL types.

    It raises `NumericOutOfRangeError`, `CharacterNotInRepertoireError` or `InvalidTextRepresentationError`.
    """
    steps = [_step(type_, python_type) for type_, python_type in zip(types, value_types, strict=True)]
    if all(step is None for step in steps):
        return tuple
    if len(steps) == 1:
        only = steps[0] or _unchanged
        return lambda values: (only(values[0]),)
    every = [step or _unchanged for step in steps]
    return lambda values: tuple([step(value) for step, value in zip(every, values, strict=True)])


def _step(wanted: SqlType, python_type: type) -> Callable[..., Value] | None:
    """What makes a value of the Python type one of the wanted SQL type; None if nothing needs to be done."""
    if python_type is str:
        return check_text if wanted in (TEXT, UNKNOWN) else lambda text: parse_text(text, wanted)
    given = type_of_python(python_type)
    check = check_integer if python_type is int else in_utc if given is TIMESTAMPTZ else None
    cast = None if given is None else find_cast(given, wanted, CastLevel.IMPLICIT)
    if cast is None:
        return check
    convert = cast.convert
    return convert if check is None else lambda value: convert(check(value))


def _unchanged(value: Value) -> Value:
    return value


def _type_of(python_type: type, number: int) -> SqlType | None:
    """None for NULL. Raises `FeatureNotSupportedError` for values of no SQL type."""
    if python_type is type(None):
        return None
    found = type_of_python(python_type)
    if found is None:
        raise FeatureNotSupportedError(
            f"values of Python's type {python_type.__name__}, as ${number}, are not supported"
        )
    return found
