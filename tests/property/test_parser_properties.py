"""Any text gives a tree or a typed error, and the tokens of a text are its characters in their order."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from mynode.base.errors import MyNodeError
from mynode.base.sql_errors import SqlError
from mynode.sql.caret import caret
from mynode.sql.parser import parse
from mynode.sql.tokens import Token, is_complete, split_statements, tokenize

STATEMENTS = [
    "SELECT a, t.b AS c, count(*) FROM s.t AS t WHERE a + 1 <= -2 ^ 3 AND NOT b IS NULL ORDER BY 1 DESC LIMIT 3",
    "SELECT CASE a WHEN 1 THEN 'x' ELSE E'\\n' END, CAST(b AS numeric(1, 2)), c::text, \"D\", $1 FROM t",
    "SELECT a BETWEEN SYMMETRIC 1 AND 2 OR b NOT IN (1, 2.5, X'00') OR c LIKE 'a%' ESCAPE '!' OR d IS DISTINCT FROM e",
    "INSERT INTO t (a, b) VALUES (1, 'it''s'), (DEFAULT, ?) -- rows\n",
    "UPDATE t SET a = a || $$x$$, b = DEFAULT WHERE c /* is /* not */ */ = TRUE;",
    "DELETE FROM t WHERE a IS NOT UNKNOWN AND b IN (0xFF, 1e5)",
    "CREATE TABLE IF NOT EXISTS t (a integer PRIMARY KEY, b double precision NOT NULL, CONSTRAINT k PRIMARY KEY (a))",
    "DROP TABLE IF EXISTS a, b.c CASCADE",
    "EXPLAIN VALUES (1, 2), (3, 4) OFFSET 1",
    "START TRANSACTION",
    "SELECT DISTINCT x.a FROM s.t AS x (a, b), u LEFT JOIN (v NATURAL JOIN w) USING (k) CROSS JOIN (SELECT 1) y",
    "SELECT a, sum(DISTINCT b) FILTER (WHERE c) FROM a JOIN b JOIN c ON d ON e GROUP BY a, 1 HAVING count(*) > 1",
    "SELECT (SELECT 1), a IN ((SELECT 1) UNION SELECT 2), EXISTS (TABLE t), a < ALL (VALUES (1)) FROM ((SELECT 1)) x",
    "WITH x (a) AS (SELECT 1), y AS MATERIALIZED (TABLE x) (SELECT 1 LIMIT 2) EXCEPT ALL TABLE y FETCH NEXT 2 ROW ONLY",
    "INSERT INTO t DEFAULT VALUES ON CONFLICT ON CONSTRAINT c DO NOTHING RETURNING *, a AS b",
    "INSERT INTO t AS x (a) SELECT 1 ON CONFLICT (a, b) DO UPDATE SET a = excluded.a, b = DEFAULT WHERE x.a > 1",
    "UPDATE t AS x SET a = u.a FROM u JOIN v USING (k), w WHERE x.a = u.a RETURNING x.*",
    "DELETE FROM t USING u, (SELECT 1) AS v WHERE t.a = u.a RETURNING a, b c",
    "CREATE TABLE t (a serial UNIQUE, b text DEFAULT 'x' NOT NULL CHECK (b > ''), c int GENERATED ALWAYS AS IDENTITY)",
    "CREATE TABLE t (a integer REFERENCES u (b) ON DELETE SET NULL, FOREIGN KEY (a) REFERENCES u ON UPDATE NO ACTION)",
    "ALTER TABLE IF EXISTS t ADD COLUMN a text DEFAULT 1 + 1, DROP CONSTRAINT c CASCADE, ALTER b DROP NOT NULL",
    "ALTER TABLE t RENAME COLUMN a TO b",
    "CREATE UNIQUE INDEX IF NOT EXISTS i ON t USING btree (a DESC, b NULLS FIRST)",
    "CREATE OR REPLACE VIEW v (a) AS SELECT 1 UNION ALL TABLE t",
    "TRUNCATE TABLE a, b RESTART IDENTITY RESTRICT",
    "PREPARE p (integer, text) AS SELECT $1, $2 FROM t",
    "EXECUTE p (1, 'x' || 'y')",
    "SET LOCAL a.b TO 'x', -1, ON",
    "EXPLAIN (ANALYZE TRUE) DELETE FROM t",
    "SELECT extract(year FROM a), position('x' IN b), substring(c FROM 1 FOR 2), trim(BOTH FROM d), a AT TIME ZONE b",
    "WITH x AS (SELECT 1) DELETE FROM t WHERE a = SOME (SELECT 1 INTERSECT SELECT 2)",
]
WORDS = sorted({word for statement in STATEMENTS for word in re.findall(r"\w+|\S", statement)})
SCRAPS = [*WORDS, "'", '"', "$$", "$a$", "/*", "*/", "--", "\n", "E'", "X'", "B'", "\\", "\0", "\ud800", "é", "\u00a0"]

soups = st.lists(st.sampled_from([*SCRAPS, " ", " "]), max_size=40).map("".join)
spaced_soups = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """A valid statement in which some pieces are removed, doubled, exchanged or replaced."""
    pieces = re.findall(r"\w+|\s+|\S", draw(st.sampled_from(STATEMENTS)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(pieces) - 1))
        other = draw(st.integers(0, len(pieces) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                pieces[place] = ""
            case 1:
                pieces[place] *= 2
            case 2:
                pieces[place], pieces[other] = pieces[other], pieces[place]
            case _:
                pieces[place] = draw(st.sampled_from(SCRAPS))
    return "".join(pieces)


texts = st.one_of(st.text(max_size=60), soups, spaced_soups, mutants())


@given(texts)
@example("SELECT 'a' /* b")
def test_parse_gives_a_tree_or_a_typed_error(text: str) -> None:
    position: int | None = 1
    try:
        parse(text)
    except SqlError as error:
        position = error.position
    assert position is not None
    assert 1 <= position <= len(text) + 1
    assert caret(text, position).endswith("^")


@given(texts)
def test_tokens_are_the_text_without_blanks_and_comments(text: str) -> None:
    try:
        tokens = list(tokenize(text))
    except SqlError:
        return
    end = 0
    for token in tokens:
        start = token.position - 1
        assert blank(text[end:start])
        assert text[start : start + len(token.text)] == token.text
        end = start + len(token.text)
    assert end == len(text)


def blank(gap: str) -> bool:
    """Whether nothing but whitespace and comments is left; those in comments that nest go from the inside out."""
    gap = re.sub(r"--[^\r\n]*", "", gap) if "/*" not in gap else gap
    while "/*" in gap and (shorter := re.sub(r"/\*(?:(?!/\*|\*/).)*\*/", "", gap, flags=re.DOTALL)) != gap:
        gap = shorter
    return not re.sub(r"--[^\r\n]*", "", gap).strip(" \t\n\r\f\v")


@given(st.lists(st.sampled_from(STATEMENTS), max_size=4))
def test_a_script_splits_into_its_statements(statements: list[str]) -> None:
    pieces = split_statements(";".join(statements))
    assert [words(piece) for piece in pieces] == [words(statement) for statement in statements]


def words(text: str) -> list[Token]:
    return [token._replace(position=0) for token in tokenize(text) if token.symbol not in (";", "end of statement")]


@given(texts)
def test_splitting_and_completeness_never_fail(text: str) -> None:
    for piece in split_statements(text):
        assert piece in text
    is_complete(text)


@given(st.sampled_from(STATEMENTS), st.integers(0, 200))
def test_a_beginning_of_a_statement_is_not_complete(statement: str, length: int) -> None:
    beginning = statement[:length]
    try:
        tokens = list(tokenize(beginning))
    except MyNodeError:
        return
    assert is_complete(beginning) == (len(tokens) == 1 or tokens[-2].symbol == ";")
