"""Joins of many tables: in any order, with outer joins among them, and without any condition."""

from __future__ import annotations

from random import Random

import pytest

from mynode.testing.sql_database import SqlDatabase

TABLES = 64


@pytest.fixture(scope="module")
def database() -> SqlDatabase:
    """Tables t0, t1, …; a row's n is the id of its partner in the next table. Only t40 has a row without partner."""
    database = SqlDatabase()
    for number in range(TABLES):
        database.execute(f"CREATE TABLE t{number} (id INTEGER PRIMARY KEY, n INTEGER)")
        database.execute(f"INSERT INTO t{number} VALUES (1, 2), (2, 1), (3, {4 if number == 40 else 3})")
    return database


def chain(count: int = TABLES) -> list[str]:
    return [f"t{number}.n = t{number + 1}.id" for number in range(count - 1)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [2, 5, 7, 8, 60, TABLES])
def test_a_comma_list_in_any_order(database: SqlDatabase, count: int, seed: int) -> None:
    random = Random(seed)
    names, conditions = [f"t{number}" for number in range(count)], chain(count)
    random.shuffle(names)
    random.shuffle(conditions)
    sql = f"SELECT t0.id, t{count - 1}.id FROM {', '.join(names)} WHERE {' AND '.join(conditions)}"
    end = count - 1
    expected = [(1, 1 + end % 2), (2, 2 - end % 2), *([(3, 3)] if count <= 41 else [])]
    assert sorted(database.rows(sql)) == expected


@pytest.mark.parametrize("seed", range(3))
def test_outer_joins_among_them(database: SqlDatabase, seed: int) -> None:
    random = Random(seed)
    source = "t0"
    for number, condition in enumerate(chain(), 1):
        source += f" {random.choice(('LEFT JOIN', 'JOIN') if number < 41 else ('LEFT JOIN',))} t{number} ON {condition}"
    rows = database.rows(f"SELECT t0.id, t40.id, t41.id, t63.id FROM {source}")
    assert sorted(rows, key=repr) == [(1, 1, 2, 2), (2, 2, 1, 1), (3, 3, None, None)]
    assert database.rows(f"SELECT t0.id FROM {source}, t5 AS other WHERE other.id = t63.id AND other.n = 1") == [(1,)]


def test_a_star(database: SqlDatabase) -> None:
    names = [f"t{number}" for number in range(1, TABLES)]
    conditions = [f"t0.id = {name}.id" for name in names]
    sql = f"SELECT count(*) FROM {', '.join(names)}, t0 WHERE {' AND '.join(conditions)} AND t0.n = 1"
    assert database.rows(sql) == [(1,)]


def test_a_product_with_a_limit(database: SqlDatabase) -> None:
    sql = f"SELECT t0.id, t63.id FROM {', '.join(f't{number}' for number in range(TABLES))} LIMIT 4"
    assert len(database.rows(sql)) == 4
