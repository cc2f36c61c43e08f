from __future__ import annotations

from mynode.mvcc.readset import ReadSet
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.storage.tree import Tree


def transaction(*keys: bytes, record_reads: bool = True) -> Transaction:
    """On a view that holds `keys`, each with itself in upper case as value."""
    editor = Tree.empty().edit()
    for version, key in enumerate(keys, 1):
        editor.put(key, version, key.upper())
    return Transaction(ReadView(len(keys), editor.commit()), record_reads=record_reads)


def keys_of(open_transaction: Transaction, low: bytes, high: bytes | None, *, reverse: bool = False) -> bytes:
    return b"".join(key for key, _ in open_transaction.scan(low, high, reverse=reverse))


def test_reads_of_present_and_absent_keys_are_remembered() -> None:
    txn = transaction(b"a")
    assert txn.get(b"a") == b"A"
    assert txn.get(b"b") is None
    assert txn.reads == ReadSet({b"a": None, b"b": None})


def test_of_what_exists_only_the_presence_is_remembered() -> None:
    txn = transaction(b"a")
    assert txn.exists(b"a")
    assert not txn.exists(b"b")
    txn.put(b"c", b"own")
    assert txn.exists(b"c")
    assert txn.reads == ReadSet({b"b": None}, present={b"a": None})


def test_own_writes_are_read_and_rest_on_nobody_else() -> None:
    txn = transaction(b"a", b"b")
    txn.put(b"a", b"new")
    txn.delete(b"b")
    assert txn.get(b"a") == b"new"
    assert txn.get(b"b") is None
    assert txn.reads == ReadSet()


def test_a_finished_scan_leaves_its_whole_range() -> None:
    txn = transaction(b"a", b"b", b"c")
    assert keys_of(txn, b"b", b"x") == b"bc"
    assert txn.reads.ranges == [(b"b", b"x")]


def test_an_abandoned_scan_leaves_what_it_walked() -> None:
    txn = transaction(b"a", b"b", b"c", b"d")
    walk = txn.scan(b"a", None)
    next(walk)
    next(walk)
    del walk
    assert txn.reads.ranges == [(b"a", b"b\0")]


def test_an_abandoned_reverse_scan_leaves_what_it_walked() -> None:
    txn = transaction(b"a", b"b", b"c", b"d")
    walk = txn.scan(b"a", b"d", reverse=True)
    assert next(walk) == (b"c", b"C")
    del walk
    assert txn.reads.ranges == [(b"c", b"d")]


def test_a_scan_still_open_counts_as_far_as_it_has_come() -> None:
    txn = transaction(b"a", b"b", b"c")
    walk = txn.scan(b"a", b"z")
    next(walk)
    assert txn.reads.ranges == [(b"a", b"a\0")]
    next(walk)
    assert txn.reads.ranges == [(b"a", b"b\0")]
    assert list(walk) == [(b"c", b"C")]
    assert txn.reads.ranges == [(b"a", b"z")]


def test_a_scan_never_begun_leaves_nothing() -> None:
    txn = transaction(b"a")
    del (walk := [txn.scan(b"a", None)])[:]
    assert walk == []
    assert txn.reads == ReadSet()


def test_an_empty_scan_leaves_its_range() -> None:
    txn = transaction()
    assert keys_of(txn, b"a", b"b") == b""
    assert txn.reads.ranges == [(b"a", b"b")]


def test_scans_merge_own_writes_in_both_directions() -> None:
    txn = transaction(b"b", b"d", b"f")
    txn.put(b"a", b"1")
    txn.put(b"c", b"2")
    txn.put(b"d", b"3")
    txn.delete(b"f")
    txn.delete(b"nothing")
    txn.put(b"z", b"4")
    expected = [(b"a", b"1"), (b"b", b"B"), (b"c", b"2"), (b"d", b"3"), (b"z", b"4")]
    assert list(txn.scan(b"", None)) == expected
    assert list(txn.scan(b"", None, reverse=True)) == expected[::-1]
    assert keys_of(txn, b"b", b"d") == b"bc"
    assert keys_of(txn, b"b", b"d", reverse=True) == b"cb"


def test_a_scan_does_not_meet_what_is_written_while_it_runs() -> None:
    txn = transaction(b"a", b"b", b"c")
    seen = []
    for key, value in txn.scan(b"", None):
        seen.append(value)
        txn.delete(key)
        txn.put(b"x" + key, value)
    assert seen == [b"A", b"B", b"C"]
    assert keys_of(txn, b"", None) == b"xaxbxc"


def test_a_read_only_transaction_keeps_no_read_set() -> None:
    txn = transaction(b"a", b"b", record_reads=False)
    assert txn.get(b"a") == b"A"
    assert keys_of(txn, b"", None) == b"ab"
    assert txn.reads == ReadSet()


def test_what_a_transaction_was_can_be_read_while_it_writes_on() -> None:
    txn = transaction(b"a", b"b", b"c")
    txn.put(b"a", b"first")
    earlier = txn.at_present()
    txn.put(b"a", b"second")
    txn.put(b"bb", b"new")
    txn.delete(b"c")
    assert (earlier.get(b"a"), earlier.get(b"c"), earlier.get(b"bb")) == (b"first", b"C", None)
    assert keys_of(earlier, b"a", None) == b"abc"
    assert keys_of(txn, b"a", None) == b"abbb"


def test_what_was_read_of_an_earlier_state_is_in_the_read_set() -> None:
    txn = transaction(b"a", b"b")
    earlier = txn.at_present()
    txn.put(b"a", b"new")
    earlier.get(b"a")
    assert keys_of(earlier, b"b", b"x") == b"b"
    assert txn.reads.keys == {b"a": None}
    assert txn.reads.ranges == [(b"b", b"x")]


def test_runs_are_the_scan_in_parts() -> None:
    keys = [b"%03d" % number for number in range(300)]
    for written in ((), (b"0005", b"100"), (b"299x",)):
        for reverse in (False, True):
            txn = transaction(*keys)
            for key in written:
                txn.put(key, b"own")
            runs = list(txn.scan_runs(b"003", b"3", reverse=reverse, first=4, longest=32))
            items = [item for run in runs for item in zip(*run, strict=True)]
            assert items == list(txn.scan(b"003", b"3", reverse=reverse))
            assert [len(keys) for keys, _ in runs[:5]] == [4, 8, 16, 32, 32]
            assert all(len(keys) == 32 for keys, _ in runs[3:-1])


def test_runs_enter_the_read_set_one_by_one() -> None:
    txn = transaction(b"a", b"b", b"c", b"d", b"e", b"f", b"g")
    runs = txn.scan_runs(b"a", b"z", first=2, longest=4)
    assert txn.reads.ranges == []
    assert next(runs) == ([b"a", b"b"], [b"A", b"B"])
    assert txn.reads.ranges == [(b"a", b"b\0")]
    next(runs)
    assert txn.reads.ranges == [(b"a", b"f\0")]
    assert list(runs) == [([b"g"], [b"G"])]
    assert txn.reads.ranges == [(b"a", b"z")]
    backwards = txn.scan_runs(b"x", b"zz", reverse=True, first=2, longest=4)
    assert list(backwards) == [([], [])]
    assert txn.reads.ranges == [(b"a", b"zz")]


def test_runs_leave_deleted_keys_out() -> None:
    editor = Tree.empty().edit()
    for number in range(200):
        editor.put(b"%03d" % number, 1, b"x")
    for number in range(0, 200, 3):
        editor.put(b"%03d" % number, 2, None)
    txn = Transaction(ReadView(2, editor.commit()))
    found = [key for keys, _ in txn.scan_runs(b"", None, first=16, longest=64) for key in keys]
    assert found == [b"%03d" % number for number in range(200) if number % 3]
