"""The engine: caches, what enters read sets, pauses, errors that leave nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from time import perf_counter

import pytest

from mynode.base.errors import InvariantViolation
from mynode.base.limits import LONG_STATEMENT_CHARS, PLAN_CACHE_CHARS, ROWS_BETWEEN_PAUSES, ROWS_PER_BATCH
from mynode.base.sql_errors import (
    ParameterCountError,
    QueryMemoryError,
    SqlError,
    StatementTooComplexError,
    UndefinedTableError,
    UniqueViolationError,
)
from mynode.mvcc.keyspace import CATALOG
from mynode.mvcc.transaction import Transaction
from mynode.relation.keys import CATALOG_END, row_prefix, table_record_key
from mynode.sql.engine import ExecutionContext, SqlEngine
from mynode.sql.long_work import LongWork
from mynode.sql.result import ColumnInfo
from mynode.testing.sql_database import SqlDatabase
from mynode.values.key_codec import encode_key
from mynode.values.types import Row


@pytest.fixture
def database() -> SqlDatabase:
    """With a table `t` of the rows (0, '0') to (1999, '1999')."""
    database = SqlDatabase()
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT NOT NULL)")
    rows = ", ".join(f"({number}, '{number}')" for number in range(2_000))
    database.execute(f"INSERT INTO t VALUES {rows}")
    return database


def key(number: int) -> bytes:
    return row_prefix(1) + encode_key((number,))


RECORD = table_record_key("t")

# --- caches -----------------------------------------------------------------------------------------------------------


def test_a_text_is_parsed_once() -> None:
    engine = SqlEngine()
    assert engine.parse("SELECT 1") is engine.parse("SELECT 1")


def test_what_is_kept_is_bounded_by_the_length_of_the_texts() -> None:
    engine = SqlEngine()
    short = engine.parse("SELECT 1")
    texts = [f"SELECT '{number:{PLAN_CACHE_CHARS // 8}}'" for number in range(8)]
    for text in texts[:7]:
        engine.parse(text)
    assert engine.parse("SELECT 1") is short
    parsed = engine.parse(texts[1])
    engine.parse(texts[7])
    assert engine.parse("SELECT 1") is short
    assert engine.parse(texts[1]) is parsed
    assert isinstance(engine.parsing(texts[0]), LongWork), "the one used longest ago had to go"


def test_a_long_text_is_work_for_a_thread_once(database: SqlDatabase) -> None:
    engine = database.engine
    long = "x" * LONG_STATEMENT_CHARS
    text = f"SELECT value FROM t AS a JOIN t AS b USING (id, value) WHERE id = 7 AND '{long}' > ''"
    parsing = engine.parsing(text)
    assert isinstance(parsing, LongWork)
    parsing()
    parsed = parsing.finish()
    assert engine.parsing(text) is parsed
    preparing = engine.preparing(parsed, database.view)
    assert isinstance(preparing, LongWork)
    with ThreadPoolExecutor() as threads:
        threads.submit(preparing).result()
    prepared = preparing.finish()
    assert engine.preparing(parsed, database.view) is prepared
    assert database.rows(text) == [("7",)]
    explained = database.rows(f"EXPLAIN {text}")
    assert explained == database.rows(f"EXPLAIN {text.replace(long, 'x')}"), "by the same numbers of rows"


def test_what_a_long_text_gets_wrong_rests_on_the_catalog(database: SqlDatabase) -> None:
    transaction = Transaction(database.view)
    text = f"SELECT '{'x' * LONG_STATEMENT_CHARS}' FROM nowhere"
    with pytest.raises(UndefinedTableError):
        database.engine.prepare(database.engine.parse(text), transaction)
    assert (CATALOG, CATALOG_END) in transaction.reads.ranges


def test_a_view_with_a_long_text_takes_long_too(database: SqlDatabase) -> None:
    use = database.engine.parse("SELECT * FROM v")
    database.execute("CREATE VIEW v AS SELECT id FROM t")
    assert not isinstance(database.engine.preparing(use, database.view), LongWork)
    database.execute("DROP VIEW v")
    database.execute(f"CREATE VIEW v AS SELECT '{'x' * LONG_STATEMENT_CHARS}' AS x")
    assert isinstance(database.engine.preparing(use, database.view), LongWork)


def test_a_plan_serves_all_values_of_one_type(database: SqlDatabase) -> None:
    engine = database.engine
    parsed = engine.parse("SELECT value FROM t WHERE id = $1")
    first = engine.prepare(parsed, database.view, (1,))
    assert engine.prepare(parsed, database.view, (2,)) is first
    assert engine.prepare(parsed, database.view, ("2",)) is not first
    assert first.columns == (ColumnInfo("value", "TEXT"),)
    assert first.is_read_only


def test_a_plan_serves_as_long_as_the_catalog_is_the_same(database: SqlDatabase) -> None:
    engine = database.engine
    parsed = engine.parse("SELECT * FROM t")
    first = engine.prepare(parsed, database.view)
    database.execute("DELETE FROM t WHERE id = 1")
    assert engine.prepare(parsed, database.view) is first
    database.execute("CREATE TABLE u ()")
    assert engine.prepare(parsed, database.view) is not first
    database.execute("DROP TABLE t")
    with pytest.raises(UndefinedTableError):
        engine.prepare(parsed, database.view)


def test_an_old_view_has_its_own_catalog(database: SqlDatabase) -> None:
    old = database.view
    database.execute("DROP TABLE t")
    database.execute("CREATE TABLE t (other BOOLEAN)")
    parsed = database.engine.parse("SELECT * FROM t")
    assert [column.name for column in database.engine.prepare(parsed, database.view).columns] == ["other"]
    assert [column.name for column in database.engine.prepare(parsed, old).columns] == ["id", "value"]


def test_a_transaction_sees_the_tables_it_made_and_nobody_else_does(database: SqlDatabase) -> None:
    transaction = Transaction(database.view)
    database.run(transaction, "CREATE TABLE u (id INT PRIMARY KEY, a TEXT)")
    database.run(transaction, "INSERT INTO u VALUES (1, 'x')")
    assert database.run(transaction, "SELECT a FROM u").rows == [("x",)]
    with pytest.raises(UndefinedTableError):
        database.execute("SELECT a FROM u")
    database.run(transaction, "DROP TABLE u")
    with pytest.raises(UndefinedTableError):
        database.run(transaction, "SELECT a FROM u")


def test_caches_are_bounded() -> None:
    database = SqlDatabase()
    database.engine = SqlEngine(plan_cache_entries=2)
    kept = database.engine.parse("SELECT 0")
    for number in range(10):
        assert database.rows(f"SELECT {number}") == [(number,)]
        assert database.engine.parse("SELECT 0") is (kept if number < 10 else None)


# --- read sets --------------------------------------------------------------------------------------------------------


def reads(
    database: SqlDatabase, sql: str, parameters: Row = ()
) -> tuple[list[bytes], list[tuple[bytes, bytes | None]]]:
    transaction = Transaction(database.view)
    database.run(transaction, sql, parameters)
    return sorted(transaction.reads.keys), transaction.reads.ranges


def test_a_look_up_reads_its_key_and_the_schema(database: SqlDatabase) -> None:
    assert reads(database, "SELECT value FROM t WHERE id = $1", (7,)) == ([RECORD, key(7)], [])
    assert reads(database, "SELECT value FROM t WHERE id = 5000") == ([RECORD, key(5_000)], [])
    assert reads(database, "UPDATE t SET value = 'x' WHERE id = 7") == ([RECORD, key(7)], [])
    assert reads(database, "INSERT INTO t VALUES (5000, 'x')") == ([RECORD, key(5_000)], [])
    assert reads(database, "DELETE FROM t WHERE id IN (7, 5)") == ([RECORD, key(5), key(7)], [])


def test_a_range_reads_no_more(database: SqlDatabase) -> None:
    keys, ranges = reads(database, "SELECT value FROM t WHERE id >= 10 AND id < 20")
    assert keys == [RECORD]
    assert ranges == [(key(10), key(20))]
    assert reads(database, "SELECT value FROM t WHERE id > 20 AND id < 10") == ([RECORD], [])


def test_a_limit_stops_the_scan(database: SqlDatabase) -> None:
    ((low, high),) = reads(database, "SELECT * FROM t LIMIT 3")[1]
    assert high is not None
    assert low <= key(0) < key(3) <= high <= key(20)


def test_an_error_of_the_schema_rests_on_the_whole_catalog(database: SqlDatabase) -> None:
    for sql in ("INSERT INTO missing VALUES (1)", "INSERT INTO t (nothing) VALUES (1)"):
        transaction = Transaction(database.view)
        with pytest.raises(SqlError):
            database.engine.prepare(database.engine.parse(sql), transaction)
        assert transaction.reads.ranges == [(CATALOG, CATALOG_END)]


def test_a_statement_whose_rules_left_the_table_out_still_rests_on_it(database: SqlDatabase) -> None:
    assert reads(database, "DELETE FROM t WHERE FALSE") == ([RECORD], [])


def test_a_change_of_the_schema_meets_those_who_rest_on_it(database: SqlDatabase) -> None:
    transaction = Transaction(database.view)
    database.run(transaction, "INSERT INTO t VALUES (5000, 'x')")
    database.execute("DROP TABLE t")
    assert not database.commit(transaction)


def test_a_plan_for_another_schema_is_refused(database: SqlDatabase) -> None:
    prepared = database.engine.prepare(database.engine.parse("DELETE FROM t"), database.view)
    database.execute("DROP TABLE t")
    context = ExecutionContext(Transaction(database.view), (), datetime(2026, 1, 1, tzinfo=UTC), Random(1))
    with pytest.raises(InvariantViolation):
        prepared.run(context)


# --- batches and pauses -----------------------------------------------------------------------------------------------


def test_batches_are_full_and_long_scans_pause(database: SqlDatabase) -> None:
    prepared = database.engine.prepare(database.engine.parse("SELECT * FROM t"), database.view)
    context = ExecutionContext(
        Transaction(database.view, record_reads=False), (), datetime(2026, 1, 1, tzinfo=UTC), Random(1)
    )
    sizes = [len(batch) for batch in prepared.run(context)]
    assert sum(sizes) == 2_000
    assert max(sizes) <= ROWS_PER_BATCH
    assert sizes.count(0) <= 8


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM t WHERE value = 'nothing'",
        "SELECT count(*) FROM t",
        "SELECT * FROM t ORDER BY value DESC LIMIT 1",
        "UPDATE t SET value = 'x'",
        "DELETE FROM t",
        "INSERT INTO t SELECT id + 5000, value FROM t",
    ],
)
def test_nobody_waits_for_more_than_some_rows(database: SqlDatabase, sql: str) -> None:
    assert database.execute(sql).pauses >= 2_000 // ROWS_BETWEEN_PAUSES


def test_a_single_row_needs_no_pause(database: SqlDatabase) -> None:
    for sql in ("SELECT * FROM t WHERE id = 1", "INSERT INTO t VALUES (5000, 'x')", "DELETE FROM t WHERE id = 5000"):
        assert database.execute(sql).pauses == 0


def test_large_rows_make_small_batches() -> None:
    database = SqlDatabase()
    database.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, value TEXT)")
    for number in range(20):
        database.execute("INSERT INTO big VALUES ($1, $2)", (number, "x" * 60_000))
    prepared = database.engine.prepare(database.engine.parse("SELECT * FROM big"), database.view)
    transaction = Transaction(database.view, record_reads=False)
    sizes = [
        len(batch)
        for batch in prepared.run(ExecutionContext(transaction, (), datetime(2026, 1, 1, tzinfo=UTC), Random(1)))
    ]
    assert sum(sizes) == 20
    assert max(sizes) <= 4


def test_sorting_many_rows_is_right_and_pauses(database: SqlDatabase) -> None:
    database.execute("CREATE TABLE s (id INTEGER PRIMARY KEY, a INTEGER, b TEXT)")
    random = Random(3)
    rows: list[Row] = [
        (number, random.choice([None, *range(50)]), random.choice(["x", "y", None])) for number in range(10_000)
    ]
    for start in range(0, 10_000, 1_000):
        transaction = Transaction(database.view)
        for row in rows[start : start + 1_000]:
            database.run(transaction, "INSERT INTO s VALUES ($1, $2, $3)", row)
        assert database.commit(transaction)
    result = database.execute("SELECT * FROM s ORDER BY a DESC, b, id")
    assert result.rows == sorted(
        rows,
        key=lambda row: (-(100 if row[1] is None else int(row[1])), row[2] is None, str(row[2]), row[0]),
    )
    assert result.pauses > 40


# --- errors -----------------------------------------------------------------------------------------------------------


def test_a_statement_that_fails_changes_nothing(database: SqlDatabase) -> None:
    before = database.view
    with pytest.raises(UniqueViolationError):
        database.execute("INSERT INTO t VALUES (5000, 'x'), (1, 'y')")
    assert database.view is before


def test_values_are_counted(database: SqlDatabase) -> None:
    with pytest.raises(ParameterCountError, match="the statement has 1 parameter, but 2 values were given"):
        database.execute("SELECT $1", (1, 2))
    with pytest.raises(ParameterCountError, match="the statement has 2 parameters, but 1 value was given"):
        database.execute("SELECT $1, $2", (1,))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 190 + "1" + ")" * 190,
        "SELECT " + "- " * 190 + "1.5",
        "SELECT " + "NOT " * 190 + "TRUE",
        "SELECT 1" + " + id" * 190 + " FROM t",
        "SELECT 1 FROM t WHERE " + "(id = 1 OR (id = 2 AND " * 90 + "TRUE" + "))" * 90,
        "SELECT " + "CASE id WHEN 1 THEN " * 60 + "1" + " END" * 60 + " FROM t",
        "SELECT " + "CASE WHEN id > 1 THEN 2 ELSE " * 60 + "1" + " END" * 60 + " FROM t",
        "SELECT " + "coalesce(nullif(id, 1), " * 60 + "1" + ")" * 60 + " FROM t",
        "SELECT CASE " + " ".join(f"WHEN id = {number} THEN {number}" for number in range(2_000)) + " END FROM t",
        "SELECT CASE id " + " ".join(f"WHEN {number} THEN {number}" for number in range(2_000)) + " END FROM t",
        "SELECT count(*) FROM t WHERE " + " OR ".join(f"id = {number}" for number in range(2_000)),
        "SELECT count(*) FROM t WHERE id IN (" + ", ".join(map(str, range(5_000))) + ")",
        "SELECT coalesce(" + ", ".join(["nullif(id, id)"] * 500) + ") FROM t",
    ],
)
def test_deep_and_long_expressions_run_or_are_refused(database: SqlDatabase, sql: str) -> None:
    with suppress(StatementTooComplexError):
        database.execute(sql)


def test_a_list_of_tables_rests_on_all_of_them() -> None:
    database = SqlDatabase()
    transaction = Transaction(database.view)
    assert database.run(transaction, "SHOW TABLES").rows == []
    database.execute("CREATE TABLE t (a INTEGER)")
    transaction.put(b"\x02x", b"")
    assert not database.commit(transaction)


def test_64_tables_in_a_list_are_planned_quickly_and_run() -> None:
    database = SqlDatabase()
    for number in range(64):
        database.execute(f"CREATE TABLE t{number} (a INTEGER, b INTEGER)")
        database.execute(f"INSERT INTO t{number} VALUES ({number}, {number + 1}), (-1, -2)")
    tables = [f"t{number}" for number in range(64)]
    Random(1).shuffle(tables)
    ties = " AND ".join(f"t{number}.b = t{number + 1}.a" for number in range(63))
    started = perf_counter()
    assert database.rows(f"SELECT t0.a, t63.b FROM {', '.join(tables)} WHERE {ties}") == [(0, 64)]
    assert perf_counter() - started < 10, "far more than it needs on a busy machine"


def test_what_a_query_holds_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mynode.sql.executor.context.MAX_QUERY_BYTES", 100_000)
    database = SqlDatabase()
    database.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, s TEXT)")
    database.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    database.execute("INSERT INTO parent VALUES (1)")
    database.execute(
        "CREATE TABLE child (a INTEGER PRIMARY KEY, s TEXT,"
        " p INTEGER REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE)"
    )
    for start in range(0, 1000, 100):
        database.execute("INSERT INTO t VALUES " + ", ".join(f"({n}, '{n:0100}')" for n in range(start, start + 100)))
    database.execute("INSERT INTO child SELECT a, s, 1 FROM t")
    for sql in (
        "SELECT * FROM t ORDER BY s",
        "SELECT s, count(*) FROM t GROUP BY s",
        "SELECT DISTINCT s FROM t",
        "SELECT count(DISTINCT s) FROM t",
        "SELECT count(*) FROM t JOIN t AS u ON t.s = u.s",
        "SELECT count(*) FROM t FULL JOIN t AS u ON t.s = u.s",
        "SELECT string_agg(s, ',') FROM t",
        "SELECT string_agg(s, ',' ORDER BY a) FROM t",
        "SELECT s FROM t UNION SELECT s || 'x' FROM t",
        "SELECT s FROM t EXCEPT SELECT s FROM t",
        "SELECT s FROM t INTERSECT ALL SELECT s FROM t",
        "WITH w AS (SELECT s, count(*) AS n FROM t GROUP BY s) SELECT max(n) FROM w",
        "SELECT count(*) FROM t WHERE (s IN (SELECT s FROM t)) IS NOT FALSE",
        "SELECT count(*) FROM t WHERE (s > ANY (SELECT u.s FROM t AS u WHERE u.a <> t.a)) IS TRUE",
        "UPDATE t SET a = a + 1 RETURNING s",
        "DELETE FROM t RETURNING s",
        "INSERT INTO t SELECT a + 5000, s FROM t RETURNING s",
        "DELETE FROM parent",
        "UPDATE parent SET id = 2",
    ):
        with pytest.raises(QueryMemoryError):
            database.rows(sql)
    assert database.rows("SELECT a FROM t ORDER BY s DESC LIMIT 1") == [(999,)]
    assert database.rows("SELECT count(*) FROM t") == [(1000,)]
