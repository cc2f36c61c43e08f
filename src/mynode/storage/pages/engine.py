"""`PageEngine`: the tree in a page file. How it is written is in checkpoint.py, why that is safe in format.py."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from weakref import ReferenceType, ref

from mynode.base import limits
from mynode.base.disk import Disk
from mynode.base.ids import LogIndex, Term
from mynode.base.invariant import invariant
from mynode.storage.engine import Applied
from mynode.storage.nodes import Epoch, Leaf, Replaced, next_edit_number
from mynode.storage.pages.cache import NodeCache
from mynode.storage.pages.checkpoint import PageCheckpoint
from mynode.storage.pages.format import FILE_NAME, Meta
from mynode.storage.pages.held import HeldCheckpoint
from mynode.storage.pages.ledger import PageLedger
from mynode.storage.pages.page_file import PageFile
from mynode.storage.tree import Tree


@dataclass(frozen=True, slots=True)
class PageStatus:
    """Sizes for operators: pages of the file, how many of them are free or soon free, and the cache."""

    checkpoint: int
    durable_index: LogIndex
    pages: int
    free_pages: int
    waiting_pages: int
    cache_bytes: int
    cache_misses: int


class PageEngine:
    """The newest tree over the last checkpoint's pages; see `mynode.storage.engine.Engine`.

    One thread adopts trees and begins checkpoints; the checkpoint's own calls may come from another. Trees, their
    readers too, may read pages at any time. An edit must not be open when a checkpoint begins.

    Invariants (`check_invariants`): what is adopted was made from the tree before it, in the current epoch; those of
    the ledger and the cache. A page that a living tree, or a meta, reaches is never written.
    """

    def __init__(self, file: PageFile, meta: Meta, older: Meta | None, cache_bytes: int) -> None:
        """Use `open`."""
        self._file = file
        self._meta = meta
        self._older = older
        self._nodes = NodeCache(file, cache_bytes)
        self._epochs: deque[ReferenceType[Epoch]] = deque()
        self._begin_epoch(1)
        self._replaced: list[Replaced] = []
        self._carried: list[Replaced] = []
        """What the next checkpoint does without besides `_replaced`: the last free list, what a failed one gave up."""
        if meta.free_list:
            free, given_up, place = file.read_free_list(meta.free_list)
            self._ledger = PageLedger(free, given_up, meta.checkpoint, meta.page_count)
            self._carried.append(place)
        else:
            self._ledger = PageLedger((), (), meta.checkpoint, meta.page_count)
        root = file.read_node(meta.root) if meta.root else Leaf(0, [], [])
        self._tree = Tree(root, meta.count, self._nodes)
        self._applied = meta.applied
        self._durable_epoch = self._checkpoint_epoch = self._nodes.epoch
        """The one that ends when the checkpoint after the newest durable one begins."""
        self._is_checkpointing = False

    @classmethod
    def open(cls, disk: Disk, *, cache_bytes: int = limits.PAGE_CACHE_BYTES) -> PageEngine:
        """Open the page file in `disk` at its newest checkpoint, or begin one.

        Args:
            cache_bytes: how much memory clean nodes may take, about.

        Raises:
            CorruptionError: what is needed for that is damaged.
            DiskError: the disk failed or is full.
        """
        if FILE_NAME not in disk.list():
            file = PageFile.create(disk)
            return cls(file, file.newest_meta(), None, cache_bytes)
        engine = cls.look(disk, cache_bytes=cache_bytes)
        # Written again, because a failed sync of the last process may have left it in the page cache only.
        engine._file.write_meta(engine._meta)
        disk.sync_directory()
        return engine

    @classmethod
    def look(cls, disk: Disk, *, cache_bytes: int = limits.PAGE_CACHE_BYTES) -> PageEngine:
        """Open an existing page file as `open` does, but write nothing: for a look at its tree."""
        file = PageFile(disk.open(FILE_NAME))
        meta = file.newest_meta()
        older = next((other for other in file.metas() if isinstance(other, Meta) and other != meta), None)
        return cls(file, meta, older, cache_bytes)

    @property
    def tree(self) -> Tree:
        return self._tree

    @property
    def applied_index(self) -> LogIndex:
        return self._applied.index

    @property
    def applied(self) -> Applied:
        return self._applied

    @property
    def durable_index(self) -> LogIndex:
        """The last entry that the newest durable checkpoint holds."""
        return self._meta.applied.index

    @property
    def log_needed_after(self) -> LogIndex:
        """Entries up to this one are in both checkpoints, so the raft log may do without them."""
        return self._meta.applied.index if self._older is None else self._older.applied.index

    def hold_checkpoint(self) -> HeldCheckpoint:
        """The newest durable checkpoint; its pages stay as they are while somebody holds it."""
        return HeldCheckpoint(self._file, self._meta, self._durable_epoch)

    def adopt(self, tree: Tree, applied_index: LogIndex, term: Term = 0, membership: bytes | None = None) -> None:
        """Make `tree`, which was made from the newest one, the newest; see `Engine`."""
        applied = self._applied.then(applied_index, term, membership)
        if tree is not self._tree:
            invariant(tree.made_from == self._tree.made_by, "a tree is adopted after the one it was made from")
            invariant(tree.epoch is self._nodes.epoch, "no checkpoint begins in the middle of an edit")
            self._replaced += tree.replaced
            tree.replaced.clear()
            self._tree = tree
        self._applied = applied

    def begin_checkpoint(self) -> PageCheckpoint | None:
        """Begin to make the newest tree durable; None if it is. The caller carries it out; only one at a time.

        Raises:
            DiskError: the disk has failed before.
        """
        self._file.check_usable()
        invariant(not self._is_checkpointing, "one checkpoint at a time")
        if self._applied.index == self._meta.applied.index:
            return None
        self._is_checkpointing = True
        replaced, self._replaced, self._carried = self._carried + self._replaced, [], []
        epoch = self._nodes.epoch.number
        self._begin_epoch(epoch + 1)
        self._checkpoint_epoch = self._nodes.epoch
        return PageCheckpoint(
            self._file,
            self._ledger,
            self._nodes,
            tree=self._tree,
            applied=self._applied,
            replaced=replaced,
            epoch=epoch,
            oldest_epoch=self._oldest_epoch(),
            durable=self._meta,
            on_end=self._end_checkpoint,
        )

    def checkpoint(self) -> None:
        """Make the newest tree durable now. Raises as `PageCheckpoint.commit` does."""
        checkpoint = self.begin_checkpoint()
        if checkpoint is not None:
            checkpoint.commit()

    def _end_checkpoint(self, meta: Meta | None, carried: list[Replaced]) -> None:
        if meta is not None:
            self._meta, self._older = meta, self._meta
            self._durable_epoch = self._checkpoint_epoch
        self._carried = carried
        self._is_checkpointing = False

    def _begin_epoch(self, number: int) -> None:
        self._nodes.epoch = Epoch(number)
        self._nodes.dirty_since = next_edit_number()
        self._epochs.append(ref(self._nodes.epoch))

    def _oldest_epoch(self) -> int:
        """The oldest epoch that a living tree is of."""
        while (oldest := self._epochs[0]()) is None:
            self._epochs.popleft()
        return oldest.number

    def status(self) -> PageStatus:
        space = self._ledger.space
        return PageStatus(
            checkpoint=self._meta.checkpoint,
            durable_index=self._meta.applied.index,
            pages=space.end,
            free_pages=space.pages,
            waiting_pages=self._ledger.waiting_pages,
            cache_bytes=self._nodes.bytes,
            cache_misses=self._nodes.misses,
        )

    def close(self) -> None:
        """What is not in a checkpoint is in the raft log. Closing twice is harmless."""
        self._file.close()

    def check_invariants(self) -> None:
        self._nodes.check_invariants()
        self._ledger.check_invariants()
        self._tree.check_invariants()
