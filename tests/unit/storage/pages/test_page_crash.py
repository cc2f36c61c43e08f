"""PageEngine loses power at every single place: the last acknowledged checkpoint is there, or the one after it."""

from __future__ import annotations

from contextlib import suppress

import pytest

from mynode.base.disk_memory import MemoryDisk, Operation
from mynode.base.errors import DiskError
from mynode.storage.pages.engine import PageEngine
from mynode.testing.page_engine import PageWorkload, assert_sound, state_of

SEEDS = range(4)
OPERATIONS_OF_OPEN = 6


def run(workload: PageWorkload) -> None:
    """Checkpoints of little and of much, some with edits between their slices, and one after a restart."""
    workload.apply(1)
    workload.checkpoint()
    workload.apply(250)
    workload.checkpoint(edits_between=3)
    for edits in (2, 30, 5):
        workload.apply(edits)
        workload.checkpoint(edits_between=2)
    workload.reopen()
    workload.apply(4)
    workload.checkpoint()


def run_until_power_fails(disk: MemoryDisk, seed: int) -> PageWorkload | None:
    """The workload as far as it came; None if the engine could not even be opened."""
    try:
        workload = PageWorkload(disk, seed)
    except DiskError:
        return None
    with suppress(DiskError):
        run(workload)
    return workload


def operations_of_a_run(seed: int) -> int:
    disk = MemoryDisk()
    workload = run_until_power_fails(disk, seed)
    assert workload is not None
    workload.check()
    assert workload.acknowledged == workload.engine.applied_index
    return disk.operations


@pytest.mark.parametrize("seed", SEEDS)
def test_power_loss_at_every_operation(seed: int) -> None:
    for operations in range(operations_of_a_run(seed) + 1):
        disk = MemoryDisk(seed * 1_000 + operations)
        disk.fail_power_after(operations)
        workload = run_until_power_fails(disk, seed)
        disk.crash()
        if workload is None:
            assert PageEngine.open(disk).applied_index == 0
            continue
        acknowledged = workload.acknowledged
        completed = [index for index in workload.states if index >= acknowledged]
        workload.reopen()
        assert workload.engine.applied_index in completed, f"power lost after {operations} operations"
        workload.check()
        assert_sound(disk)
        _what_was_read_is_durable(disk, workload)
        _it_goes_on(disk, workload)


def _what_was_read_is_durable(disk: MemoryDisk, workload: PageWorkload) -> None:
    index = workload.engine.applied_index
    disk.crash()
    workload.reopen()
    assert workload.engine.applied_index == index
    workload.check()


def _it_goes_on(disk: MemoryDisk, workload: PageWorkload) -> None:
    for _ in range(3):
        workload.apply(20)
        workload.checkpoint(edits_between=1)
    disk.crash()
    acknowledged = workload.acknowledged
    workload.reopen()
    assert workload.engine.applied_index == acknowledged
    workload.check()
    assert_sound(disk)


@pytest.mark.parametrize("seed", SEEDS)
def test_power_loss_at_every_operation_of_the_next_start_too(seed: int) -> None:
    for operations in range(OPERATIONS_OF_OPEN, operations_of_a_run(seed), 7):
        for again in range(4):
            disk = MemoryDisk(seed * 10_000 + operations * 10 + again)
            disk.fail_power_after(operations)
            workload = run_until_power_fails(disk, seed)
            assert workload is not None
            acknowledged = workload.acknowledged
            disk.crash()
            disk.fail_power_after(again)
            with suppress(DiskError):
                workload.reopen()
                workload.apply(3)
                workload.checkpoint()
            disk.crash()
            workload.reopen()
            assert workload.engine.applied_index >= acknowledged
            workload.check()
            assert_sound(disk)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_process_killed_after_a_failed_sync_loses_nothing(seed: int) -> None:
    """The page cache stays, and the next process reads what the failed sync marked clean; then the power goes."""
    number = 0
    while True:
        disk = MemoryDisk(number)
        disk.fail(Operation.SYNC, after=number)
        workload = run_until_power_fails(disk, seed)
        number += 1
        if workload is None:
            continue
        if workload.acknowledged == workload.engine.applied_index and number > 10:
            break
        acknowledged = workload.acknowledged
        workload.reopen()
        assert workload.engine.applied_index >= acknowledged
        held = state_of(workload.engine.tree)
        disk.crash()
        workload.reopen()
        assert state_of(workload.engine.tree) == held
        _it_goes_on(disk, workload)
