"""One checkpoint: writes what is dirty in one tree, slice by slice, then makes it durable in one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Final

from mynode.base.errors import DiskFullError, MyNodeError
from mynode.base.ids import LogIndex
from mynode.base.invariant import invariant
from mynode.storage.engine import Applied
from mynode.storage.nodes import Inner, Leaf, Node, Place, Replaced
from mynode.storage.pages.cache import NodeCache
from mynode.storage.pages.format import Kind, Meta, encode_inner, encode_leaf, pages_of, written
from mynode.storage.pages.ledger import GivenUp, PageLedger
from mynode.storage.pages.page_file import PageFile
from mynode.storage.tree import Tree

SLICE_PAGES: Final = 64
"""Pages that one slice writes, or a few more: about a millisecond's work."""


class State(Enum):
    WRITING = "writing"
    DURABLE = "durable"
    FAILED = "failed"


class PageCheckpoint:
    """Makes one tree durable. `write_slice` until it says that all is written, then `commit`; or `commit` alone.

    Calls may come from any thread, one at a time, while the engine adopts new trees. What is being written is immutable
    but for this: a written node learns its place, and its parent then holds its reference instead of it. So each node
    is in its page before anything refers to that page.

    After a full disk, what was written stays written: the next checkpoint goes on from there.

    Args:
        tree: what to write.
        replaced: what `tree` does without and the checkpoint before may have written.
        epoch: the one that ended when this checkpoint began.
        oldest_epoch: the oldest one that a living tree is of.
        durable: the newest durable checkpoint's meta.
        on_end: is told, once, the meta if it is durable and None if it failed; and what the next checkpoint has to do
            without besides what newer trees replace.
    """

    def __init__(
        self,
        file: PageFile,
        ledger: PageLedger,
        nodes: NodeCache,
        *,
        tree: Tree,
        applied: Applied,
        replaced: list[Replaced],
        epoch: int,
        oldest_epoch: int,
        durable: Meta,
        on_end: Callable[[Meta | None, list[Replaced]], None],
    ) -> None:
        self.applied = applied
        self.pages_written = 0
        self._file = file
        self._ledger = ledger
        self._nodes = nodes
        self._tree = tree
        self._replaced = replaced
        self._epoch = epoch
        self._oldest_epoch = oldest_epoch
        self._durable = durable
        self._on_end = on_end
        self._state = State.WRITING
        self._slice_end = SLICE_PAGES
        self._slices = self._write_all()

    def write_slice(self) -> bool:
        """Write some dirty pages; False when none are left.

        Raises:
            DiskFullError: there is no room; this checkpoint is over, the durable one stands, a later one may succeed.
            DiskError: the disk failed; no later checkpoint will succeed.
        """
        with self._failing():
            return next(self._slices, False)

    def commit(self) -> None:
        """Write what is left and make the checkpoint durable: two syncs, so better not in an event loop's thread.

        Raises as `write_slice` does.
        """
        with self._failing():
            while next(self._slices, False):
                pass
            given_up = [item if isinstance(item, Place) else item.place for item in self._replaced]
            places = [place for place in given_up if place is not None]
            number = self._durable.checkpoint + 1
            page, content = self._ledger.make_free_list(places)
            free_list = self._write_at(page, Kind.FREE_LIST, content)
            self._file.sync()
            meta = Meta(
                checkpoint=number,
                applied=self.applied,
                root=written(self._tree.root).ref,
                count=self._tree.count,
                page_count=self._ledger.space.end,
                free_list=free_list.ref,
            )
            self._file.write_meta(meta)
            self._ledger.give_up(GivenUp(number, self._epoch, places))
            self._state = State.DURABLE
            self._on_end(meta, [free_list])

    @property
    def applied_index(self) -> LogIndex:
        """The last entry that this checkpoint holds."""
        return self.applied.index

    @contextmanager
    def _failing(self) -> Iterator[None]:
        invariant(self._state is State.WRITING, f"this checkpoint is {self._state.value}")
        try:
            yield
        except MyNodeError:
            self._state = State.FAILED
            self._on_end(None, self._replaced)
            raise

    # --- slices ---

    def _write_all(self) -> Iterator[bool]:
        """Yields True after each slice."""
        for _ in self._ledger.reclaim(self._durable.checkpoint, self._oldest_epoch, self._nodes):
            yield True
        if self._tree.root.place is None:
            yield from self._write_node(self._tree.root)

    def _write_node(self, node: Node) -> Iterator[bool]:
        """Write a dirty node and, before it, all that is dirty below it."""
        if isinstance(node, Inner):
            yield from self._write_children(node)
            content, tombstones = encode_inner(node)
            node.place = self._write(Kind.INNER, content, tombstones=tombstones)
        else:
            yield from self._write_long_values(node)
            content, tombstones = encode_leaf(node)
            node.place = self._write(Kind.LEAF, content, tombstones=tombstones)
        self._nodes.add(node)
        if self.pages_written >= self._slice_end:
            self._slice_end = self.pages_written + SLICE_PAGES
            yield True

    def _write_children(self, inner: Inner) -> Iterator[bool]:
        children = inner.children
        for slot, child in enumerate(children):
            if not isinstance(child, int):
                if child.place is None:
                    yield from self._write_node(child)
                children[slot] = written(child).ref

    def _write_long_values(self, leaf: Leaf) -> Iterator[bool]:
        for value in (leaf.long or {}).values():
            if value.place is None:
                value.move_to(self._write(Kind.VALUE, value.read()), self._file)
                if self.pages_written >= self._slice_end:
                    self._slice_end = self.pages_written + SLICE_PAGES
                    yield True

    def _write(self, kind: Kind, content: bytes, *, tombstones: bool = False) -> Place:
        """Write a run to free pages."""
        pages = pages_of(len(content))
        page = self._ledger.space.allocate(pages)
        return self._write_at(page, kind, content, tombstones=tombstones)

    def _write_at(self, page: int, kind: Kind, content: bytes, *, tombstones: bool = False) -> Place:
        try:
            place = self._file.write_run(page, kind, content, tombstones=tombstones)
        except DiskFullError:
            self._ledger.space.release((page, pages_of(len(content))))
            raise
        self.pages_written += place.pages
        return place
