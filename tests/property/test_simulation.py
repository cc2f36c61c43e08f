"""Whole clusters under random faults and changes in virtual time: what clients saw must have been possible.

`MYNODE_LONG=1` runs more seeds; a failure names its seed. That the verdict can be bad is tested by planted bugs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import TypeAlias

import pytest
import trio

import mynode.machine.machine
import mynode.machine.outcomes
from mynode.actors.mailbox import Reply
from mynode.actors.protocol import ProposeAsk
from mynode.actors.state_access import StateAccess
from mynode.base.disk_memory import MemoryFile
from mynode.machine.commands import Command, encode_command
from mynode.machine.outcomes import Committed, Outcome
from mynode.mvcc.view import ReadView
from mynode.testing.linearizable import Kind, Operation, is_linearizable
from mynode.testing.simulation import run_simulation, simulate

SEEDS = range(200) if os.environ.get("MYNODE_LONG") else range(2)
STEPS = 15
SEEDS_TO_FIND_A_BUG = 6

Bug: TypeAlias = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize("lease_reads", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_histories_are_linearizable_and_nodes_equal(seed: int, lease_reads: bool) -> None:
    lines: list[str] = []
    try:
        simulate(seed, STEPS, lines.append, lease_reads=lease_reads)
    except Exception as error:
        error.add_note("\n".join([*lines[-30:], f"again: simulate({seed}, {STEPS}, print, {lease_reads=})"]))
        raise


def test_a_seed_is_one_run_to_the_byte() -> None:
    """In processes of their own, whose hashes of bytes and texts differ."""
    command = [sys.executable, "-m", "mynode", "simulate", "--seed", "7", "--steps", "6"]
    runs = [
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert runs[0].endswith(b"PASSED: linearizable, and all nodes are equal\n")


def test_the_command_fails_with_the_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    acknowledge_before_commit(monkeypatch)
    assert run_simulation(0, STEPS) == 1
    out = capsys.readouterr().out
    assert "FAILED: no single register can have this history\nregister " in out
    assert out.endswith(f"again: mynode simulate --seed 0 --steps {STEPS}\n")


# --- planted bugs -----------------------------------------------------------------------------------------------------


def read_what_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read takes the local view without a read index."""

    async def open_fresh_view(self: StateAccess) -> ReadView:
        return await self.open_view(0)

    monkeypatch.setattr(StateAccess, "open_fresh_view", open_fresh_view)


def forget_outcomes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry is executed again."""
    monkeypatch.setattr(mynode.machine.outcomes, "_look_up", lambda *_: None)


def acknowledge_before_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write is answered when it is proposed."""

    async def answer_at_once(self: StateAccess, command: Command, patience: trio.CancelScope) -> Outcome:
        self._ask_raft(ProposeAsk(self._proposal_ids.next(), encode_command(command), Reply()))
        return Committed(1, command.result, replayed=False)

    monkeypatch.setattr(StateAccess, "propose", answer_at_once)


def validate_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction commits although what it has read has changed."""
    monkeypatch.setattr(mynode.machine.machine, "conflict", lambda *_: None)


def sync_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Acknowledged before it is durable."""
    monkeypatch.setattr(MemoryFile, "sync", lambda _: None)


@pytest.mark.parametrize(
    ("plant", "first_seed", "words"),
    [
        (read_what_is_here, 0, "no single register"),
        (forget_outcomes, 0, "no single register"),
        (validate_nothing, 3, "no single register"),
        (sync_nothing, 0, "does not start"),
    ],
)
def test_a_planted_bug_is_found(plant: Bug, first_seed: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert any(words in finding(seed) for seed in range(first_seed, first_seed + SEEDS_TO_FIND_A_BUG))


def finding(seed: int) -> str:
    try:
        simulate(seed, STEPS, lambda _: None)
    except Exception as error:
        return "".join(traceback.format_exception(error))
    return ""


# --- the judge --------------------------------------------------------------------------------------------------------


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
