"""Select lists, and what ORDER BY and GROUP BY mean by a number or a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mynode.base.sql_errors import AmbiguousColumnError, GroupingError, InvalidColumnReferenceError, SqlSyntaxError
from mynode.sql import ast
from mynode.sql.binder import Binder
from mynode.sql.expressions import ColumnValue, Expression
from mynode.sql.grouping import aggregate_calls
from mynode.sql.scope import Scope


@dataclass(frozen=True, slots=True)
class Output:
    """One column of a select list."""

    name: str
    value: Expression


def outputs_of(item: ast.SelectItem, scope: Scope, binder: Binder) -> list[Output]:
    """The columns that an item of a select list stands for."""
    if isinstance(item, ast.Star):
        if item.table is None and not scope.sources:
            raise SqlSyntaxError("SELECT * with no tables specified is not valid", position=item.position)
        found = list(scope.columns() if item.table is None else scope.source(item.table, item.position).columns)
        binder.bare_columns.extend((column, item.position) for column in found)
        return [Output(column.name, ColumnValue(column)) for column in found]
    return [Output(item.alias or _implied_name(item.expression), binder.value(item.expression))]


def _implied_name(expression: ast.Expression) -> str:
    match expression:
        case ast.ColumnReference():
            return expression.column
        case ast.FunctionCall():
            return expression.name
        case ast.Cast():
            name = _implied_name(expression.operand)
            return expression.type.name if name == "?column?" else name
        case ast.Case():
            return "case"
        case ast.Exists():
            return "exists"
        case ast.ScalarSubquery(query):
            return _name_of_query(query.body)
    return "?column?"


def _name_of_query(body: ast.QueryBody | ast.Query) -> str:
    """What the first column of a query is called."""
    match body:
        case ast.Query():
            return _name_of_query(body.body)
        case ast.SetOperation():
            return _name_of_query(body.left)
        case ast.Select(items=(ast.SelectExpression() as item, *_)):
            return item.alias or _implied_name(item.expression)
    return "?column?"


def ordered_by(node: ast.Expression, outputs: Sequence[Output], binder: Binder, clause: str = "ORDER BY") -> Expression:
    """What an item of ORDER BY means: a place in the select list, the name of an output, else an expression."""
    placed = _by_place(node, outputs, clause)
    if placed is None and isinstance(node, ast.ColumnReference) and node.table is None:
        placed = _by_name(node, outputs, clause)
    return placed or binder.value(node)


def grouped_by(node: ast.Expression, outputs: Sequence[Output], scope: Scope, binder: Binder) -> Expression:
    """What an item of GROUP BY means: a place in the select list, a column, the name of an output, an expression."""
    found = _by_place(node, outputs, "GROUP BY")
    if found is None and isinstance(node, ast.ColumnReference) and node.table is None and not scope.has(node.column):
        found = _by_name(node, outputs, "GROUP BY")
    if found is None:
        return binder.value(node)
    if aggregate_calls([found]):
        raise GroupingError("aggregate functions are not allowed in GROUP BY", position=node.position)
    return found


def _by_place(node: ast.Expression, outputs: Sequence[Output], clause: str) -> Expression | None:
    match node:
        case ast.IntegerLiteral():
            if not 1 <= node.value <= len(outputs):
                raise InvalidColumnReferenceError(
                    f"{clause} position {node.value} is not in select list", position=node.position
                )
            return outputs[node.value - 1].value
        case ast.NullLiteral() | ast.BooleanLiteral() | ast.DecimalLiteral() | ast.StringLiteral() | ast.BytesLiteral():
            raise SqlSyntaxError(f"non-integer constant in {clause}", position=node.position)
    return None


def _by_name(node: ast.ColumnReference, outputs: Sequence[Output], clause: str) -> Expression | None:
    named = [output.value for output in outputs if output.name == node.column]
    if any(value != named[0] for value in named):
        raise AmbiguousColumnError(f'{clause} "{node.column}" is ambiguous', position=node.position)
    return named[0] if named else None
