"""lane_router: brings statements to the hot lane of the leader's node, and answers back."""

from __future__ import annotations

import itertools
from typing import assert_never

from trio_util import AsyncValue

from mynode.actors.links import PeerLinks
from mynode.actors.mailbox import Inbox, Reply
from mynode.actors.protocol import LaneAsk, LaneFromPeer, LaneTask, PeerAsk, RouterMessage
from mynode.base.ids import NodeId
from mynode.base.limits import MAX_SESSIONS
from mynode.raft.effects import LeaderChange
from mynode.session.lane_api import LaneAnswer, LaneMessage, LaneRefusal, LaneRequest, LaneResponse


class LaneRouterActor:
    """Routes each statement to where it believes the leader is. If it is wrong, the lane there refuses.

    Invariants: `_pending` holds the asks that another node was sent, a session's one each and some that were abandoned.
    """

    def __init__(
        self,
        node_id: NodeId,
        *,
        inbox: Inbox[RouterMessage],
        lane: Inbox[LaneTask],
        links: PeerLinks,
        leader: AsyncValue[LeaderChange | None],
    ) -> None:
        self._node_id = node_id
        self._inbox = inbox
        self._lane = lane
        self._links = links
        self._leader = leader
        self._numbers = itertools.count(1)
        self._pending: dict[int, Reply[LaneAnswer]] = {}

    async def run(self) -> None:
        try:
            while True:
                outgoing: dict[NodeId, list[LaneMessage]] = {}
                for message in await self._inbox.drain():
                    match message:
                        case LaneAsk():
                            self._route(message, outgoing)
                        case LaneFromPeer(sender, messages):
                            for each in messages:
                                self._take(sender, each, outgoing)
                        case _:
                            assert_never(message)
                self._send(outgoing)
        finally:
            self._refuse_all()

    def _route(self, ask: LaneAsk, outgoing: dict[NodeId, list[LaneMessage]]) -> None:
        change = self._leader.value
        leader = None if change is None else change.leader
        if leader == self._node_id:
            if not self._lane.post(LaneTask(ask.request, ask.reply)):
                ask.reply.answer(LaneRefusal.NOT_EXECUTED)
        elif leader is None or leader not in self._links:
            ask.reply.answer(LaneRefusal.NOT_EXECUTED)
        else:
            number = next(self._numbers)
            self._pending[number] = ask.reply
            outgoing.setdefault(leader, []).append(LaneRequest(number, ask.request))
            if len(self._pending) > 2 * MAX_SESSIONS:
                self._pending = {number: reply for number, reply in self._pending.items() if not reply.abandoned}

    def _take(self, sender: NodeId, message: LaneMessage, outgoing: dict[NodeId, list[LaneMessage]]) -> None:
        match message:
            case LaneRequest(number, request):
                if not self._lane.post(LaneTask(request, PeerAsk(sender, number))):
                    outgoing.setdefault(sender, []).append(LaneResponse(number, LaneRefusal.NOT_EXECUTED))
            case LaneResponse(number, answer):
                reply = self._pending.pop(number, None)
                if reply is not None:
                    reply.answer(answer)
            case _:
                assert_never(message)

    def _send(self, outgoing: dict[NodeId, list[LaneMessage]]) -> None:
        """What a link has no room for is lost, as on its way: a request that never left was surely not executed."""
        for peer, messages in outgoing.items():
            if self._links.post(peer, tuple(messages)):
                continue
            for message in messages:
                if isinstance(message, LaneRequest):
                    self._pending.pop(message.number).answer(LaneRefusal.NOT_EXECUTED)

    def _refuse_all(self) -> None:
        for reply in self._pending.values():
            reply.answer(LaneRefusal.MAYBE_EXECUTED)
        for message in self._inbox.close():
            if isinstance(message, LaneAsk):
                message.reply.answer(LaneRefusal.NOT_EXECUTED)
