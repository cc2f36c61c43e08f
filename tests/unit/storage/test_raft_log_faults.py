"""RaftLog on a disk that is full, or fails: an append is all or nothing, and a failed sync is never tried again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from mynode.base.disk_memory import MemoryDisk, Operation
from mynode.base.errors import DiskError, DiskFullError
from mynode.storage.raft_log import RaftLog
from mynode.testing.raft_log import all_entries, make_entries, persist


def used_bytes(disk: MemoryDisk) -> int:
    return sum(disk.open(name).size() for name in disk.list())


@pytest.mark.parametrize("room", [0, 1, 12, 100, 2_000])
@pytest.mark.parametrize("segment_bytes", [1, 1_000])
def test_a_full_disk_leaves_the_log_as_it_was(room: int, segment_bytes: int) -> None:
    disk = MemoryDisk()
    log = RaftLog.open(disk, segment_bytes=segment_bytes)
    first = make_entries(1, 10, 1)
    log.append([persist(first, term=1)])
    disk.capacity_bytes = used_bytes(disk) + room
    for _ in range(3):
        with pytest.raises(DiskFullError):
            log.append([persist(make_entries(5, 100, 2), term=2)])
        log.check_invariants()
        assert (all_entries(log), log.hard_state.term) == (first, 1)
        assert all_entries(RaftLog.open(disk.copy())) == first
    disk.capacity_bytes = None
    log.append([persist(make_entries(5, 100, 2), term=2)])
    disk.crash()
    assert all_entries(RaftLog.open(disk)) == first[:4] + make_entries(5, 100, 2)


def test_room_for_all_but_the_seal_is_enough() -> None:
    vote_bytes = 12 + 21
    for missing in range(1, 9):
        disk = MemoryDisk()
        log = RaftLog.open(disk)
        disk.capacity_bytes = used_bytes(disk) + vote_bytes + 8 - missing
        log.append([persist(term=1, voted_for=1)])
        assert used_bytes(disk) == disk.capacity_bytes
        assert RaftLog.open(disk.copy()).hard_state.term == 1  # the disk is full still
        disk.capacity_bytes = None
        assert RaftLog.open(disk.copy()).hard_state.term == 1
        log.append([persist(make_entries(1, 3, 1))])
        disk.crash()
        assert all_entries(RaftLog.open(disk)) == make_entries(1, 3, 1)


def test_a_failed_sync_poisons_the_log() -> None:
    disk = MemoryDisk()
    log = RaftLog.open(disk)
    log.append([persist(make_entries(1, 3, 1), term=1)])
    disk.fail(Operation.SYNC)
    with pytest.raises(DiskError) as first:
        log.append([persist(make_entries(4, 3, 1))])
    assert log.last_index == 3, "what is not durable is not in the log"
    calls: tuple[Callable[[], object], ...] = (
        lambda: log.append([persist(make_entries(4, 3, 1))]),
        lambda: log.read(1, 3, 1000),
        lambda: log.tail(1000),
        lambda: log.truncate_front(2),
    )
    for call in calls:
        with pytest.raises(DiskError) as later:
            call()
        assert later.value is first.value
    log.close()
    disk.crash()
    assert all_entries(RaftLog.open(disk)) == make_entries(1, 3, 1)


def test_what_a_failed_sync_left_in_the_cache_is_durable_once_it_was_read() -> None:
    """The next process reads the batch from the page cache, where it counts as clean: a mere sync would not save it."""
    disk = MemoryDisk()
    log = RaftLog.open(disk)
    disk.fail(Operation.SYNC)
    with pytest.raises(DiskError):
        log.append([persist(make_entries(1, 30, 1), term=1)])
    held = all_entries(RaftLog.open(disk))
    assert held == make_entries(1, 30, 1)
    disk.crash()
    assert all_entries(RaftLog.open(disk)) == held


def test_power_loss_while_that_batch_is_made_durable() -> None:
    """Its seal must not get to the disk before the batch: the batch's loss would then look like damage."""
    for operations in range(6):
        for seed in range(30):
            disk = MemoryDisk(seed)
            log = RaftLog.open(disk)
            disk.fail(Operation.SYNC)
            with pytest.raises(DiskError):
                log.append([persist(make_entries(1, 30, 1), term=1)])
            disk.fail_power_after(operations)
            with suppress(DiskError):
                RaftLog.open(disk)
            disk.crash()
            assert all_entries(RaftLog.open(disk)) in ((), make_entries(1, 30, 1))


@pytest.mark.parametrize(
    "operation",
    [Operation.WRITE, Operation.SYNC, Operation.CREATE, Operation.RENAME, Operation.SYNC_DIRECTORY],
)
@pytest.mark.parametrize("after", range(4))
def test_any_failure_while_a_segment_rolls_poisons_the_log(operation: Operation, after: int) -> None:
    disk = MemoryDisk()
    log = RaftLog.open(disk, segment_bytes=1)
    log.append([persist(make_entries(1, 3, 1), term=1)])
    disk.fail(operation, after=after)

    def append_more() -> None:
        for _ in range(6):
            log.append([persist(make_entries(log.last_index + 1, 3, 1))])

    with pytest.raises(DiskError) as first:
        append_more()
    last = log.last_index
    with pytest.raises(DiskError) as later:
        append_more()
    assert (later.value, log.last_index) == (first.value, last)
    disk.crash()
    reopened = RaftLog.open(disk)
    reopened.check_invariants()
    assert reopened.last_index in (last, last + 3)
    assert all_entries(reopened) == make_entries(1, reopened.last_index, 1)


def test_a_rollback_that_fails_poisons_the_log() -> None:
    disk = MemoryDisk()
    log = RaftLog.open(disk)
    disk.capacity_bytes = used_bytes(disk) + 10
    disk.fail(Operation.TRUNCATE)
    with pytest.raises(DiskError, match="cannot truncate") as first:
        log.append([persist(make_entries(1, 3, 1), term=1)])
    disk.capacity_bytes = None
    with pytest.raises(DiskError) as later:
        log.append([persist(make_entries(1, 3, 1), term=1)])
    assert later.value is first.value


def test_a_log_cannot_be_opened_on_a_failing_disk_but_later() -> None:
    disk = MemoryDisk()
    RaftLog.open(disk).append([persist(make_entries(1, 3, 1), term=1)])
    for operation in (Operation.READ, Operation.SYNC, Operation.SYNC_DIRECTORY):
        disk.fail(operation)
        with pytest.raises(DiskError):
            RaftLog.open(disk)
    assert all_entries(RaftLog.open(disk)) == make_entries(1, 3, 1)


def test_a_new_log_on_a_full_disk() -> None:
    disk = MemoryDisk(capacity_bytes=20)
    with pytest.raises(DiskFullError):
        RaftLog.open(disk)
    disk.capacity_bytes = None
    assert RaftLog.open(disk).last_index == 0
