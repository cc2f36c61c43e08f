"""The catalog: what it reads from a view and from a transaction, its versions, its records."""

from __future__ import annotations

import pytest

from mynode.base.sql_errors import DuplicateTableError
from mynode.mvcc.transaction import Transaction
from mynode.relation.catalog import Catalog, create_table, drop_table, table_exists
from mynode.relation.catalog_codec import decode_relation, encode_table, encode_view
from mynode.relation.schema import (
    Check,
    Column,
    ForeignKey,
    Identity,
    PrimaryKey,
    ReferentialAction,
    Table,
    View,
    ViewColumn,
    ViewUse,
    new_table,
)
from mynode.testing.sql_database import SqlDatabase
from mynode.values.types import BOOLEAN, FLOAT, INTEGER, TEXT

COLUMNS = (Column("id", INTEGER, True, slot=0), Column("näme", TEXT, False, slot=1))
KEY = PrimaryKey("t_pkey", (0,))


def test_a_record_reads_back() -> None:
    counting = Column("n", INTEGER, True, slot=4, identity=Identity.ALWAYS)
    added = Column("f", FLOAT, True, slot=5, default="1.5 + 1", missing=2.5)
    table = Table(
        7,
        "täble",
        (*COLUMNS, counting, added, Column("b", BOOLEAN, False, slot=6, missing=False)),
        PrimaryKey("k", (2, 0)),
        slots=8,
        shortest_record=4,
        checks=(Check("c", "f > 0"), Check("d", "b")),
        foreign_keys=(
            ForeignKey("f1", (0,), "täble", ("n",)),
            ForeignKey(
                "f2", (1, 0), "u", ("a", "b"), ReferentialAction.CASCADE, ReferentialAction.SET_NULL, match_full=True
            ),
        ),
        referenced_by=("täble", "v"),
    )
    assert decode_relation(encode_table(table)) == table
    bare = new_table("bare", (), None)
    assert decode_relation(encode_table(bare)) == bare


def test_tables_are_seen_once_they_are_committed() -> None:
    database = SqlDatabase()
    before = database.view
    transaction = Transaction(before)
    table = create_table(transaction, new_table("t", COLUMNS, KEY))
    assert Catalog.load(before).tables == {}
    assert Catalog.load(transaction).table("t") == table
    assert database.commit(transaction)
    assert Catalog.load(database.view).tables == {"t": table}
    assert Catalog.load(database.view).version == database.view.version


def test_a_version_names_a_state_and_never_comes_back() -> None:
    database = SqlDatabase()
    versions = []
    for sql in ("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)", "DROP TABLE t", "CREATE TABLE u ()"):
        database.execute(sql)
        versions.append(Catalog.load(database.view).version)
    assert versions == [1, 1, 3, 4]


def test_uncommitted_changes_have_a_version_of_their_own() -> None:
    database = SqlDatabase()
    database.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    transaction = Transaction(database.view)
    assert Catalog.load(transaction).version == Catalog.load(database.view).version
    create_table(transaction, new_table("u", COLUMNS, None))
    first = Catalog.load(transaction)
    table = first.table("t")
    assert table is not None
    drop_table(transaction, table)
    second = Catalog.load(transaction)
    assert sorted(second.tables) == ["u"]
    assert first.version < 0
    assert second.version < 0
    assert first.version != second.version


def test_table_ids_are_not_used_again() -> None:
    database = SqlDatabase()
    ids = []
    for _ in range(3):
        database.execute("CREATE TABLE t (id INT PRIMARY KEY)")
        table = Catalog.load(database.view).table("t")
        assert table is not None
        ids.append(table.id)
        database.execute("DROP TABLE t")
    assert ids == [1, 2, 3]


def test_a_name_is_taken_once() -> None:
    database = SqlDatabase()
    transaction = Transaction(database.view)
    create_table(transaction, new_table("t", COLUMNS, KEY))
    with pytest.raises(DuplicateTableError, match='relation "t" already exists'):
        create_table(transaction, new_table("t", COLUMNS, KEY))


def test_of_two_that_create_a_table_at_once_one_must_try_again() -> None:
    database = SqlDatabase()
    first, second = Transaction(database.view), Transaction(database.view)
    create_table(first, new_table("t", COLUMNS, KEY))
    create_table(second, new_table("t", COLUMNS, KEY))
    assert database.commit(first)
    assert not database.commit(second)


def test_that_a_table_is_missing_is_a_read() -> None:
    database = SqlDatabase()
    transaction = Transaction(database.view)
    assert not table_exists(transaction, "t")
    database.execute("CREATE TABLE t ()")
    transaction.put(b"\x02x", b"")
    assert not database.commit(transaction)


def test_a_view_is_kept_beside_tables() -> None:
    uses = (ViewUse("t", "new", (("x", 0), ("y", 2))), ViewUse("u", "u", ()))
    view = View("v", (ViewColumn("a", INTEGER), ViewColumn("b", TEXT)), "SELECT 1, 2", uses)
    assert decode_relation(encode_view(view)) == view


def test_views_rest_on_what_views_they_use_rest_on() -> None:
    views = [
        View("one", (), "", (ViewUse("old", "t", ()),)),
        View("three", (), "", (ViewUse("two", "two", ()),)),
        View("two", (), "", (ViewUse("one", "one", ()), ViewUse("u", "u", ()))),
    ]
    catalog = Catalog(1, {}, {view.name: view for view in views})
    assert [view.name for view in catalog.views_on(["t"])] == ["one", "three", "two"]
    assert [view.name for view in catalog.views_on(["u"])] == ["three", "two"]
    assert catalog.views_on(["three"]) == ()
