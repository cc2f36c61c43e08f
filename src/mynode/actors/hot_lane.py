"""hot_lane: runs the statements that wait for the lane of this node, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import trio
from trio_util import AsyncValue

from mynode.actors.driving import drive
from mynode.actors.links import PeerLinks
from mynode.actors.mailbox import Inbox, Reply
from mynode.actors.protocol import LaneTask, PeerAsk
from mynode.actors.state_access import StateAccess
from mynode.base.ids import NodeId
from mynode.base.limits import LANE_PATIENCE_MS, LANE_STATEMENTS
from mynode.raft.effects import LeaderChange
from mynode.session.effects import Answer, OpenView, Pause, Propose, SessionEffect
from mynode.session.lane import Lane
from mynode.session.lane_api import LaneAnswer, LaneMessage, LaneRefusal, LaneResponse


class HotLaneActor:
    """What arrives while a batch is on its way is the next batch. On a node that does not lead nothing runs.

    Invariant: every task taken is answered once.
    """

    def __init__(
        self,
        node_id: NodeId,
        lane: Lane,
        *,
        inbox: Inbox[LaneTask],
        access: StateAccess,
        links: PeerLinks,
        leader: AsyncValue[LeaderChange | None],
    ) -> None:
        self._node_id = node_id
        self._lane = lane
        self._inbox = inbox
        self._access = access
        self._links = links
        self._leader = leader

    async def run(self) -> None:
        tasks: list[LaneTask] = []
        try:
            while True:
                tasks = await self._inbox.drain(LANE_STATEMENTS)
                change = self._leader.value
                answers: list[LaneAnswer]
                if change is not None and change.leader == self._node_id:
                    answers = await drive(self._lane.run([task.request for task in tasks]), self._perform)
                else:
                    answers = [LaneRefusal.NOT_EXECUTED] * len(tasks)
                self._answer(tasks, answers)
                tasks = []
        finally:
            self._answer(tasks, [LaneRefusal.MAYBE_EXECUTED] * len(tasks))
            left = self._inbox.close()
            self._answer(left, [LaneRefusal.NOT_EXECUTED] * len(left))

    def _answer(self, tasks: Sequence[LaneTask], answers: Sequence[LaneAnswer]) -> None:
        by_peer: dict[NodeId, list[LaneMessage]] = {}
        for task, answer in zip(tasks, answers, strict=True):
            match task.asker:
                case Reply() as reply:
                    reply.answer(answer)
                case PeerAsk(peer, number):
                    by_peer.setdefault(peer, []).append(LaneResponse(number, answer))
                case _:
                    assert_never(task.asker)
        for peer, messages in by_peer.items():
            self._links.post(peer, tuple(messages))

    async def _perform(self, effect: SessionEffect) -> Answer:
        match effect:
            case OpenView(at_least):
                return await self._access.open_view(at_least)
            case Propose(command):
                deadline = trio.current_time() + LANE_PATIENCE_MS / 1000
                return await self._access.propose(command, trio.CancelScope(deadline=deadline))
            case Pause():
                await trio.lowlevel.checkpoint()
                return None
            case _:
                raise AssertionError(f"a lane does not ask for {effect}")
