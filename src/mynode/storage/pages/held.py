"""A durable checkpoint as one row of bytes, for a node that is behind the raft log's cut."""

from __future__ import annotations

from typing import Final

from mynode.storage.nodes import Epoch
from mynode.storage.pages.format import META_PAGES, PAGE_BYTES, Meta, encode_meta
from mynode.storage.pages.page_file import PageFile


class HeldCheckpoint:
    """The bytes of a page file that has this one checkpoint: `size` of them, the same at every call.

    Nothing that the checkpoint reaches is written while this object lives: it holds the epoch that ends when the next
    checkpoint begins, as a read view of that time would, so that what later ones give up stays (see `PageLedger`).
    The metas in the file go on changing, so their pages are made anew; free pages are as they happen to be. Reads may
    come from any thread.
    """

    __slots__ = ("_epoch", "_file", "_head", "meta")

    def __init__(self, file: PageFile, meta: Meta, epoch: Epoch) -> None:
        self.meta: Final = meta
        self._file = file
        self._epoch = epoch
        own = meta.checkpoint % META_PAGES
        head = [encode_meta(meta) if page == own else bytes(PAGE_BYTES) for page in range(META_PAGES)]
        self._head = b"".join(head)

    @property
    def size(self) -> int:
        return self.meta.page_count * PAGE_BYTES

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`; fewer only where the checkpoint ends. Raises `DiskError`."""
        end = min(offset + length, self.size)
        head = self._head[offset:end]
        start = offset + len(head)
        if start >= end:
            return head
        # The last pages may be free ones that were never written: the file then ends before them.
        return head + self._file.read_bytes(start, end - start).ljust(end - start, b"\0")
