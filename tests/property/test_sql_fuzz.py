"""Statements with parts exchanged, left out and doubled: they run or end in a typed error."""

from __future__ import annotations

from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from mynode.base.errors import InvariantViolation, MyNodeError
from mynode.sql.tokens import tokenize
from mynode.testing.sql_database import SqlDatabase
from mynode.testing.sql_generator import CREATE, SqlGenerator
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
    st.just(b"x"),
    st.sampled_from(["1", "t"]),
)


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
