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


def insert(database: SqlDatabase, table: str, first: int, count: int) -> None:
    for start in range(first, first + count, 1_000):
        database.execute(f"INSERT INTO {table} VALUES {', '.join(f'({start + n}, {n})' for n in range(1_000))}")


def test_a_plan_is_made_anew_when_a_table_has_grown_though_others_are_far_larger() -> None:
    database = SqlDatabase()
    for table in ("a", "b", "large"):
        database.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, n INTEGER)")
    insert(database, "large", 0, 30_000)
    query = "SELECT * FROM a JOIN b ON b.id = a.n"
    assert plan(database, query)[0] == "Nested Loop"
    insert(database, "a", 0, 4_000)
    insert(database, "b", 0, 4_000)
    assert plan(database, query)[0] == "Hash Join"
    database.execute("DELETE FROM a WHERE id > 3")
    database.execute("TRUNCATE b")
    assert database.rows(query) == []


def test_a_plan_is_kept_while_its_tables_are_about_the_same() -> None:
    database = SqlDatabase()
    for table in ("a", "other"):
        database.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, n INTEGER)")
    insert(database, "a", 0, 1_000)
    parsed = database.engine.parse("SELECT count(*) FROM a")
    first = database.engine.prepare(parsed, database.view)
    insert(database, "other", 0, 10_000)
    insert(database, "a", 1_000, 2_000)
    assert database.engine.prepare(parsed, database.view) is first
    insert(database, "a", 3_000, 15_000)
    second = database.engine.prepare(parsed, database.view)
    assert second is not first
    database.execute("CREATE TABLE new ()")
    assert database.engine.prepare(parsed, database.view) is not second


def test_an_index_makes_a_cached_plan_better_and_goes_with_it() -> None:
    database = SqlDatabase()
    database.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER)")
    database.execute("CREATE VIEW v AS SELECT id, n FROM a")
    insert(database, "a", 0, 1_000)
    query = "SELECT id FROM v WHERE n = 5"
    assert plan(database, query)[0] == "Seq Scan on a"
    database.execute("CREATE INDEX a_n ON a (n)")
    assert plan(database, query)[0] == "Index Scan using a_n on a"
    database.execute("DROP INDEX a_n")
    assert plan(database, query)[0] == "Seq Scan on a"
    assert database.rows(query) == [(5,)]
    database.execute("CREATE OR REPLACE VIEW v AS SELECT id, n + 1 AS n FROM a")
    assert database.rows(query) == [(4,)]
