"""A data directory: whose it is, and that only one process uses it.

| file | holds |
|---|---|
| `identity` | six lines of text, see `_encode`; written once, whole or not at all |
| `lock` | nothing; the process that uses the directory holds a lock (flock) on it |
| `raft-*.log` | the raft log, see `storage/raft_log/format.py` |
| `tree.pages` | the tree, see `storage/pages/format.py` |

The identity keeps a node from starting on another's log, which would let it vote twice in one term. Its incarnation is
chosen at random when the directory is made; the cluster keeps it with the member (`mynode.raft.membership`), and so
notices a directory that was emptied. The log's first
segment is made before the identity: so an identity without a log says that the log was lost, and with it this node's
votes and what it acknowledged. Such a directory is refused, it does not become an empty one.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import google_crc32c

from mynode.base.disk import Disk
from mynode.base.disk_real import RealDisk
from mynode.base.errors import CorruptionError, DataDirectoryError, DiskError
from mynode.base.ids import Incarnation, NodeId
from mynode.raft.effects import HardState
from mynode.storage.pages.format import FILE_NAME as TREE_FILE
from mynode.storage.raft_log import RaftLog
from mynode.storage.raft_log.format import encode_header, segment_name, segment_sequence

FORMAT_VERSION: Final = 2
IDENTITY_FILE: Final = "identity"
LOCK_FILE: Final = "lock"
_NEW_IDENTITY_FILE: Final = "identity.new"
_FIRST_LINE: Final = "MyNode data directory"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose directory it is: a node of a cluster; and its own incarnation."""

    node_id: NodeId
    cluster_id: str
    incarnation: Incarnation


class DataDirectory:
    """The open data directory of this process's node: `disk` is its content. `close` lets another process use it."""

    def __init__(self, path: Path, disk: RealDisk, identity: Identity, lock_fd: int) -> None:
        """Use `open`."""
        self.path = path
        self.disk = disk
        self.identity = identity
        self._lock_fd: int | None = lock_fd

    @classmethod
    def open(cls, path: Path, node_id: NodeId, cluster_id: str) -> DataDirectory:
        """Lock the directory of this node; make it, and its parents, if it does not exist.

        Raises:
            DataDirectoryError: not writable, in use by another process, or of another node or cluster.
            CorruptionError: the identity file is damaged, or the raft log is gone.
            DiskError: the disk failed or is full.
        """
        lock_fd = _make_and_lock(path)
        try:
            disk = RealDisk(path)
            identity = claim(disk, node_id, cluster_id, str(path))
        except BaseException:
            os.close(lock_fd)
            raise
        return cls(path, disk, identity, lock_fd)

    @classmethod
    def look(cls, path: Path) -> DataDirectory:
        """Lock the data directory of whatever node it is, for a look at its files while no process uses it.

        Raises:
            DataDirectoryError: it is none, or it is in use.
            CorruptionError: the identity file is damaged.
        """
        if not (path / IDENTITY_FILE).is_file():
            raise DataDirectoryError(f"{path} is not a data directory: it holds no file '{IDENTITY_FILE}'")
        lock_fd = _make_and_lock(path)
        try:
            disk = RealDisk(path)
            return cls(path, disk, read_identity(disk), lock_fd)
        except BaseException:
            os.close(lock_fd)
            raise

    def close(self) -> None:
        """Closing twice is harmless."""
        if self._lock_fd is not None:
            lock_fd, self._lock_fd = self._lock_fd, None
            os.close(lock_fd)


def _make_and_lock(path: Path) -> int:
    try:
        _make_durable_directory(path)
        lock_fd = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise DataDirectoryError(f"cannot use data directory {path}: {error.strerror}") from error
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock_fd)
        if isinstance(error, BlockingIOError):
            raise DataDirectoryError(f"data directory {path} is in use by another process") from error
        raise DataDirectoryError(f"cannot lock data directory {path}: {error.strerror}") from error
    return lock_fd


def _make_durable_directory(path: Path) -> None:
    """Like `mkdir -p`; a directory that is made is also synced into its parent."""
    if path.is_dir():
        return
    _make_durable_directory(path.parent)
    path.mkdir(exist_ok=True)
    parent_fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(parent_fd)
    finally:
        os.close(parent_fd)


def claim(disk: Disk, node_id: NodeId, cluster_id: str, where: str) -> Identity:
    """Check that the directory is this node's, or make an empty one this node's. `where` names it in errors.

    Raises as `DataDirectory.open` does.
    """
    names = disk.list()
    segments = [name for name in names if segment_sequence(name) is not None]
    if IDENTITY_FILE in names:
        found = read_identity(disk)
        if (found.node_id, found.cluster_id) != (node_id, cluster_id):
            raise DataDirectoryError(
                f"data directory {where} belongs to node {found.node_id} of cluster {found.cluster_id}, "
                f"not to node {node_id} of cluster {cluster_id}"
            )
        if not segments:
            raise CorruptionError(
                "no segment of the raft log is left, and so nothing of what this node promised: it could vote twice",
                file=segment_name(1),
                offset=None,
            )
        return found
    files = [name for name in (*segments, TREE_FILE) if name in names]
    if files and not _is_unused_log(disk, files):
        # Somebody's log, nobody knows whose: to vote on it could be to vote twice in one term.
        raise DataDirectoryError(f"data directory {where} holds {files[0]} but no file '{IDENTITY_FILE}'")
    try:
        RaftLog.open(disk).close()
        identity = Identity(node_id, cluster_id, secrets.token_hex(8))
        _write_identity(disk, identity)
    except DiskError as error:
        raise DataDirectoryError(f"cannot use data directory {where}: {error.message}") from error
    return identity


def _is_unused_log(disk: Disk, names: list[str]) -> bool:
    """Whether these files are but the first segment as it is made: no vote and no entry was ever in it."""
    if names != [segment_name(1)]:
        return False
    file = disk.open(names[0])
    try:
        unused, _ = encode_header(1, 1, 0, HardState(0, None))
        return file.read(0, len(unused) + 1) == unused
    finally:
        file.close()


def read_identity(disk: Disk) -> Identity:
    """Whose directory it is.

    Raises:
        CorruptionError: the identity file is damaged, or of a format that this version does not know.
        DiskError: there is none, or it cannot be read.
    """
    file = disk.open(IDENTITY_FILE)
    try:
        data = file.read(0, file.size())
    finally:
        file.close()
    lines = data.decode("ascii", "replace").split("\n")
    if lines[0] != _FIRST_LINE or len(lines) < 2:
        raise CorruptionError("this is not the identity of a MyNode data directory", file=IDENTITY_FILE, offset=0)
    if lines[1] != f"format {FORMAT_VERSION}":
        raise CorruptionError(f"'{lines[1]}' is not format {FORMAT_VERSION}", file=IDENTITY_FILE, offset=0)
    try:
        identity = Identity(
            int(lines[2].removeprefix("node ")),
            lines[3].removeprefix("cluster "),
            lines[4].removeprefix("incarnation "),
        )
    except (IndexError, ValueError):
        identity = None
    if identity is None or data != _encode(identity):
        raise CorruptionError("the checksum is wrong", file=IDENTITY_FILE, offset=0)
    return identity


def _encode(identity: Identity) -> bytes:
    lines = (
        *(_FIRST_LINE, f"format {FORMAT_VERSION}"),
        *(f"node {identity.node_id}", f"cluster {identity.cluster_id}", f"incarnation {identity.incarnation}"),
    )
    content = "".join(f"{line}\n" for line in lines).encode("ascii")
    return content + f"crc32c {google_crc32c.value(content):08x}\n".encode("ascii")


def _write_identity(disk: Disk, identity: Identity) -> None:
    file = disk.create(_NEW_IDENTITY_FILE)
    try:
        file.write(0, _encode(identity))
        file.sync()
    finally:
        file.close()
    disk.rename(_NEW_IDENTITY_FILE, IDENTITY_FILE)
    disk.sync_directory()
