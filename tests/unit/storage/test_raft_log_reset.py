"""RaftLog.reset: a snapshot takes the log's place in one step, whenever the power fails."""

from __future__ import annotations

from contextlib import suppress

import pytest

from mynode.base.disk_memory import MemoryDisk
from mynode.base.errors import DiskError, DiskFullError
from mynode.raft.effects import HardState, Persist
from mynode.raft.messages import Entry, EntryKind
from mynode.storage.raft_log import RaftLog
from mynode.storage.raft_log.format import segment_name
from mynode.testing.raft_log import all_entries, make_entries, persist

SEGMENT_BYTES = 500


def written(disk: MemoryDisk) -> RaftLog:
    """A log of entries 1 to 30 in a few segments, with a vote in term 3."""
    log = RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)
    for first in range(1, 30, 5):
        log.append([persist(make_entries(first, 5, 1), term=3, voted_for=2)])
    return log


def test_a_reset_log_is_empty_and_goes_on_after_the_snapshot() -> None:
    disk = MemoryDisk()
    log = written(disk)
    log.reset(100, 3)
    for _ in range(2):
        log.check_invariants()
        assert (log.first_index, log.last_index) == (101, 100)
        assert log.term_runs == ((100, 3),)
        assert log.hard_state == HardState(3, 2)
        assert all_entries(log) == ()
        disk.crash()
        log = RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)
    log.append([persist(make_entries(101, 20, 3), term=4, voted_for=1)])
    disk.crash()
    log = RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)
    assert all_entries(log) == make_entries(101, 20, 3)
    assert log.hard_state == HardState(4, 1)


@pytest.mark.parametrize("seed", range(5))
def test_power_loss_at_every_operation_of_a_reset(seed: int) -> None:
    operations, finished = 0, False
    while not finished:
        disk = MemoryDisk(seed * 100 + operations)
        log = written(disk)
        disk.fail_power_after(operations)
        with suppress(DiskError):
            log.reset(100, 3)
            finished = True
        disk.crash()
        disk.fail_power_after(seed)
        with suppress(DiskError):
            RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)
        disk.crash()
        log = RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)
        log.check_invariants()
        assert log.hard_state == HardState(3, 2)
        if finished or log.last_index == 100:
            assert (log.first_index, log.last_index) == (101, 100)
        else:
            assert all_entries(log) == make_entries(1, 30, 1)
        again = log.last_index + 1
        log.append([persist(make_entries(again, 3, 4), term=4)])
        assert all_entries(RaftLog.open(disk, segment_bytes=SEGMENT_BYTES))[-3:] == make_entries(again, 3, 4)
        operations += 1
    assert operations > 8, "the reset deletes several segments"


def test_what_is_before_a_new_beginning_may_be_damaged() -> None:
    disk = MemoryDisk()
    log = written(disk)
    first = disk.list()[0]
    before = disk.copy()
    log.reset(100, 3)
    file = disk.create(first)
    twin = before.open(first)
    file.write(0, twin.read(0, twin.size()))
    disk.sync_directory()
    disk.flip(first, 100)
    log = RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)
    assert (log.first_index, log.last_index) == (101, 100)
    assert first not in disk.list()


def test_a_full_disk_changes_nothing() -> None:
    disk = MemoryDisk()
    log = written(disk)
    disk.capacity_bytes = 0
    with pytest.raises(DiskFullError):
        log.reset(100, 3)
    disk.capacity_bytes = None
    assert all_entries(log) == make_entries(1, 30, 1)
    log.reset(100, 3)
    assert disk.list() == [segment_name(log_sequence(disk))]
    assert all_entries(log) == ()


def log_sequence(disk: MemoryDisk) -> int:
    return int(disk.list()[0].removeprefix("raft-").removesuffix(".log"))


def test_configurations_are_found_at_the_start() -> None:
    def config(index: int, term: int) -> Entry:
        return Entry(term, index, EntryKind.CONFIG, b"c%d" % index, b"members %d" % index)

    disk = MemoryDisk()
    log = RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)
    log.append([persist(make_entries(1, 3, 1), term=1), Persist(2, None, (config(4, 1),))])
    for first in (5, 10, 15, 20):
        log.append([persist(make_entries(first, 5, 1))])
    log.append([Persist(2, None, (config(25, 1), config(26, 1)))])
    log.append([Persist(2, None, (config(26, 2),)), persist(make_entries(27, 30, 2), term=2)])
    assert log.configs_at_start(100) == ()
    log = RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)
    assert log.configs_at_start(100) == (config(4, 1), config(25, 1), config(26, 2))
    assert log.configs_at_start(26) == (config(4, 1), config(25, 1))
    log.truncate_front(20)
    assert log.first_index > 4
    log = RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)
    assert log.configs_at_start(100) == (config(25, 1), config(26, 2))
    log.append([Persist(2, None, (config(25, 3),))])
    assert RaftLog.open(disk, segment_bytes=SEGMENT_BYTES).configs_at_start(100) == (config(25, 3),)
