"""Random schedules against Raft's safety properties. MYNODE_LONG=1 runs many more; each seed is one exact run."""

from __future__ import annotations

import os

import pytest

from mynode.testing.raft_safety import RandomSchedule

BATCHES = 400 if os.environ.get("MYNODE_LONG") == "1" else 6
SEEDS_PER_BATCH = 8
ACTIONS = 1_500


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_schedules_are_safe_and_end_well(size: int, batch: int) -> None:
    for seed in range(batch * SEEDS_PER_BATCH, (batch + 1) * SEEDS_PER_BATCH):
        schedule = RandomSchedule(seed, size)
        try:
            schedule.run(ACTIONS)
            schedule.finish()
        except Exception as error:
            error.add_note(f"again: RandomSchedule(seed={seed}, size={size}).run({ACTIONS})")
            raise
