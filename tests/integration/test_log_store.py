"""log_store cuts the log where raft says, and further only when it is too long."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from mynode.actors import log_store
from mynode.actors.log_store import LogStoreActor, inline
from mynode.actors.mailbox import Inbox
from mynode.actors.protocol import LOG_INBOX, RAFT_INBOX, CutLog, LogMessage, RaftMessage
from mynode.base.disk_memory import MemoryDisk
from mynode.raft.events import Compacted
from mynode.storage.raft_log import RaftLog
from mynode.testing.raft_log import make_entries, persist


async def cut(message: CutLog) -> tuple[RaftLog, list[RaftMessage]]:
    """A log of 100 entries, two or so a segment, after `message`; and what raft was told."""
    log = RaftLog.open(MemoryDisk(), segment_bytes=150)
    for first in range(1, 100, 2):
        log.append([persist(make_entries(first, 2, 1), term=1)])
    inbox: Inbox[LogMessage] = Inbox(LOG_INBOX)
    raft: Inbox[RaftMessage] = Inbox(RAFT_INBOX)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(LogStoreActor(log, inbox=inbox, raft=raft, run_blocking=inline).run)
        inbox.post(message)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    return log, raft.clear()


async def test_what_nobody_wants_goes(autojump_clock: MockClock) -> None:
    log, told = await cut(CutLog(first_wanted=50, first_kept=80))
    assert 40 < log.first_index <= 50
    assert told == [Compacted(log.first_index)]


async def test_nothing_is_told_when_nothing_goes(autojump_clock: MockClock) -> None:
    for first_wanted in (1, 0, -100):
        log, told = await cut(CutLog(first_wanted, first_kept=80))
        assert log.first_index == 1
        assert told == []


async def test_of_a_log_that_is_too_long_goes_all_that_this_node_can_do_without(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_store, "MAX_LOG_BYTES", 1_000)
    log, told = await cut(CutLog(first_wanted=1, first_kept=80))
    assert 70 < log.first_index <= 80
    assert told == [Compacted(log.first_index)]
