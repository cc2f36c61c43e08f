"""A data directory is one node's, and one process's."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from mynode.base.disk_memory import MemoryDisk
from mynode.base.disk_real import RealDisk
from mynode.base.errors import CorruptionError, DataDirectoryError, DiskError
from mynode.storage.data_directory import IDENTITY_FILE, DataDirectory, Identity, claim, read_identity
from mynode.storage.raft_log import RaftLog
from mynode.testing.raft_log import persist

NODE_3 = (3, "cluster-a")


def whose(identity: Identity) -> tuple[int, str]:
    return identity.node_id, identity.cluster_id


def test_a_directory_is_made_and_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "data" / "node3"
    for _ in range(3):
        directory = DataDirectory.open(path, 3, "cluster-a")
        assert whose(directory.identity) == NODE_3
        assert directory.disk.list() == ["identity", "lock", "raft-0000000001.log"]
        directory.close()
        directory.close()


@pytest.mark.parametrize(("node_id", "cluster_id"), [(4, "cluster-a"), (3, "cluster-b")])
def test_a_directory_of_another_node_is_refused(tmp_path: Path, node_id: int, cluster_id: str) -> None:
    DataDirectory.open(tmp_path, 3, "cluster-a").close()
    with pytest.raises(DataDirectoryError) as caught:
        DataDirectory.open(tmp_path, node_id, cluster_id)
    assert str(caught.value) == (
        f"data directory {tmp_path} belongs to node 3 of cluster cluster-a, "
        f"not to node {node_id} of cluster {cluster_id}"
    )
    DataDirectory.open(tmp_path, 3, "cluster-a").close()


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    directory = DataDirectory.open(tmp_path, 3, "cluster-a")
    with pytest.raises(DataDirectoryError, match=r"is in use by another process$"):
        DataDirectory.open(tmp_path, 3, "cluster-a")
    directory.close()
    DataDirectory.open(tmp_path, 3, "cluster-a").close()


def test_a_directory_in_use_by_another_process_is_free_when_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mynode.storage.data_directory import DataDirectory\n"
        "held = DataDirectory.open(Path(sys.argv[1]), 3, 'cluster-a'); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(DataDirectoryError, match="in use by another process"):
            DataDirectory.open(tmp_path, 3, "cluster-a")
        process.kill()
    DataDirectory.open(tmp_path, 3, "cluster-a").close()


def test_a_path_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataDirectoryError, match="cannot use data directory"):
            DataDirectory.open(path, 3, "cluster-a")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_directory_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    for path in (tmp_path, tmp_path / "below"):
        with pytest.raises(DataDirectoryError, match=r"cannot use data directory .*: Permission denied"):
            DataDirectory.open(path, 3, "cluster-a")
    tmp_path.chmod(0o700)


def test_a_log_without_identity_is_refused(tmp_path: Path) -> None:
    (tmp_path / "raft-0000000001.log").write_bytes(b"")
    with pytest.raises(DataDirectoryError, match=r"holds raft-0000000001\.log but no file 'identity'"):
        DataDirectory.open(tmp_path, 3, "cluster-a")


def test_a_tree_without_identity_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tree.pages").write_bytes(b"")
    with pytest.raises(DataDirectoryError, match=r"holds tree\.pages but no file 'identity'"):
        DataDirectory.open(tmp_path, 3, "cluster-a")


def test_a_directory_whose_log_was_deleted_is_refused() -> None:
    disk = MemoryDisk()
    claim(disk, *NODE_3, "here")
    claim(disk, *NODE_3, "here")
    log = RaftLog.open(disk)
    log.reset(100, 1)
    claim(disk, *NODE_3, "here")
    for name in disk.list():
        if name.startswith("raft-"):
            disk.delete(name)
    with pytest.raises(CorruptionError, match=r"^raft-0000000001\.log: no segment of the raft log is left"):
        claim(disk, *NODE_3, "here")


def test_a_log_with_a_vote_and_without_identity_is_refused() -> None:
    disk = MemoryDisk()
    claim(disk, *NODE_3, "here")
    disk.delete(IDENTITY_FILE)
    twin = disk.copy()
    claim(twin, *NODE_3, "here")
    RaftLog.open(disk).append([persist(term=1, voted_for=2)])
    with pytest.raises(DataDirectoryError, match="but no file 'identity'"):
        claim(disk, *NODE_3, "here")


def test_every_damaged_byte_of_the_identity_is_found() -> None:
    disk = MemoryDisk()
    claim(disk, *NODE_3, "here")
    assert whose(read_identity(disk)) == NODE_3
    size = disk.open(IDENTITY_FILE).size()
    for offset in range(size):
        twin = disk.copy()
        twin.flip(IDENTITY_FILE, offset, 0x01)
        with pytest.raises(CorruptionError, match="identity at byte 0"):
            claim(twin, *NODE_3, "here")
    for length in range(size):
        twin = disk.copy()
        twin.open(IDENTITY_FILE).truncate(length)
        with pytest.raises(CorruptionError, match="identity at byte 0"):
            claim(twin, *NODE_3, "here")


def test_power_loss_leaves_a_whole_identity_or_none() -> None:
    for operations in range(12):
        for seed in range(20):
            disk = MemoryDisk(seed)
            disk.fail_power_after(operations)
            with suppress(DataDirectoryError, DiskError):
                claim(disk, *NODE_3, "here")
            disk.crash()
            claim(disk, *NODE_3, "here")
            disk.crash()
            assert whose(read_identity(disk)) == NODE_3


def test_a_full_disk_is_one_clear_line() -> None:
    disk = MemoryDisk(capacity_bytes=10)
    with pytest.raises(DataDirectoryError, match=r"cannot use data directory here: .*No space left"):
        claim(disk, *NODE_3, "here")
    disk.capacity_bytes = None
    claim(disk, *NODE_3, "here")


def test_other_files_may_stand_beside(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    DataDirectory.open(tmp_path, 3, "cluster-a").close()
    assert whose(read_identity(RealDisk(tmp_path))) == NODE_3
