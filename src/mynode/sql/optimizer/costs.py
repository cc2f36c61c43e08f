"""What reading and joining cost, in about µs of one core: only how they compare with each other counts."""

from __future__ import annotations

from typing import Final

from mynode.sql import plan
from mynode.sql.optimizer.estimate import estimated_rows
from mynode.sql.plan_parts import inputs

READ: Final = 0.3
"""A row, in the order of the table."""
FETCHED: Final = 2.0
"""A row that an entry of an index leads to."""
RUN: Final = 6.0
"""To begin with a node anew, for one row of another."""
HASHED: Final = 0.6
"""A row put into a hash table."""
PROBED: Final = 0.5
"""A row whose partners are looked for in a hash table."""
PAIRED: Final = 0.2
"""A pair of rows made, and tested."""


def cost_of(node: plan.QueryNode) -> float:
    """To run a node once, with all below it."""
    match node:
        case plan.Scan(path=path):
            by_index = path is not None and not path.is_primary
            return RUN + estimated_rows(node) * (FETCHED if by_index else READ)
        case plan.LookupJoin():
            return cost_of(node.left) + lookups_cost(estimated_rows(node.left), cost_of(node.right))
        case plan.Join():
            rows = estimated_rows(node.left), estimated_rows(node.right)
            return cost_of(node.left) + cost_of(node.right) + matching_cost(*rows, hashed=bool(node.keys))
        case plan.Apply():
            return cost_of(node.input) + lookups_cost(estimated_rows(node.input), cost_of(node.subquery))
        case plan.Limit():
            return RUN + estimated_rows(node) * PAIRED  # about: what is below mostly ends with it
    return sum(map(cost_of, inputs(node))) + estimated_rows(node) * PAIRED


def lookups_cost(left_rows: float, right_cost: float) -> float:
    """To run the right side for each row of the left."""
    return left_rows * right_cost


def matching_cost(left_rows: float, right_rows: float, *, hashed: bool) -> float:
    """To find the pairs of rows that are there already: by a hash table of the right side, or one with another."""
    return left_rows * PROBED + right_rows * HASHED if hashed else left_rows * right_rows * PAIRED
