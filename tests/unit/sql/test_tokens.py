"""The tokens of a text: what sqlparse gets wrong is right here, and what is no token is an error with a position."""

from __future__ import annotations

import pytest

from mynode.base.sql_errors import FeatureNotSupportedError, NameTooLongError, SqlError, SqlSyntaxError
from mynode.sql.tokens import UnterminatedError, is_complete, split_statements, tokenize


def symbols(text: str) -> list[str]:
    return [token.symbol for token in tokenize(text)][:-1]


def values(text: str) -> list[str]:
    return [token.value for token in tokenize(text)][:-1]


def error(text: str) -> SqlError:
    with pytest.raises(SqlError) as caught:
        list(tokenize(text))
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a-1", ["identifier", "-", "integer"]),
        ("1-1", ["integer", "-", "integer"]),
        ("NOT NULL", ["NOT", "NULL"]),
        ("ORDER  BY", ["ORDER", "BY"]),
        ("left outer join", ["LEFT", "OUTER", "JOIN"]),
        ("IF NOT EXISTS", ["IF", "NOT", "EXISTS"]),
        ("double precision", ["identifier", "PRECISION"]),
        ("type user name count", ["identifier"] * 4),
        ("asc nulls first", ["ASC", "NULLS", "FIRST"]),
        ("not like", ["NOT", "LIKE"]),
        ("a.b .c", ["identifier", ".", "identifier", ".", "identifier"]),
        ("values(1)", ["VALUES", "(", "integer", ")"]),
        ("a%s", ["identifier", "%", "identifier"]),
        ("a::b", ["identifier", "::", "identifier"]),
        ("a<=b>=c<>d!=e||f", ["identifier", "<=", "identifier", ">=", "identifier", "<>", "identifier", "<>"]),
    ],
)
def test_what_sqlparse_would_fuse_or_rename(text: str, expected: list[str]) -> None:
    assert symbols(text)[: len(expected)] == expected


def test_a_backslash_in_a_plain_string_is_a_character() -> None:
    assert values(r"'a\', 'b'") == ["a\\", ",", "b"]


def test_positions_count_characters_from_one() -> None:
    tokens = list(tokenize("sélect  'ü''' -- c\n, \"x\""))
    assert [(token.text, token.position) for token in tokens] == [
        ("sélect", 1),
        ("'ü'''", 9),
        (",", 20),
        ('"x"', 22),
        ("", 25),
    ]


def test_only_ascii_letters_are_folded() -> None:
    assert values("ABC ÄBC ſelect") == ["abc", "Äbc", "ſelect"]
    assert symbols("ſelect ıs") == ["identifier", "identifier"]


def test_the_tokens_come_as_they_are_taken() -> None:
    tokens = tokenize("SELECT 'open")
    assert next(tokens).symbol == "SELECT"
    with pytest.raises(UnterminatedError):
        next(tokens)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("a 'b", 3),
        ("a E'b\\'", 3),
        ("a x'00", 3),
        ('a "b', 3),
        ("a $$b$", 3),
        ("a $t$ $T$", 3),
        ("a /* b /* c */", 3),
        ("'/*' /*", 6),
        ("$$ /* $$ /* ' */ '", 18),
    ],
)
def test_what_more_text_may_complete(text: str, position: int) -> None:
    found = error(text)
    assert isinstance(found, UnterminatedError)
    assert found.position == position


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("a !", 3, 'syntax error at or near "!"'),
        ("`a`", 1, 'syntax error at or near "`"'),
        ("a\0b", 2, "a statement cannot contain the character U+0000"),
        ("a '\0'", 4, "a statement cannot contain the character U+0000"),
        ("é '\ud800'", 4, "a lone surrogate is not a character"),
        ("a \u00a0b", 3, "unexpected character U+00A0 (NO-BREAK SPACE)"),
        ("\x07", 1, "unexpected character U+0007 (a control character)"),
        ("\ufeffa", 1, "unexpected character U+FEFF (ZERO WIDTH NO-BREAK SPACE)"),
        ("1٣", 1, 'trailing junk after numeric literal at or near "1٣"'),
        ("$1٣", 1, 'trailing junk after parameter at or near "$1٣"'),
        ("1.5x", 1, 'trailing junk after numeric literal at or near "1.5x"'),
    ],
)
def test_what_is_no_token(text: str, position: int, message: str) -> None:
    found = error(text)
    assert type(found) is SqlSyntaxError
    assert (found.message, found.position) == (message, position)


def test_errors_of_other_classes() -> None:
    assert isinstance(error("B'1'"), FeatureNotSupportedError)
    assert isinstance(error("é" * 32), NameTooLongError)
    assert isinstance(error('"' + "é" * 32 + '"'), NameTooLongError)


def test_comments_are_blank_wherever_they_stand() -> None:
    assert values("a/**/b --\n c/* ' */'/* d */' -- /*\n e/*/**/*/f") == ["a", "b", "c", "/* d */", "e", "f"]
    assert values("\"/*\" E'\\'/*' $$/*$$ 1*/**/2") == ["/*", "'/*", "/*", "1", "*", "2"]


def test_numbers() -> None:
    assert values("1_000 0x1F 1e5 1.5E-3 .5 5. 0b11-1") == ["1000", "31", "1e5", "1.5E-3", ".5", "5.", "3", "-", "1"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        (" ; ;; -- nothing\n", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;", ["SELECT 1"]),
        ("-- first\nSELECT ';' ; /* ; */ SELECT 2 -- last;\n", ["SELECT ';'", "SELECT 2"]),
        ('SELECT ";" , $$;$$;SELECT ?', ['SELECT ";" , $$;$$', "SELECT ?"]),
        ("SELECT 1; SELECT 'open; SELECT 2", ["SELECT 1", "SELECT 'open; SELECT 2"]),
        ("SELECT 1; /* open; SELECT 2", ["/* open; SELECT 2"]),
        ("SELECT 1; !; SELECT 2;", ["SELECT 1", "!; SELECT 2;"]),
    ],
)
def test_split_statements(script: str, expected: list[str]) -> None:
    assert split_statements(script) == expected


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("", True),
        ("-- only a comment", True),
        ("SELECT 1", False),
        ("SELECT 1;", True),
        ("SELECT 1; -- done", True),
        ("SELECT ';", False),
        ("SELECT ';';", True),
        ("SELECT 1 /* ;", False),
        ("SELECT $$;", False),
        ("SELECT 1; SELECT", False),
        ("SELECT !;", True),
        ("SELECT @", False),
    ],
)
def test_is_complete(text: str, complete: bool) -> None:
    assert is_complete(text) is complete
