"""Bound expressions written as SQL again, every operator in parentheses, as EXPLAIN shows them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, assert_never

from mynode.sql.expressions import (
    AggregateCall,
    And,
    Call,
    Case,
    CaseValue,
    Coalesce,
    ColumnValue,
    Constant,
    Expression,
    InList,
    IsDistinct,
    IsNull,
    IsTruth,
    Not,
    Or,
    OuterValue,
    ParameterValue,
    SortKey,
)
from mynode.sql.functions.conversions import CAST_SYMBOL
from mynode.values.text import format_text
from mynode.values.types import Value

DEFAULT_ESCAPE: Final = "'\\'"


def describe(expression: Expression) -> str:
    """The expression as SQL."""
    match expression:
        case Constant():
            return literal(expression.value)
        case ColumnValue():
            return expression.column.name
        case OuterValue():
            return f"{expression.column.source}.{expression.column.name}"
        case ParameterValue():
            return f"${expression.number}"
        case Call():
            return _call(expression)
        case And() | Or():
            word = " AND " if isinstance(expression, And) else " OR "
            return f"({word.join(map(describe, expression.operands))})"
        case Not():
            return f"(NOT {describe(expression.operand)})"
        case IsNull():
            return f"({describe(expression.operand)} IS NULL)"
        case IsTruth():
            return f"({describe(expression.operand)} IS {literal(expression.truth).upper()})"
        case IsDistinct():
            return f"({describe(expression.left)} IS DISTINCT FROM {describe(expression.right)})"
        case InList():
            return f"({describe(expression.operand)} IN ({describe_list(expression.items)}))"
        case CaseValue():
            return "CASE_VALUE"
        case Case():
            return _case(expression)
        case Coalesce():
            return f"COALESCE({describe_list(expression.operands)})"
        case AggregateCall():
            return _aggregate(expression)
    assert_never(expression)


def describe_list(expressions: Sequence[Expression]) -> str:
    return ", ".join(map(describe, expressions))


def literal(value: Value) -> str:
    """A value as SQL writes it."""
    match value:
        case None:
            return "NULL"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case bool() | int() | float() | Decimal():
            return format_text(value)
    return f"'{format_text(value)}'"


def describe_sort_key(key: SortKey) -> str:
    """An item of ORDER BY."""
    direction = " DESC" if key.descending else ""
    nulls = "" if key.nulls_first == key.descending else f" NULLS {'FIRST' if key.nulls_first else 'LAST'}"
    return f"{describe(key.value)}{direction}{nulls}"


def _aggregate(call: AggregateCall) -> str:
    arguments = [describe(one) for one in (call.argument, call.second) if one is not None]
    distinct = "DISTINCT " if call.distinct else ""
    order = f" ORDER BY {', '.join(map(describe_sort_key, call.order))}" if call.order else ""
    filtered = "" if call.filter is None else f" FILTER (WHERE {describe(call.filter)})"
    return f"{call.aggregate.name}({distinct}{', '.join(arguments) or '*'}{order}){filtered}"


def _call(call: Call) -> str:
    name, arguments = call.function.name, call.arguments
    if name.startswith(CAST_SYMBOL):
        return f"({describe(arguments[0])}){name}"
    if name in ("like", "ilike"):
        return _like(name.upper(), arguments)
    if not call.function.is_operator:
        return f"{name}({describe_list(arguments)})"
    if len(arguments) == 1:
        return f"({name} {describe(arguments[0])})"
    return f"({describe(arguments[0])} {name} {describe(arguments[1])})"


def _like(word: str, arguments: Sequence[Expression]) -> str:
    text, pattern, escape = map(describe, arguments)
    return f"({text} {word} {pattern}{'' if escape == DEFAULT_ESCAPE else f' ESCAPE {escape}'})"


def _case(case: Case) -> str:
    parts = ["CASE" if case.operand is None else f"CASE {describe(case.operand)}"]
    for condition, result in case.branches:
        tested = condition
        if isinstance(condition, Call) and condition.arguments and isinstance(condition.arguments[0], CaseValue):
            tested = condition.arguments[1]
        parts.append(f"WHEN {describe(tested)} THEN {describe(result)}")
    return " ".join([*parts, f"ELSE {describe(case.otherwise)}", "END"])
