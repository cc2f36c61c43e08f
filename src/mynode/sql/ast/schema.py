"""Changes of the schema: CREATE, ALTER, DROP and TRUNCATE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from mynode.relation.schema import Identity as Identity
from mynode.relation.schema import ReferentialAction as ReferentialAction
from mynode.sql.ast.expressions import Expression, Identifier, TableName, TypeName
from mynode.sql.ast.queries import Query


@dataclass(frozen=True, slots=True)
class StoredExpression:
    """An expression that the schema keeps, of a DEFAULT or CHECK. It has no parameters.

    Attributes:
        text: as written; `mynode.sql.parser.parse_stored_expression` reads it again.
    """

    expression: Expression
    text: str


# --- columns and constraints ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """`name type [NOT NULL] [DEFAULT default] [GENERATED identity AS IDENTITY]`. `position` is the name's.

    A column's own PRIMARY KEY, UNIQUE, CHECK and REFERENCES stand among the table's constraints. `not_null` is only
    what was written, so what a primary key, an identity or the type `serial` implies is not in it.
    """

    name: str
    type: TypeName
    not_null: bool
    default: StoredExpression | None
    identity: Identity | None
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class PrimaryKey:
    """`[CONSTRAINT name] PRIMARY KEY (columns)`, or the same written at one column."""

    name: str | None
    columns: tuple[Identifier, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Unique:
    """`[CONSTRAINT name] UNIQUE (columns)`, or the same written at one column."""

    name: str | None
    columns: tuple[Identifier, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Check:
    """`[CONSTRAINT name] CHECK (condition)`.

    Attributes:
        column: the one it is written at, after which it is named if it has no name.
    """

    name: str | None
    condition: StoredExpression
    column: str | None
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`[CONSTRAINT name] FOREIGN KEY (columns) REFERENCES table [(referenced)]
    [MATCH FULL | SIMPLE] [ON DELETE action] [ON UPDATE action]`.

    Attributes:
        referenced: none when not said: the other table's primary key.
    """

    name: str | None
    columns: tuple[Identifier, ...]
    table: TableName
    referenced: tuple[Identifier, ...]
    on_delete: ReferentialAction
    on_update: ReferentialAction
    match_full: bool
    position: int = field(compare=False)


TableConstraint: TypeAlias = PrimaryKey | Unique | Check | ForeignKey

# --- tables ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CreateTable:
    """`CREATE TABLE [IF NOT EXISTS] table (columns and constraints)`; the list may be empty."""

    table: TableName
    if_not_exists: bool
    columns: tuple[ColumnDefinition, ...]
    constraints: tuple[TableConstraint, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class DropTable:
    """`DROP TABLE [IF EXISTS] tables [CASCADE | RESTRICT]`."""

    tables: tuple[TableName, ...]
    if_exists: bool
    cascade: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Truncate:
    """`TRUNCATE [TABLE] tables [RESTART IDENTITY | CONTINUE IDENTITY] [CASCADE | RESTRICT]`."""

    tables: tuple[TableName, ...]
    restart_identity: bool
    cascade: bool
    position: int = field(compare=False)


# --- ALTER TABLE ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CreateTableAs:
    """`CREATE TABLE [IF NOT EXISTS] table [(columns)] AS query [WITH [NO] DATA]`."""

    table: TableName
    if_not_exists: bool
    columns: tuple[Identifier, ...]
    query: Query
    with_data: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class AddColumn:
    """`ADD [COLUMN] [IF NOT EXISTS] column`, with the constraints written at it."""

    column: ColumnDefinition
    constraints: tuple[TableConstraint, ...]
    if_not_exists: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class DropColumn:
    """`DROP [COLUMN] [IF EXISTS] column [CASCADE | RESTRICT]`."""

    column: Identifier
    if_exists: bool
    cascade: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class SetDefault:
    """`ALTER [COLUMN] column SET DEFAULT default`, or `DROP DEFAULT`: None."""

    column: Identifier
    default: StoredExpression | None
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class SetNotNull:
    """`ALTER [COLUMN] column SET NOT NULL`, or `DROP NOT NULL`: not `not_null`."""

    column: Identifier
    not_null: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class AddConstraint:
    """`ADD constraint`."""

    constraint: TableConstraint
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class DropConstraint:
    """`DROP CONSTRAINT [IF EXISTS] constraint [CASCADE | RESTRICT]`."""

    constraint: Identifier
    if_exists: bool
    cascade: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class RenameColumn:
    """`RENAME [COLUMN] column TO new_name`, always the only action."""

    column: Identifier
    new_name: Identifier
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class SetType:
    """`ALTER [COLUMN] column [SET DATA] TYPE type [USING using]`."""

    column: Identifier
    type: TypeName
    using: Expression | None
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class RenameConstraint:
    """`RENAME CONSTRAINT constraint TO new_name`, always the only action."""

    constraint: Identifier
    new_name: Identifier
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class RenameTable:
    """`RENAME TO new_name`, always the only action."""

    new_name: Identifier
    position: int = field(compare=False)


TableAlteration: TypeAlias = (
    AddColumn
    | DropColumn
    | SetDefault
    | SetNotNull
    | SetType
    | AddConstraint
    | DropConstraint
    | RenameColumn
    | RenameConstraint
    | RenameTable
)


@dataclass(frozen=True, slots=True)
class AlterTable:
    """`ALTER TABLE [IF EXISTS] table alterations`, parted by commas."""

    table: TableName
    if_exists: bool
    alterations: tuple[TableAlteration, ...]
    position: int = field(compare=False)


# --- indexes and views ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IndexColumn:
    """`column [ASC | DESC] [NULLS FIRST | LAST]`; `nulls_first` as of `OrderItem`."""

    column: Identifier
    descending: bool
    nulls_first: bool | None


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """`CREATE [UNIQUE] INDEX [IF NOT EXISTS] [name] ON table (columns)`.

    Attributes:
        name: None when not said, which IF NOT EXISTS does not allow: the planner makes one, as PostgreSQL does.
    """

    name: Identifier | None
    unique: bool
    if_not_exists: bool
    table: TableName
    columns: tuple[IndexColumn, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class DropIndex:
    """`DROP INDEX [IF EXISTS] indexes [CASCADE | RESTRICT]`."""

    indexes: tuple[TableName, ...]
    if_exists: bool
    cascade: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class CreateView:
    """`CREATE [OR REPLACE] VIEW view [(columns)] AS query`. The query has no parameters.

    Attributes:
        text: the query as written; `mynode.sql.parser.parse` reads it again.
    """

    view: TableName
    or_replace: bool
    columns: tuple[Identifier, ...]
    query: Query
    text: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class DropView:
    """`DROP VIEW [IF EXISTS] views [CASCADE | RESTRICT]`."""

    views: tuple[TableName, ...]
    if_exists: bool
    cascade: bool
    position: int = field(compare=False)


SchemaChange: TypeAlias = (
    CreateTable | CreateTableAs | AlterTable | DropTable | Truncate | CreateIndex | DropIndex | CreateView | DropView
)
