"""Statements about statements: transactions, EXPLAIN, prepared ones, settings. And the union of all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from mynode.sql.ast.changes import Delete, Insert, Update
from mynode.sql.ast.expressions import Expression, TableName, TypeName
from mynode.sql.ast.queries import Query
from mynode.sql.ast.schema import SchemaChange

# --- transactions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begin:
    """`BEGIN [modes]` or `START TRANSACTION [modes]`. Of the modes, only READ ONLY makes a difference."""

    is_read_only: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Commit:
    """`COMMIT` or `END`."""

    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Rollback:
    """`ROLLBACK` or `ABORT`."""

    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Savepoint:
    """`SAVEPOINT name`."""

    name: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class RollbackTo:
    """`ROLLBACK TO [SAVEPOINT] name`."""

    name: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Release:
    """`RELEASE [SAVEPOINT] name`."""

    name: str
    position: int = field(compare=False)


TransactionControl: TypeAlias = Begin | Commit | Rollback | Savepoint | RollbackTo | Release

# --- statements with a plan -----------------------------------------------------------------------------------------

DataStatement: TypeAlias = Query | Insert | Update | Delete


@dataclass(frozen=True, slots=True)
class Explain:
    """`EXPLAIN [ANALYZE] statement`, of a statement that has a plan; with ANALYZE it runs, too.

    That of EXECUTE is an `Execute`.
    """

    statement: DataStatement | SchemaChange
    analyze: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Prepare:
    """`PREPARE name [(types)] AS statement`.

    Attributes:
        types: of the first parameters; those of the others are inferred.
        text: the statement as written.
    """

    name: str
    types: tuple[TypeName, ...]
    statement: DataStatement
    text: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Execute:
    """`[EXPLAIN [ANALYZE]] EXECUTE name [(arguments)]`.

    Attributes:
        explained: whether with ANALYZE; None: it is not explained, but runs.
    """

    name: str
    arguments: tuple[Expression, ...]
    position: int = field(compare=False)
    explained: bool | None = None


@dataclass(frozen=True, slots=True)
class Deallocate:
    """`DEALLOCATE [PREPARE] name | ALL`; ALL is None."""

    name: str | None
    position: int = field(compare=False)


# --- settings -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SetVariable:
    """`SET [SESSION | LOCAL] name {TO | =} values`, or `RESET name | ALL`.

    Attributes:
        name: in lower case; with its point, if it has one. None for ALL.
        values: as texts, whatever way they are written. None for DEFAULT and RESET.
        local: for the rest of the transaction only.
    """

    name: str | None
    values: tuple[str, ...] | None
    local: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class AlterSystem:
    """`ALTER SYSTEM SET name {TO | =} values`, or `ALTER SYSTEM RESET name`. As `SetVariable`, of the whole cluster."""

    name: str
    values: tuple[str, ...] | None
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Show:
    """`SHOW name | ALL`; ALL is None."""

    name: str | None
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class ShowTables:
    """`SHOW TABLES`."""

    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class ShowColumns:
    """`SHOW COLUMNS FROM table`."""

    table: TableName
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class ShowIndexes:
    """`SHOW INDEXES FROM table`."""

    table: TableName
    position: int = field(compare=False)


SessionControl: TypeAlias = Prepare | Execute | Deallocate | SetVariable | Show | AlterSystem
"""What is about the session, and runs without a plan of its own."""

Statement: TypeAlias = (
    DataStatement
    | SchemaChange
    | TransactionControl
    | Explain
    | SessionControl
    | ShowTables
    | ShowColumns
    | ShowIndexes
)
