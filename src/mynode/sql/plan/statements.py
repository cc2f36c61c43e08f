"""Plans of statements: what is done with the rows of a query, and what changes the schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from mynode.relation.schema import ForeignKey, Index, Table, View
from mynode.sql.expressions import Expression, PlanColumn
from mynode.sql.plan.queries import QueryNode


@dataclass(frozen=True, slots=True)
class Select:
    """A query as a statement."""

    input: QueryNode


@dataclass(frozen=True, slots=True)
class PerRow:
    """Values made of each row that a statement changes, if the condition is TRUE for it.

    Attributes:
        query: makes the same where sub-queries take part: over no input, with the row's columns as `OuterValue`s. It
            sees what was there before the statement.
    """

    condition: Expression | None
    values: tuple[Expression, ...]
    query: QueryNode | None = None


@dataclass(frozen=True, slots=True)
class Returning:
    """What a change of rows answers for each of them: values over the columns of its input."""

    made: PerRow
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
        columns: of the row that is in the way, then of the one that was to be inserted: what the new one is made of.
        made: one value a column of the table.
    """

    columns: tuple[PlanColumn, ...]
    made: PerRow


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
class CreateTableAs:
    """`table` is a draft without a key, which gets the rows of the input unless `with_data` says no."""

    table: Table
    input: QueryNode
    if_not_exists: bool
    with_data: bool


@dataclass(frozen=True, slots=True)
class DropTable:
    """The tables of a DROP TABLE that exist, the names of those that IF EXISTS passes over, the views on them."""

    tables: tuple[Table, ...]
    missing: tuple[str, ...]
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """All rows of a table are written anew, because each changes in a way of its own, or lies elsewhere.

    Attributes:
        columns: of the table as it was, over which the values are.
        values: one a column of the table as it shall be.
        numbered: positions of new columns that count by themselves.
    """

    columns: tuple[PlanColumn, ...]
    values: tuple[Expression, ...]
    numbered: tuple[int, ...]


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
        rewrite: if the rows cannot stay as they are; then the values of new columns are among its values.
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
    rewrite: Rewrite | None
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
    """The indexes of a DROP INDEX that exist: names of tables, and ids.

    Attributes:
        tables: whose foreign keys needed one of them, as they shall be.
    """

    indexes: tuple[tuple[str, int], ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class ShowTables:
    """The names of all tables. It reads the catalog when it runs, so that all of it enters the read set."""


@dataclass(frozen=True, slots=True)
class Explain:
    """Shows a plan instead of running it; with `analyze` after running it."""

    plan: DataPlan | SchemaPlan
    analyze: bool


DataPlan: TypeAlias = Select | Insert | Update | Delete
SchemaPlan: TypeAlias = (
    CreateTable | CreateTableAs | AlterTable | Truncate | DropTable | CreateView | DropView | CreateIndex | DropIndex
)
Plan: TypeAlias = DataPlan | SchemaPlan | Explain | ShowTables
