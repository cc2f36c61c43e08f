"""What rules share: to apply a change to every query node of a plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import TypeAlias, assert_never

from mynode.sql import plan
from mynode.sql.expressions import Expression, PlanColumn
from mynode.values.types import SqlType

Rule: TypeAlias = Callable[[plan.QueryNode], plan.QueryNode]
"""Makes one node, whose inputs are already changed, into a better one, or leaves it."""


_new_ids = count(-1, -1)


def new_column(name: str, type_: SqlType, *, nullable: bool) -> PlanColumn:
    """A column that a rule makes. Ids below 0 are theirs, so no plan has one twice."""
    return PlanColumn(next(_new_ids), name, type_, nullable)


def rewrite_plan(node: plan.Plan, rule: Rule) -> plan.Plan:
    """The plan with every query node, from the bottom up, replaced by what the rule makes of it."""
    return change_top(node, lambda top: rewrite_query(top, rule))


def change_top(node: plan.Plan, change: Rule) -> plan.Plan:
    """The plan with its topmost query node changed, and with it the queries for each row that it changes."""
    match node:
        case plan.Explain():
            return replace(node, plan=_change_plan(node.plan, change))
        case plan.ShowTables():
            return node
    return _change_plan(node, change)


def _change_plan(node: plan.DataPlan | plan.SchemaPlan, change: Rule) -> plan.DataPlan | plan.SchemaPlan:
    match node:
        case plan.Select() | plan.Insert() | plan.Update() | plan.Delete():
            return _change_data_plan(node, change)
        case plan.CreateTableAs():
            return replace(node, input=change(node.input))
        case (
            plan.CreateTable()
            | plan.AlterTable()
            | plan.Truncate()
            | plan.DropTable()
            | plan.CreateIndex()
            | plan.DropIndex()
            | plan.CreateView()
            | plan.DropView()
        ):
            return node
    assert_never(node)


def _change_data_plan(node: plan.DataPlan, change: Rule) -> plan.DataPlan:
    changed = replace(node, input=change(node.input))
    if not isinstance(changed, plan.Select) and changed.returning is not None:
        made = _change_per_row(changed.returning.made, change)
        changed = replace(changed, returning=replace(changed.returning, made=made))
    if isinstance(changed, plan.Insert) and changed.on_conflict is not None and changed.on_conflict.update is not None:
        update = replace(changed.on_conflict.update, made=_change_per_row(changed.on_conflict.update.made, change))
        changed = replace(changed, on_conflict=replace(changed.on_conflict, update=update))
    return changed


def _change_per_row(made: plan.PerRow, change: Rule) -> plan.PerRow:
    return made if made.query is None else replace(made, query=change(made.query))


def rewrite_query(node: plan.QueryNode, rule: Rule) -> plan.QueryNode:
    return rule(change_inputs(node, lambda below: rewrite_query(below, rule)))


def change_inputs(node: plan.QueryNode, change: Rule) -> plan.QueryNode:
    """The node with each of its inputs changed."""
    match node:
        case plan.ValueRows() | plan.CatalogRows() | plan.Scan():
            return node
        case plan.Join() | plan.LookupJoin() | plan.SetOperation():
            left, right = change(node.left), change(node.right)
            return node if left is node.left and right is node.right else replace(node, left=left, right=right)
        case plan.Apply():
            changed, subquery = change(node.input), change(node.subquery)
            is_same = changed is node.input and subquery is node.subquery
            return node if is_same else replace(node, input=changed, subquery=subquery)
        case plan.Filter() | plan.Project() | plan.Sort() | plan.Limit() | plan.TiedLimit() | plan.Aggregation():
            changed = change(node.input)
            return node if changed is node.input else replace(node, input=changed)
        case plan.Distinct() | plan.FirstOfEach():
            changed = change(node.input)
            return node if changed is node.input else replace(node, input=changed)
    assert_never(node)


def change_expressions(node: plan.QueryNode, change: Callable[[Expression], Expression]) -> plan.QueryNode:
    """The node with each of its own expressions changed."""
    match node:
        case plan.ValueRows():
            return replace(node, rows=tuple(tuple(map(change, row)) for row in node.rows))
        case plan.Filter():
            return replace(node, condition=change(node.condition))
        case plan.Project():
            return replace(node, values=tuple(map(change, node.values)))
        case plan.Sort():
            return replace(node, keys=tuple(replace(key, value=change(key.value)) for key in node.keys))
        case plan.Limit():
            limit, offset = (part and change(part) for part in (node.limit, node.offset))
            return replace(node, limit=limit, offset=offset)
        case plan.TiedLimit():
            limit, offset = (part and change(part) for part in (node.limit, node.offset))
            return replace(node, limit=limit, offset=offset, keys=tuple(map(change, node.keys)))
        case plan.Aggregation() | plan.FirstOfEach():
            return replace(node, keys=tuple(map(change, node.keys)))
        case plan.Join():
            keys = tuple((change(left), change(right)) for left, right in node.keys)
            return replace(node, condition=node.condition and change(node.condition), keys=keys)
        case plan.Apply(question=plan.AnyMatch() as question):
            return replace(node, question=replace(question, operands=tuple(map(change, question.operands))))
        case (
            plan.CatalogRows() | plan.Scan() | plan.Distinct() | plan.LookupJoin() | plan.Apply() | plan.SetOperation()
        ):
            return node
    assert_never(node)
