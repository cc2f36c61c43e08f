from __future__ import annotations

from mynode.base.limits import MAX_READ_SET_BYTES, MAX_READ_SET_ITEMS
from mynode.mvcc.readset import ReadSet


def test_keys_and_ranges_are_covered_and_nothing_else() -> None:
    reads = ReadSet()
    reads.add_key(b"k")
    reads.add_range(b"b", b"d")
    reads.add_range(b"x", None)
    covered = [key for key in (b"a", b"b", b"c", b"d", b"k", b"k\0", b"x", b"zz") if reads.covers(key, b"")]
    assert covered == [b"b", b"c", b"k", b"x", b"zz"]


def test_an_empty_range_adds_nothing() -> None:
    reads = ReadSet()
    reads.add_range(b"b", b"b")
    reads.add_range(b"b", b"a")
    assert reads == ReadSet()


def test_a_range_that_goes_on_from_the_last_extends_it() -> None:
    reads = ReadSet()
    reads.add_range(b"a", b"c")
    reads.add_range(b"c", b"e")
    reads.add_range(b"b", b"d")
    assert reads.ranges == [(b"a", b"e")]
    reads.add_range(b"a", None)
    assert reads.ranges == [(b"a", None)]
    reads.add_range(b"x", b"z")
    assert reads.ranges == [(b"a", None)]


def test_of_a_key_that_is_present_only_its_deletion_is_seen() -> None:
    reads = ReadSet()
    reads.add_present(b"a")
    reads.add_present(b"a")
    assert len(reads) == 1
    assert reads.covers(b"a", None)
    assert not reads.covers(b"a", b"new")
    reads.add_key(b"a")
    assert reads.covers(b"a", b"new")


def test_too_many_present_keys_become_ranges() -> None:
    reads = ReadSet()
    keys = [b"\x02" + number.to_bytes(4, "big") for number in range(MAX_READ_SET_ITEMS + 1)]
    for key in keys:
        reads.add_present(key)
    assert len(reads) <= MAX_READ_SET_ITEMS
    assert all(reads.covers(key, None) for key in keys[::97])


def test_too_many_keys_become_ranges_that_still_cover_them() -> None:
    reads = ReadSet()
    keys = [b"\x02" + (number * 10).to_bytes(4, "big") for number in range(MAX_READ_SET_ITEMS * 3)]
    for key in keys:
        reads.add_key(key)
    assert len(reads.keys) + len(reads.ranges) <= MAX_READ_SET_ITEMS
    assert all(key in reads.keys or reads.covers(key, b"") for key in keys[::97])


def test_coarsening_does_not_join_one_table_with_the_next() -> None:
    reads = ReadSet()
    reads.add_key(b"\x01catalog")
    for number in range(MAX_READ_SET_ITEMS * 2):
        reads.add_key(b"\x02" + number.to_bytes(4, "little"))
    assert reads.covers(b"\x01catalog", b"")
    assert not reads.covers(b"\x01catalogue", b"")
    assert not reads.covers(b"\x02", b"")


def test_the_bytes_of_long_keys_are_bounded() -> None:
    reads = ReadSet()
    for number in range(1_000):
        reads.add_key(number.to_bytes(4, "big") * 1_024)
    size = sum(map(len, reads.keys)) + sum(len(low) + len(high or b"") for low, high in reads.ranges)
    assert size <= MAX_READ_SET_BYTES


def test_the_bytes_of_extended_ranges_are_bounded() -> None:
    reads = ReadSet()
    for number in range(1_000):
        prefix = number.to_bytes(4, "big")
        reads.add_range(prefix, prefix + b"\0")
        reads.add_range(prefix + b"\0", prefix + b"\0" * 4_096)
    assert sum(len(low) + len(high or b"") for low, high in reads.ranges) <= MAX_READ_SET_BYTES
