"""Whole clusters under random faults and changes in virtual time: what clients saw must have been possible.

`MYNODE_LONG=1` runs more seeds; a failure names its seed.
"""

from __future__ import annotations

import os

import pytest
from trio.testing import MockClock

from mynode.testing.linearizable import Kind, Operation, is_linearizable
from mynode.testing.nemesis import run

SEEDS = range(200) if os.environ.get("MYNODE_LONG") else range(3)


@pytest.mark.parametrize("seed", SEEDS)
async def test_histories_are_linearizable(seed: int, autojump_clock: MockClock) -> None:
    await run(seed)


@pytest.mark.parametrize("seed", SEEDS)
async def test_histories_are_linearizable_with_leases(seed: int, autojump_clock: MockClock) -> None:
    await run(1_000 + seed, lease_reads=True)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([Operation(Kind.WRITE, 1, 1, returned=2), Operation(Kind.READ, 3, 1, returned=4)], True),
        ([Operation(Kind.WRITE, 1, 1, returned=2), Operation(Kind.READ, 3, 0, returned=4)], False),
        ([Operation(Kind.WRITE, 1, 1, returned=4), Operation(Kind.READ, 2, 0, returned=3)], True),
        (
            [
                Operation(Kind.WRITE, 1, 1),
                Operation(Kind.READ, 3, 0, returned=4),
                Operation(Kind.READ, 5, 1, returned=6),
            ],
            True,
        ),
        (
            [
                Operation(Kind.WRITE, 1, 1),
                Operation(Kind.READ, 3, 1, returned=4),
                Operation(Kind.READ, 5, 0, returned=6),
            ],
            False,
        ),
        ([Operation(Kind.SWAP, 1, 2, expected=0, swapped=False, returned=2)], False),
        ([Operation(Kind.SWAP, 1, 2, expected=1, swapped=False, returned=2)], True),
        ([Operation(Kind.SWAP, 1, 2, expected=1, swapped=True, returned=2)], False),
    ],
)
def test_the_judge_tells_what_can_be(history: list[Operation], expected: bool) -> None:
    assert is_linearizable(history, 0) is expected
