"""RaftLog loses power at every single place: what was acknowledged is there; of the rest, whole appends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from mynode.base.disk_memory import MemoryDisk, Operation
from mynode.base.errors import DiskError
from mynode.raft.effects import HardState, Persist
from mynode.raft.messages import Entry
from mynode.storage.raft_log import RaftLog
from mynode.testing.raft_log import all_entries, make_entries, persist

SEGMENT_BYTES = 1_500


@dataclass(frozen=True)
class Contents:
    """What a log holds."""

    hard_state: HardState
    entries: tuple[Entry, ...]

    def after(self, persists: list[Persist]) -> Contents:
        state, entries = self.hard_state, self.entries
        for each in persists:
            state = each.hard_state or state
            if each.entries:
                entries = entries[: each.entries[0].index - 1] + each.entries
        return Contents(state, entries)


def contents(log: RaftLog) -> Contents:
    log.check_invariants()
    return Contents(log.hard_state, all_entries(log))


def workload() -> list[list[Persist]]:
    """Votes, small and large batches, cut tails, and segments enough to roll a few times."""
    return [
        [persist(term=1, voted_for=1)],
        [persist(make_entries(1, 3, 1)), persist(make_entries(4, 2, 1))],
        [persist(make_entries(6, 30, 1))],
        [persist(term=2, voted_for=None)],
        [persist(make_entries(20, 5, 2))],
        [persist(make_entries(25, 25, 2), term=3, voted_for=3)],
        [persist(make_entries(50, 1, 3))],
        [persist(make_entries(51, 1, 3, payload_bytes=600))],
        [persist(make_entries(10, 2, 4), term=4, voted_for=2), persist(make_entries(12, 10, 4))],
        [persist(make_entries(22, 1, 4))],
    ]


def run(disk: MemoryDisk) -> Iterator[Contents]:
    """What the log holds after opening it and after each append."""
    log = RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)
    yield contents(log)
    for persists in workload():
        log.append(persists)
        yield contents(log)


def acknowledged_by_a_run(disk: MemoryDisk) -> int:
    """How many appends returned before the disk failed; -1 if opening did not."""
    steps = run(disk)
    count = -1
    with suppress(DiskError):
        for _ in steps:
            count += 1
    return count


def operations_of_a_run() -> int:
    disk = MemoryDisk()
    assert acknowledged_by_a_run(disk) == len(workload())
    assert len(disk.list()) >= 3, "the workload rolls segments"
    return disk.operations


def expected_contents() -> list[Contents]:
    expected = [Contents(HardState(0, None), ())]
    for persists in workload():
        expected.append(expected[-1].after(persists))
    return expected


@pytest.mark.parametrize("seed", range(6))
def test_power_loss_at_every_operation(seed: int) -> None:
    expected = expected_contents()
    for operations in range(operations_of_a_run() + 1):
        disk = MemoryDisk(seed * 1_000 + operations)
        disk.fail_power_after(operations)
        acknowledged = 0
        with suppress(DiskError):
            for acknowledged, held in enumerate(run(disk)):
                assert held == expected[acknowledged]
        disk.crash()
        log = RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)
        held = contents(log)
        assert held in expected[acknowledged : acknowledged + 2], f"power lost after {operations} operations"
        _what_was_read_is_durable(disk, held)
        _it_goes_on(disk, held)


def _what_was_read_is_durable(disk: MemoryDisk, held: Contents) -> None:
    for _ in range(2):
        disk.crash()
        assert contents(RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)) == held


def _it_goes_on(disk: MemoryDisk, held: Contents) -> None:
    log = RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)
    more = [persist(make_entries(len(held.entries) + 1, 40, 9), term=9, voted_for=1)]
    log.append(more)
    disk.crash()
    assert contents(RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)) == held.after(more)


@pytest.mark.parametrize("seed", range(3))
def test_power_loss_at_every_operation_of_the_recovery_too(seed: int) -> None:
    expected = expected_contents()
    total = operations_of_a_run()
    for operations in range(3, total, 3):
        for again in range(8):
            disk = MemoryDisk(seed * 10_000 + operations * 10 + again)
            disk.fail_power_after(operations)
            acknowledged = max(0, acknowledged_by_a_run(disk))
            disk.crash()
            disk.fail_power_after(again)
            with suppress(DiskError):
                RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)
            disk.crash()
            held = contents(RaftLog.open(disk, segment_bytes=SEGMENT_BYTES))
            assert held in expected[acknowledged : acknowledged + 2]


def test_a_process_killed_after_a_failed_sync_loses_nothing() -> None:
    """Without a power loss the page cache stays, and the next process reads what the failed sync marked clean."""
    expected = expected_contents()
    for number in range(operations_of_a_run()):
        disk = MemoryDisk(number)
        disk.fail(Operation.SYNC, after=number)
        acknowledged = acknowledged_by_a_run(disk)
        if acknowledged == len(expected) - 1:
            assert number > len(expected), "every sync has failed once"
            return
        held = contents(RaftLog.open(disk, segment_bytes=SEGMENT_BYTES))
        assert held in expected[max(0, acknowledged) : acknowledged + 2]
        _what_was_read_is_durable(disk, held)


def test_power_loss_while_the_front_is_truncated() -> None:
    for operations in range(12):
        for seed in range(10):
            disk = MemoryDisk(seed)
            log = RaftLog.open(disk, segment_bytes=500)
            for first in range(1, 60, 5):
                log.append([persist(make_entries(first, 5, 1), term=1)])
            disk.fail_power_after(operations)
            with suppress(DiskError):
                log.truncate_front(50)
            disk.crash()
            log = RaftLog.open(disk, segment_bytes=500)
            log.check_invariants()
            assert log.first_index <= 50
            assert all_entries(log) == make_entries(log.first_index, 61 - log.first_index, 1)
