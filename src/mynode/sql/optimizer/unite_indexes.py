"""Reads a table by several paths for a condition with OR, one for each of its operands: `a = 1 OR b = 2`.

A row that more than one of them finds is told by its key. If that cost more than to read the whole table it is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mynode.sql import plan
from mynode.sql.expressions import ColumnValue, Expression, Or, conjunction, conjuncts, is_volatile
from mynode.sql.optimizer.costs import cost_of
from mynode.sql.optimizer.rewriting import new_column
from mynode.sql.optimizer.use_index import use_index
from mynode.values.types import TEXT

MOST_PATHS: Final = 16
"""Operands of an OR that are each read by a path; of more the table is read whole."""


def unite_indexes(node: plan.QueryNode) -> plan.QueryNode:
    match node:
        case plan.Filter(input=plan.Scan(path=None) as scan, condition=condition):
            parts = conjuncts(condition)
            for part in parts:
                if isinstance(part, Or) and len(part.operands) <= MOST_PATHS and not is_volatile(part):
                    found = _united(scan, part.operands)
                    if found is not None and cost_of(found) < cost_of(scan):
                        rest = conjunction(tuple(one for one in parts if one is not part))
                        return found if rest is None else plan.Filter(found, rest)
    return node


def _united(scan: plan.Scan, conditions: Sequence[Expression]) -> plan.QueryNode | None:
    """The rows for which one of the conditions is TRUE; None if one of them has no path."""
    keyed = scan if scan.key is not None else replace(scan, key=new_column("(key)", TEXT, nullable=False))
    united: plan.QueryNode | None = None
    for condition in conditions:
        found = use_index(plan.Filter(keyed, condition))
        read = found.input if isinstance(found, plan.Filter) else found
        if not isinstance(read, plan.Scan) or read.path is None:
            return None
        both = plan.SetOperator.UNION
        united = found if united is None else plan.SetOperation(both, united, found, keyed.columns)
    if united is None:
        return None
    rows = plan.Distinct(united)
    return rows if keyed is scan else plan.Project(rows, tuple(map(ColumnValue, scan.columns)), scan.columns)
