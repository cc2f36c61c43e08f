"""The inputs of a tree of inner joins, and what the conditions between them tell of the cost of joining them.

Sets of inputs are bit masks, input number i being 1 << i.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from mynode.relation.paths import access_paths
from mynode.sql import plan
from mynode.sql.expressions import Call, ColumnValue, Expression, PlanColumn, columns_in, is_volatile
from mynode.sql.optimizer.costs import FETCHED, RUN, cost_of, matching_cost
from mynode.sql.optimizer.estimate import estimated_rows, matching_part


@dataclass(frozen=True, slots=True)
class Tie:
    """A condition of a join.

    Attributes:
        inputs: those whose columns it uses.
        part: of the pairs of rows that pass.
        sides: for an equality, the inputs of its two sides, if these have none in common; else (0, 0).
        keys: the inputs that one side gives a key of, by which their rows can be looked up.
    """

    condition: Expression
    inputs: int
    part: float
    sides: tuple[int, int]
    keys: int


class JoinGraph:
    """See above.

    Attributes:
        rows: about how many rows each input has.
        costs: of running each input.
    """

    __slots__ = ("_by_input", "costs", "rows", "ties")

    def __init__(self, inputs: Sequence[plan.QueryNode], conditions: Sequence[Expression]) -> None:
        self.rows = [max(1.0, estimated_rows(one)) for one in inputs]
        self.costs = [cost_of(one) for one in inputs]
        places = {column: place for place, one in enumerate(inputs) for column in one.columns}
        keys = frozenset(column for one in inputs for column in _first_of_paths(one))
        self.ties = [_tie(condition, inputs, places, keys) for condition in conditions]
        self._by_input = [[tie for tie in self.ties if tie.inputs >> place & 1] for place in range(len(inputs))]

    def rows_with(self, rows: float, joined: int, place: int) -> float:
        """About how many rows there are when one more input is joined to some that give `rows`."""
        everything = joined | 1 << place
        return rows * self.rows[place] * prod(tie.part for tie in self._by_input[place] if not tie.inputs & ~everything)

    def is_tied(self, joined: int, place: int) -> bool:
        """Whether a condition ties the input to what is joined already, and to nothing else."""
        own = 1 << place
        return any(tie.inputs & joined and not tie.inputs & ~(joined | own) for tie in self._by_input[place])

    def rows_of(self, some: int) -> float:
        """About how many rows some inputs, joined, give."""
        own = prod(rows for place, rows in enumerate(self.rows) if some >> place & 1)
        return own * prod(tie.part for tie in self.ties if tie.inputs & (tie.inputs - 1) and not tie.inputs & ~some)

    def joining_cost(self, left: int, right: int, left_rows: float, right_rows: float, rows: float) -> float:
        """To join what is there of the left side with what is there of the right."""
        hashed = any(
            (one & ~left == 0 and other & ~right == 0) or (one & ~right == 0 and other & ~left == 0)
            for one, other in (tie.sides for tie in self.ties)
            if one
        )
        return matching_cost(left_rows, right_rows, hashed=hashed) + rows * FETCHED / 10

    def lookups_cost(self, left: int, place: int, left_rows: float, rows: float) -> float | None:
        """To look the partners up of each row of the left side; None if there is no path for it."""
        own = 1 << place
        if any(
            tie.keys & own and not tie.inputs & ~(left | own) and tie.inputs & left for tie in self._by_input[place]
        ):
            return left_rows * RUN + rows * FETCHED
        return None


def _first_of_paths(node: plan.QueryNode) -> list[PlanColumn]:
    """The first columns of the paths of a table, if that is what the node reads."""
    scan = node.input if isinstance(node, plan.Filter) else node
    if not isinstance(scan, plan.Scan):
        return []
    return [scan.table_columns[path.columns[0].position] for path in access_paths(scan.table)]


def _tie(
    condition: Expression,
    inputs: Sequence[plan.QueryNode],
    places: dict[PlanColumn, int],
    keys: frozenset[PlanColumn],
) -> Tie:
    used = _mask(condition, places)
    sides, keyed = (0, 0), 0
    match condition:
        case Call(function, (left, right)) if (
            function.is_operator and function.name == "=" and not is_volatile(condition)
        ):
            one, other = _mask(left, places), _mask(right, places)
            if one and other and not one & other:
                sides = one, other
                for side, mask in ((left, one), (right, other)):
                    if isinstance(side, ColumnValue) and side.column in keys:
                        keyed |= mask
    part = matching_part(condition, *(inputs[place] for place in range(len(inputs)) if used >> place & 1))
    return Tie(condition, used, part, sides, keyed)


def _mask(expression: Expression, places: dict[PlanColumn, int]) -> int:
    mask = 0
    for column in columns_in(expression):
        mask |= 1 << places[column]
    return mask
