"""The one door to the disk: every file is opened, written, synced and deleted through a `Disk`.

`RealDisk` (disk_real.py) is a directory of the operating system; `MemoryDisk` (disk_memory.py) is its twin for tests
and simulation, which loses what was not synced. Calls block; actors run them in a worker thread.

What is durable, and when:

| call | durable after |
|---|---|
| `File.write`, `File.truncate` | `File.sync` of that file |
| `Disk.create`, `Disk.rename`, `Disk.delete` | `Disk.sync_directory` |

A disk is one flat directory: names hold no slash. Errors are `DiskFullError` (no room; a part may have been written)
and `DiskError` (everything else). After a failed `sync` the unsynced data may be gone although reads still show it,
and a second sync may report success: whoever gets that error must not use the file any more.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Final, Protocol

from mynode.base.errors import DiskError, DiskFullError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class File(Protocol):
    """An open file. Offsets and lengths are bytes."""

    @property
    def name(self) -> str: ...

    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`; fewer only where the file ends."""
        ...

    def write(self, offset: int, data: bytes) -> None:
        """Write all of `data`; the file grows as needed, a gap reads as zeros."""
        ...

    def truncate(self, length: int) -> None:
        """Cut the file, or grow it with zeros, to `length`."""
        ...

    def sync(self) -> None:
        """Make the content and the size durable."""
        ...

    def close(self) -> None:
        """Closing twice is harmless. Does not sync."""
        ...


class Disk(Protocol):
    """A directory of files."""

    def list(self) -> list[str]:
        """The names of all files, sorted."""
        ...

    def open(self, name: str) -> File:
        """Open an existing file for reading and writing."""
        ...

    def create(self, name: str) -> File:
        """Make an empty file, emptying one that exists, and open it."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Atomic; replaces `new` if it exists."""
        ...

    def delete(self, name: str) -> None: ...

    def sync_directory(self) -> None: ...


def disk_error(error: OSError, action: str, name: str) -> DiskError:
    """The typed error for what the operating system said while doing `action` to the file `name`."""
    reason = error.strerror or type(error).__name__
    if error.errno in _FULL:
        return DiskFullError(f"cannot {action} {name}: {reason}")
    return DiskError(f"cannot {action} {name}: {reason}")


def read_fully(read: Callable[[int, int], bytes], offset: int, length: int) -> bytes:
    """Call `read(offset, length)`, which may return less than it was asked for, until all is there or the file ends."""
    data = read(offset, length)
    if len(data) == length:
        return data
    parts = []
    while data:
        parts.append(data)
        offset += len(data)
        length -= len(data)
        data = read(offset, length) if length else b""
    return b"".join(parts)


def write_fully(write: Callable[[int, memoryview], int], offset: int, data: bytes) -> None:
    """Call `write(offset, data)`, which may write less and says how much, until all is written.

    Raises:
        OSError: as `write` does; EIO if it writes nothing and gives no reason.
    """
    rest = memoryview(data)
    while rest:
        written = write(offset, rest)
        if written == 0:
            raise OSError(errno.EIO, "nothing was written")
        offset += written
        rest = rest[written:]
