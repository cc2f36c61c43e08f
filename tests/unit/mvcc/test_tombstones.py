from __future__ import annotations

from mynode.base.limits import TOMBSTONES_PER_ENTRY
from mynode.mvcc import keyspace
from mynode.mvcc.tombstones import Tombstones
from mynode.mvcc.writeset import Write
from mynode.storage.tree import Tree, TreeEditor


def row(number: int) -> bytes:
    return keyspace.ROWS + number.to_bytes(4, "big")


class Followed:
    """An editor with the tombstones that follow it."""

    def __init__(self) -> None:
        self.editor: TreeEditor = Tree.empty().edit()
        self.tombstones = Tombstones(Tree.empty())

    def write(self, version: int, *writes: Write) -> None:
        for key, value in writes:
            self.editor.put(key, version, value)
        self.tombstones.follow(writes, version)
        self.check()

    def collect(self, watermark: int) -> None:
        self.tombstones.collect(self.editor, watermark)
        self.check()

    def check(self) -> None:
        self.tombstones.check_invariants(self.editor.commit())


def test_a_tombstone_goes_when_the_watermark_reaches_it() -> None:
    followed = Followed()
    followed.write(3, (row(1), None), (row(2), b"live"))
    followed.write(5, (row(3), None))
    followed.collect(2)
    assert len(followed.tombstones) == 2
    followed.collect(3)
    assert followed.editor.get(row(1)) is None
    assert followed.editor.get(row(2)) == (3, b"live")
    assert len(followed.tombstones) == 1


def test_a_key_written_again_is_kept_and_one_deleted_again_waits_anew() -> None:
    followed = Followed()
    followed.write(1, (row(1), None), (row(2), None), (row(3), None))
    followed.write(2, (row(1), b"back"))
    followed.write(3, (row(2), None))
    followed.collect(2)
    assert followed.editor.get(row(1)) == (2, b"back")
    assert followed.editor.get(row(2)) == (3, None)
    assert followed.editor.get(row(3)) is None


def test_tombstones_of_the_catalog_stay() -> None:
    followed = Followed()
    followed.write(1, (keyspace.CATALOG + b"t", None))
    followed.collect(100)
    assert followed.editor.get(keyspace.CATALOG + b"t") == (1, None)


def test_the_echo_of_a_huge_delete_is_spread_over_entries() -> None:
    followed = Followed()
    followed.write(1, *((row(number), None) for number in range(TOMBSTONES_PER_ENTRY + 5)))
    followed.collect(1)
    assert len(followed.tombstones) == 5
    followed.collect(1)
    assert followed.editor.count == 0
