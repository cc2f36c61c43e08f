"""Sub-queries on their way from where they are written to the node that answers them.

An expression sees only a column in the place of a sub-query. The binder makes this column and keeps the sub-query here;
whoever plans the node that the expression belongs to puts an `Apply` for it below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, replace

from mynode.sql import plan
from mynode.sql.expressions import ColumnValue, Expression, PlanColumn, as_outer, columns_of, is_nullable
from mynode.sql.plan_parts import outer_columns
from mynode.sql.scope import ColumnIds


@dataclass(frozen=True, slots=True)
class Pending:
    """A sub-query that has been planned and waits for its place; `column` is to hold its answer."""

    subquery: plan.QueryNode
    question: plan.Question
    column: PlanColumn

    def needs(self) -> set[PlanColumn]:
        """The columns that its place must have. Those of queries farther out are among them."""
        compared = columns_of(self.question.operands) if isinstance(self.question, plan.AnyMatch) else set()
        return outer_columns(self.subquery) | compared

    def with_operands(self, change: Callable[[Expression], Expression]) -> Pending:
        """The same with what is compared changed, if it compares something."""
        if not isinstance(self.question, plan.AnyMatch):
            return self
        return replace(self, question=replace(self.question, operands=tuple(map(change, self.question.operands))))


def operands(pending: Iterable[Pending]) -> list[Expression]:
    """What is compared with the rows of the sub-queries."""
    return [part for one in pending if isinstance(one.question, plan.AnyMatch) for part in one.question.operands]


def applied(node: plan.QueryNode, pending: Iterable[Pending]) -> plan.QueryNode:
    """The node's rows with the answers of the sub-queries as more columns."""
    for one in pending:
        node = plan.Apply(node, one.subquery, one.question, one.column)
    return node


def parted(pending: Sequence[Pending], wanted: Set[PlanColumn]) -> tuple[list[Pending], list[Pending]]:
    """Those whose answers are among the wanted columns, with all that they need themselves, and the rest."""
    first: list[Pending] = []
    wanted = set(wanted)
    for one in reversed(pending):
        if one.column in wanted:
            first.append(one)
            wanted |= one.needs()
    first.reverse()
    return first, [one for one in pending if one not in first]


def value_rows(
    rows: Sequence[tuple[tuple[Expression, ...], Sequence[Pending]]], columns: tuple[PlanColumn, ...], ids: ColumnIds
) -> plan.QueryNode:
    """Rows of expressions, each with the sub-queries in it."""
    if not any(pending for _, pending in rows):
        return plan.ValueRows(tuple(row for row, _ in rows), columns)
    if len(rows) == 1:
        row, pending = rows[0]
        return plan.Project(applied(plan.ValueRows(((),), ()), pending), row, columns)
    middle = len(rows) // 2
    left, right = (value_rows(half, _again(columns, ids), ids) for half in (rows[:middle], rows[middle:]))
    return plan.SetOperation(plan.SetOperator.UNION, left, right, columns)


def limited(
    node: plan.QueryNode,
    limit: Expression | None,
    offset: Expression | None,
    pending: Sequence[Pending],
    ties: Sequence[Expression],
) -> plan.QueryNode:
    """The node with a LIMIT; where sub-queries say how many rows, it is run for the row of their answers.

    Args:
        ties: rows that equal the last one in these are wanted, too.
    """

    def cut(limit: Expression | None, offset: Expression | None) -> plan.QueryNode:
        return plan.TiedLimit(node, limit, offset, tuple(ties)) if ties else plan.Limit(node, limit, offset)

    if not pending:
        return cut(limit, offset)
    answers = applied(plan.ValueRows(((),), ()), pending)
    limit, offset = (part and as_outer(part, frozenset(answers.columns)) for part in (limit, offset))
    joined = plan.LookupJoin(plan.JoinKind.INNER, answers, cut(limit, offset))
    return plan.Project(joined, tuple(map(ColumnValue, node.columns)), node.columns)


def per_row(
    columns: Sequence[PlanColumn],
    condition: tuple[Expression, Sequence[Pending]] | None,
    values: tuple[Sequence[Expression], Sequence[Pending]],
    ids: ColumnIds,
) -> plan.PerRow:
    """Values made of a row of these columns if the condition is TRUE, each with its sub-queries."""
    made = plan.PerRow(condition and condition[0], tuple(values[0]))
    if not values[1] and (condition is None or not condition[1]):
        return made
    known = frozenset(columns)

    def answered(node: plan.QueryNode, pending: Sequence[Pending]) -> plan.QueryNode:
        return applied(node, [one.with_operands(lambda operand: as_outer(operand, known)) for one in pending])

    node: plan.QueryNode = plan.ValueRows(((),), ())
    if condition is not None:
        node = plan.Filter(answered(node, condition[1]), as_outer(condition[0], known))
    outputs = tuple(ids.column("?column?", value.type, nullable=is_nullable(value)) for value in values[0])
    query = plan.Project(answered(node, values[1]), tuple(as_outer(value, known) for value in values[0]), outputs)
    return replace(made, query=query)


def _again(columns: Iterable[PlanColumn], ids: ColumnIds) -> tuple[PlanColumn, ...]:
    return tuple(ids.column(column.name, column.type, nullable=column.nullable) for column in columns)
