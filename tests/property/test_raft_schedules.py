"""Random schedules against Raft's safety properties. MYNODE_LONG=1 runs many more; each seed is one exact run."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import get_args

import pytest

from mynode.raft.effects import Effects
from mynode.raft.events import Event, Receive
from mynode.raft.messages import Message
from mynode.testing.raft_schedules import ACTION_WEIGHTS, RandomSchedule

BATCHES = 400 if os.environ.get("MYNODE_LONG") == "1" else 4
SEEDS_PER_BATCH = 8
MUST_HAPPEN = {
    *(event.__name__ for event in get_args(Event) if event is not Receive),
    *(message.__name__ for message in get_args(Message)),
    *(effect.name for effect in fields(Effects)),
    *ACTION_WEIGHTS,
    "torn",
}
ACTIONS = 1_500


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("leases", [False, True], ids=["rounds", "leases"])
def test_random_schedules_are_safe_and_end_well(size: int, batch: int, leases: bool) -> None:
    for seed in range(batch * SEEDS_PER_BATCH, (batch + 1) * SEEDS_PER_BATCH):
        schedule = RandomSchedule(seed, size, leases=leases)
        try:
            schedule.run(ACTIONS)
            schedule.finish()
        except Exception as error:
            error.add_note(f"again: RandomSchedule(seed={seed}, size={size}, leases={leases}).run({ACTIONS})")
            raise


@pytest.mark.parametrize("size", [2, 3, 4, 5])
@pytest.mark.parametrize("batch", range(BATCHES // 3))
def test_no_lease_outlives_what_keeps_votes_back(size: int, batch: int) -> None:
    for seed in range(batch * SEEDS_PER_BATCH, (batch + 1) * SEEDS_PER_BATCH):
        schedule = RandomSchedule(seed, size, joining=1, leases=True)
        try:
            for _ in range(6):
                schedule.usurp()
            schedule.finish()
        except Exception as error:
            error.add_note(f"again: RandomSchedule(seed={seed}, size={size}, joining=1, leases=True).usurp(), 6 times")
            raise


@pytest.mark.parametrize("size", [3, 5])
def test_everything_happens_within_a_few_schedules(size: int) -> None:
    """Every event of a core, every message, every effect, every action of the schedules."""
    missing = set(MUST_HAPPEN)
    for seed in range(1_000, 1_040):
        schedule = RandomSchedule(seed, size)
        schedule.run(ACTIONS)
        missing -= {name for name, count in schedule.happened.items() if count}
        if not missing:
            return
    raise AssertionError(f"never happened: {sorted(missing)}")
