"""What names mean at one place of a statement: the sources (tables) in sight and their columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import count

from mynode.base.sql_errors import AmbiguousColumnError, UndefinedColumnError, UndefinedTableError
from mynode.relation.schema import Table
from mynode.sql.expressions import PlanColumn
from mynode.values.types import SqlType


class ColumnIds:
    """Makes the columns of one plan, each with an id of its own."""

    __slots__ = ("_next", "_subqueries")

    def __init__(self) -> None:
        self._next = count(1)
        self._subqueries = count(1)

    def column(
        self, name: str, type_: SqlType, *, nullable: bool, source: str | None = None, deferred: bool = False
    ) -> PlanColumn:
        return PlanColumn(next(self._next), name, type_, nullable, source, deferred)

    def subquery_name(self, *, runs_once: bool) -> str:
        """What EXPLAIN calls the next sub-query."""
        return f"{'InitPlan' if runs_once else 'SubPlan'} {next(self._subqueries)}"

    def id(self) -> int:
        return next(self._next)

    def of_table(self, table: Table, alias: str) -> tuple[PlanColumn, ...]:
        """A column for each of the table's, in their order."""
        return tuple(
            self.column(column.name, column.type.base, nullable=not column.not_null, source=alias)
            for column in table.columns
        )


@dataclass(frozen=True, slots=True)
class Source:
    """A table of FROM under the name by which expressions call it."""

    name: str
    columns: tuple[PlanColumn, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """The sources in sight, in the order of FROM.

    Attributes:
        visible: what `*` stands for and names alone are looked for in, if it is not all columns of all sources.
    """

    sources: tuple[Source, ...] = ()
    visible: tuple[PlanColumn, ...] | None = None

    def columns(self) -> Iterator[PlanColumn]:
        if self.visible is not None:
            yield from self.visible
            return
        for source in self.sources:
            yield from source.columns

    def all_columns(self) -> set[PlanColumn]:
        return {column for source in self.sources for column in source.columns}.union(self.visible or ())

    def has(self, name: str) -> bool:
        """Whether a column in sight has this name."""
        return any(column.name == name for column in self.columns())

    def source(self, name: str, position: int) -> Source:
        """Raises `UndefinedTableError`."""
        for source in self.sources:
            if source.name == name:
                return source
        raise UndefinedTableError(f'missing FROM-clause entry for table "{name}"', position=position)

    def column(self, table: str | None, name: str, position: int) -> PlanColumn:
        """The column that `table.name`, or `name` alone, means.

        Raises `UndefinedColumnError`, `AmbiguousColumnError` or `UndefinedTableError`.
        """
        if table is not None:
            self.source(table, position)
        found = self.find(table, name, position)
        if found is not None:
            return found
        written = f'"{name}"' if table is None else f"{table}.{name}"
        raise UndefinedColumnError(f"column {written} does not exist", position=position, hint=self._hint(name))

    def find(self, table: str | None, name: str, position: int) -> PlanColumn | None:
        """The column, if there is one here. Raises `AmbiguousColumnError`."""
        candidates = self.columns() if table is None else self._columns_of(table)
        found = [column for column in candidates if column.name == name]
        if len(found) > 1:
            raise AmbiguousColumnError(f'column reference "{name}" is ambiguous', position=position)
        return found[0] if found else None

    def has_source(self, name: str) -> bool:
        return any(source.name == name for source in self.sources)

    def _columns_of(self, table: str) -> tuple[PlanColumn, ...]:
        return next((source.columns for source in self.sources if source.name == table), ())

    def _hint(self, name: str) -> str | None:
        names = {column.name: column for column in self.columns()}
        near = get_close_matches(name, names, 1, cutoff=0.5)
        return f'Perhaps you meant to reference the column "{names[near[0]].source}.{near[0]}".' if near else None
