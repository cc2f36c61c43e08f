"""Rows of a table: keys, encoding, limits, hidden row ids."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mynode.base.limits import MAX_KEY_BYTES, MAX_ROW_BYTES
from mynode.base.sql_errors import ProgramLimitExceededError, UniqueViolationError
from mynode.mvcc.transaction import Transaction
from mynode.relation.rows import TableRows
from mynode.relation.schema import Check, Column, PrimaryKey, new_table
from mynode.testing.sql_database import SqlDatabase
from mynode.values.key_codec import encode_key
from mynode.values.types import INTEGER, TEXT

ID = Column("id", INTEGER, True, slot=0)
NAME = Column("name", TEXT, True, slot=1)
ONE_KEY = TableRows(replace(new_table("t", (ID, NAME), PrimaryKey("t_pkey", (0,))), id=5))
TWO_KEYS = TableRows(replace(new_table("t", (ID, NAME), PrimaryKey("t_pkey", (1, 0))), id=6))
NO_KEY = TableRows(replace(new_table("t", (ID, NAME), None), id=7))


def transaction() -> Transaction:
    return Transaction(SqlDatabase().view)


def test_keys() -> None:
    assert ONE_KEY.key_of((-3, "x")) == b"\x02\0\0\0\x05" + encode_key((-3,))
    assert TWO_KEYS.key_of((-3, "x")) == b"\x02\0\0\0\x06" + encode_key(("x", -3))
    assert TWO_KEYS.key_of((-3, "x")).startswith(TWO_KEYS.encode_key(("x",)))
    assert ONE_KEY.low < ONE_KEY.key_of((2**63 - 1, "")) < ONE_KEY.high <= TWO_KEYS.low


def test_limits() -> None:
    with pytest.raises(ProgramLimitExceededError, match="a row of"):
        ONE_KEY.insert(transaction(), (1, "x" * MAX_ROW_BYTES))
    with pytest.raises(ProgramLimitExceededError, match="a key of"):
        TWO_KEYS.insert(transaction(), (1, "x" * MAX_KEY_BYTES))


def test_a_key_is_there_once() -> None:
    open_transaction = transaction()
    TWO_KEYS.insert(open_transaction, (1, "b"))
    TWO_KEYS.insert(open_transaction, (2, "b"))
    with pytest.raises(UniqueViolationError) as caught:
        TWO_KEYS.insert(open_transaction, (1, "b"))
    assert caught.value.message == 'duplicate key value violates unique constraint "t_pkey"'
    assert caught.value.detail == "Key (name, id)=(b, 1) already exists."


def test_an_insert_reads_its_key() -> None:
    database = SqlDatabase()
    first, second = Transaction(database.view), Transaction(database.view)
    ONE_KEY.insert(first, (1, "a"))
    ONE_KEY.insert(second, (1, "b"))
    assert database.commit(first)
    assert not database.commit(second)


def test_inserts_of_different_keys_do_not_meet() -> None:
    database = SqlDatabase()
    first, second = Transaction(database.view), Transaction(database.view)
    ONE_KEY.insert(first, (1, "a"))
    ONE_KEY.insert(second, (2, "b"))
    assert database.commit(first)
    assert database.commit(second)


def test_row_ids_are_in_the_order_of_statements_and_rows() -> None:
    open_transaction = transaction()
    keys = []
    for now_us in (1_000, 1_000, 2_000):
        row_id = NO_KEY.row_ids(open_transaction, now_us)
        keys += [row_id(number) for number in range(3)]
        for key in keys[-3:]:
            NO_KEY.insert_at(open_transaction, key, (1, "a"))
    assert keys == sorted(set(keys))
    assert all(NO_KEY.low < key < NO_KEY.high for key in keys)


def test_a_taken_row_id_is_not_taken_again_though_the_clock_stands() -> None:
    database = SqlDatabase()
    keys = []
    for _ in range(3):
        open_transaction = Transaction(database.view)
        keys.append(NO_KEY.row_ids(open_transaction, 1_000)(0))
        NO_KEY.insert_at(open_transaction, keys[-1], (1, "a"))
        assert database.commit(open_transaction)
    assert keys == sorted(set(keys))


def test_of_two_with_one_row_id_at_once_one_must_try_again() -> None:
    database = SqlDatabase()
    first, second = Transaction(database.view), Transaction(database.view)
    for one in (first, second):
        NO_KEY.insert_at(one, NO_KEY.row_ids(one, 1_000)(0), (1, "a"))
    assert database.commit(first)
    assert not database.commit(second)


def test_a_table_of_another_schema_is_noticed() -> None:
    database = SqlDatabase()
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    current = TableRows(replace(new_table("t", (ID, NAME), PrimaryKey("t_pkey", (0,))), id=1))
    assert current.is_current(Transaction(database.view))
    changed = TableRows(replace(current.table, checks=(Check("c", "id > 0"),)))
    assert not changed.is_current(Transaction(database.view))
