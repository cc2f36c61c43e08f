"""The first word of a statement decides who parses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mynode.base.sql_errors import FeatureNotSupportedError, SqlError
from mynode.sql import ast
from mynode.sql.parser.alter import parse_alter
from mynode.sql.parser.cursor import Cursor
from mynode.sql.parser.ddl import parse_create, parse_drop, parse_truncate
from mynode.sql.parser.dml import parse_delete, parse_insert, parse_update
from mynode.sql.parser.expressions import parse_expression
from mynode.sql.parser.names import parse_type
from mynode.sql.parser.queries import QUERY_STARTS, parse_query, parse_with
from mynode.sql.parser.settings import parse_reset, parse_set, parse_show
from mynode.sql.tokens import END


def parse_statement(cursor: Cursor) -> ast.Statement:
    """One statement, without the semicolon after it."""
    parse = _STATEMENTS.get(cursor.symbol)
    if parse is None:
        raise _unknown_statement(cursor)
    return parse(cursor)


def _unknown_statement(cursor: Cursor) -> SqlError:
    word = cursor.token.value.upper()
    if word in _LATER:
        return cursor.unsupported(f"{word} is")
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


def _parse_explain(cursor: Cursor) -> ast.Explain | ast.Execute:
    """`EXPLAIN [ANALYZE] statement`, or `EXPLAIN (ANALYZE [yes or no]) statement`."""
    position = cursor.advance().position
    if cursor.symbol == "(" and cursor.following.symbol not in QUERY_STARTS:
        analyze = _parse_explain_options(cursor)
    else:
        analyze = cursor.symbol == "ANALYSE" or cursor.accept("ANALYZE")
        if cursor.symbol == "ANALYSE":
            cursor.advance()
        if cursor.symbol == "VERBOSE":
            raise cursor.unsupported("EXPLAIN VERBOSE is")
    if cursor.symbol == "EXECUTE":
        return replace(_parse_execute(cursor), explained=analyze)
    parse = _EXPLAINABLE.get(cursor.symbol)
    if parse is None:
        raise cursor.error(*(word for word in _SHOWN if word in _EXPLAINABLE), "EXECUTE")
    start = cursor.token.position
    statement = parse(cursor)
    if isinstance(statement, ast.AlterSystem):
        raise FeatureNotSupportedError("EXPLAIN of ALTER SYSTEM is not supported: it has no plan", position=start)
    return ast.Explain(statement, analyze, position)


def _parse_explain_options(cursor: Cursor) -> bool:
    """`(ANALYZE [TRUE | FALSE | ON | OFF | 1 | 0], ...)`: whether to analyze, by the last of them."""
    cursor.advance()
    analyze = False
    while True:
        if cursor.token.value not in ("analyze", "analyse"):
            raise cursor.unsupported(f"the option {cursor.token.text} of EXPLAIN is")
        cursor.advance()
        analyze = cursor.token.value not in _OFF
        if cursor.token.value in _OFF | _ON:
            cursor.advance()
        if not cursor.accept(","):
            cursor.expect(")")
            return analyze


_ON: Final = frozenset({"true", "on", "1"})
_OFF: Final = frozenset({"false", "off", "0"})


def _parse_data_statement(cursor: Cursor) -> ast.DataStatement:
    parse = _DATA_STATEMENTS.get(cursor.symbol)
    if parse is None:
        raise cursor.error(*(word for word in _SHOWN if word in _DATA_STATEMENTS))
    return parse(cursor)


# --- prepared statements --------------------------------------------------------------------------------------------


def _parse_prepare(cursor: Cursor) -> ast.Prepare:
    """`PREPARE name [(type, ...)] AS statement`."""
    position = cursor.advance().position
    name = cursor.name("a name of a statement").value
    types: list[ast.TypeName] = []
    if cursor.accept("("):
        types.append(parse_type(cursor))
        while cursor.accept(","):
            types.append(parse_type(cursor))
        cursor.expect(")")
    cursor.expect("AS")
    start = cursor.token.position
    statement = _parse_data_statement(cursor)
    return ast.Prepare(name, tuple(types), statement, cursor.text_since(start), position)


def _parse_execute(cursor: Cursor) -> ast.Execute:
    """`EXECUTE name [(argument, ...)]`."""
    position = cursor.advance().position
    name = cursor.name("a name of a statement").value
    arguments: list[ast.Expression] = []
    if cursor.accept("("):
        arguments.append(parse_expression(cursor))
        while cursor.accept(","):
            arguments.append(parse_expression(cursor))
        cursor.expect(")")
    return ast.Execute(name, tuple(arguments), position)


def _parse_deallocate(cursor: Cursor) -> ast.Deallocate:
    """`DEALLOCATE [PREPARE] name | ALL`."""
    position = cursor.advance().position
    if cursor.symbol == "PREPARE" and cursor.following.symbol not in (";", END):
        cursor.advance()
    return ast.Deallocate(None if cursor.accept("ALL") else cursor.name("a name of a statement").value, position)


_CHANGES: Final[dict[str, Callable[[Cursor], ast.Insert | ast.Update | ast.Delete]]] = {
    "INSERT": parse_insert,
    "UPDATE": parse_update,
    "DELETE": parse_delete,
}
_DATA_STATEMENTS: Final[dict[str, Callable[[Cursor], ast.DataStatement]]] = {
    "SELECT": parse_query,
    "VALUES": parse_query,
    "WITH": _parse_with,
    "(": parse_query,
    "TABLE": parse_query,
    **_CHANGES,
}
_EXPLAINABLE: Final[dict[str, Callable[[Cursor], ast.DataStatement | ast.SchemaChange | ast.AlterSystem]]] = {
    **_DATA_STATEMENTS,
    "CREATE": parse_create,
    "ALTER": parse_alter,
    "DROP": parse_drop,
    "TRUNCATE": parse_truncate,
}
_STATEMENTS: Final[dict[str, Callable[[Cursor], ast.Statement]]] = {
    **_EXPLAINABLE,
    "PREPARE": _parse_prepare,
    "EXECUTE": _parse_execute,
    "DEALLOCATE": _parse_deallocate,
    "SET": parse_set,
    "RESET": parse_reset,
    "SHOW": parse_show,
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
    "ALTER",
    "DROP",
    "TRUNCATE",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "EXPLAIN",
)
"""What a hint offers: without synonyms and what is not built yet."""
_LATER: Final = (
    "ANALYSE",
    "ANALYZE",
    "CALL",
    "CHECKPOINT",
    "CLOSE",
    "CLUSTER",
    "COMMENT",
    "COPY",
    "DECLARE",
    "DISCARD",
    "DO",
    "FETCH",
    "GRANT",
    "IMPORT",
    "LISTEN",
    "LOAD",
    "LOCK",
    "MERGE",
    "MOVE",
    "NOTIFY",
    "REASSIGN",
    "REFRESH",
    "REINDEX",
    "REVOKE",
    "SECURITY",
    "UNLISTEN",
    "VACUUM",
)
"""First words of PostgreSQL's statements that are not built yet."""
