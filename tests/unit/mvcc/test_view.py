from __future__ import annotations

from mynode.mvcc.view import ReadView
from mynode.storage.tree import Tree


def view() -> ReadView:
    editor = Tree.empty().edit()
    editor.put(b"a", 1, b"A")
    editor.put(b"b", 2, None)
    editor.put(b"c", 3, b"C")
    return ReadView(3, editor.commit())


def test_a_deleted_key_does_not_show() -> None:
    assert view().get(b"a") == b"A"
    assert view().get(b"b") is None
    assert view().get(b"x") is None
    assert list(view().scan(b"", None)) == [(b"a", b"A"), (b"c", b"C")]
    assert list(view().scan(b"", b"c", reverse=True)) == [(b"a", b"A")]


def test_newest_in_counts_deletions() -> None:
    assert view().newest_in(b"a", b"c") == 2
    assert view().newest_in(b"x", None) == 0
