"""CREATE TABLE and DROP TABLE."""

from __future__ import annotations

from typing import Final

from mynode.base.errors import SqlSyntaxError
from mynode.sql import ast
from mynode.sql.parser.cursor import Cursor
from mynode.sql.parser.names import parse_columns, parse_table, parse_type

_LATER_CREATES: Final = {
    "INDEX": "CREATE INDEX is",
    "UNIQUE": "CREATE INDEX is",
    "OR": "CREATE OR REPLACE is",
    "VIEW": "CREATE VIEW is",
    "TEMP": "temporary tables are",
    "TEMPORARY": "temporary tables are",
    "UNLOGGED": "unlogged tables are",
}
_LATER_DROPS: Final = {"INDEX": "DROP INDEX is", "VIEW": "DROP VIEW is"}
_LATER_CONSTRAINTS: Final = {
    "CHECK": "CHECK is",
    "COLLATE": "COLLATE is",
    "DEFAULT": "DEFAULT is",
    "FOREIGN": "FOREIGN KEY is",
    "GENERATED": "GENERATED is",
    "REFERENCES": "REFERENCES is",
    "UNIQUE": "UNIQUE is",
}


def parse_create(cursor: Cursor) -> ast.CreateTable:
    position = cursor.advance().position
    if cursor.symbol in _LATER_CREATES:
        raise cursor.unsupported(_LATER_CREATES[cursor.symbol])
    cursor.expect("TABLE")
    return _parse_create_table(cursor, position)


def _parse_create_table(cursor: Cursor, position: int) -> ast.CreateTable:
    if_not_exists = cursor.accept_words("IF", "NOT", "EXISTS")
    table = parse_table(cursor)
    if cursor.symbol == "AS":
        raise cursor.unsupported("CREATE TABLE ... AS is")
    columns: list[ast.ColumnDefinition] = []
    constraints: list[ast.TableConstraint] = []
    cursor.expect("(")
    if cursor.symbol != ")":
        _parse_element(cursor, table, columns, constraints)
        while cursor.accept(","):
            _parse_element(cursor, table, columns, constraints)
    cursor.expect(")")
    if cursor.symbol == "WITH":
        raise cursor.unsupported("storage parameters are")
    return ast.CreateTable(table, if_not_exists, tuple(columns), tuple(constraints), position)


def _parse_element(
    cursor: Cursor,
    table: ast.TableName,
    columns: list[ast.ColumnDefinition],
    constraints: list[ast.TableConstraint],
) -> None:
    """One column or one constraint of the table, added to its list."""
    if cursor.symbol == "LIKE":
        raise cursor.unsupported("LIKE in CREATE TABLE is")
    if cursor.symbol in ("CONSTRAINT", "PRIMARY") or cursor.symbol in _LATER_CONSTRAINTS:
        name = _parse_constraint_name(cursor)
        position = cursor.token.position
        _refuse_later_constraint(cursor)
        if not cursor.accept_words("PRIMARY", "KEY"):
            raise cursor.error()
        constraints.append(ast.PrimaryKey(name, parse_columns(cursor), position))
    else:
        _parse_column(cursor, table, columns, constraints)


def _parse_column(
    cursor: Cursor,
    table: ast.TableName,
    columns: list[ast.ColumnDefinition],
    constraints: list[ast.TableConstraint],
) -> None:
    column = cursor.name("a column name")
    type_name = parse_type(cursor)
    not_null = nullable = is_key = False
    while True:
        name = _parse_constraint_name(cursor)
        position = cursor.token.position
        _refuse_later_constraint(cursor)
        if cursor.accept_words("NOT", "NULL"):
            not_null = True
        elif cursor.accept("NULL"):
            nullable = True
        elif cursor.accept_words("PRIMARY", "KEY"):
            is_key = True
            constraints.append(ast.PrimaryKey(name, (ast.Identifier(column.value, column.position),), position))
        elif name is None:
            break
        else:
            raise cursor.error()
        if nullable and (not_null or is_key):
            raise SqlSyntaxError(
                f'conflicting NULL/NOT NULL declarations for column "{column.value}" of table "{table.name}"',
                position=position,
            )
    columns.append(ast.ColumnDefinition(column.value, type_name, not_null, None, None, column.position))


def _parse_constraint_name(cursor: Cursor) -> str | None:
    return cursor.name("a constraint name").value if cursor.accept("CONSTRAINT") else None


def _refuse_later_constraint(cursor: Cursor) -> None:
    if cursor.symbol in _LATER_CONSTRAINTS:
        raise cursor.unsupported(_LATER_CONSTRAINTS[cursor.symbol])


def parse_drop(cursor: Cursor) -> ast.DropTable:
    """`DROP TABLE [IF EXISTS] tables [CASCADE | RESTRICT]`."""
    position = cursor.advance().position
    if cursor.symbol in _LATER_DROPS:
        raise cursor.unsupported(_LATER_DROPS[cursor.symbol])
    cursor.expect("TABLE")
    if_exists = cursor.accept_words("IF", "EXISTS")
    tables = [parse_table(cursor)]
    while cursor.accept(","):
        tables.append(parse_table(cursor))
    cascade = cursor.accept("CASCADE")
    if not cascade:
        cursor.accept("RESTRICT")
    return ast.DropTable(tuple(tables), if_exists, cascade, position)
