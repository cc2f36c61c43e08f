"""Notes at each scan about how many rows its table has, for the rules that estimate.

The number is looked up in the tree when the statement is planned, on the node that plans it. So nobody has to keep it,
which would make all inserts into a table conflict, and plans may differ between nodes, but never their results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from mynode.relation.schema import Table
from mynode.sql import plan
from mynode.sql.optimizer.rewriting import Rule

CountRows: TypeAlias = Callable[[Table], float]

FEWEST_ROWS: Final = 100.0
"""Smaller tables are taken to have so many: they may grow while the plan is in use."""


def count_tables(count_rows: CountRows) -> Rule:
    """The rule, for one state of the tables."""

    def rule(node: plan.QueryNode) -> plan.QueryNode:
        if isinstance(node, plan.Scan):
            return replace(node, table_rows=max(count_rows(node.table), FEWEST_ROWS))
        return node

    return rule
