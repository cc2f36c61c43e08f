"""`PageFile`: runs and metas in a file. Checks what it reads, and never uses a file whose sync has failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mynode.base.disk import Disk, File
from mynode.base.errors import CorruptionError, DiskError, DiskFullError
from mynode.storage.nodes import Node, Place, Ref
from mynode.storage.pages.format import (
    EMPTY,
    FILE_NAME,
    META_PAGES,
    PAGE_BYTES,
    Extent,
    Kind,
    Meta,
    decode_free_list,
    decode_meta,
    decode_node,
    decode_run,
    encode_meta,
    encode_run,
    page_of,
    run_pages,
    wrong_kind,
)

_NEW_FILE = FILE_NAME + ".new"


class PageFile:
    """The open page file. Reads may come from any thread, writes from one at a time.

    After a failed sync, write or meta nobody knows what is durable: that and every later write raise the same
    `DiskError`. A full disk is no such failure, except for a meta.
    """

    def __init__(self, file: File) -> None:
        self._file = file
        self._failure: DiskError | None = None

    @classmethod
    def create(cls, disk: Disk) -> PageFile:
        """An empty page file, durable; it has its name only when it is whole. After an error it can be tried again."""
        file = disk.create(_NEW_FILE)
        try:
            file.write(0, encode_meta(EMPTY))
            file.write(PAGE_BYTES, bytes(PAGE_BYTES))
            file.sync()
        finally:
            file.close()
        disk.rename(_NEW_FILE, FILE_NAME)
        disk.sync_directory()
        return cls(disk.open(FILE_NAME))

    # --- reading ---

    def metas(self) -> list[Meta | CorruptionError]:
        """Both metas, by page; an error in the place of one that is not valid, as a torn write may leave it."""
        found: list[Meta | CorruptionError] = []
        for page in range(META_PAGES):
            try:
                found.append(decode_meta(self._read(page, 1), page))
            except CorruptionError as error:
                # Its traceback would lead back to this list, and so keep all callers' frames until a cycle collection.
                found.append(error.with_traceback(None))
        return found

    def newest_meta(self) -> Meta:
        """The newest valid meta.

        Raises:
            CorruptionError: neither is valid.
        """
        found = self.metas()
        valid = [meta for meta in found if isinstance(meta, Meta)]
        if not valid:
            raise next(error for error in found if isinstance(error, CorruptionError))
        return max(valid, key=lambda meta: meta.checkpoint)

    def read_node(self, ref: Ref) -> Node:
        """The node that `ref` names.

        Raises:
            CorruptionError: it is damaged.
            DiskError: the disk failed.
        """
        kind, content, pages = self.read_run(ref)
        return decode_node(kind, content, Place(ref, pages), self)

    def read_value(self, ref: Ref) -> bytes:
        """The long value that `ref` names. Raises as `read_node` does."""
        return self._read_kind(ref, Kind.VALUE)[0]

    def read_free_list(self, ref: Ref) -> tuple[list[Extent], list[Extent], Place]:
        """Extents that are free, those that will be after the next meta, and the list's own place; as `read_node`."""
        content, pages = self._read_kind(ref, Kind.FREE_LIST)
        return *decode_free_list(content, page_of(ref)), Place(ref, pages)

    def _read_kind(self, ref: Ref, expected: Kind) -> tuple[bytes, int]:
        kind, content, pages = self.read_run(ref)
        if kind is not expected:
            raise wrong_kind(page_of(ref), kind)
        return content, pages

    def read_run(self, ref: Ref) -> tuple[Kind, bytes, int]:
        """Kind, content and pages of what `ref` names. Raises as `read_node` does."""
        page = page_of(ref)
        data = self._read(page, 1)
        pages = run_pages(data, page)
        if pages > 1:
            data += self._read(page + 1, pages - 1)
        return *decode_run(data, page, ref), pages

    def _read(self, page: int, pages: int) -> bytes:
        return self._file.read(page * PAGE_BYTES, pages * PAGE_BYTES)

    def read_bytes(self, offset: int, length: int) -> bytes:
        """Bytes as they stand there, unchecked; fewer only where the file ends. Raises `DiskError`."""
        return self._file.read(offset, length)

    def size(self) -> int:
        """Bytes of the file."""
        return self._file.size()

    # --- writing ---

    def write_run(self, page: int, kind: Kind, content: bytes, *, tombstones: bool = False) -> Place:
        """Write a run to free pages; durable after `sync`.

        Raises:
            DiskFullError: there is no room; the pages may hold anything now.
            DiskError: the disk failed; the file must not be written any more.
        """
        data, place = encode_run(page, kind, content, tombstones=tombstones)
        with self._poisoned_by_failure():
            self._file.write(page * PAGE_BYTES, data)
        return place

    def sync(self) -> None:
        """Raises `DiskError`: the file must not be written any more."""
        with self._poisoned_by_failure(also_full=True):
            self._file.sync()

    def write_meta(self, meta: Meta) -> None:
        """Write the meta and make it durable. Raises as `sync` does."""
        with self._poisoned_by_failure(also_full=True):
            self._file.write(meta.checkpoint % META_PAGES * PAGE_BYTES, encode_meta(meta))
            self._file.sync()

    def check_usable(self) -> None:
        """Raises the `DiskError` after which the file must not be written any more, if there was one."""
        if self._failure is not None:
            raise self._failure

    @contextmanager
    def _poisoned_by_failure(self, *, also_full: bool = False) -> Iterator[None]:
        self.check_usable()
        try:
            yield
        except DiskError as error:
            if also_full or not isinstance(error, DiskFullError):
                self._failure = error
            raise

    def close(self) -> None:
        """Closing twice is harmless. Does not sync."""
        self._file.close()
