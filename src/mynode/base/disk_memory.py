"""`MemoryDisk`: a disk in memory that fails on request and forgets, at a power loss, what was not synced.

What a power loss leaves of a file, sector by sector of 512 bytes: what was synced stays; each sector written since is
kept, lost, or torn (its first bytes new, the rest old), at random by the seed; the size is the synced one, the newest,
or one between. Of the creations, renames and deletions since the last `sync_directory`, each is kept or lost at random.

After a failed sync the unsynced sectors count as clean, as on Linux: reads may still show them, later syncs skip
them, a power loss takes them.
"""

from __future__ import annotations

import errno
import random
from enum import Enum

from mynode.base.disk import disk_error, read_fully, write_fully
from mynode.base.errors import DiskError

SECTOR_BYTES = 512


class Operation(Enum):
    """What `MemoryDisk.fail` can make fail, and what `fail_power_after` counts (all but reads)."""

    READ = "read"
    WRITE = "write"
    TRUNCATE = "truncate"
    SYNC = "sync"
    CREATE = "create"
    RENAME = "rename"
    DELETE = "delete"
    SYNC_DIRECTORY = "sync directory"


class _Content:
    """A file's bytes as reads see them (`cached`), as a power loss would leave them (`durable`), and the difference.

    Invariant: without a failed sync, `cached` and `durable` differ only in `dirty` sectors and, if `resized`, in size.
    """

    __slots__ = ("cached", "dirty", "durable", "resized")

    def __init__(self) -> None:
        self.cached = bytearray()
        self.durable = bytearray()
        self.dirty: set[int] = set()
        self.resized = False

    def write(self, offset: int, data: memoryview) -> None:
        if offset > len(self.cached):
            self.truncate(offset)
        end = offset + len(data)
        self.resized |= end > min(len(self.cached), len(self.durable))
        self.cached[offset:end] = data
        self._mark(offset, end)

    def truncate(self, length: int) -> None:
        old = len(self.cached)
        if length < old:
            del self.cached[length:]
        else:
            self.cached.extend(bytes(length - old))
        self._mark(min(old, length), max(old, length))
        self.resized = True

    def _mark(self, first: int, end: int) -> None:
        self.dirty.update(range(first // SECTOR_BYTES, -(-end // SECTOR_BYTES)))

    def sync(self) -> None:
        if self.resized:
            _resize(self.durable, len(self.cached))
        for sector in self.dirty:
            place = slice(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES)
            self.durable[place] = self.cached[place][: max(0, len(self.durable) - place.start)]
        self.clean()

    def clean(self) -> None:
        """Forget that anything is unsynced, without having synced it."""
        self.dirty.clear()
        self.resized = False

    def lose_power(self, rng: random.Random) -> None:
        size = len(self.durable)
        if self.resized:
            low, high = sorted((size, len(self.cached)))
            size = rng.choice((len(self.durable), len(self.cached), rng.randint(low, high)))
        _resize(self.durable, size)
        for sector in sorted(self.dirty):
            place = slice(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES)
            new = self.cached[place][: max(0, size - place.start)]
            kept = rng.choice((0, len(new), rng.randint(0, len(new))))
            self.durable[place.start : place.start + kept] = new[:kept]
        self.cached = bytearray(self.durable)
        self.clean()


def _resize(data: bytearray, size: int) -> None:
    if size < len(data):
        del data[size:]
    else:
        data.extend(bytes(size - len(data)))


class MemoryFile:
    """An open file of a `MemoryDisk`; see `mynode.base.disk.File`."""

    def __init__(self, disk: MemoryDisk, name: str, content: _Content) -> None:
        self._disk = disk
        self._name = name
        self._content = content
        self._power_losses = disk.power_losses
        self._closed = False

    @property
    def name(self) -> str:
        return self._name

    def size(self) -> int:
        self._check()
        return len(self._content.cached)

    def read(self, offset: int, length: int) -> bytes:
        self._check()
        self._disk.meet_faults(Operation.READ, self._name)
        return read_fully(self._read_some, offset, length)

    def _read_some(self, offset: int, length: int) -> bytes:
        return bytes(self._content.cached[offset : offset + self._disk.shorten(length)])

    def write(self, offset: int, data: bytes) -> None:
        self._check()
        try:
            write_fully(self._write_some, offset, data)
        except OSError as error:
            raise disk_error(error, "write", self._name) from error
        # The fault comes after the write: what a failing write leaves behind is any part of it.
        self._disk.meet_faults(Operation.WRITE, self._name)

    def _write_some(self, offset: int, data: memoryview) -> int:
        growth = max(0, offset + len(data) - len(self._content.cached))
        room = self._disk.room_bytes()
        if growth > room:
            data = data[: len(data) - (growth - room)] if len(data) > growth - room else data[:0]
            if not data:
                raise OSError(errno.ENOSPC, "No space left on device")
        data = data[: self._disk.shorten(len(data))]
        self._content.write(offset, data)
        return len(data)

    def truncate(self, length: int) -> None:
        self._check()
        self._disk.meet_faults(Operation.TRUNCATE, self._name)
        self._content.truncate(length)

    def sync(self) -> None:
        self._check()
        try:
            self._disk.meet_faults(Operation.SYNC, self._name)
        except DiskError:
            if not self._disk.is_without_power:
                self._content.clean()
            raise
        self._content.sync()

    def close(self) -> None:
        self._closed = True

    def _check(self) -> None:
        self._disk.check_power()
        if self._closed or self._power_losses != self._disk.power_losses:
            raise DiskError(f"{self._name} is closed")


class MemoryDisk:
    """A directory in memory; see `mynode.base.disk.Disk`. The same seed and calls give the same faults.

    Args:
        seed: of what a power loss keeps, and of short reads and writes.
        capacity_bytes: the sum of all file sizes that fits; None is without bound. May be changed at any time.
        short_transfers: let the layer below `File.read` and `File.write` move fewer bytes than asked, at random.

    Invariants:
    - every durable name leads to a file, and pending changes name what they change.
    - a file handle of before a power loss is of no use after it.
    """

    def __init__(self, seed: int = 0, *, capacity_bytes: int | None = None, short_transfers: bool = False) -> None:
        self.capacity_bytes = capacity_bytes
        self.short_transfers = short_transfers
        self.operations = 0
        """Changing calls so far: a test runs a workload once to learn how many places there are to fail at."""
        self.power_losses = 0
        self.is_without_power = False
        self._rng = random.Random(seed)
        self._names: dict[str, _Content] = {}
        self._durable_names: dict[str, _Content] = {}
        self._pending: list[tuple[Operation, str, str, _Content]] = []
        self._faults: dict[Operation, int] = {}
        self._power_fails_at: int | None = None

    # --- the Disk protocol ---

    def list(self) -> list[str]:
        self.check_power()
        return sorted(self._names)

    def open(self, name: str) -> MemoryFile:
        self.check_power()
        return MemoryFile(self, name, self._existing(name, "open"))

    def create(self, name: str) -> MemoryFile:
        self.meet_faults(Operation.CREATE, name)
        content = self._names.get(name)
        if content is None:
            content = self._names[name] = _Content()
            self._pending.append((Operation.CREATE, name, name, content))
        else:
            content.truncate(0)
        return MemoryFile(self, name, content)

    def rename(self, old: str, new: str) -> None:
        self.meet_faults(Operation.RENAME, old)
        content = self._existing(old, "rename")
        del self._names[old]
        self._names[new] = content
        self._pending.append((Operation.RENAME, old, new, content))

    def delete(self, name: str) -> None:
        self.meet_faults(Operation.DELETE, name)
        content = self._existing(name, "delete")
        del self._names[name]
        self._pending.append((Operation.DELETE, name, name, content))

    def sync_directory(self) -> None:
        self.meet_faults(Operation.SYNC_DIRECTORY, "the directory")
        self._durable_names = dict(self._names)
        self._pending.clear()

    # --- faults ---

    def crash(self) -> None:
        """Lose power and get it back: what is left is what was synced and, of the rest, what the seed keeps."""
        names = dict(self._durable_names)
        for operation, old, new, content in self._pending:
            if self._rng.random() < 0.5:
                continue
            if operation is Operation.CREATE:
                names[new] = content
            elif names.get(old) is content:
                del names[old]
                if operation is Operation.RENAME:
                    names[new] = content
        for name in sorted(names):
            names[name].lose_power(self._rng)
        self._names = names
        self._durable_names = dict(names)
        self._pending.clear()
        self._faults.clear()
        self._power_fails_at = None
        self.is_without_power = False
        self.power_losses += 1

    def fail_power_after(self, operations: int) -> None:
        """Let so many more changing calls succeed; the next one and all after it fail, until `crash`."""
        self._power_fails_at = self.operations + operations

    def fail(self, operation: Operation, *, after: int = 0) -> None:
        """Let `after` more calls of this kind succeed and the next one fail with a `DiskError`, once."""
        self._faults[operation] = after

    def clear_faults(self) -> None:
        """Take back every `fail` that was not met yet."""
        self._faults.clear()

    def flip(self, name: str, offset: int, mask: int = 0xFF) -> None:
        """Invert the bits of `mask` in one byte of a file, in the cache and on the disk."""
        content = self._existing(name, "flip")
        content.cached[offset] ^= mask
        if offset < len(content.durable):
            content.durable[offset] ^= mask

    def copy(self, seed: int = 0) -> MemoryDisk:
        """A disk with the same files, all durable, and no faults."""
        twin = MemoryDisk(seed)
        for name, content in self._names.items():
            other = _Content()
            other.cached = bytearray(content.cached)
            other.durable = bytearray(content.cached)
            twin._names[name] = twin._durable_names[name] = other
        return twin

    # --- for MemoryFile ---

    def meet_faults(self, operation: Operation, name: str) -> None:
        """Raise the `DiskError` that is due for this call, if one is."""
        self.check_power()
        if operation is not Operation.READ:
            if self._power_fails_at is not None and self.operations >= self._power_fails_at:
                self.is_without_power = True
                self.check_power()
            self.operations += 1
        waiting = self._faults.get(operation)
        if waiting is None:
            return
        if waiting > 0:
            self._faults[operation] = waiting - 1
            return
        del self._faults[operation]
        raise DiskError(f"cannot {operation.value} {name}: Input/output error")

    def room_bytes(self) -> int:
        """How many bytes the files may still grow by."""
        if self.capacity_bytes is None:
            return 1 << 62
        return max(0, self.capacity_bytes - sum(len(content.cached) for content in self._names.values()))

    def shorten(self, length: int) -> int:
        """How many of `length` bytes one transfer moves: at least one."""
        return self._rng.randint(1, length) if self.short_transfers and length > 1 else length

    def check_power(self) -> None:
        """Raise the `DiskError` of a machine that is off."""
        if self.is_without_power:
            raise DiskError("the machine has no power")

    def _existing(self, name: str, action: str) -> _Content:
        content = self._names.get(name)
        if content is None:
            raise DiskError(f"cannot {action} {name}: No such file or directory")
        return content
