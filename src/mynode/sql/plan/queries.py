"""Plans of queries: what is to be done, as a tree of nodes that rules rewrite and the executor builds operators from.

A node's `columns` are the row it gives out: one value a column, in this order. Columns are known by their ids, not by
their places, so a node can be moved below or above another without a change to its expressions; places are looked up
when operators are built.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, TypeAlias

from mynode.relation.catalog import Catalog
from mynode.relation.paths import AccessPath
from mynode.relation.schema import Table
from mynode.sql.expressions import AggregateCall, Expression, PlanColumn
from mynode.sql.expressions import SortKey as SortKey
from mynode.sql.functions.function import Function

# --- how a table is read ----------------------------------------------------------------------------------------------


UNKNOWN_ROWS: Final = 10_000.0
"""Taken for a table that nobody has counted."""


@dataclass(frozen=True, slots=True)
class FullScan:
    """All rows."""


@dataclass(frozen=True, slots=True)
class KeyPoints:
    """The rows whose first columns of the path have one of these combinations of values; in the order of the path.

    A value that is NULL equals nothing.

    Attributes:
        null_places: of the columns that are NULL in the rows, and in all keys.
    """

    keys: tuple[tuple[Expression, ...], ...]
    null_places: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a range."""

    value: Expression
    inclusive: bool


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The rows whose first columns of the path equal `prefix` and whose next one, not NULL, lies between the bounds."""

    prefix: tuple[Expression, ...]
    low: Bound | None
    high: Bound | None


Access: TypeAlias = FullScan | KeyPoints | KeyRange

# --- queries ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ValueRows:
    """Rows made of expressions over no input. SELECT without FROM reads one row of no columns."""

    rows: tuple[tuple[Expression, ...], ...]
    columns: tuple[PlanColumn, ...]


@dataclass(frozen=True, slots=True)
class CatalogRows:
    """The rows of a table that tells of the catalog, see `sql.information_schema`; of the one that was planned with."""

    name: str
    catalog: Catalog
    columns: tuple[PlanColumn, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """Rows of a table, all columns in the table's order.

    Attributes:
        key: for a statement that changes the rows: one more column, last, with the key that the row lies at.
        path: in whose order the rows come, and what `access` is about; None: as they lie in the table, all of them,
            which is the order of the primary key if there is one.
        settled: conditions that all rows of `access` pass, so that nobody tests them again.
        table_rows: about how many rows the table has.
        bare: only the number of rows counts: they come without values, from an index alone.
    """

    table: Table
    table_columns: tuple[PlanColumn, ...]
    key: PlanColumn | None = None
    path: AccessPath | None = None
    access: Access = FullScan()
    settled: tuple[Expression, ...] = field(default=(), compare=False)
    table_rows: float = field(default=UNKNOWN_ROWS, compare=False)
    reverse: bool = False
    bare: bool = False

    @property
    def columns(self) -> tuple[PlanColumn, ...]:
        if self.bare:
            return ()
        return self.table_columns if self.key is None else (*self.table_columns, self.key)


@dataclass(frozen=True, slots=True)
class Filter:
    """The rows for which the condition is TRUE."""

    input: QueryNode
    condition: Expression

    @property
    def columns(self) -> tuple[PlanColumn, ...]:
        return self.input.columns


@dataclass(frozen=True, slots=True)
class Project:
    """One value a column, computed from each row."""

    input: QueryNode
    values: tuple[Expression, ...]
    columns: tuple[PlanColumn, ...]


@dataclass(frozen=True, slots=True)
class Sort:
    """The rows in the order of the keys, the first deciding first; equal rows stay in their order.

    Attributes:
        first: if there is one, only the first rows are wanted: as many as a limit and an offset together.
    """

    input: QueryNode
    keys: tuple[SortKey, ...]
    first: tuple[Expression, Expression | None] | None = None

    @property
    def columns(self) -> tuple[PlanColumn, ...]:
        return self.input.columns


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `limit` rows after the first `offset`. Both are INTEGER expressions over no input; NULL is none."""

    input: QueryNode
    limit: Expression | None
    offset: Expression | None

    @property
    def columns(self) -> tuple[PlanColumn, ...]:
        return self.input.columns


@dataclass(frozen=True, slots=True)
class TiedLimit:
    """A `Limit` with the rows after its last one that have the same values of the keys: FETCH ... WITH TIES."""

    input: QueryNode
    limit: Expression | None
    offset: Expression | None
    keys: tuple[Expression, ...]

    @property
    def columns(self) -> tuple[PlanColumn, ...]:
        return self.input.columns


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One row a group of rows with the same keys: the keys, then the aggregates over the group.

    Without keys all rows are one group, which is there even without rows.
    """

    input: QueryNode
    keys: tuple[Expression, ...]
    aggregates: tuple[AggregateCall, ...]
    columns: tuple[PlanColumn, ...]


@dataclass(frozen=True, slots=True)
class Distinct:
    """The rows without those that equal an earlier one; NULLs are equal here."""

    input: QueryNode

    @property
    def columns(self) -> tuple[PlanColumn, ...]:
        return self.input.columns


@dataclass(frozen=True, slots=True)
class FirstOfEach:
    """Of the rows with the same values of the keys the first one: DISTINCT ON. NULLs are equal here."""

    input: QueryNode
    keys: tuple[Expression, ...]

    @property
    def columns(self) -> tuple[PlanColumn, ...]:
        return self.input.columns


class JoinKind(Enum):
    """LEFT keeps the rows of the left side that match none, FULL those of both; a RIGHT join is a LEFT one turned.

    SEMI gives the rows of the left side that match any, ANTI those that match none, both without the right's columns.
    All of them but FULL keep the order of the left side.
    """

    INNER = ""
    LEFT = " Left"
    FULL = " Full"
    SEMI = " Semi"
    ANTI = " Anti"


ONE_SIDED: Final = (JoinKind.SEMI, JoinKind.ANTI)
"""The joins that give only columns of the left side."""


@dataclass(frozen=True, slots=True)
class Join:
    """Pairs of rows of both sides for which the condition is TRUE (None: all pairs), the left's columns first.

    Attributes:
        keys: pairs of expressions, over the left side and over the right, that must be equal too: what a hash table
            is made for, of the right side. Found by a rule.
        rows: about how many it gives, if a rule has estimated that.
    """

    kind: JoinKind
    left: QueryNode
    right: QueryNode
    condition: Expression | None
    keys: tuple[tuple[Expression, Expression], ...] = ()
    rows: float | None = field(default=None, compare=False)

    @property
    def columns(self) -> tuple[PlanColumn, ...]:
        left, right = self.left.columns, self.right.columns
        if self.kind in ONE_SIDED:
            return left
        if self.kind is JoinKind.FULL:
            left = _nullable(left)
        return (*left, *(right if self.kind is JoinKind.INNER else _nullable(right)))


@dataclass(frozen=True, slots=True)
class LookupJoin:
    """A join whose right side is run again for each row of the left, whose columns it has as `OuterValue`s.

    The whole condition is in the right side. `rows` is as in `Join`.
    """

    kind: JoinKind
    left: QueryNode
    right: QueryNode
    rows: float | None = field(default=None, compare=False)

    @property
    def columns(self) -> tuple[PlanColumn, ...]:
        right = self.right.columns
        if self.kind in ONE_SIDED:
            return self.left.columns
        return (*self.left.columns, *(right if self.kind is JoinKind.INNER else _nullable(right)))


@dataclass(frozen=True, slots=True)
class OnlyValue:
    """Asks for the value of the only column of the only row; NULL if there is no row, an error if there are more."""


@dataclass(frozen=True, slots=True)
class OnlyRow:
    """Asks for the only row as one value (`types.RECORD`); NULL if there is none, an error if there are more."""


@dataclass(frozen=True, slots=True)
class AnyRow:
    """Asks whether there is a row."""


@dataclass(frozen=True, slots=True)
class AnyMatch:
    """Asks whether any row matches: whether each operand compares TRUE with the row's value in its place.

    Attributes:
        operands: over a row of the input. Several are equal to the row if each is to its value.
        compare: for each operand a comparison of its type; equalities if there are several.
    """

    operands: tuple[Expression, ...]
    compare: tuple[Function, ...]


Question: TypeAlias = OnlyValue | OnlyRow | AnyRow | AnyMatch


@dataclass(frozen=True, slots=True)
class Apply:
    """The rows of the input with one more column: what a sub-query, which has the others as `OuterValue`s, answers.

    A sub-query that uses no column from outside is run once.
    """

    input: QueryNode
    subquery: QueryNode
    question: Question
    column: PlanColumn

    @property
    def columns(self) -> tuple[PlanColumn, ...]:
        return (*self.input.columns, self.column)


def _nullable(columns: tuple[PlanColumn, ...]) -> tuple[PlanColumn, ...]:
    return tuple(replace(column, nullable=True) for column in columns)


class SetOperator(Enum):
    UNION = "Append"
    INTERSECT = "Intersect"
    EXCEPT = "Except"


@dataclass(frozen=True, slots=True)
class SetOperation:
    """The rows of both sides, of both alike, or of the left without those of the right, as bags: UNION ALL and so on.

    The sides have as many columns of the same types. Without ALL a `Distinct` stands above it.
    """

    operator: SetOperator
    left: QueryNode
    right: QueryNode
    columns: tuple[PlanColumn, ...]


QueryNode: TypeAlias = (
    ValueRows
    | CatalogRows
    | Scan
    | Filter
    | Project
    | Sort
    | Limit
    | TiedLimit
    | Aggregation
    | Distinct
    | FirstOfEach
    | Join
    | LookupJoin
    | Apply
    | SetOperation
)
