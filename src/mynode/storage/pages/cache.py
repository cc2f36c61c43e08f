"""The nodes of the page file that are in memory, bounded in bytes."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import Final

from mynode.storage.nodes import Leaf, Node, NodeSource, Ref
from mynode.storage.pages.format import PAGE_BYTES
from mynode.storage.pages.page_file import PageFile

_LEAF_RECORD_BYTES: Final = 200
_CHILD_BYTES: Final = 150
"""What Python's objects for a record or a child take beside their content, measured."""


def memory_bytes(node: Node) -> int:
    """About what a clean node takes in memory."""
    assert node.place is not None
    each = _LEAF_RECORD_BYTES if isinstance(node, Leaf) else _CHILD_BYTES
    return node.place.pages * PAGE_BYTES + each * node.fill()


class NodeCache(NodeSource):
    """Clean nodes by reference: a hit is a plain dict look-up, a miss reads the page.

    There are two generations. What is read or written comes into the young one, the dict itself; when there is no room,
    nodes of the old one go, and when none are left, the young become old. A node that is used while it is old becomes
    young again, so what is used often stays (the clock algorithm, with a dict for the marks).

    The lock keeps the bookkeeping right: a checkpoint adds nodes from its thread while others read. A hit takes none.

    Invariants (`check_invariants`): no node is in both generations, `bytes` is the sum of their `memory_bytes`, at most
    `limit_bytes`.
    """

    __slots__ = ("_file", "_lock", "_old", "_sweep", "bytes", "limit_bytes", "misses")

    def __init__(self, file: PageFile, limit_bytes: int) -> None:
        super().__init__()
        self.limit_bytes = limit_bytes
        self.bytes = 0
        self.misses = 0
        """Nodes read from the file so far."""
        self._file = file
        self._lock = Lock()
        self._old: dict[Ref, Node] = {}
        self._sweep: Iterator[Ref] = iter(())

    def __missing__(self, ref: Ref) -> Node:
        with self._lock:
            node = self.get(ref)  # another thread may have been here first
            if node is None:
                node = self._old.pop(ref, None)
                if node is None:
                    node = self._file.read_node(ref)
                    self.misses += 1
                    self.bytes += memory_bytes(node)
                self[ref] = node
                self._make_room()
        return node

    def add(self, node: Node) -> None:
        """A node that has just been written, and so became clean."""
        assert node.place is not None
        with self._lock:
            self[node.place.ref] = node
            self.bytes += memory_bytes(node)
            self._make_room()

    def discard(self, ref: Ref) -> None:
        """The page of `ref` is about to be used for something else."""
        with self._lock:
            node = self.pop(ref, None) or self._old.pop(ref, None)
            if node is not None:
                self.bytes -= memory_bytes(node)

    def _make_room(self) -> None:
        while self.bytes > self.limit_bytes:
            for ref in self._sweep:
                node = self._old.pop(ref, None)
                if node is not None:
                    self.bytes -= memory_bytes(node)
                    break
            else:
                self._old = dict(self)
                self._sweep = iter(list(self._old))
                self.clear()

    def check_invariants(self) -> None:
        assert not self.keys() & self._old.keys()
        assert self.bytes == sum(map(memory_bytes, (*self.values(), *self._old.values()))) <= self.limit_bytes
