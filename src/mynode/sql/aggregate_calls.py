"""From a call of an aggregate, its parts bound, to the aggregate that is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mynode.base.sql_errors import InvalidColumnReferenceError, UndefinedFunctionError
from mynode.sql import ast
from mynode.sql.expressions import AggregateCall, Coalesce, Constant, Expression, SortKey, is_nullable
from mynode.sql.functions.registry import resolve_aggregate, takes_pairs
from mynode.sql.typed_calls import TypedCalls
from mynode.values.casts import CastLevel
from mynode.values.types import BYTEA, TEXT, UNKNOWN


def aggregate_call(
    calls: TypedCalls,
    node: ast.FunctionCall,
    arguments: Sequence[Expression],
    order: Sequence[Expression],
    filter_: Expression | None,
) -> AggregateCall:
    """The call with arguments of the types that the aggregate takes; `order`: what its ORDER BY items are.

    Raises `UndefinedFunctionError`, `DatatypeMismatchError` or `InvalidColumnReferenceError`.
    """
    if node.star and node.name == "count":
        return AggregateCall(resolve_aggregate("count", (), node.position), None, False, filter_)
    _check_count(node)
    aggregate = resolve_aggregate(node.name, [argument.type for argument in arguments], node.position)
    wanted = aggregate.parameter or (TEXT if arguments[0].type is UNKNOWN else arguments[0].type)
    argument = calls.coerced(arguments[0], wanted, CastLevel.IMPLICIT, node.arguments[0].position)
    given = [argument]
    second = None
    if aggregate.second is not None:
        second = calls.coerced(arguments[1], aggregate.second, CastLevel.IMPLICIT, node.arguments[1].position)
        given.append(second)
        if aggregate.keeps_values and is_nullable(second):  # a separator that is NULL is none
            second = Coalesce((second, Constant(b"" if wanted is BYTEA else "", wanted)), wanted)
    keys = tuple(
        SortKey(value, item.descending, item.descending if item.nulls_first is None else item.nulls_first)
        for value, item in zip(order, node.order_by, strict=True)
    )
    call = AggregateCall(aggregate, argument, node.distinct, filter_, second, keys)
    return _distinct_in_order(call, given, node) if node.distinct else call


def _check_count(node: ast.FunctionCall) -> None:
    wanted = 2 if takes_pairs(node.name) else 1
    if len(node.arguments) != wanted:
        raise UndefinedFunctionError(
            f"{node.name}() takes {'two arguments' if wanted > 1 else 'one argument'}, not {len(node.arguments)}",
            position=node.position,
            hint="count(*) counts rows" if node.name == "count" else None,
        )


def _distinct_in_order(call: AggregateCall, arguments: Sequence[Expression], node: ast.FunctionCall) -> AggregateCall:
    """With DISTINCT the order is that of the arguments, which are told apart; where it shows they are always sorted."""
    for key, item in zip(call.order, node.order_by, strict=True):
        if key.value not in arguments:
            raise InvalidColumnReferenceError(
                "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list",
                position=item.position,
            )
    if not call.aggregate.keeps_values:
        return call
    named = [key.value for key in call.order]
    rest = [one for one in arguments if one not in named and not isinstance(one, Constant)]
    return replace(call, order=(*call.order, *(SortKey(one, descending=False, nulls_first=False) for one in rest)))
