"""What comes while the state machine is in the middle of a large entry waits for its end, or sees nothing of it."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import pytest
import trio

from mynode.actors import checkpointer
from mynode.actors.mailbox import Inbox, Reply
from mynode.actors.newest_view import NewestView
from mynode.actors.protocol import (
    RAFT_INBOX,
    STATE_INBOX,
    ApplyEntries,
    BeginCheckpoint,
    MachineStatusAsk,
    OpenViews,
    RaftMessage,
    ReplaceMachine,
    StateMessage,
)
from mynode.actors.state_machine import StateMachineActor
from mynode.base.disk_memory import MemoryDisk
from mynode.base.errors import OutcomeUnknownError
from mynode.base.limits import APPLY_STEP_WRITES
from mynode.machine.commands import TransactionCommand, encode_command
from mynode.machine.machine import Machine, MachineStatus
from mynode.machine.outcomes import Committed, Outcome
from mynode.mvcc.readset import ReadSet
from mynode.mvcc.view import ReadView
from mynode.raft.messages import Entry, EntryKind
from mynode.storage.engine import MemoryEngine
from mynode.storage.pages import PageEngine
from mynode.testing.in_process import InProcessCluster, SqlClient

KEY = b"\x02key"


def large_entry(index: int) -> Entry:
    writes = tuple((KEY + b"%06d" % number, b"%d" % index) for number in range(10 * APPLY_STEP_WRITES))
    command = TransactionCommand(
        session=bytes(16), sequence=index, floor=0, view=index - 1, reads=ReadSet(), writes=writes, result=b""
    )
    return Entry(1, index, EntryKind.COMMAND, b"", encode_command(command))


class Node:
    """A state machine with its inbox; `paused` is told each pause of a large entry."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = PageEngine.open(MemoryDisk(seed=1))
        self.machine = Machine(self.engine)
        self.newest = NewestView(self.machine.view())
        self.inbox: Inbox[StateMessage] = Inbox(STATE_INBOX)
        raft: Inbox[RaftMessage] = Inbox(RAFT_INBOX)
        self.actor = StateMachineActor(self.machine, inbox=self.inbox, raft=raft, newest=self.newest)
        self.paused = trio.Event()
        in_steps = Machine.apply_in_steps

        def told(machine: Machine, entries: Sequence[Entry]) -> Generator[None, None, list[Outcome | None]]:
            steps = in_steps(machine, entries)
            while True:
                try:
                    next(steps)
                except StopIteration as stop:
                    outcomes: list[Outcome | None] = stop.value
                    return outcomes
                self.paused.set()
                yield

        monkeypatch.setattr(Machine, "apply_in_steps", told)


async def test_views_asks_and_checkpoints_wait_for_the_end_of_the_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(monkeypatch)
    seen: list[str] = []
    outcome: Reply[Outcome] = Reply()
    view: Reply[ReadView] = Reply()
    status: Reply[MachineStatus] = Reply()
    begun = trio.Event()

    def begin() -> None:
        assert node.engine.applied_index == 1
        node.engine.checkpoint()
        seen.append("checkpoint")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.actor.run)
        await node.inbox.send(ApplyEntries((large_entry(1),), {1: outcome}, tell=False))
        await node.paused.wait()
        for message in (OpenViews(1, [view]), MachineStatusAsk(status), BeginCheckpoint(begin, begun)):
            assert node.inbox.post(message)
        pauses = 0
        while node.newest.at_least(1) is None:
            pauses += 1
            assert not any((outcome.is_answered, view.is_answered, status.is_answered, begun.is_set()))
            assert node.newest.at_least(0) is not None
            await trio.lowlevel.checkpoint()
        assert pauses >= 3
        assert isinstance(await outcome.wait(), Committed)
        assert (await view.wait()).get(KEY + b"000000") == b"1"
        assert (await status.wait()).applied == 1
        await begun.wait()
        assert seen == ["checkpoint"]
        nursery.cancel_scope.cancel()


async def test_a_snapshot_takes_its_place_after_the_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(monkeypatch)
    installed = Machine(MemoryEngine())
    installed.apply([large_entry(1), large_entry(2), large_entry(3)])
    outcome: Reply[Outcome] = Reply()
    replaced = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.actor.run)
        await node.inbox.send(ApplyEntries((large_entry(1),), {1: outcome}, tell=False))
        node.paused = trio.Event()
        await node.paused.wait()
        await node.inbox.send(ReplaceMachine(installed, replaced))
        await outcome.wait()
        await replaced.wait()
        assert node.newest.at_least(3) is not None
        assert (node.machine.applied, node.engine.applied_index) == (1, 1)
        nursery.cancel_scope.cancel()


async def test_a_node_that_stops_in_the_middle_says_that_the_outcome_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = Node(monkeypatch)
    outcome: Reply[Outcome] = Reply()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.actor.run)
        await node.inbox.send(ApplyEntries((large_entry(1),), {1: outcome}, tell=False))
        await node.paused.wait()
        nursery.cancel_scope.cancel()
    assert (node.machine.applied, node.engine.applied_index) == (0, 0)
    assert node.newest.at_least(1) is None
    with pytest.raises(OutcomeUnknownError):
        await outcome.wait()


async def test_checkpoints_come_between_large_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint begins as soon as there is something new, whatever is half done; then the power goes."""
    monkeypatch.setattr(checkpointer, "_LOOK_INTERVAL_S", 0.001)
    rows = 6 * APPLY_STEP_WRITES
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(1, seed=1, nursery=nursery, checkpoint_entries=1)
        await cluster.start_all()
        client = SqlClient(cluster.nodes[await cluster.leader()])
        await client.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER NOT NULL)")
        await client.execute("CREATE TABLE small (x INTEGER)")
        await client.execute(f"INSERT INTO t VALUES {', '.join(f'({number}, 0)' for number in range(rows))}")

        async def look() -> None:
            """Of two numbers that all rows have in common, one after the other, a reader sees one."""
            reader = SqlClient(cluster.nodes[1])
            while True:
                assert len(await reader.execute("SELECT DISTINCT x FROM t")) == 1

        async def write() -> None:
            """Small entries right before the large ones."""
            writer = SqlClient(cluster.nodes[1])
            while True:
                await writer.execute("INSERT INTO small VALUES (1)")

        async with trio.open_nursery() as others:
            others.start_soon(look)
            others.start_soon(write)
            others.start_soon(write)
            for _ in range(8):
                await client.execute("UPDATE t SET x = x + 1")
            others.cancel_scope.cancel()
        await cluster.crash(1)
        await cluster.start(1)
        client = SqlClient(cluster.nodes[await cluster.leader()])
        assert await client.execute("SELECT x, count(*) FROM t GROUP BY x") == [(8, rows)]
        cluster.engines[1].check_invariants()
        nursery.cancel_scope.cancel()
