"""Hash joins and groups of many rows, beside the same queries as plain loops."""

from __future__ import annotations

from collections import Counter

import pytest

from mynode.sql.optimizer.choose_joins import choose_joins
from mynode.testing.sql_database import SqlDatabase

QUERIES = (
    "SELECT l.a, r.b FROM l JOIN r ON l.k = r.k",
    "SELECT l.a + r.b, upper(r.s) FROM l JOIN r ON l.k = r.k WHERE l.a * 2 > r.b OR r.s IS NULL",
    "SELECT * FROM l JOIN r ON l.k = r.k AND l.s = r.s",
    "SELECT count(*), sum(l.a * r.b) FROM l JOIN r ON l.f = r.f",
    "SELECT l.k, count(*), min(r.s), max(l.a), avg(r.b), sum(r.b) FROM l JOIN r ON r.k = l.k GROUP BY l.k",
    "SELECT l.a, x.b FROM l JOIN r AS x ON l.k = x.k AND l.a < x.b JOIN r AS y ON y.b = x.b WHERE y.s = 'x1'",
    "SELECT l.a, (SELECT max(b) FROM r WHERE r.k = l.k) FROM l JOIN r AS other ON other.b = l.a",
    "SELECT a, b FROM l LEFT JOIN r ON l.k = r.k AND l.s = r.s",
    "SELECT a, b FROM l FULL JOIN r ON l.k = r.k AND l.f = r.f",
    "SELECT a FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.s = l.s)",
)


@pytest.fixture(scope="module")
def databases() -> tuple[SqlDatabase, SqlDatabase]:
    """Keys with one partner, with some, and with more than are paired between two pauses; NULLs and NaN too."""
    database = SqlDatabase()
    for name, number, counts in (("l", "a", (1, 3, 20)), ("r", "b", (1, 12, 600))):
        database.execute(f"CREATE TABLE {name} (k INTEGER, {number} INTEGER, s TEXT, f FLOAT)")
        keys = [key for key, count in enumerate(counts) for _ in range(count)]
        rows = [f"({key}, {place}, 'x{place % 3}', {place % 7})" for place, key in enumerate(keys)]
        rows += ["(NULL, 1, 'x1', 'NaN')", "(1, 5, NULL, 'NaN')", "(NULL, NULL, NULL, NULL)"]
        database.execute(f"INSERT INTO {name} VALUES {', '.join(rows)}")
    plain = SqlDatabase(without_rule=choose_joins)
    plain.view = database.view
    return database, plain


@pytest.mark.parametrize("sql", QUERIES)
def test_a_hash_join_is_a_loop(databases: tuple[SqlDatabase, SqlDatabase], sql: str) -> None:
    database, plain = databases
    rows = database.rows(sql)
    assert rows
    assert Counter(map(repr, rows)) == Counter(map(repr, plain.rows(sql)))
    assert any("Hash" in str(line) for (line,) in database.rows(f"EXPLAIN {sql}"))
    assert not any("Hash Join" in str(line) for (line,) in plain.rows(f"EXPLAIN {sql}"))


def test_a_join_of_many_pairs_pauses(databases: tuple[SqlDatabase, SqlDatabase]) -> None:
    result = databases[0].execute("SELECT count(*) FROM l JOIN r ON l.k = r.k")
    assert result.rows == [(1 + 4 * 13 + 20 * 600,)]
    assert result.pauses > 20


@pytest.mark.parametrize("groups", [3, 5_000])
def test_few_and_many_groups(groups: int) -> None:
    """Rows of few groups are parted first, those of many added one by one: with 20,000 rows both come to pass."""
    database = SqlDatabase()
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER, n INTEGER, s TEXT, p BOOLEAN)")
    expected: dict[int | None, list[tuple[int | None, str | None, bool]]] = {}
    for start in range(0, 20_000, 2_000):
        rows = []
        for number in range(start, start + 2_000):
            key = None if number % 101 == 0 else number % groups
            n, s = (None if number % 5 == 0 else number % 1_000), (None if number % 7 == 0 else f"s{number % 13}")
            expected.setdefault(key, []).append((n, s, number % 3 == 0))
            rows.append((number, key, n, s, number % 3 == 0))
        places = ", ".join(
            f"(${5 * row + 1}, ${5 * row + 2}, ${5 * row + 3}, ${5 * row + 4}, ${5 * row + 5})" for row in range(2_000)
        )
        database.execute(f"INSERT INTO t VALUES {places}", tuple(value for row in rows for value in row))
    found = database.rows(
        "SELECT g, count(*), count(n), sum(n), min(n), max(s), sum(n) FILTER (WHERE p), max(p) FROM t GROUP BY g"
    )
    assert [row[0] for row in found] == list(expected)
    for g, *values in found:
        rows_of = expected[g]
        numbers = [n for n, _, _ in rows_of if n is not None]
        assert values == [
            len(rows_of),
            len(numbers),
            sum(numbers) if numbers else None,
            min(numbers, default=None),
            max((s for _, s, _ in rows_of if s is not None), default=None),
            (lambda some: sum(some) if some else None)([n for n, _, p in rows_of if p and n is not None]),
            max(p for _, _, p in rows_of),
        ]
