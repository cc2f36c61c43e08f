"""MemoryDisk: what a power loss may leave, and the faults it injects."""

from __future__ import annotations

import pytest

from mynode.base.disk_memory import SECTOR_BYTES, MemoryDisk, Operation
from mynode.base.errors import DiskError, DiskFullError


def content(disk: MemoryDisk, name: str) -> bytes:
    file = disk.open(name)
    return file.read(0, file.size())


def disk_with(name: str, data: bytes, seed: int = 0) -> MemoryDisk:
    """A disk with one durable file."""
    disk = MemoryDisk(seed)
    file = disk.create(name)
    file.write(0, data)
    file.sync()
    disk.sync_directory()
    return disk


def test_reads_see_what_was_written() -> None:
    disk = MemoryDisk()
    file = disk.create("a")
    file.write(0, b"hello world")
    file.write(6, b"there")
    file.write(13, b"!")
    assert file.read(0, 100) == b"hello there\0\0!"
    assert file.read(6, 5) == b"there"
    assert file.read(14, 5) == b""
    file.truncate(5)
    assert (file.size(), content(disk, "a")) == (5, b"hello")


def test_what_was_synced_survives_every_power_loss() -> None:
    for seed in range(50):
        disk = disk_with("a", b"x" * 1000, seed)
        disk.crash()
        assert content(disk, "a") == b"x" * 1000


def test_unsynced_sectors_are_kept_lost_or_torn() -> None:
    seen = set()
    for seed in range(60):
        disk = disk_with("a", b"o" * (4 * SECTOR_BYTES), seed)
        disk.open("a").write(SECTOR_BYTES, b"n" * (2 * SECTOR_BYTES))
        disk.crash()
        data = content(disk, "a")
        for sector in (0, 3):
            assert data[sector * SECTOR_BYTES : (sector + 1) * SECTOR_BYTES] == b"o" * SECTOR_BYTES
        for sector in (1, 2):
            part = data[sector * SECTOR_BYTES : (sector + 1) * SECTOR_BYTES]
            new = part.count(b"n")
            assert part == b"n" * new + b"o" * (SECTOR_BYTES - new)
            seen.add("lost" if new == 0 else "kept" if new == SECTOR_BYTES else "torn")
    assert seen == {"kept", "lost", "torn"}


def test_an_unsynced_size_is_old_or_new_or_between() -> None:
    sizes = set()
    for seed in range(40):
        disk = disk_with("a", b"x" * 100, seed)
        disk.open("a").write(100, b"y" * 50)
        disk.crash()
        data = content(disk, "a")
        assert data[:100] == b"x" * 100
        assert set(data[100:]) <= set(b"y\0")
        sizes.add(len(data))
    assert {100, 150} < sizes
    assert min(sizes) == 100


def test_an_unsynced_truncation_may_be_undone() -> None:
    results = set()
    for seed in range(40):
        disk = disk_with("a", b"x" * 100, seed)
        disk.open("a").truncate(10)
        disk.crash()
        results.add(content(disk, "a"))
    assert {b"x" * 10, b"x" * 100} <= results
    assert all(set(result) == set(b"x") for result in results)


def test_names_are_durable_after_sync_directory_only() -> None:
    seen = set()
    for seed in range(60):
        disk = disk_with("a", b"a", seed)
        disk.create("b").sync()
        disk.rename("a", "c")
        disk.crash()
        seen.add(tuple(disk.list()))
    assert seen == {("a",), ("c",), ("a", "b"), ("b", "c")}


def test_a_deletion_may_be_undone() -> None:
    seen = set()
    for seed in range(20):
        disk = disk_with("a", b"a", seed)
        disk.delete("a")
        assert disk.list() == []
        disk.crash()
        seen.add(tuple(disk.list()))
    assert seen == {(), ("a",)}


def test_after_a_failed_sync_a_second_one_succeeds_and_the_data_is_gone() -> None:
    disk = disk_with("a", b"old")
    file = disk.open("a")
    file.write(0, b"new")
    disk.fail(Operation.SYNC)
    with pytest.raises(DiskError, match="cannot sync a"):
        file.sync()
    file.sync()
    assert file.read(0, 3) == b"new"
    disk.crash()
    assert content(disk, "a") == b"old"


def test_data_written_again_after_a_failed_sync_can_be_synced() -> None:
    disk = disk_with("a", b"old")
    file = disk.open("a")
    file.write(3, b" and new")
    disk.fail(Operation.SYNC)
    with pytest.raises(DiskError):
        file.sync()
    file.write(3, b" and new")
    file.sync()
    disk.crash()
    assert content(disk, "a") == b"old and new"


def test_a_full_disk_takes_what_fits() -> None:
    disk = MemoryDisk(capacity_bytes=10)
    file = disk.create("a")
    file.write(0, b"12345678")
    with pytest.raises(DiskFullError):
        file.write(8, b"90abc")
    assert file.read(0, 100) == b"1234567890"
    file.write(0, b"overwrite!")
    file.truncate(5)
    file.write(5, b"67890")
    disk.capacity_bytes = None
    file.write(10, b"more")


def test_transfers_may_be_short_beneath_read_and_write() -> None:
    disk = MemoryDisk(3, short_transfers=True)
    file = disk.create("a")
    data = bytes(range(256)) * 5
    file.write(0, data)
    assert file.read(0, len(data)) == data
    assert file.read(100, len(data)) == data[100:]


def test_a_fault_is_met_once_and_in_its_turn() -> None:
    disk = MemoryDisk()
    file = disk.create("a")
    disk.fail(Operation.WRITE, after=1)
    disk.fail(Operation.READ)
    file.write(0, b"1")
    with pytest.raises(DiskError, match="cannot write a"):
        file.write(0, b"2")
    file.write(0, b"3")
    with pytest.raises(DiskError, match="cannot read a"):
        file.read(0, 1)
    assert file.read(0, 1) == b"3"


def test_a_power_failure_stops_everything_until_the_crash() -> None:
    disk = MemoryDisk()
    file = disk.create("a")
    disk.fail_power_after(1)
    file.write(0, b"1")
    for call in (file.sync, file.size, disk.list, disk.sync_directory):
        with pytest.raises(DiskError, match="no power"):
            call()
    disk.crash()
    assert disk.list() in ([], ["a"])
    with pytest.raises(DiskError, match="closed"):
        file.sync()


def test_the_same_seed_gives_the_same_crash() -> None:
    results = []
    for _ in range(2):
        disk = disk_with("a", b"o" * 5000, seed=7)
        disk.open("a").write(300, b"n" * 8000)
        disk.create("b")
        disk.crash()
        results.append([(name, content(disk, name)) for name in disk.list()])
    assert results[0] == results[1]


def test_flip_and_copy() -> None:
    disk = disk_with("a", b"abc")
    twin = disk.copy()
    disk.flip("a", 1, 0x01)
    disk.crash()
    assert (content(disk, "a"), content(twin, "a")) == (b"acc", b"abc")


def test_a_missing_file_is_a_disk_error() -> None:
    disk = MemoryDisk()
    for call in (disk.open, disk.delete):
        with pytest.raises(DiskError, match="No such file"):
            call("nothing")
