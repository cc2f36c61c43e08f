"""A node's files: opened, made whole after a crash, and closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mynode.actors.ports import NodeIdentity
from mynode.base.disk import Disk
from mynode.base.errors import CorruptionError
from mynode.base.ids import Incarnation
from mynode.base.limits import SEGMENT_BYTES
from mynode.storage.data_directory import DataDirectory
from mynode.storage.incoming_snapshot import finish_install
from mynode.storage.pages import PageEngine
from mynode.storage.pages.format import FILE_NAME
from mynode.storage.raft_log import RaftLog


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """A node's opened files: the tree as of its last checkpoint, and the raft log, which goes on from there.

    `incarnation` is that of the data directory they are in.
    """

    disk: Disk
    raft_log: RaftLog
    engine: PageEngine
    incarnation: Incarnation

    @classmethod
    def open(cls, disk: Disk, incarnation: Incarnation, *, segment_bytes: int = SEGMENT_BYTES) -> NodeFiles:
        """Open both, or begin them. A snapshot whose install a crash interrupted is installed.

        Raises:
            CorruptionError: one is damaged, or the log does not go on where the tree ends.
            DiskError: the disk failed or is full.
        """
        raft_log = RaftLog.open(disk, segment_bytes=segment_bytes)
        finish_install(disk, raft_log)
        engine = PageEngine.open(disk)
        if not raft_log.first_index - 1 <= engine.applied_index <= raft_log.last_index:
            raise CorruptionError(
                f"the checkpoint holds the entries up to {engine.applied_index}, "
                f"the raft log has {raft_log.first_index} to {raft_log.last_index}",
                file=FILE_NAME,
                offset=0,
            )
        if engine.applied_index and not engine.applied.membership:
            raise CorruptionError("the checkpoint holds no configuration of the cluster", file=FILE_NAME, offset=0)
        return cls(disk, raft_log, engine, incarnation)

    def close(self) -> None:
        """Closing twice is harmless."""
        self.engine.close()
        self.raft_log.close()


@contextmanager
def open_files(directory: Path, identity: NodeIdentity, *, segment_bytes: int = SEGMENT_BYTES) -> Iterator[NodeFiles]:
    """Claim the data directory for this node and open the files in it; all are closed with the context.

    Raises:
        DataDirectoryError: the directory cannot be used, is in use, or belongs to another node.
        CorruptionError: a file is damaged.
    """
    with (
        _located(directory),
        closing(DataDirectory.open(directory, identity.node_id, identity.cluster_id)) as data_directory,
        closing(
            NodeFiles.open(data_directory.disk, data_directory.identity.incarnation, segment_bytes=segment_bytes)
        ) as files,
    ):
        yield files


@contextmanager
def _located(directory: Path) -> Iterator[None]:
    """A `CorruptionError` from the files in `directory`, alone or in a nursery's group, comes out with its path."""
    try:
        yield
    except CorruptionError as error:
        raise error.inside(str(directory)) from error
    except BaseExceptionGroup as group:
        found: BaseException | None = group.subgroup(CorruptionError)
        while isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        if not isinstance(found, CorruptionError):
            raise
        raise found.inside(str(directory)) from group
