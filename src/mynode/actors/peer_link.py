"""peer_link: the stream to one other node. It packs what waits into one frame and reconnects when the link breaks."""

from __future__ import annotations

from random import Random
from typing import Final

import structlog
import trio

from mynode.actors.mailbox import Inbox
from mynode.actors.ports import PeerMessage, PeerTransport
from mynode.actors.protocol import RAFT_RESERVED, LinkBroken, PeerBatch, RaftMessage
from mynode.base.address import Address
from mynode.base.errors import ConnectionFailedError
from mynode.base.ids import Incarnation, NodeId

log = structlog.get_logger(__name__)

FIRST_RETRY_S: Final = 0.05
LAST_RETRY_S: Final = 1.0


class PeerLinkActor:
    """Sends to one peer. Messages for a peer that is away are dropped, never kept: Raft sends what matters again.

    Between two followers nothing is said for long, so that a stream which broke is found out by the next message: a
    vote, say, for a node that has come back. That one is sent again over a new stream, at once.
    """

    def __init__(
        self,
        peer: NodeId,
        address: Address,
        *,
        inbox: Inbox[PeerBatch],
        raft: Inbox[RaftMessage],
        transport: PeerTransport,
        random: Random,
    ) -> None:
        self._peer = peer
        self._address = address
        self._inbox = inbox
        self._raft = raft
        self._transport = transport
        self._random = random
        self._peer_is_there = trio.Event()
        self.incarnation: Incarnation = ""
        """That of the member, if it is known."""

    def peer_is_there(self) -> None:
        """The peer has come to us: if the link is down, try it now. A vote in answer must not wait for the next try."""
        self._peer_is_there.set()

    async def run(self) -> None:
        retry_s = FIRST_RETRY_S
        unsent: list[PeerMessage] = []
        while True:
            is_second_try = bool(unsent)
            try:
                async with self._transport.connect(self._peer, self._address, self.incarnation) as stream:
                    log.info("peer connected", peer=self._peer)
                    retry_s = FIRST_RETRY_S
                    while True:
                        if not unsent:
                            unsent = [message for batch in await self._inbox.drain() for message in batch]
                        await stream.send(unsent)
                        unsent = []
                        is_second_try = False
            except ConnectionFailedError as error:
                log.debug("peer unreachable", peer=self._peer, reason=str(error))
            self._raft.post(LinkBroken(self._peer), leave=RAFT_RESERVED)
            if unsent and not is_second_try:
                continue
            unsent = []
            with trio.move_on_after(retry_s * self._random.uniform(0.5, 1.0)):
                await self._peer_is_there.wait()
            retry_s = FIRST_RETRY_S if self._peer_is_there.is_set() else min(2 * retry_s, LAST_RETRY_S)
            self._peer_is_there = trio.Event()
            self._inbox.clear()
