"""What the rest of `sql` knows of an operator, a function and an aggregate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mynode.values.types import SqlType, Value

Implementation: TypeAlias = Callable[..., Value]
"""Takes the arguments as Python values of the declared types. Raises `SqlError`s."""


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """One operator or function for one list of argument types; also a cast.

    Attributes:
        inline: the same as `implementation` as the source of a Python expression, for what is worth it: {0}, {1} … are
            the arguments, {t} a free local name.
        strict: with a NULL argument the result is NULL, and the implementation is not called.
        nullable: the result can be NULL though no argument is.
        takes_context: the implementation takes the execution context first, so that its result is not known before.
        volatile: two calls with the same arguments in one statement can differ.
        variadic: the last parameter may be repeated.
        is_operator: `name` is a symbol, written between or before the arguments.
    """

    name: str
    parameters: tuple[SqlType, ...]
    result: SqlType
    implementation: Implementation
    inline: str | None = None
    strict: bool = True
    nullable: bool = False
    takes_context: bool = False
    volatile: bool = False
    variadic: bool = False
    is_operator: bool = False

    def parameters_for(self, count: int) -> tuple[SqlType, ...]:
        """The types of so many arguments; fewer than `count` if it does not take so many."""
        if self.variadic and count > len(self.parameters):
            return self.parameters + self.parameters[-1:] * (count - len(self.parameters))
        return self.parameters


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """An aggregate for one argument type; `parameter` None takes any type (and `count(*)`).

    Its state goes through `step` once a batch: `state = step(state, values)` with the batch's non-NULL values, or,
    for `count(*)`, with one True a row. `finish` makes the result of the last state.

    Attributes:
        nullable: the result over no rows is NULL.
        keeps_values: the state holds all values, so they count as memory, and their order shows in the result.
        second: the type of a second argument, if there is one; the values are then pairs without a NULL.
        inline: the same as `step` for one value, as the source of a Python statement, for what is worth it: {s} is the
            state, {v} the value.
    """

    name: str
    parameter: SqlType | None
    result: SqlType
    initial: Value | tuple[Value, ...]
    step: Callable[..., object]
    finish: Callable[..., Value]
    nullable: bool
    keeps_values: bool = False
    second: SqlType | None = None
    inline: str | None = None
