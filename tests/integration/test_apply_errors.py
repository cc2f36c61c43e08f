"""An entry that this node cannot apply, for a reason of its own, stops it, and one line says which entry and why."""

from __future__ import annotations

from collections.abc import Generator

import pytest
import trio
from structlog.testing import CapturedCall, CapturingLogger

from mynode.actors import state_machine
from mynode.actors.mailbox import Inbox, Reply
from mynode.actors.newest_view import NewestView
from mynode.actors.protocol import RAFT_INBOX, STATE_INBOX, ApplyEntries, RaftMessage, StateMessage
from mynode.actors.state_machine import StateMachineActor
from mynode.base.disk_memory import MemoryDisk
from mynode.base.errors import DiskError, OutcomeUnknownError
from mynode.machine.commands import TransactionCommand, encode_command
from mynode.machine.machine import Machine
from mynode.machine.outcomes import Committed, Outcome
from mynode.mvcc.keyspace import ROWS
from mynode.mvcc.readset import ReadSet
from mynode.raft.messages import Entry, EntryKind
from mynode.storage.pages import PageEngine
from mynode.storage.tree import TreeEditor


def entry(index: int) -> Entry:
    command = TransactionCommand(bytes(16), index, 0, index - 1, ReadSet(), ((ROWS + b"key", b"%d" % index),), b"")
    return Entry(1, index, EntryKind.COMMAND, b"", encode_command(command))


async def test_the_node_stops_with_index_and_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = PageEngine.open(MemoryDisk(seed=1))
    machine = Machine(engine)
    inbox: Inbox[StateMessage] = Inbox(STATE_INBOX)
    raft: Inbox[RaftMessage] = Inbox(RAFT_INBOX)
    actor = StateMachineActor(machine, inbox=inbox, raft=raft, newest=NewestView(machine.view()))
    decide = Machine._decide

    def fails_at_three(machine: Machine, editor: TreeEditor, entry: Entry) -> Generator[None, None, Outcome]:
        if entry.index == 3:
            raise DiskError("a page cannot be read")
        return (yield from decide(machine, editor, entry))

    monkeypatch.setattr(Machine, "_decide", fails_at_three)
    first: Reply[Outcome] = Reply()
    second: Reply[Outcome] = Reply()
    assert inbox.post(ApplyEntries((entry(1),), {1: first}, tell=False))
    assert inbox.post(ApplyEntries((entry(2), entry(3), entry(4)), {2: second}, tell=False))
    logger = CapturingLogger()
    monkeypatch.setattr(state_machine, "log", logger)
    with pytest.raises(DiskError):
        await actor.run()
    cause = "DiskError('a page cannot be read')"
    line = CapturedCall("critical", ("an entry could not be applied",), {"index": 3, "cause": cause})
    assert logger.calls == [line]
    assert isinstance(await first.wait(), Committed)
    with trio.fail_after(1), pytest.raises(OutcomeUnknownError):
        await second.wait()
    assert engine.applied_index == 1
