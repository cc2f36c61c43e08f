"""The rules and their order."""

from __future__ import annotations

from typing import Final

from mynode.sql import plan
from mynode.sql.optimizer.choose_joins import choose_joins
from mynode.sql.optimizer.count_tables import CountRows, count_tables
from mynode.sql.optimizer.drop_empty import drop_empty
from mynode.sql.optimizer.fold_constants import fold_constants
from mynode.sql.optimizer.join_aggregates import join_aggregates
from mynode.sql.optimizer.join_subqueries import join_subqueries
from mynode.sql.optimizer.min_max_by_index import min_max_by_index
from mynode.sql.optimizer.order_joins import order_joins
from mynode.sql.optimizer.outer_to_inner import outer_to_inner
from mynode.sql.optimizer.prune_columns import prune_columns
from mynode.sql.optimizer.push_down_filters import push_down_filters
from mynode.sql.optimizer.push_down_limits import push_down_limits
from mynode.sql.optimizer.push_down_sorts import push_down_sorts
from mynode.sql.optimizer.rewriting import Rule, change_top, rewrite_plan
from mynode.sql.optimizer.sort_by_index import sort_by_index
from mynode.sql.optimizer.top_n import top_n
from mynode.sql.optimizer.unite_indexes import unite_indexes
from mynode.sql.optimizer.use_index import use_index

RULES: Final[tuple[Rule, ...]] = (
    fold_constants,  # first: the others look for constants
    outer_to_inner,
    join_subqueries,  # before conditions sink out of their sight
    push_down_filters,
    drop_empty,
    push_down_sorts,
    push_down_limits,
    use_index,
    unite_indexes,  # where no single path helps
    join_aggregates,  # what an index answers stays as it is
    order_joins,  # the smallest first, and what is small shows by the indexes used
    choose_joins,
    top_n,
    min_max_by_index,
    sort_by_index,  # it must see how tables are read, and how many rows are wanted
)


ALL_RULES: Final = (*RULES, prune_columns)
"""The last one looks at whole plans. Any can be left out: the plan answers the same."""


def optimize(node: plan.Plan, count_rows: CountRows | None = None, without: Rule | None = None) -> plan.Plan:
    """The plan after all rules, each applied once to every node from the bottom up, and the last to the whole.

    Args:
        count_rows: about how many rows a table has; None: nobody knows.
        without: a rule to leave out.
    """
    if count_rows is not None:
        node = rewrite_plan(node, count_tables(count_rows))
    for rule in RULES:
        if rule is not without:
            node = rewrite_plan(node, rule)
    return node if without is prune_columns else change_top(node, prune_columns)
