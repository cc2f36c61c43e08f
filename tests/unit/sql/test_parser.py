"""What the golden scripts of the parser do not show: positions, equality, bounds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mynode.base.limits import MAX_NESTING, MAX_PARAMETERS, MAX_STATEMENT_BYTES
from mynode.base.sql_errors import ProgramLimitExceededError, SqlSyntaxError, StatementTooComplexError
from mynode.sql import ast
from mynode.sql.caret import caret
from mynode.sql.keywords import KEYWORDS, SYMBOLS
from mynode.sql.parser import parse, parse_stored_expression


def expression(text: str) -> ast.Expression:
    statement = parse(f"SELECT {text}")
    assert isinstance(statement, ast.Query)
    assert isinstance(statement.body, ast.Select)
    (item,) = statement.body.items
    assert isinstance(item, ast.SelectExpression)
    return item.expression


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("a", 0),
        ("a.b", 0),
        ("-a", 0),
        ("- 1", 0),
        ("a + b", 2),
        ("a OR b OR c", 2),
        ("a NOT IN (1)", 2),
        ("a IS NULL", 2),
        ("a::text", 1),
        ("f(a)", 0),
        ("CASE WHEN a THEN b END", 0),
        ("$1", 0),
    ],
)
def test_an_expression_points_at_its_operator_or_its_first_token(text: str, offset: int) -> None:
    assert expression(text).position == len("SELECT ") + offset + 1


def test_positions_do_not_count_in_comparisons() -> None:
    assert expression("a + 1") == expression("  A  +1")
    assert hash(expression("a + 1")) == hash(expression("  A  +1"))
    assert expression("TRUE") != expression("1")
    assert expression("'1'") != expression("1")
    assert expression("1.0") != expression("1")


NESTINGS: list[Callable[[int], str]] = [
    lambda depth: "(" * depth + "1" + ")" * depth,
    lambda depth: "f(" * depth + "1" + ")" * depth,
    lambda depth: "NOT " * depth + "a",
    lambda depth: "- " * depth + "a",
    lambda depth: "CASE WHEN a THEN " * depth + "1" + " END" * depth,
    lambda depth: "CAST(" * depth + "1" + " AS integer)" * depth,
    lambda depth: "a IN (" * depth + "1" + ")" * depth,
    lambda depth: "1" + " + 1" * depth,
    lambda depth: "1" + "::integer" * depth,
    lambda depth: "a" + " IS NULL" * depth,
    lambda depth: "1" + " ^ (1" * depth + ")" * depth,
]


@pytest.mark.parametrize("nest", NESTINGS)
def test_nesting_is_bounded(nest: Callable[[int], str]) -> None:
    expression(nest(MAX_NESTING // 2 - 3))
    for depth in (MAX_NESTING, 10_000):
        with pytest.raises(StatementTooComplexError) as caught:
            expression(nest(depth))
        assert caught.value.position is not None


QUERY_NESTINGS: list[Callable[[int], str]] = [
    lambda depth: "SELECT " + "(SELECT " * depth + "1" + ")" * depth,
    lambda depth: "SELECT " + "a IN (SELECT " * depth + "1" + ")" * depth,
    lambda depth: "SELECT " + "EXISTS (SELECT " * depth + "1" + ")" * depth,
    lambda depth: "SELECT " + "a < ALL (SELECT " * depth + "1" + ")" * depth,
    lambda depth: "SELECT * FROM " + "(SELECT * FROM " * depth + "t" + ") AS x" * depth,
    lambda depth: "SELECT * FROM t " + "JOIN (SELECT 1 FROM t " * depth + ") AS x ON a" * depth,
    lambda depth: "WITH x AS (" * depth + "SELECT 1" + ") SELECT 1" * depth,
    lambda depth: "SELECT " + "(" * depth + "(SELECT 1)" + " UNION SELECT 1)" * depth,
    lambda depth: "SELECT * FROM " + "(" * depth + "(SELECT 1)" + " UNION SELECT 1 LIMIT 1)" * depth,
    lambda depth: "SELECT 1" + " UNION (SELECT 1" * depth + ")" * depth,
    lambda depth: "SELECT * FROM " + "(" * depth + "a CROSS JOIN b" + ")" * depth,
    lambda depth: "SELECT * FROM a" + " JOIN b" * depth + " ON c" * depth,
    lambda depth: "SELECT * FROM a" + " CROSS JOIN b" * depth,
    lambda depth: "VALUES (1)" + " UNION ALL VALUES (1)" * depth,
]


@pytest.mark.parametrize("nest", QUERY_NESTINGS)
def test_nesting_of_queries_is_bounded(nest: Callable[[int], str]) -> None:
    parse(nest(25))
    for depth in (MAX_NESTING, 10_000):
        with pytest.raises(StatementTooComplexError) as caught:
            parse(nest(depth))
        assert caught.value.position is not None


def test_the_text_of_a_stored_expression_is_read_again() -> None:
    statement = parse("CREATE TABLE t (a integer DEFAULT -1 + 2 CHECK (a > 0 AND (a < 9 OR a IS NULL)))")
    assert isinstance(statement, ast.CreateTable)
    (column,), (check,) = statement.columns, statement.constraints
    assert isinstance(check, ast.Check)
    assert column.default is not None
    for stored, text in ((column.default, "-1 + 2"), (check.condition, "a > 0 AND (a < 9 OR a IS NULL)")):
        assert stored.text == text
        assert parse_stored_expression(stored.text) == stored.expression
    with pytest.raises(SqlSyntaxError):
        parse_stored_expression("1 2")


@pytest.mark.parametrize("before", ["CREATE VIEW v AS ", "PREPARE p AS "])
def test_the_text_of_a_query_is_read_again(before: str) -> None:
    statement = parse(f"{before} (SELECT 1 /* one */) UNION TABLE t  ;")
    assert isinstance(statement, ast.CreateView | ast.Prepare)
    assert statement.text == "(SELECT 1 /* one */) UNION TABLE t"
    assert parse(statement.text) == (statement.query if isinstance(statement, ast.CreateView) else statement.statement)


def test_a_list_of_tables_is_flat() -> None:
    statement = parse("SELECT * FROM t" + ", t" * 9_999)
    assert isinstance(statement, ast.Query)
    assert isinstance(statement.body, ast.Select)
    assert len(statement.body.sources) == 10_000


def test_both_ways_of_nesting_count_together() -> None:
    half = MAX_NESTING // 2 + 1
    with pytest.raises(StatementTooComplexError):
        expression("(" * half + "1" + " + 1" * half + ")" * half)
    with pytest.raises(StatementTooComplexError):
        expression("(" * half + "1" + ")" * half + " + 1" * half)
    with pytest.raises(StatementTooComplexError):
        expression("((1" + " + 1" * half + ")" + " + 1" * half + ")")


def test_nesting_side_by_side_does_not_add_up() -> None:
    high = "1" + " + 1" * (MAX_NESTING - 20)
    found = expression(f"f({high}, ({high}), {high})")
    assert isinstance(found, ast.FunctionCall)
    assert len(found.arguments) == 3


def test_long_chains_of_and_and_or_are_flat() -> None:
    found = expression(" OR ".join(["a AND b AND c"] * 10_000))
    assert isinstance(found, ast.Logical)
    assert len(found.operands) == 10_000


def test_a_caller_deep_in_the_stack_gets_a_typed_error() -> None:
    def from_depth(frames: int) -> ast.Statement:
        return from_depth(frames - 1) if frames else parse("SELECT " + "(" * 150 + "1" + ")" * 150)

    with pytest.raises(StatementTooComplexError):
        from_depth(750)


def test_the_size_of_a_statement_is_bounded_in_bytes() -> None:
    parse("SELECT '" + "a" * (MAX_STATEMENT_BYTES - 9) + "'")
    with pytest.raises(ProgramLimitExceededError):
        parse("SELECT '" + "a" * (MAX_STATEMENT_BYTES - 8) + "'")
    with pytest.raises(ProgramLimitExceededError):
        parse("SELECT '" + "é" * (MAX_STATEMENT_BYTES // 2) + "'")


def test_the_number_of_parameters_is_bounded() -> None:
    parse(f"SELECT ${MAX_PARAMETERS}")
    with pytest.raises(ProgramLimitExceededError):
        parse(f"SELECT ${MAX_PARAMETERS + 1}")
    with pytest.raises(ProgramLimitExceededError):
        parse("SELECT a IN (" + "?," * MAX_PARAMETERS + "?)")


def test_numbers_of_any_length_are_read() -> None:
    assert expression("0" * 10_000 + "7") == ast.IntegerLiteral(7, 1)
    assert expression("-" + "9" * 10_000) == ast.DecimalLiteral("-" + "9" * 10_000, 1)


def test_a_parameter_list_of_one_style() -> None:
    with pytest.raises(SqlSyntaxError, match="cannot mix"):
        parse("SELECT $1 WHERE ? = 1")


def test_an_insert_of_many_rows() -> None:
    statement = parse("INSERT INTO t VALUES " + ", ".join(f"({number}, 'x')" for number in range(10_000)))
    assert isinstance(statement, ast.Insert)
    assert isinstance(statement.source, ast.Values)
    assert len(statement.source.rows) == 10_000


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("SELECT x", 8, "LINE 1: SELECT x\n               ^"),
        ("SELECT\n  x\nFROM", 10, "LINE 2:   x\n          ^"),
        ("SELECT\r\n\tx", 10, "LINE 2:  x\n         ^"),
        ("SELECT", 7, "LINE 1: SELECT\n              ^"),
        ("SELECT\n", 8, "LINE 2: \n        ^"),
        ("", 1, "LINE 1: \n        ^"),
        ("a", 99, "LINE 1: a\n         ^"),
    ],
)
def test_caret(text: str, position: int, expected: str) -> None:
    assert caret(text, position) == expected


def test_a_long_line_is_cut_around_the_caret() -> None:
    text = "x" * 100 + "@" + "y" * 100
    line, mark = caret(text, 101).split("\n")
    assert line == "LINE 1: ..." + "x" * 40 + "@" + "y" * 39 + "..."
    assert line[mark.index("^")] == "@"


def test_every_word_offered_for_completion_means_something() -> None:
    types = {"BOOLEAN", "DATE", "FLOAT", "INTEGER", "NUMERIC", "TEXT", "TIMESTAMP"}
    plain_names = types | {"COALESCE", "GREATEST", "LEAST", "NULLIF"}
    assert set(KEYWORDS) <= set(SYMBOLS.values()) | plain_names
