from __future__ import annotations

from mynode.mvcc.readset import ReadSet
from mynode.mvcc.validation import conflict
from mynode.storage.tree import Tree, TreeEditor


def editor() -> TreeEditor:
    made = Tree.empty().edit()
    made.put(b"a", 1, b"A")
    made.put(b"m", 5, None)
    return made


def test_nothing_read_conflicts_with_nothing() -> None:
    assert conflict(editor(), 0, ReadSet()) is None


def test_a_key_written_after_the_view_conflicts() -> None:
    reads = ReadSet({b"a": None, b"none": None})
    assert conflict(editor(), 0, reads) == b"a"
    assert conflict(editor(), 1, reads) is None


def test_a_deletion_conflicts_too() -> None:
    assert conflict(editor(), 4, ReadSet({b"m": None})) == b"m"
    assert conflict(editor(), 4, ReadSet(ranges=[(b"k", b"z")])) == b"k"
    assert conflict(editor(), 5, ReadSet(ranges=[(b"k", b"z")])) is None


def test_a_key_that_appears_in_a_range_is_a_phantom() -> None:
    changed = editor()
    reads = ReadSet(ranges=[(b"b", b"c"), (b"x", None)])
    assert conflict(changed, 5, reads) is None
    changed.put(b"xyz", 6, b"new")
    assert conflict(changed, 5, reads) == b"x"
    assert conflict(changed.commit(), 5, reads) == b"x"


def test_a_key_that_was_there_may_change_and_not_go() -> None:
    changed = editor()
    reads = ReadSet(present={b"a": None})
    assert conflict(changed, 0, reads) is None
    changed.put(b"a", 6, None)
    assert conflict(changed, 5, reads) == b"a"
    changed.put(b"a", 7, b"again")
    assert conflict(changed, 5, reads) is None


def test_a_deletion_that_the_view_has_seen_is_none_since() -> None:
    assert conflict(editor(), 5, ReadSet(present={b"m": None})) is None
