"""ALTER TABLE, and what begins alike."""

from __future__ import annotations

from typing import Final

from mynode.sql import ast
from mynode.sql.parser.cursor import Cursor
from mynode.sql.parser.ddl import refuse_later_object
from mynode.sql.parser.expressions import parse_expression
from mynode.sql.parser.names import parse_cascade, parse_column, parse_table, parse_type
from mynode.sql.parser.settings import parse_alter_system
from mynode.sql.parser.tables import (
    CONSTRAINT_STARTS,
    parse_column_definition,
    parse_stored_expression,
    parse_table_constraint,
)

_LATER_ACTIONS: Final = (
    "attach",
    "cluster",
    "detach",
    "disable",
    "enable",
    "force",
    "inherit",
    "no",
    "owner",
    "replica",
    "reset",
    "set",
    "validate",
)
"""First words of what PostgreSQL can do besides."""


def parse_alter(cursor: Cursor) -> ast.AlterTable | ast.AlterSystem:
    """`ALTER TABLE [IF EXISTS] table {RENAME ... | alteration, ...}`, or ALTER SYSTEM."""
    position = cursor.advance().position
    if cursor.symbol in ("INDEX", "VIEW"):
        raise cursor.unsupported(f"ALTER {cursor.symbol} is")
    if cursor.token.value == "system":
        return parse_alter_system(cursor, position)
    refuse_later_object(cursor)
    cursor.expect("TABLE")
    if_exists = cursor.accept_words("IF", "EXISTS")
    if cursor.symbol == "ONLY":
        raise cursor.unsupported("ONLY is")
    table = parse_table(cursor)
    alterations: list[ast.TableAlteration] = []
    if cursor.symbol == "RENAME":
        alterations.append(_parse_rename(cursor))
    else:
        alterations.append(_parse_alteration(cursor, table))
        while cursor.accept(","):
            alterations.append(_parse_alteration(cursor, table))
    return ast.AlterTable(table, if_exists, tuple(alterations), position)


def _parse_rename(cursor: Cursor) -> ast.RenameColumn | ast.RenameConstraint | ast.RenameTable:
    """`RENAME TO name`, `RENAME [COLUMN] column TO name`, or `RENAME CONSTRAINT constraint TO name`."""
    position = cursor.advance().position
    if cursor.accept("TO"):
        name = cursor.name("a table name")
        return ast.RenameTable(ast.Identifier(name.value, name.position), position)
    if cursor.accept("CONSTRAINT"):
        constraint = cursor.name("a constraint name")
        cursor.expect("TO")
        name = cursor.name("a constraint name")
        return ast.RenameConstraint(
            ast.Identifier(constraint.value, constraint.position), ast.Identifier(name.value, name.position), position
        )
    cursor.accept("COLUMN")
    column = parse_column(cursor)
    cursor.expect("TO")
    return ast.RenameColumn(column, parse_column(cursor), position)


def _parse_alteration(cursor: Cursor, table: ast.TableName) -> ast.TableAlteration:
    position = cursor.token.position
    if cursor.accept("ADD"):
        return _parse_add(cursor, table, position)
    if cursor.accept("DROP"):
        return _parse_drop(cursor, position)
    if cursor.accept("ALTER"):
        cursor.accept("COLUMN")
        return _parse_alter_column(cursor, position)
    if cursor.token.value in _LATER_ACTIONS:
        raise cursor.unsupported(f"{cursor.token.value.upper()} in ALTER TABLE is")
    raise cursor.error("RENAME")


def _parse_add(cursor: Cursor, table: ast.TableName, position: int) -> ast.AddColumn | ast.AddConstraint:
    if cursor.symbol in CONSTRAINT_STARTS:
        return ast.AddConstraint(parse_table_constraint(cursor), position)
    cursor.accept("COLUMN")
    if_not_exists = cursor.accept_words("IF", "NOT", "EXISTS")
    constraints: list[ast.TableConstraint] = []
    column = parse_column_definition(cursor, table, constraints)
    return ast.AddColumn(column, tuple(constraints), if_not_exists, position)


def _parse_drop(cursor: Cursor, position: int) -> ast.DropColumn | ast.DropConstraint:
    is_constraint = cursor.accept("CONSTRAINT")
    if not is_constraint:
        cursor.accept("COLUMN")
    if_exists = cursor.accept_words("IF", "EXISTS")
    token = cursor.name("a constraint name" if is_constraint else "a column name")
    name = ast.Identifier(token.value, token.position)
    kind = ast.DropConstraint if is_constraint else ast.DropColumn
    return kind(name, if_exists, parse_cascade(cursor), position)


def _parse_alter_column(cursor: Cursor, position: int) -> ast.SetDefault | ast.SetNotNull | ast.SetType:
    """`column {SET | DROP} {DEFAULT ... | NOT NULL}`, or `column [SET DATA] TYPE type [USING expression]`."""
    column = parse_column(cursor)
    if cursor.token.value == "type":
        return _parse_type_change(cursor, column, position)
    if cursor.token.value == "add":
        raise cursor.unsupported("a change of a column's identity is")
    sets = cursor.accept("SET")
    if not sets:
        cursor.expect("DROP")
    if sets and cursor.token.value == "data":
        cursor.advance()
        return _parse_type_change(cursor, column, position)
    if cursor.token.value in ("identity", "generated"):
        raise cursor.unsupported("a change of a column's identity is")
    if cursor.accept("DEFAULT"):
        return ast.SetDefault(column, parse_stored_expression(cursor) if sets else None, position)
    if not cursor.accept_words("NOT", "NULL"):
        raise cursor.error()
    return ast.SetNotNull(column, sets, position)


def _parse_type_change(cursor: Cursor, column: ast.Identifier, position: int) -> ast.SetType:
    """`TYPE type [USING expression]`."""
    if cursor.token.value != "type":
        raise cursor.error("TYPE")
    cursor.advance()
    type_name = parse_type(cursor)
    if cursor.symbol == "COLLATE":
        raise cursor.unsupported("COLLATE is")
    using = None
    if cursor.accept("USING"):
        with cursor.without_parameters():
            using = parse_expression(cursor)
    return ast.SetType(column, type_name, using, position)
