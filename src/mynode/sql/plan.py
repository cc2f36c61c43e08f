"""Plans: what is to be done, as a tree of nodes that rules rewrite and the executor builds operators from.

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
from mynode.relation.schema import ForeignKey, Index, Table, View
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
    """

    keys: tuple[tuple[Expression, ...], ...]


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
        table_rows: about how many rows the table has.
        bare: only the number of rows counts: they come without values.
    """

    table: Table
    table_columns: tuple[PlanColumn, ...]
    key: PlanColumn | None = None
    path: AccessPath | None = None
    access: Access = FullScan()
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
            is made for. Found by a rule.
    """

    kind: JoinKind
    left: QueryNode
    right: QueryNode
    condition: Expression | None
    keys: tuple[tuple[Expression, Expression], ...] = ()

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

    The whole condition is in the right side.
    """

    kind: JoinKind
    left: QueryNode
    right: QueryNode

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
class AnyRow:
    """Asks whether there is a row."""


@dataclass(frozen=True, slots=True)
class AnyMatch:
    """Asks whether `compare(operand, value)` is TRUE for the value of any row: `operand compare ANY (...)`.

    Attributes:
        operand: over a row of the input.
        compare: a comparison of the operand's type.
    """

    operand: Expression
    compare: Function


Question: TypeAlias = OnlyValue | AnyRow | AnyMatch


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
    | Aggregation
    | Distinct
    | Join
    | LookupJoin
    | Apply
    | SetOperation
)

# --- statements -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Select:
    """A query as a statement."""

    input: QueryNode


@dataclass(frozen=True, slots=True)
class Returning:
    """What a change of rows answers for each of them: values over the columns of its input."""

    values: tuple[Expression, ...]
    columns: tuple[PlanColumn, ...]


@dataclass(frozen=True, slots=True)
class CheckRule:
    """A CHECK constraint: the condition may not be FALSE."""

    name: str
    condition: Expression


@dataclass(frozen=True, slots=True)
class RowRules:
    """What each new row of a table must be, besides what the table's schema says by itself.

    Attributes:
        columns: the table's, over which the conditions are.
        checks: in the order in which they are tested, by name.
    """

    table: Table
    columns: tuple[PlanColumn, ...]
    checks: tuple[CheckRule, ...]


@dataclass(frozen=True, slots=True)
class CascadedTable:
    """A table whose rows the actions of foreign keys may change.

    Attributes:
        defaults: a value for each column, over no input.
    """

    rules: RowRules
    defaults: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ForeignKeys:
    """That a change of rows has to do with foreign keys. The tables at their ends are among those the plan uses."""

    cascaded: tuple[CascadedTable, ...]


@dataclass(frozen=True, slots=True)
class ConflictUpdate:
    """DO UPDATE: the row that is in the way gets new values if the condition is TRUE.

    Attributes:
        columns: of the row that is in the way, then of the one that was to be inserted: what the expressions are over.
        values: one a column of the table.
    """

    columns: tuple[PlanColumn, ...]
    condition: Expression | None
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class OnConflict:
    """What becomes of a row that is to be inserted and would violate one of the unique constraints with these names.

    Attributes:
        update: None for DO NOTHING.
    """

    constraints: tuple[str, ...]
    update: ConflictUpdate | None


@dataclass(frozen=True, slots=True)
class Insert:
    """Adds the rows of the input, which have the table's columns."""

    table: Table
    input: QueryNode
    rules: RowRules
    on_conflict: OnConflict | None
    foreign_keys: ForeignKeys | None
    returning: Returning | None


@dataclass(frozen=True, slots=True)
class Update:
    """Writes the rows of the input: the table's columns with their new values, the row's key, more for RETURNING.

    Attributes:
        moves: a column of the primary key is assigned to, so that a row can get another key.
        repeats: the input can have a row of the table more than once: only the first counts.
    """

    table: Table
    input: QueryNode
    rules: RowRules
    moves: bool
    repeats: bool
    foreign_keys: ForeignKeys | None
    returning: Returning | None


@dataclass(frozen=True, slots=True)
class Delete:
    """Deletes the rows of the input: the table's columns, the row's key, more for RETURNING.

    Attributes:
        repeats: as of `Update`.
    """

    table: Table
    input: QueryNode
    repeats: bool
    foreign_keys: ForeignKeys | None
    returning: Returning | None


@dataclass(frozen=True, slots=True)
class CreateTable:
    """`table` is a draft: the catalog gives it its id."""

    table: Table
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class DropTable:
    """The tables of a DROP TABLE that exist, the names of those that IF EXISTS passes over, the views on them."""

    tables: tuple[Table, ...]
    missing: tuple[str, ...]
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class Alteration:
    """What ALTER TABLE makes of a table.

    Attributes:
        table: as it shall be, but for `indexes`.
        others: other tables, whose foreign keys lead to it, as they shall be.
        dropped_views: with what they use.
        changed_views: what they use has another name.
        missing: by slot, the values of new columns in the rows that are there, over no input.
        not_null, rules, foreign_keys: what the rows that are there must be checked for.
        indexes: of new UNIQUE constraints, to be built.
        is_keyed: the primary key is new, so that the rows move.
        is_alone: nothing else is altered, so that a big index can be built beforehand.
    """

    table: Table
    others: tuple[Table, ...]
    dropped_views: tuple[View, ...]
    changed_views: tuple[View, ...]
    missing: tuple[tuple[int, Expression], ...]
    not_null: tuple[str, ...]
    rules: RowRules
    foreign_keys: tuple[ForeignKey, ...]
    indexes: tuple[Index, ...]
    is_keyed: bool
    is_alone: bool


@dataclass(frozen=True, slots=True)
class AlterTable:
    """Changes a table; `table` None: IF EXISTS passes over one that there is not."""

    table: Table | None
    name: str
    alteration: Alteration | None = None


@dataclass(frozen=True, slots=True)
class Truncate:
    """Takes all rows out of the tables; with `restarts` their columns that count by themselves begin at 1 again."""

    tables: tuple[Table, ...]
    restarts: bool


@dataclass(frozen=True, slots=True)
class CreateView:
    """A new view, perhaps in the place of one that there is."""

    view: View
    replaced: View | None


@dataclass(frozen=True, slots=True)
class DropView:
    """The views of a DROP VIEW that exist, with those on them, and the names of those that IF EXISTS passes over."""

    views: tuple[View, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """`draft` has no id yet; None: there is an index of this name already, and IF NOT EXISTS passes it over."""

    table: Table
    draft: Index | None


@dataclass(frozen=True, slots=True)
class DropIndex:
    """The indexes of a DROP INDEX that exist: names of tables, and ids."""

    indexes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ShowTables:
    """The names of all tables. It reads the catalog when it runs, so that all of it enters the read set."""


@dataclass(frozen=True, slots=True)
class Explain:
    """Shows a plan instead of running it; with `analyze` after running it."""

    plan: DataPlan
    analyze: bool


DataPlan: TypeAlias = Select | Insert | Update | Delete
SchemaPlan: TypeAlias = (
    CreateTable | AlterTable | Truncate | DropTable | CreateView | DropView | CreateIndex | DropIndex
)
Plan: TypeAlias = DataPlan | SchemaPlan | Explain | ShowTables
