"""A snapshot on its way in: stored part by part in a side file, then installed in place of page file and raft log.

| file | holds |
|---|---|
| `snapshot-SOURCE-INDEX-TERM.part` | the beginning of the snapshot that node SOURCE sends, of the state up to INDEX |
| `tree.pages.install` | a whole snapshot, proved sound, that is to replace page file and raft log |

A snapshot's bytes are a page file with one checkpoint (`HeldCheckpoint`). Each part is synced before it is answered, so
that a crash can leave no more than the last one incomplete: a restart keeps all before that, and the transfer goes on
there. An install:

1. walk the whole tree of the side file: every page's checksum, up to the meta, which must be of the index asked for
2. rename it to `tree.pages.install`; from here on the install is certain
3. reset the raft log to begin after the snapshot's index
4. rename it to `tree.pages`

A start that finds `tree.pages.install` does steps 3 and 4 (`finish_install`): doing them again changes nothing. So a
crash at any moment leaves the old state with the old log, or the new one with the new log.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import google_crc32c

from mynode.base.disk import Disk, File
from mynode.base.errors import CorruptionError, DiskFullError
from mynode.base.ids import LogIndex, NodeId, Term
from mynode.base.limits import SNAPSHOT_CHUNK_BYTES
from mynode.storage.engine import Applied
from mynode.storage.pages.check import check_file
from mynode.storage.pages.format import FILE_NAME, PAGE_BYTES
from mynode.storage.pages.page_file import PageFile
from mynode.storage.raft_log import RaftLog

INSTALL_NAME: Final = FILE_NAME + ".install"
_PREFIX: Final = "snapshot-"
_SUFFIX: Final = ".part"


def part_checksum(data: bytes) -> int:
    """The checksum that goes with a part from the node that read it to the one that stores it."""
    checksum: int = google_crc32c.value(data)
    return checksum


class IncomingSnapshot:
    """The side file. Calls block on the disk, one at a time.

    Invariant: the open file holds the first `_size` bytes of the snapshot that its name says, all synced.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._file: File | None = None
        self._size = 0

    def store(self, source: NodeId, index: LogIndex, term: Term, *, offset: int, data: bytes, checksum: int) -> int:
        """Keep a part, if it is whole and goes on where what is here ends; returns how much is here.

        What another source sent, or of another snapshot, is thrown away first.

        Raises:
            DiskFullError: there is no room; what was here before still is.
            DiskError: the disk failed.
        """
        file = self._open(f"{_PREFIX}{source}-{index}-{term}{_SUFFIX}")
        if data and offset == self._size and part_checksum(data) == checksum:
            try:
                file.write(offset, data)
            except DiskFullError:
                file.truncate(offset)
                raise
            file.sync()
            self._size += len(data)
        return self._size

    def _open(self, name: str) -> File:
        if self._file is not None and self._file.name == name:
            return self._file
        names = [found for found in self._disk.list() if is_part(found)]
        self._close()
        for other in names:
            if other != name:
                self._disk.delete(other)
        if name in names:
            file = self._disk.open(name)
            # The last part may be torn, or in the page cache only.
            self._size = max(0, (file.size() - SNAPSHOT_CHUNK_BYTES) // PAGE_BYTES * PAGE_BYTES)
            file.truncate(self._size)
        else:
            file = self._disk.create(name)
            self._size = 0
            self._disk.sync_directory()
        self._file = file
        return file

    def prepare_install(self, index: LogIndex, term: Term, membership: bytes) -> None:
        """Prove that the side file is the whole snapshot of the state up to `index`, and make its install certain.

        Args:
            membership: the encoded configuration as of `index`, as the snapshot's sender knows it.

        Raises:
            CorruptionError: it is not; it is deleted, and nothing else has changed.
            DiskError: the disk failed or is full.
        """
        file = self._file
        if file is None:
            raise CorruptionError("there is no snapshot to install", file=INSTALL_NAME, offset=0)
        name = file.name
        try:
            _prove(file, index, term, membership)
        except CorruptionError:
            self.discard()
            raise
        self._close()
        self._disk.rename(name, INSTALL_NAME)
        self._disk.sync_directory()

    def discard(self) -> None:
        """Delete what is here. Raises `DiskError`."""
        self._close()
        for name in self._disk.list():
            if is_part(name):
                self._disk.delete(name)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._size = None, 0


def is_part(name: str) -> bool:
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


def _prove(file: File, index: LogIndex, term: Term, membership: bytes) -> None:
    pages = PageFile(file)
    meta = pages.newest_meta()
    if (meta.applied.index, meta.applied.term) != (index, term):
        raise CorruptionError(f"this is not the snapshot of the state up to {index}", file=file.name, offset=0)
    problems = check_file(pages).problems
    if problems:
        raise problems[0]
    pages.write_meta(replace(meta, applied=Applied(index, term, membership)))


def finish_install(disk: Disk, raft_log: RaftLog) -> bool:
    """Steps 3 and 4, if `prepare_install` was done; returns whether it was.

    Raises:
        CorruptionError: the snapshot is damaged.
        DiskError: the disk failed or is full; a later call finishes it.
    """
    if INSTALL_NAME not in disk.list():
        return False
    file = disk.open(INSTALL_NAME)
    try:
        applied = PageFile(file).newest_meta().applied
    finally:
        file.close()
    raft_log.reset(applied.index, applied.term)
    disk.rename(INSTALL_NAME, FILE_NAME)
    disk.sync_directory()
    return True
