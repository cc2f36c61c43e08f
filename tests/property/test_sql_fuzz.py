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
