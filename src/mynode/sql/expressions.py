"""Bound expressions: names are resolved to columns, operators and functions to one `Function`, every node has a type.

Expressions are three-valued: NULL is None. They are frozen and compared by value; two with the same meaning that are
written the same are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from mynode.sql.functions.function import Aggregate, Function
from mynode.values.types import BOOLEAN, SqlType, Value


@dataclass(frozen=True, slots=True)
class PlanColumn:
    """A column that flows through a plan. `id` is unique in its plan, so that nodes can be moved and joined freely.

    Attributes:
        source: the table's name or alias, where the column comes from one.
        nullable: False if it is known to hold no NULL.
        deferred: it can hold a `Deferred` error, which is raised only where the value is used.
    """

    id: int
    name: str = field(compare=False)
    type: SqlType = field(compare=False)
    nullable: bool = field(compare=False)
    source: str | None = field(compare=False, default=None)
    deferred: bool = field(compare=False, default=False)


@dataclass(frozen=True, slots=True)
class Constant:
    value: Value
    type: SqlType


@dataclass(frozen=True, slots=True)
class ColumnValue:
    """The value of a column of the input row."""

    column: PlanColumn

    @property
    def type(self) -> SqlType:
        return self.column.type


@dataclass(frozen=True, slots=True)
class OuterValue:
    """The value of a column of the row for which this part of the plan is run (`ExecutionContext.outer`)."""

    column: PlanColumn

    @property
    def type(self) -> SqlType:
        return self.column.type


@dataclass(frozen=True, slots=True)
class ParameterValue:
    """The value of parameter `number` (from 1), converted to `type` before execution."""

    number: int
    type: SqlType


@dataclass(frozen=True, slots=True)
class Call:
    """An operator, function or cast; for the cases where a NULL argument makes NULL see `Function.strict`."""

    function: Function
    arguments: tuple[Expression, ...]

    @property
    def type(self) -> SqlType:
        return self.function.result


@dataclass(frozen=True, slots=True)
class And:
    operands: tuple[Expression, ...]

    @property
    def type(self) -> SqlType:
        return BOOLEAN


@dataclass(frozen=True, slots=True)
class Or:
    operands: tuple[Expression, ...]

    @property
    def type(self) -> SqlType:
        return BOOLEAN


@dataclass(frozen=True, slots=True)
class Not:
    operand: Expression

    @property
    def type(self) -> SqlType:
        return BOOLEAN


@dataclass(frozen=True, slots=True)
class IsNull:
    operand: Expression

    @property
    def type(self) -> SqlType:
        return BOOLEAN


@dataclass(frozen=True, slots=True)
class IsTruth:
    """Whether a boolean is TRUE or FALSE (`truth`) rather than the other or NULL; never NULL itself."""

    operand: Expression
    truth: bool

    @property
    def type(self) -> SqlType:
        return BOOLEAN


@dataclass(frozen=True, slots=True)
class IsDistinct:
    """Whether two values differ, two NULLs being the same; never NULL. `equal` is the operator for their type."""

    left: Expression
    right: Expression
    equal: Function

    @property
    def type(self) -> SqlType:
        return BOOLEAN


@dataclass(frozen=True, slots=True)
class InList:
    """`operand IN (items)`; all are of one type, and equality is Python's, so no item can be NaN."""

    operand: Expression
    items: tuple[Expression, ...]

    @property
    def type(self) -> SqlType:
        return BOOLEAN


@dataclass(frozen=True, slots=True)
class CaseValue:
    """Inside the conditions of the `Case` with this `id`: the value of its operand.

    The innermost CASE is meant, so the ids are not needed to tell whether two expressions mean the same.
    """

    id: int = field(compare=False)
    type: SqlType


@dataclass(frozen=True, slots=True)
class Case:
    """The result of the first branch (condition, result) whose condition is TRUE, else `otherwise`.

    `operand` is evaluated once, before the conditions, which reach it as `CaseValue(id)`.
    """

    operand: Expression | None
    id: int = field(compare=False)
    branches: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression
    type: SqlType


@dataclass(frozen=True, slots=True)
class Coalesce:
    """The first operand that is not NULL; those after it are not evaluated."""

    operands: tuple[Expression, ...]
    type: SqlType


@dataclass(frozen=True, slots=True)
class SortKey:
    value: Expression
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """An aggregate of the input rows. The planner puts a column of an `Aggregation` in its place.

    Attributes:
        second: the second argument of an aggregate of pairs.
        order: in which the aggregate takes the rows.
    """

    aggregate: Aggregate
    argument: Expression | None
    distinct: bool
    filter: Expression | None = None
    second: Expression | None = None
    order: tuple[SortKey, ...] = ()

    @property
    def type(self) -> SqlType:
        return self.aggregate.result


Expression: TypeAlias = (
    Constant
    | ColumnValue
    | OuterValue
    | ParameterValue
    | Call
    | And
    | Or
    | Not
    | IsNull
    | IsTruth
    | IsDistinct
    | InList
    | CaseValue
    | Case
    | Coalesce
    | AggregateCall
)


def children(expression: Expression) -> tuple[Expression, ...]:
    """The direct parts of an expression."""
    match expression:
        case Constant() | ColumnValue() | OuterValue() | ParameterValue() | CaseValue():
            return ()
        case Call():
            return expression.arguments
        case And() | Or() | Coalesce():
            return expression.operands
        case Not() | IsNull() | IsTruth():
            return (expression.operand,)
        case IsDistinct():
            return expression.left, expression.right
        case InList():
            return expression.operand, *expression.items
        case Case():
            operand = () if expression.operand is None else (expression.operand,)
            return (*operand, *(part for branch in expression.branches for part in branch), expression.otherwise)
        case AggregateCall():
            single = (expression.argument, expression.filter, expression.second)
            return (*(part for part in single if part is not None), *(key.value for key in expression.order))
    assert_never(expression)


def with_children(expression: Expression, parts: Sequence[Expression]) -> Expression:
    """The same expression with other direct parts, given in the order of `children`."""
    match expression:
        case Constant() | ColumnValue() | OuterValue() | ParameterValue() | CaseValue():
            return expression
        case Call():
            return replace(expression, arguments=tuple(parts))
        case And() | Or() | Coalesce():
            return replace(expression, operands=tuple(parts))
        case Not() | IsNull() | IsTruth():
            return replace(expression, operand=parts[0])
        case IsDistinct():
            return replace(expression, left=parts[0], right=parts[1])
        case InList():
            return replace(expression, operand=parts[0], items=tuple(parts[1:]))
        case Case():
            operand, rest = (None, parts) if expression.operand is None else (parts[0], parts[1:])
            branches = tuple(zip(rest[:-1:2], rest[1:-1:2], strict=True))
            return replace(expression, operand=operand, branches=branches, otherwise=rest[-1])
        case AggregateCall():
            given = iter(parts)
            single = (expression.argument, expression.filter, expression.second)
            argument, filter_, second = (part and next(given) for part in single)
            order = tuple(replace(key, value=next(given)) for key in expression.order)
            return replace(expression, argument=argument, filter=filter_, second=second, order=order)
    assert_never(expression)


def rewrite(expression: Expression, change: Callable[[Expression], Expression | None]) -> Expression:
    """The expression with every node, from the bottom up, replaced by what `change` makes of it (None: nothing)."""
    parts = children(expression)
    if parts:
        new_parts = [rewrite(part, change) for part in parts]
        if any(new is not old for new, old in zip(new_parts, parts, strict=True)):
            expression = with_children(expression, new_parts)
    return change(expression) or expression


def substitute(expression: Expression, change: Callable[[Expression], Expression | None]) -> Expression:
    """The expression with the topmost nodes of which `change` makes something replaced by that."""
    changed = change(expression)
    if changed is not None:
        return changed
    parts = children(expression)
    new_parts = [substitute(part, change) for part in parts]
    if all(new is old for new, old in zip(new_parts, parts, strict=True)):
        return expression
    return with_children(expression, new_parts)


def as_outer(expression: Expression, columns: Set[PlanColumn]) -> Expression:
    """The expression for a part of the plan that is run for each row of these columns."""

    def change(node: Expression) -> Expression | None:
        is_theirs = isinstance(node, ColumnValue) and node.column in columns
        return OuterValue(node.column) if is_theirs and isinstance(node, ColumnValue) else None

    return substitute(expression, change)


def walk(expression: Expression) -> Iterator[Expression]:
    """The expression and all below it."""
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(children(node))


def columns_in(expression: Expression) -> set[PlanColumn]:
    return {node.column for node in walk(expression) if isinstance(node, ColumnValue)}


def columns_of(expressions: Iterable[Expression]) -> set[PlanColumn]:
    """All columns in some expressions."""
    return {column for expression in expressions for column in columns_in(expression)}


def is_volatile(expression: Expression) -> bool:
    """Whether two evaluations with the same row and parameters can differ."""
    return any(isinstance(node, Call) and node.function.volatile for node in walk(expression))


def is_nullable(expression: Expression) -> bool:
    """Whether the value can be NULL, as far as is known without looking at rows."""
    match expression:
        case Constant():
            return expression.value is None
        case ColumnValue() | OuterValue():
            return expression.column.nullable
        case ParameterValue() | CaseValue():
            return True
        case Call():
            return expression.function.nullable or (
                expression.function.strict and any(map(is_nullable, expression.arguments))
            )
        case And() | Or() | Not() | InList():
            return any(map(is_nullable, children(expression)))
        case IsNull() | IsTruth() | IsDistinct():
            return False
        case Case():
            return any(is_nullable(result) for _, result in expression.branches) or is_nullable(expression.otherwise)
        case Coalesce():
            return all(map(is_nullable, expression.operands))
        case AggregateCall():
            return expression.aggregate.nullable
    assert_never(expression)


def conjuncts(expression: Expression) -> tuple[Expression, ...]:
    """The conditions that must all be TRUE for the expression to be TRUE, none of them an AND."""
    if not isinstance(expression, And):
        return (expression,)
    return tuple(part for operand in expression.operands for part in conjuncts(operand))


def conjunction(conditions: tuple[Expression, ...]) -> Expression | None:
    """The inverse of `conjuncts`; None for no conditions."""
    if len(conditions) > 1:
        return And(conditions)
    return conditions[0] if conditions else None
