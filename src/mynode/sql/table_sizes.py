"""How many rows the tables of a plan had when it was made, so that it is made anew when they have far more or fewer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mynode.relation.keys import ABOVE, row_prefix
from mynode.relation.schema import Table
from mynode.sql.optimizer.count_tables import FEWEST_ROWS, CountRows
from mynode.storage.tree import Tree

OUTGROWN: Final = 8
"""How many times more, or fewer, rows make a plan old. An estimate may be wrong by half."""
_LOOK_AFTER: Final = 256
"""Records that the database must have got or lost before tables are counted again, which takes some µs."""


def row_counter(tree: Tree) -> CountRows:
    """About how many rows a table has in the tree."""

    def count_rows(table: Table) -> float:
        low = row_prefix(table.id)
        return tree.estimated_count(low, low + ABOVE)

    return count_rows


class TableSizes:
    """Of the tables of one plan. Without `count_rows` they never change."""

    __slots__ = ("_looked_at", "_rows")

    def __init__(self, tables: Iterable[Table], count_rows: CountRows | None) -> None:
        self._rows = () if count_rows is None else tuple((table, _counted(table, count_rows)) for table in tables)
        self._looked_at: int | None = None

    def hold(self, tree: Tree) -> bool:
        """Whether they are still about the same. Mostly one comparison."""
        count = tree.count
        if self._looked_at is not None and abs(count - self._looked_at) < _LOOK_AFTER:
            return True
        count_rows = row_counter(tree)
        for table, rows in self._rows:
            now = _counted(table, count_rows)
            if now > rows * OUTGROWN or now * OUTGROWN < rows:
                return False
        self._looked_at = count
        return True


def _counted(table: Table, count_rows: CountRows) -> float:
    return max(count_rows(table), FEWEST_ROWS)
