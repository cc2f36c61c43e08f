"""PageEngine on a disk that is full, or fails: the durable checkpoint stands; a failed sync is never tried again."""

from __future__ import annotations

import pytest

from mynode.base.disk_memory import MemoryDisk, Operation
from mynode.base.errors import DiskError, DiskFullError, InvariantViolation
from mynode.storage.pages.engine import PageEngine
from mynode.storage.pages.format import FILE_NAME, PAGE_BYTES
from mynode.testing.page_engine import PageWorkload, assert_sound


def checkpointed(disk: MemoryDisk, seed: int = 1) -> PageWorkload:
    workload = PageWorkload(disk, seed)
    workload.apply(200)
    workload.checkpoint()
    return workload


@pytest.mark.parametrize("room_pages", [0, 1, 2, 10, 40])
def test_a_full_disk_during_a_checkpoint(room_pages: int) -> None:
    disk = MemoryDisk(room_pages)
    workload = checkpointed(disk)
    acknowledged = workload.acknowledged
    disk.capacity_bytes = disk.open(FILE_NAME).size() + room_pages * PAGE_BYTES
    for _ in range(3):
        workload.apply(200)
        with pytest.raises(DiskFullError):
            workload.checkpoint(edits_between=2)
        workload.check()
        assert workload.engine.durable_index == acknowledged
        assert_sound(disk)
        twin = disk.copy()
        assert PageEngine.open(twin).applied_index == acknowledged
    disk.capacity_bytes = None
    for _ in range(4):
        workload.apply(3)
        workload.checkpoint(edits_between=2)
        assert_sound(disk)
    acknowledged = workload.acknowledged
    disk.crash()
    workload.reopen()
    assert workload.engine.applied_index == acknowledged
    workload.check()


def test_a_crash_after_a_full_disk() -> None:
    """What the failed attempt wrote lies in pages that the durable checkpoint calls free."""
    for room_pages in range(0, 40, 3):
        disk = MemoryDisk(room_pages)
        workload = checkpointed(disk)
        acknowledged = workload.acknowledged
        disk.capacity_bytes = disk.open(FILE_NAME).size() + room_pages * PAGE_BYTES
        workload.apply(200)
        with pytest.raises(DiskFullError):
            workload.checkpoint()
        disk.capacity_bytes = None
        disk.crash()
        workload.reopen()
        assert workload.engine.applied_index == acknowledged
        workload.apply(50)
        workload.checkpoint()
        workload.check()
        assert_sound(disk)


def test_pages_come_back_after_a_full_disk() -> None:
    disk = MemoryDisk()
    workload = checkpointed(disk)
    for _ in range(6):
        workload.apply(200)
        workload.checkpoint()
    disk.capacity_bytes = disk.open(FILE_NAME).size()
    failed = 0
    for _ in range(40):
        workload.apply(60)
        try:
            workload.checkpoint()
        except DiskFullError:
            failed += 1
    assert failed < 20, "a disk with room for the steady state is enough"
    workload.check()
    assert_sound(disk)


@pytest.mark.parametrize("which", [0, 1])
def test_a_failed_sync_is_never_tried_again(which: int) -> None:
    disk = MemoryDisk()
    workload = checkpointed(disk)
    acknowledged = workload.acknowledged
    workload.apply(50)
    disk.fail(Operation.SYNC, after=which)
    with pytest.raises(DiskError) as first:
        workload.checkpoint()
    workload.apply(5)
    for _ in range(2):
        with pytest.raises(DiskError) as later:
            workload.checkpoint()
        assert later.value is first.value
    assert workload.engine.durable_index == acknowledged
    workload.check()
    disk.crash()
    workload.reopen()
    assert workload.engine.applied_index >= acknowledged
    workload.check()
    assert_sound(disk)


def test_any_failed_write_is_the_end_of_the_engines_checkpoints() -> None:
    for after in range(6):
        disk = MemoryDisk()
        workload = checkpointed(disk)
        workload.apply(20)
        disk.fail(Operation.WRITE, after=after)
        with pytest.raises(DiskError) as first:
            workload.checkpoint()
        workload.apply(1)
        with pytest.raises(DiskError) as later:
            workload.checkpoint()
        assert later.value is first.value
        workload.check()


def test_a_failed_read_can_be_tried_again() -> None:
    disk = MemoryDisk(short_transfers=True)
    workload = checkpointed(disk)
    workload.reopen()
    disk.fail(Operation.READ)
    with pytest.raises(DiskError):
        workload.check()
    workload.check()


def test_a_full_disk_at_the_first_start() -> None:
    disk = MemoryDisk(capacity_bytes=PAGE_BYTES + 1)
    with pytest.raises(DiskFullError):
        PageEngine.open(disk)
    disk.capacity_bytes = None
    assert PageEngine.open(disk).applied_index == 0
    assert disk.list() == [FILE_NAME]


def test_an_ended_checkpoint_does_nothing_more() -> None:
    disk = MemoryDisk()
    workload = checkpointed(disk)
    workload.apply(5)
    checkpoint = workload.engine.begin_checkpoint()
    assert checkpoint is not None
    with pytest.raises(InvariantViolation, match="one checkpoint at a time"):
        workload.engine.begin_checkpoint()
    checkpoint.commit()
    with pytest.raises(InvariantViolation, match="this checkpoint is durable"):
        checkpoint.commit()
    assert workload.engine.begin_checkpoint() is None, "nothing is left to do"
    assert workload.engine.durable_index == workload.engine.applied_index
