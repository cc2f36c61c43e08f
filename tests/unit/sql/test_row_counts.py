"""Row counts of tables, from the tree itself: how good they are, and what rests on them."""

from __future__ import annotations

from random import Random

import pytest

from mynode.storage.tree import Tree
from mynode.testing.sql_database import SqlDatabase


@pytest.mark.parametrize("seed", range(5))
def test_a_count_is_about_right(seed: int) -> None:
    random = Random(seed)
    editor = Tree.empty().edit()
    numbers = random.sample(range(1_000_000), 20_000)
    for number in numbers:
        editor.put(number.to_bytes(4, "big"), 1, b"")
    tree = editor.commit()
    for _ in range(50):
        low, high = sorted(random.choices(range(1_000_000), k=2))
        exact = sum(low <= number < high for number in numbers)
        estimate = tree.estimated_count(low.to_bytes(4, "big"), high.to_bytes(4, "big"))
        assert abs(estimate - exact) <= 0.15 * len(numbers)
    assert tree.estimated_count(b"", b"\xff") == pytest.approx(len(numbers))
    assert tree.estimated_count(b"\x02", b"\x01") == 0


def test_a_few_records_are_counted() -> None:
    editor = Tree.empty().edit()
    for number in range(40):
        editor.put(bytes((number,)), 1, b"")
    tree = editor.commit()
    assert tree.estimated_count(bytes((10,)), bytes((30,))) == pytest.approx(20)
    assert Tree.empty().estimated_count(b"", b"\xff") == 0


def plan(database: SqlDatabase, sql: str) -> list[str]:
    return [str(row[0]) for row in database.rows(f"EXPLAIN {sql}")]


def test_a_small_table_looks_rows_of_a_big_one_up() -> None:
    database = SqlDatabase()
    database.execute("CREATE TABLE small (id INTEGER PRIMARY KEY, n INTEGER)")
    database.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, n INTEGER)")
    for start in range(0, 20_000, 1_000):
        database.execute(f"INSERT INTO big VALUES {', '.join(f'({start + n}, {n})' for n in range(1_000))}")
    database.execute("INSERT INTO small VALUES (1, 11), (2, 12)")
    query = "SELECT * FROM big JOIN small ON big.id = small.n"
    assert plan(database, query)[:2] == ["Nested Loop", "  ->  Seq Scan on small"]
    assert len(database.rows(query)) == 2
    for start in range(10, 3_000, 1_000):
        database.execute(f"INSERT INTO small VALUES {', '.join(f'({start + n}, {n})' for n in range(1_000))}")
    database.execute("CREATE TABLE other ()")  # a new catalog, new plans
    assert plan(database, query)[0] == "Hash Join"


def test_a_database_that_grows_is_planned_for_anew() -> None:
    database = SqlDatabase()
    database.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER)")
    database.execute("CREATE TABLE b (id INTEGER PRIMARY KEY, n INTEGER)")
    query = "SELECT * FROM a JOIN b ON b.id = a.n"
    assert plan(database, query)[0] == "Nested Loop"
    for start in range(0, 3_000, 1_000):
        for table in "ab":
            database.execute(f"INSERT INTO {table} VALUES {', '.join(f'({start + n}, {n})' for n in range(1_000))}")
    assert plan(database, query)[0] == "Hash Join"
