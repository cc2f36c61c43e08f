from __future__ import annotations

from mynode.base.limits import GARBAGE_PER_ENTRY
from mynode.mvcc import keyspace
from mynode.mvcc.garbage import Garbage
from mynode.mvcc.tombstones import Tombstones
from mynode.mvcc.writeset import Write
from mynode.storage.tree import Tree, TreeEditor


def row(table: int, number: int) -> bytes:
    return keyspace.ROWS + bytes((table,)) + number.to_bytes(2, "big")


def noted(table: int) -> Write:
    return keyspace.GARBAGE + keyspace.ROWS + bytes((table,)), b""


class Followed:
    """An editor with the garbage and the tombstones that follow it."""

    def __init__(self) -> None:
        self.editor: TreeEditor = Tree.empty().edit()
        self.garbage = Garbage(Tree.empty())
        self.tombstones = Tombstones(Tree.empty())

    def write(self, version: int, *writes: Write) -> None:
        for key, value in writes:
            self.editor.put(key, version, value)
        self.garbage.follow(writes, version)
        self.tombstones.follow(writes, version)
        self.check()

    def collect(self, watermark: int) -> None:
        self.garbage.collect(self.editor, self.tombstones, watermark)
        self.check()

    def check(self) -> None:
        tree = self.editor.commit()
        self.garbage.check_invariants(tree)
        self.tombstones.check_invariants(tree)
        self.editor = tree.edit()

    def left(self) -> list[bytes]:
        return [key for key, _ in self.editor.commit().scan(b"", None)]


def test_garbage_goes_when_the_watermark_reaches_it_and_nothing_else_does() -> None:
    followed = Followed()
    followed.write(1, *((row(table, number), b"") for table in (1, 2, 3) for number in (0, 300, 65_535)))
    followed.write(5, noted(2))
    followed.collect(4)
    assert len(followed.left()) == 10
    followed.collect(5)
    assert followed.left() == [row(table, number) for table in (1, 3) for number in (0, 300, 65_535)]
    assert len(followed.garbage) == 0


def test_an_entry_takes_out_so_many_at_most() -> None:
    followed = Followed()
    count = 2 * GARBAGE_PER_ENTRY + 5
    followed.write(1, *((row(1, number), b"") for number in range(count)))
    followed.write(2, noted(1))
    left = []
    while len(followed.garbage):
        followed.collect(9)
        left.append(len(followed.left()))
    assert left == [count + 1 - GARBAGE_PER_ENTRY, count + 1 - 2 * GARBAGE_PER_ENTRY, 0]


def test_the_oldest_goes_first() -> None:
    followed = Followed()
    followed.write(1, (row(1, 0), b""), (row(2, 0), b""))
    followed.write(2, noted(2))
    followed.write(3, noted(1))
    followed.collect(2)
    assert followed.left() == [row(1, 0), noted(1)[0]]


def test_tombstones_in_it_go_with_it() -> None:
    followed = Followed()
    followed.write(1, (row(1, 0), b""), (row(1, 1), b""))
    followed.write(2, (row(1, 0), None))
    followed.write(3, noted(1))
    followed.collect(3)
    assert followed.left() == []
    assert len(followed.tombstones) == 0


def test_what_is_newer_than_the_watermark_is_waited_for() -> None:
    followed = Followed()
    followed.write(2, noted(1))
    followed.write(5, (row(1, 0), b"late"))
    followed.collect(4)
    assert row(1, 0) in followed.left()
    followed.collect(5)
    assert followed.left() == []
