"""A node that replays a long log reads no further ahead than its state machine follows (in virtual time)."""

from __future__ import annotations

from random import Random

import trio
from trio.testing import MockClock

from mynode.actors.links import PeerLinks
from mynode.actors.log_store import LogStoreActor, inline
from mynode.actors.mailbox import Inbox
from mynode.actors.newest_view import NewestView
from mynode.actors.protocol import (
    LOG_INBOX,
    PAGES_INBOX,
    RAFT_INBOX,
    STATE_INBOX,
    Applied,
    ApplyEntries,
    LogMessage,
    RaftMessage,
    StateMessage,
)
from mynode.actors.raft import RaftActor
from mynode.base.disk_memory import MemoryDisk
from mynode.base.limits import MAX_LOAD_BYTES, MAX_UNAPPLIED_BYTES, MIB, TICK_MS
from mynode.mvcc.view import ReadView
from mynode.raft.config import RaftConfig, Restored
from mynode.raft.core import RaftCore
from mynode.raft.effects import HardState, Persist
from mynode.raft.messages import Entry, EntryKind
from mynode.storage.raft_log import RaftLog
from mynode.storage.tree import Tree

ENTRIES = 100
"""Of half a MiB each: several times what may wait."""


def long_log() -> RaftLog:
    raft_log = RaftLog.open(MemoryDisk(seed=1))
    for index in range(1, ENTRIES + 1):
        entry = Entry(1, index, EntryKind.COMMAND, index.to_bytes(12, "big"), bytes(MIB // 2))
        raft_log.append([Persist(index, HardState(1, 1) if index == 1 else None, (entry,))])
    return raft_log


async def test_what_waits_to_be_applied_is_bounded(autojump_clock: MockClock) -> None:
    raft_log = long_log()
    restored = Restored(hard_state=raft_log.hard_state, term_runs=raft_log.term_runs, tail=raft_log.tail(MIB))
    raft_inbox: Inbox[RaftMessage] = Inbox(RAFT_INBOX)
    log_inbox: Inbox[LogMessage] = Inbox(LOG_INBOX)
    state_inbox: Inbox[StateMessage] = Inbox(STATE_INBOX)
    newest = NewestView(ReadView(0, Tree.empty()))
    core = RaftCore(RaftConfig(1, (1,)), restored, Random(1))
    raft = RaftActor(
        core,
        inbox=raft_inbox,
        log_store=log_inbox,
        state_machine=state_inbox,
        links=PeerLinks(1, raft=raft_inbox, transport=None, random=Random(1), addresses={}),
        newest=newest,
        checkpointer=Inbox(PAGES_INBOX),
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(LogStoreActor(raft_log, inbox=log_inbox, raft=raft_inbox, run_blocking=inline).run)
        nursery.start_soon(raft.run)
        nursery.start_soon(raft.tick, TICK_MS / 1000)
        applied = 0
        while applied < ENTRIES:
            await trio.sleep(10)
            waiting = [each for each in state_inbox.clear() if isinstance(each, ApplyEntries)]
            entries = [entry for each in waiting for entry in each.entries]
            assert [entry.index for entry in entries] == list(range(applied + 1, applied + 1 + len(entries)))
            assert 0 < sum(len(entry.payload) for entry in entries) <= MAX_UNAPPLIED_BYTES + 3 * MAX_LOAD_BYTES
            applied += len(entries)
            for each in waiting:
                if each.tell:
                    raft_inbox.post(Applied())
        nursery.cancel_scope.cancel()
