"""The first word of a statement decides who parses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mynode.base.errors import SqlError
from mynode.sql import ast
from mynode.sql.parser.cursor import Cursor
from mynode.sql.parser.ddl import parse_create, parse_drop
from mynode.sql.parser.dml import parse_delete, parse_insert, parse_update
from mynode.sql.parser.queries import QUERY_STARTS, parse_query, parse_with


def parse_statement(cursor: Cursor) -> ast.Statement:
    """One statement, without the semicolon after it."""
    parse = _STATEMENTS.get(cursor.symbol)
    if parse is None:
        raise _unknown_statement(cursor)
    return parse(cursor)


def _unknown_statement(cursor: Cursor) -> SqlError:
    if cursor.symbol in _LATER:
        return cursor.unsupported(f"{cursor.symbol} is")
    return cursor.error(*_SHOWN)


def _parse_begin(cursor: Cursor) -> ast.Begin:
    token = cursor.advance()
    if token.symbol == "START":
        cursor.expect("TRANSACTION")
    else:
        _skip_transaction_word(cursor)
    return ast.Begin(_parse_modes(cursor), token.position)


def _parse_modes(cursor: Cursor) -> bool:
    """Modes of a transaction, with or without commas between them: is it READ ONLY?

    Every isolation level is taken and gives the strongest, as the standard allows.
    """
    is_read_only = False
    needs_mode = False
    while True:
        if cursor.accept("READ"):
            is_read_only = cursor.accept("ONLY")
            if not is_read_only:
                cursor.expect("WRITE")
        elif cursor.accept_words("ISOLATION", "LEVEL"):
            _skip_isolation_level(cursor)
        elif needs_mode:
            raise cursor.error()
        else:
            return is_read_only
        needs_mode = cursor.accept(",")


def _skip_isolation_level(cursor: Cursor) -> None:
    if cursor.accept("SERIALIZABLE") or cursor.accept_words("REPEATABLE", "READ"):
        return
    cursor.expect("READ")
    if not cursor.accept("COMMITTED"):
        cursor.expect("UNCOMMITTED")


def _parse_commit(cursor: Cursor) -> ast.Commit:
    position = cursor.advance().position
    _skip_transaction_word(cursor)
    return ast.Commit(position)


def _parse_rollback(cursor: Cursor) -> ast.Rollback | ast.RollbackTo:
    position = cursor.advance().position
    _skip_transaction_word(cursor)
    if cursor.accept("TO"):
        return ast.RollbackTo(_parse_savepoint_name(cursor), position)
    return ast.Rollback(position)


def _parse_savepoint(cursor: Cursor) -> ast.Savepoint:
    position = cursor.advance().position
    return ast.Savepoint(cursor.name("a savepoint name").value, position)


def _parse_release(cursor: Cursor) -> ast.Release:
    position = cursor.advance().position
    return ast.Release(_parse_savepoint_name(cursor), position)


def _parse_savepoint_name(cursor: Cursor) -> str:
    cursor.accept("SAVEPOINT")
    return cursor.name("a savepoint name").value


def _skip_transaction_word(cursor: Cursor) -> None:
    if not cursor.accept("WORK"):
        cursor.accept("TRANSACTION")


def _parse_with(cursor: Cursor) -> ast.DataStatement:
    """WITH before a query or a change of rows."""
    position = cursor.token.position
    common_tables = parse_with(cursor)
    parse_change = _CHANGES.get(cursor.symbol)
    if parse_change is None:
        return replace(parse_query(cursor, common_tables=common_tables), position=position)
    return replace(parse_change(cursor), common_tables=common_tables, position=position)


def _parse_explain(cursor: Cursor) -> ast.Explain:
    position = cursor.advance().position
    if cursor.symbol in ("ANALYZE", "ANALYSE", "VERBOSE"):
        raise cursor.unsupported(f"EXPLAIN {cursor.symbol} is")
    if cursor.symbol == "(" and cursor.following.symbol not in QUERY_STARTS:
        raise cursor.unsupported("options of EXPLAIN are")
    parse = _EXPLAINABLE.get(cursor.symbol)
    if parse is None:
        raise cursor.error(*(word for word in _SHOWN if word in _EXPLAINABLE))
    return ast.Explain(parse(cursor), False, position)


_CHANGES: Final[dict[str, Callable[[Cursor], ast.Insert | ast.Update | ast.Delete]]] = {
    "INSERT": parse_insert,
    "UPDATE": parse_update,
    "DELETE": parse_delete,
}
_EXPLAINABLE: Final[dict[str, Callable[[Cursor], ast.DataStatement]]] = {
    "SELECT": parse_query,
    "VALUES": parse_query,
    "WITH": _parse_with,
    "(": parse_query,
    "TABLE": parse_query,
    **_CHANGES,
}
_STATEMENTS: Final[dict[str, Callable[[Cursor], ast.Statement]]] = {
    **_EXPLAINABLE,
    "CREATE": parse_create,
    "DROP": parse_drop,
    "BEGIN": _parse_begin,
    "START": _parse_begin,
    "COMMIT": _parse_commit,
    "END": _parse_commit,
    "ROLLBACK": _parse_rollback,
    "ABORT": _parse_rollback,
    "SAVEPOINT": _parse_savepoint,
    "RELEASE": _parse_release,
    "EXPLAIN": _parse_explain,
}
_SHOWN: Final = (
    "SELECT",
    "VALUES",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE",
    "DROP",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "EXPLAIN",
)
"""What a hint offers: without synonyms and what is not built yet."""
_LATER: Final = (
    *("ALTER", "ANALYZE", "DEALLOCATE", "EXECUTE", "GRANT", "PREPARE"),
    *("RESET", "SET", "SHOW", "TRUNCATE"),
)
"""Statements of PostgreSQL that are not built yet."""
