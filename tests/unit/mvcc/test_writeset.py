from __future__ import annotations

import pytest

from mynode.base.limits import MAX_TRANSACTION_BYTES
from mynode.base.sql_errors import ProgramLimitExceededError
from mynode.mvcc.writeset import WriteSet


def test_the_last_write_of_a_key_counts() -> None:
    writes = WriteSet()
    for key, value in [(b"b", b"1"), (b"a", b"2"), (b"b", None), (b"a", b"333")]:
        writes.put(key, value)
        writes.check_invariants()
    assert writes.in_order() == ((b"a", b"333"), (b"b", None))
    assert len(writes) == 2


def test_ranges_see_keys_written_after_the_first_look() -> None:
    writes = WriteSet()
    writes.put(b"c", b"1")
    assert writes.in_range(b"a", b"d") == [(b"c", b"1")]
    writes.put(b"a", b"2")
    writes.put(b"c", b"3")
    writes.put(b"d", None)
    writes.check_invariants()
    assert writes.in_range(b"a", b"d") == [(b"a", b"2"), (b"c", b"3")]
    assert writes.in_range(b"b", None) == [(b"c", b"3"), (b"d", None)]


def test_a_transaction_over_the_limit_is_refused_and_stays_as_it_was() -> None:
    writes = WriteSet()
    writes.put(b"big", b"x" * (MAX_TRANSACTION_BYTES - 100))
    with pytest.raises(ProgramLimitExceededError):
        writes.put(b"more", b"y" * 100)
    writes.put(b"big", b"small")
    writes.put(b"more", b"y" * 100)
    writes.check_invariants()
    assert writes.in_order() == ((b"big", b"small"), (b"more", b"y" * 100))


def test_a_savepoint_brings_back_what_was_to_be_written() -> None:
    writes = WriteSet()
    writes.put(b"a", b"1")
    assert writes.savepoint() == 0
    writes.put(b"a", b"22")
    writes.put(b"b", None)
    assert writes.savepoint() == 1
    writes.put(b"a", None)
    writes.put(b"c", b"3")
    assert writes.in_range(b"a", None) == [(b"a", None), (b"b", None), (b"c", b"3")]
    writes.rollback_to(1)
    assert writes.in_order() == ((b"a", b"22"), (b"b", None))
    writes.check_invariants()
    writes.put(b"b", b"again")
    writes.rollback_to(0)
    assert writes.in_range(b"", None) == [(b"a", b"1")]
    writes.check_invariants()


def test_writes_of_a_released_savepoint_belong_to_the_one_around_it() -> None:
    writes = WriteSet()
    writes.savepoint()
    writes.put(b"a", b"1")
    writes.savepoint()
    writes.put(b"a", b"2")
    writes.put(b"b", b"2")
    writes.release(1)
    assert writes.in_order() == ((b"a", b"2"), (b"b", b"2"))
    writes.rollback_to(0)
    assert writes.in_order() == ()
    writes.put(b"c", b"3")
    writes.release(0)
    writes.check_invariants()
    assert writes.in_order() == ((b"c", b"3"),)
