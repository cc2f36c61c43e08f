"""What a link does with messages when its stream breaks, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

import trio
from trio.testing import MockClock

from mynode.actors.mailbox import Inbox
from mynode.actors.peer_link import PeerLinkActor
from mynode.actors.ports import PeerMessage
from mynode.actors.protocol import RAFT_INBOX, PeerBatch, RaftMessage
from mynode.base.address import Address
from mynode.base.errors import ConnectionFailedError
from mynode.raft.messages import Heartbeat


class BrokenWays:
    """Streams that break when something is sent, until `whole`; it keeps what arrived."""

    def __init__(self) -> None:
        self.whole = False
        self.opened = 0
        self.arrived: list[PeerMessage] = []

    @asynccontextmanager
    async def connect(self, peer: int, address: Address, incarnation: str) -> AsyncIterator[BrokenWays]:
        await trio.lowlevel.checkpoint()
        self.opened += 1
        yield self

    async def send(self, messages: Sequence[PeerMessage]) -> None:
        await trio.sleep(0.001)
        if not self.whole:
            raise ConnectionFailedError("the stream had ended")
        self.arrived.extend(messages)


@asynccontextmanager
async def link_over(ways: BrokenWays) -> AsyncIterator[Inbox[PeerBatch]]:
    inbox: Inbox[PeerBatch] = Inbox(10)
    raft: Inbox[RaftMessage] = Inbox(RAFT_INBOX)
    actor = PeerLinkActor(2, Address("memory", 2), inbox=inbox, raft=raft, transport=ways, random=Random(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor.run)
        await trio.sleep(0.01)
        yield inbox
        nursery.cancel_scope.cancel()


async def test_the_message_that_finds_the_stream_broken_is_sent_again(autojump_clock: MockClock) -> None:
    ways = BrokenWays()
    async with link_over(ways) as inbox:
        inbox.post((Heartbeat(1, 2, 3),))
        await trio.sleep(0.0005)
        before = trio.current_time()
        await trio.sleep(0.0006)  # it has failed
        ways.whole = True
        await trio.sleep(0.005)
        assert ways.arrived == [Heartbeat(1, 2, 3)]
        assert trio.current_time() - before < 0.01, "at once"


async def test_a_message_is_not_kept_for_a_peer_that_is_away(autojump_clock: MockClock) -> None:
    ways = BrokenWays()
    async with link_over(ways) as inbox:
        inbox.post((Heartbeat(1, 2, 3),))
        await trio.sleep(1)
        assert ways.opened == 3, "at first, for the second try, and waiting for the next message"
        ways.whole = True
        inbox.post((Heartbeat(1, 2, 4),))
        await trio.sleep(1)
        assert ways.arrived == [Heartbeat(1, 2, 4)]
