"""Statements with parts exchanged, left out and doubled: they run or end in a typed error."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from mynode.base.errors import InvariantViolation, MyNodeError
from mynode.base.limits import MAX_STATEMENT_BYTES
from mynode.base.sql_errors import ProgramLimitExceededError
from mynode.sql.tokens import tokenize
from mynode.testing.sql_database import SqlDatabase
from mynode.testing.sql_generator import CREATE, INSERT, SqlGenerator
from mynode.values.types import Row, Value

MORE = (
    "INSERT INTO t (k, id, a) VALUES ('a', 1, DEFAULT), ('b', $1, abs(-2 ^ 0.5))",
    "INSERT INTO t SELECT id + 1, k, a, b, s, f, p FROM t AS x WHERE x.p IS NOT UNKNOWN",
    "CREATE TABLE IF NOT EXISTS u (a INTEGER, b DOUBLE PRECISION NOT NULL, PRIMARY KEY (a, b))",
    "DROP TABLE IF EXISTS t, u",
    "EXPLAIN UPDATE t SET id = id + $1, s = CAST(a AS TEXT) WHERE k LIKE 'a\\_%' ESCAPE '!'",
    "SELECT t.*, count(*) AS n, sum(DISTINCT a) FROM t ORDER BY 1 DESC NULLS LAST LIMIT ? OFFSET 2",
    "VALUES (1, 'x', 1.5e3), (NULL, $2, TRUE)",
    "INSERT INTO t (id, k) VALUES (1, 'a') ON CONFLICT (id, k) DO UPDATE SET a = excluded.a + t.a "
    "WHERE t.b > 0 RETURNING *",
    "UPDATE t SET (a, b) = (u.a, 1) FROM u WHERE u.a = t.id RETURNING t.id, u.b AS b",
    "DELETE FROM t USING (SELECT max(id) AS m FROM t) AS x WHERE t.id = x.m",
    "SELECT (SELECT count(*) FROM t AS q WHERE q.id = t.id), a IN (SELECT b FROM t), a > ALL (SELECT $1) FROM t "
    "WHERE EXISTS (SELECT 1 FROM t AS q WHERE q.k < t.k)",
    "WITH x (n) AS (SELECT id FROM t UNION ALL SELECT a FROM t) SELECT n, count(*) FILTER (WHERE n > 1) FROM x "
    "GROUP BY n HAVING count(*) > 1",
    "SELECT * FROM t AS x NATURAL JOIN t AS y LEFT JOIN t AS z USING (id, k) FULL JOIN t AS w ON w.a = z.b",
    "CREATE UNIQUE INDEX IF NOT EXISTS i ON t (a DESC NULLS LAST, s)",
    "ALTER TABLE t ADD COLUMN n NUMERIC(10, 2) NOT NULL DEFAULT 1.5, ADD CONSTRAINT c CHECK (n > 0)",
    "ALTER TABLE t RENAME COLUMN a TO z",
    "ALTER TABLE t ALTER a SET DATA TYPE NUMERIC(5, 1) USING a * 2, ADD COLUMN k SERIAL, DROP CONSTRAINT t_pkey",
    "ALTER TABLE t RENAME CONSTRAINT t_pkey TO other",
    "CREATE TABLE IF NOT EXISTS w (a, b) AS SELECT id, s FROM t WITH NO DATA",
    "ALTER TABLE t ADD FOREIGN KEY (a, b) REFERENCES u (id, a) MATCH FULL ON DELETE SET NULL",
    "CREATE OR REPLACE VIEW v (x, y) AS SELECT id, s FROM t WHERE p",
    "DROP VIEW IF EXISTS v CASCADE",
    "SELECT table_name, column_name FROM information_schema.columns JOIN pg_indexes ON tablename = table_name",
    "CREATE TABLE w (id INTEGER GENERATED ALWAYS AS IDENTITY, d DATE DEFAULT '2026-01-01', "
    "r INTEGER REFERENCES w, UNIQUE (d))",
    "TRUNCATE t, u",
    "SHOW COLUMNS FROM t",
    "SELECT greatest(1, 2.5, $1), left('abc', -1), 'x' || 1 || TRUE, round(2.5, 1), random(), version()",
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.decimals(allow_nan=True, allow_infinity=False),
    st.dates(),
    st.datetimes(),
    st.uuids(),
    st.sampled_from(["1", "t"]),
)
DEEP = {
    "parentheses": lambda depth: "SELECT " + "(" * depth + "1" + ")" * depth,
    "CASE": lambda depth: "SELECT " + "CASE WHEN TRUE THEN " * depth + "1" + " END" * depth,
    "sub-queries": lambda depth: "SELECT " + "(SELECT " * depth + "1" + ")" * depth,
    "derived tables": lambda depth: "SELECT * FROM " + "(SELECT * FROM " * depth + "t" + ") AS q" * depth,
    "EXISTS": lambda depth: "SELECT 1 WHERE " + "EXISTS (SELECT 1 WHERE " * depth + "TRUE" + ")" * depth,
    "NOT": lambda depth: "SELECT " + "NOT " * depth + "TRUE",
    "signs": lambda depth: "SELECT " + "- " * depth + "1",
    "casts": lambda depth: "SELECT 1" + "::INTEGER" * depth,
    "sums": lambda depth: "SELECT 1" + " + 1" * depth,
    "calls": lambda depth: "SELECT " + "abs(" * depth + "1" + ")" * depth,
    "IS NULL": lambda depth: "SELECT 1" + " IS NULL" * depth,
    "queries in parentheses": lambda depth: "(" * depth + "SELECT 1" + ")" * depth,
    "UNION": lambda depth: " UNION ".join(["SELECT 1"] * depth),
    "joins": lambda depth: "SELECT count(*) FROM t" + "".join(f" JOIN t AS t{n} USING (id, k)" for n in range(depth)),
    "WITH": lambda depth: (
        "WITH c0 AS (SELECT 1 AS x)"
        + "".join(f", c{n + 1} AS (SELECT x FROM c{n})" for n in range(depth))
        + " SELECT 1"
    ),
    "comments": lambda depth: "SELECT 1 " + "/*" * depth + "*/" * depth,
}
LONG = {
    "AND": ("SELECT count(*) FROM t WHERE ", " AND ", "a <> {}", 10_000),
    "OR": ("SELECT count(*) FROM t WHERE ", " OR ", "a = {}", 10_000),
    "IN": ("SELECT count(*) FROM t WHERE a IN (", ", ", "{}", 100_000),
    "VALUES": ("VALUES ", ", ", "({})", 20_000),
    "select list": ("SELECT ", ", ", "{}", 20_000),
    "arguments": ("SELECT greatest(", ", ", "{}", 10_000),
    "the same sub-query": ("SELECT 1 FROM t WHERE ", " AND ", "EXISTS (SELECT 1 FROM t AS q WHERE q.id = t.id)", 100),
}


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 2**32), st.lists(VALUES, max_size=3))
def test_only_typed_errors(seed: int, values: list[Value]) -> None:
    random = Random(seed)
    generator = SqlGenerator(random)
    database = SqlDatabase()
    database.execute(CREATE)
    statements = [generator.select(), generator.change(), generator.aggregate(), *MORE]
    words = [token.text for sql in statements for token in tokenize(sql)]
    for _ in range(6):
        sql = mutated(random.choice(statements), words, random)
        note(sql)
        position = error_position(database, sql, tuple(values))
        assert position is None or 1 <= position <= len(sql) + 1


@pytest.mark.parametrize("depth", [20, 190, 5_000])
@pytest.mark.parametrize("kind", DEEP)
def test_what_is_nested_runs_or_is_refused(kind: str, depth: int) -> None:
    """Never a RecursionError; and 20 levels always run."""
    database = SqlDatabase()
    database.execute(CREATE)
    sql = DEEP[kind](depth)
    if depth > 20:
        error_position(database, sql, ())
    else:
        assert database.execute(sql).completion.tag == f"SELECT {len(database.rows(sql))}"


@pytest.mark.parametrize("kind", LONG)
def test_what_is_long_runs(kind: str) -> None:
    start, between, part, count = LONG[kind]
    end = ")" * (start.count("(") - start.count(")"))
    sql = start + between.join(part.format(number) for number in range(count)) + end
    database = SqlDatabase()
    database.execute(CREATE)
    database.execute(INSERT, (1, "k", 2, 3, "s", 0.5, True))
    assert database.rows(sql)


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(ProgramLimitExceededError, match="the statement is longer than"):
        SqlDatabase().execute(f"SELECT '{'x' * MAX_STATEMENT_BYTES}'")


def error_position(database: SqlDatabase, sql: str, values: Row) -> int | None:
    """Where the statement's error points, None if there is none. Our own mistakes go through."""
    try:
        database.execute(sql, values)
    except InvariantViolation:
        raise
    except MyNodeError as error:
        return error.position
    return None


def mutated(sql: str, words: list[str], random: Random) -> str:
    tokens = [token.text for token in tokenize(sql)]
    for _ in range(random.randint(0, 3)):
        place = random.randrange(len(tokens))
        match random.randrange(4):
            case 0:
                tokens[place] = random.choice(words)
            case 1:
                del tokens[place : place + random.randint(1, 3)]
            case 2:
                tokens.insert(place, random.choice(words))
            case _:
                other = random.randrange(len(tokens))
                tokens[place], tokens[other] = tokens[other], tokens[place]
        tokens = tokens or ["SELECT"]
    return " ".join(tokens)
