"""`RealDisk`: a directory of the operating system behind the `Disk` protocol."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mynode.base.disk import disk_error, read_fully, write_fully
from mynode.base.errors import DiskError

if sys.platform == "darwin":
    import fcntl

    def _sync_data(fd: int) -> None:
        """macOS' fsync stops at the drive's cache; only F_FULLFSYNC passes it."""
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)

else:

    def _sync_data(fd: int) -> None:
        """The content and what is needed to read it (the size), without the time stamps."""
        os.fdatasync(fd)


@contextmanager
def _typed_errors(action: str, name: str) -> Iterator[None]:
    """Python itself tries again after EINTR (PEP 475); what arrives here is an answer."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, action, name) from error


class RealFile:
    """An open file of a `RealDisk`; see `mynode.base.disk.File`."""

    def __init__(self, path: Path, flags: int) -> None:
        self._name = path.name
        self._fd: int | None = None
        self._fd = os.open(path, flags | os.O_RDWR | os.O_CLOEXEC, 0o640)

    @property
    def name(self) -> str:
        return self._name

    def size(self) -> int:
        with _typed_errors("look at", self._name):
            return os.fstat(self._open_fd()).st_size

    def read(self, offset: int, length: int) -> bytes:
        fd = self._open_fd()
        with _typed_errors("read", self._name):
            return read_fully(lambda at, count: os.pread(fd, count, at), offset, length)

    def write(self, offset: int, data: bytes) -> None:
        fd = self._open_fd()
        with _typed_errors("write", self._name):
            write_fully(lambda at, rest: os.pwrite(fd, rest, at), offset, data)

    def truncate(self, length: int) -> None:
        with _typed_errors("truncate", self._name):
            os.ftruncate(self._open_fd(), length)

    def sync(self) -> None:
        with _typed_errors("sync", self._name):
            _sync_data(self._open_fd())

    def close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            with _typed_errors("close", self._name):
                os.close(fd)

    def __del__(self) -> None:
        """A page file that a snapshot has replaced closes with the last read view of it."""
        with suppress(DiskError):
            self.close()

    def _open_fd(self) -> int:
        if self._fd is None:
            raise DiskError(f"{self._name} is closed")
        return self._fd


class RealDisk:
    """The directory `root`, which must exist; see `mynode.base.disk.Disk`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def list(self) -> list[str]:
        with _typed_errors("list", str(self._root)), os.scandir(self._root) as found:
            return sorted(item.name for item in found if item.is_file(follow_symlinks=False))

    def open(self, name: str) -> RealFile:
        with _typed_errors("open", name):
            return RealFile(self._root / name, 0)

    def create(self, name: str) -> RealFile:
        with _typed_errors("create", name):
            return RealFile(self._root / name, os.O_CREAT | os.O_TRUNC)

    def rename(self, old: str, new: str) -> None:
        with _typed_errors("rename", old):
            (self._root / old).replace(self._root / new)

    def delete(self, name: str) -> None:
        with _typed_errors("delete", name):
            (self._root / name).unlink()

    def sync_directory(self) -> None:
        with _typed_errors("sync", str(self._root)):
            fd = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
