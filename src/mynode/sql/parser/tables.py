"""CREATE TABLE: columns and constraints, which ALTER TABLE adds, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mynode.base.sql_errors import SqlSyntaxError
from mynode.sql import ast
from mynode.sql.parser.cursor import Cursor
from mynode.sql.parser.expressions import parse_expression
from mynode.sql.parser.names import parse_columns, parse_names, parse_table, parse_type

CONSTRAINT_STARTS: Final = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})
"""The words that begin a constraint of a table; all are reserved."""

_LATER_OPTIONS: Final = {
    "INHERITS": "inheritance of tables is",
    "ON": "ON COMMIT is",
    "PARTITION": "partitions are",
    "TABLESPACE": "tablespaces are",
    "USING": "access methods are",
    "WITH": "storage parameters are",
    "WITHOUT": "storage parameters are",
}
"""What may follow the columns in PostgreSQL."""


def parse_create_table(cursor: Cursor, position: int) -> ast.CreateTable | ast.CreateTableAs:
    """`[IF NOT EXISTS] table (element, ...)`, or `... table [(columns)] AS query`, after CREATE TABLE."""
    if_not_exists = cursor.accept_words("IF", "NOT", "EXISTS")
    table = parse_table(cursor)
    if cursor.symbol == "AS":
        return _parse_filled_table(cursor, table, if_not_exists, (), position)
    columns: list[ast.ColumnDefinition] = []
    constraints: list[ast.TableConstraint] = []
    cursor.expect("(")
    if cursor.at_name() and cursor.following.symbol in (",", ")"):
        names = parse_names(cursor)
        if cursor.symbol != "AS":
            raise cursor.error("AS", hint="columns need types, except before AS and a query")
        return _parse_filled_table(cursor, table, if_not_exists, names, position)
    if cursor.symbol != ")":
        _parse_element(cursor, table, columns, constraints)
        while cursor.accept(","):
            _parse_element(cursor, table, columns, constraints)
    cursor.expect(")")
    unsupported = _LATER_OPTIONS.get(cursor.token.value.upper())
    if unsupported is not None:
        raise cursor.unsupported(unsupported)
    return ast.CreateTable(table, if_not_exists, tuple(columns), tuple(constraints), position)


def _parse_filled_table(
    cursor: Cursor, table: ast.TableName, if_not_exists: bool, columns: tuple[ast.Identifier, ...], position: int
) -> ast.CreateTableAs:
    """`AS query [WITH [NO] DATA]`."""
    cursor.expect("AS")
    query = cursor.query_parser(cursor)
    with_data = True
    if cursor.accept("WITH"):
        with_data = not cursor.accept("NO")
        if cursor.token.value != "data":
            raise cursor.error("DATA")
        cursor.advance()
    return ast.CreateTableAs(table, if_not_exists, columns, query, with_data, position)


def _parse_element(
    cursor: Cursor,
    table: ast.TableName,
    columns: list[ast.ColumnDefinition],
    constraints: list[ast.TableConstraint],
) -> None:
    """One column or one constraint of the table, added to its list."""
    if cursor.symbol == "LIKE":
        raise cursor.unsupported("LIKE in CREATE TABLE is")
    if cursor.symbol in CONSTRAINT_STARTS:
        constraints.append(parse_table_constraint(cursor))
    else:
        columns.append(parse_column_definition(cursor, table, constraints))


def parse_stored_expression(cursor: Cursor) -> ast.StoredExpression:
    position = cursor.token.position
    with cursor.without_parameters():
        expression = parse_expression(cursor)
    return ast.StoredExpression(expression, cursor.text_since(position))


# --- constraints of a table -----------------------------------------------------------------------------------------


def parse_table_constraint(cursor: Cursor) -> ast.TableConstraint:
    """`[CONSTRAINT name] PRIMARY KEY (...) | UNIQUE (...) | CHECK (...) | FOREIGN KEY (...) REFERENCES ...`."""
    name = _parse_constraint_name(cursor)
    position = cursor.token.position
    constraint: ast.TableConstraint
    if cursor.accept_words("PRIMARY", "KEY"):
        constraint = ast.PrimaryKey(name, parse_columns(cursor), position)
    elif cursor.accept("UNIQUE"):
        _refuse_nulls(cursor)
        constraint = ast.Unique(name, parse_columns(cursor), position)
    elif cursor.accept("CHECK"):
        constraint = ast.Check(name, _parse_condition(cursor), None, position)
    elif cursor.accept_words("FOREIGN", "KEY"):
        columns = parse_columns(cursor)
        cursor.expect("REFERENCES")
        constraint = _parse_reference(cursor, name, columns, position)
    else:
        raise cursor.error()
    _refuse_modes(cursor)
    return constraint


def _parse_constraint_name(cursor: Cursor) -> str | None:
    return cursor.name("a constraint name").value if cursor.accept("CONSTRAINT") else None


def _parse_condition(cursor: Cursor) -> ast.StoredExpression:
    cursor.expect("(")
    condition = parse_stored_expression(cursor)
    cursor.expect(")")
    return condition


def _parse_reference(
    cursor: Cursor, name: str | None, columns: tuple[ast.Identifier, ...], position: int
) -> ast.ForeignKey:
    """`table [(columns)] [MATCH FULL | SIMPLE] [ON DELETE action] [ON UPDATE action]` after REFERENCES."""
    table = parse_table(cursor)
    referenced = parse_columns(cursor) if cursor.symbol == "(" else ()
    match_full = cursor.accept("MATCH") and _parse_match(cursor)
    actions: dict[str, ast.ReferentialAction] = {}
    while cursor.accept("ON"):
        event = cursor.symbol
        if event in actions or event not in ("DELETE", "UPDATE"):
            raise cursor.error(*(word for word in ("DELETE", "UPDATE") if word not in actions))
        cursor.advance()
        actions[event] = _parse_action(cursor)
    on_delete, on_update = (actions.get(event, ast.ReferentialAction.NO_ACTION) for event in ("DELETE", "UPDATE"))
    return ast.ForeignKey(name, columns, table, referenced, on_delete, on_update, match_full, position)


def _parse_match(cursor: Cursor) -> bool:
    """`FULL | SIMPLE`: whether it is FULL."""
    if cursor.token.value == "partial":
        raise cursor.unsupported("MATCH PARTIAL is")
    if cursor.accept("FULL"):
        return True
    if cursor.token.value != "simple":
        raise cursor.error("SIMPLE")
    cursor.advance()
    return False


def _parse_action(cursor: Cursor) -> ast.ReferentialAction:
    if cursor.accept_words("NO", "ACTION"):
        return ast.ReferentialAction.NO_ACTION
    if cursor.accept("RESTRICT"):
        return ast.ReferentialAction.RESTRICT
    if cursor.accept("CASCADE"):
        return ast.ReferentialAction.CASCADE
    cursor.expect("SET")
    action = ast.ReferentialAction.SET_NULL if cursor.accept("NULL") else ast.ReferentialAction.SET_DEFAULT
    if action is ast.ReferentialAction.SET_DEFAULT:
        cursor.expect("DEFAULT")
    if cursor.symbol == "(":
        raise cursor.unsupported(f"{action.value} of some of the columns is")
    return action


def _refuse_modes(cursor: Cursor) -> None:
    """What may follow a constraint in PostgreSQL."""
    if cursor.symbol in ("DEFERRABLE", "INITIALLY") or (
        cursor.symbol == "NOT" and cursor.following.symbol == "DEFERRABLE"
    ):
        raise cursor.unsupported("DEFERRABLE is")
    if cursor.symbol == "NOT" and cursor.following.value == "valid":
        raise cursor.unsupported("NOT VALID is")


def _refuse_nulls(cursor: Cursor) -> None:
    if cursor.symbol == "NULLS":
        raise cursor.unsupported("NULLS [NOT] DISTINCT is")


# --- columns --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Column:
    """What has been said of a column so far, and how an error names it."""

    name: ast.Identifier
    shown: str
    not_null: bool = False
    nullable: bool = False
    default: ast.StoredExpression | None = None
    identity: ast.Identity | None = None


def parse_column_definition(
    cursor: Cursor, table: ast.TableName, constraints: list[ast.TableConstraint]
) -> ast.ColumnDefinition:
    """`name type [constraint ...]`; those that are constraints of the table, too, are added to `constraints`."""
    name = cursor.name("a column name")
    column = _Column(ast.Identifier(name.value, name.position), f'for column "{name.value}" of table "{table.name}"')
    type_name = parse_type(cursor)
    first = len(constraints)
    while _parse_column_constraint(cursor, column, constraints):
        is_key = any(isinstance(constraint, ast.PrimaryKey) for constraint in constraints[first:])
        if column.nullable and (column.not_null or is_key or column.identity):
            raise _conflict("conflicting NULL/NOT NULL declarations", column)
    return ast.ColumnDefinition(name.value, type_name, column.not_null, column.default, column.identity, name.position)


def _parse_column_constraint(cursor: Cursor, column: _Column, constraints: list[ast.TableConstraint]) -> bool:
    """One of a column's constraints, or its default or identity; False if there is none."""
    name = _parse_constraint_name(cursor)
    position = cursor.token.position
    _refuse_modes(cursor)
    if cursor.symbol == "COLLATE":
        raise cursor.unsupported("COLLATE is")
    if cursor.accept_words("NOT", "NULL"):
        column.not_null = True
    elif cursor.accept("NULL"):
        column.nullable = True
    elif cursor.accept_words("PRIMARY", "KEY"):
        constraints.append(ast.PrimaryKey(name, (column.name,), position))
    elif cursor.accept("UNIQUE"):
        _refuse_nulls(cursor)
        constraints.append(ast.Unique(name, (column.name,), position))
    elif cursor.accept("CHECK"):
        constraints.append(ast.Check(name, _parse_condition(cursor), column.name.name, position))
    elif cursor.accept("REFERENCES"):
        constraints.append(_parse_reference(cursor, name, (column.name,), position))
    elif cursor.accept("DEFAULT"):
        if column.default is not None:
            raise _conflict("multiple default values specified", column)
        column.default = parse_stored_expression(cursor)
    elif cursor.accept("GENERATED"):
        if column.identity is not None:
            raise _conflict("multiple identity specifications", column)
        column.identity = _parse_identity(cursor)
    elif name is not None:
        raise cursor.error()
    else:
        return False
    if column.default is not None and column.identity is not None:
        raise _conflict("both default and identity specified", column)
    return True


def _parse_identity(cursor: Cursor) -> ast.Identity:
    """`ALWAYS | BY DEFAULT AS IDENTITY` after GENERATED."""
    identity = ast.Identity.ALWAYS
    if not cursor.accept("ALWAYS"):
        cursor.expect("BY")
        cursor.expect("DEFAULT")
        identity = ast.Identity.BY_DEFAULT
    cursor.expect("AS")
    if cursor.symbol == "(":
        raise cursor.unsupported("generated columns are")
    cursor.expect("IDENTITY")
    if cursor.symbol == "(":
        raise cursor.unsupported("options of IDENTITY are")
    return identity


def _conflict(what: str, column: _Column) -> SqlSyntaxError:
    return SqlSyntaxError(f"{what} {column.shown}", position=column.name.position)
