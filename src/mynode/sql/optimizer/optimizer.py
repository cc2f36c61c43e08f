"""The rules and their order."""

from __future__ import annotations

from typing import Final

from mynode.sql import plan
from mynode.sql.optimizer.choose_joins import choose_joins
from mynode.sql.optimizer.fold_constants import fold_constants
from mynode.sql.optimizer.order_joins import order_joins
from mynode.sql.optimizer.push_down_filters import push_down_filters
from mynode.sql.optimizer.rewriting import Rule, rewrite_plan
from mynode.sql.optimizer.sort_by_key import sort_by_key
from mynode.sql.optimizer.top_n import top_n
from mynode.sql.optimizer.use_primary_key import use_primary_key

RULES: Final[tuple[Rule, ...]] = (
    fold_constants,  # first: the others look for constants
    push_down_filters,
    use_primary_key,
    order_joins,  # the smallest first, and what is small shows by the keys used
    choose_joins,
    sort_by_key,  # it must see how tables are read
    top_n,  # of the sorts that are left
)


def optimize(node: plan.Plan) -> plan.Plan:
    """The plan after all rules, each applied once to every node from the bottom up."""
    for rule in RULES:
        node = rewrite_plan(node, rule)
    return node
