"""A node's actors, wired: inboxes, who sends to whom, what starts and what stops.

`Node` is the actors without a transport, so that the gRPC node, the embedded node and tests run the same ones.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random, SystemRandom
from typing import Final

import structlog
import trio

from mynode.actors.checkpointer import CheckpointerActor
from mynode.actors.hot_lane import HotLaneActor
from mynode.actors.lane_router import LaneRouterActor
from mynode.actors.links import PeerLinks
from mynode.actors.log_store import BesideLoop, LogStoreActor, RunBlocking, in_thread
from mynode.actors.mailbox import Inbox, Reply
from mynode.actors.newest_view import NewestView
from mynode.actors.ports import (
    Incarnations,
    Members,
    NodeIdentity,
    NodeStatus,
    PeerMessage,
    PeerTransport,
)
from mynode.actors.protocol import (
    FRONT_INBOX,
    LANE_INBOX,
    LOG_INBOX,
    PAGES_INBOX,
    RAFT_INBOX,
    RAFT_RESERVED,
    ROUTER_INBOX,
    STATE_INBOX,
    ChangeAsk,
    Connection,
    FromPeer,
    FrontMessage,
    LaneFromPeer,
    LaneTask,
    LogMessage,
    LogStatus,
    LogStatusAsk,
    MachineStatusAsk,
    PagesMessage,
    RaftMessage,
    RaftStatusAsk,
    RouterMessage,
    StateMessage,
    TransferAsk,
)
from mynode.actors.raft import RaftActor
from mynode.actors.rpc_front import RpcFrontActor
from mynode.actors.sql_session import DEFAULT_TIMEOUTS, SqlSessionActor, Timeouts
from mynode.actors.state_access import ProposalIds, StateAccess
from mynode.actors.state_machine import StateMachineActor
from mynode.base.address import Address
from mynode.base.errors import (
    MyNodeError,
    NoQuorumError,
    NotLeaderError,
    OutcomeUnknownError,
    ShuttingDownError,
    WrongIncarnationError,
)
from mynode.base.ids import Incarnation, NodeId, SessionId
from mynode.base.limits import (
    CHECKPOINT_ENTRIES,
    ELECTION_TICKS,
    HEARTBEAT_TICKS,
    LOG_TAIL_BYTES,
    PEER_INBOX_MESSAGES,
    TICK_MS,
)
from mynode.machine.machine import Machine, MachineStatus
from mynode.node.files import NodeFiles
from mynode.node.reports import members_report, status_report
from mynode.raft.core import RaftConfig, RaftCore, Restored
from mynode.raft.effects import RaftStatus, Role, Snapshot
from mynode.raft.events import PeerIntroduced
from mynode.raft.membership import ChangeKind, Membership, MembershipChange, decode_membership
from mynode.session.api import StatementRequest
from mynode.session.lane import Lane
from mynode.session.lane_api import LaneRequest, LaneResponse
from mynode.session.session import Session
from mynode.sql.engine import SqlEngine
from mynode.storage.engine import Applied

log = structlog.get_logger(__name__)

HAND_OVER_TIMEOUT_S: Final = 1.5
"""How long a stopping leader waits for another one."""
DRAIN_TIMEOUT_S: Final = 5.0
"""How long a stopping node lets open transactions and running statements go on."""
STOP_TIMEOUT_S: Final = 3.0
"""How long it then lets its running statements come to their final reply."""
TRANSFER_TIMEOUT_S: Final = 5.0
"""How long an operator waits for the leader after a transfer."""
CHANGE_TIMEOUT_S: Final = 5.0
"""How long an operator waits until a change of the members is committed."""
_MONOTONIC: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Of Linux's clocks the one that counts while the machine is suspended; macOS's CLOCK_MONOTONIC does."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Raft's unit of time in milliseconds, and its periods in that unit; whether reads may rest on clocks."""

    tick_ms: int = TICK_MS
    heartbeat_ticks: int = HEARTBEAT_TICKS
    election_ticks: int = ELECTION_TICKS
    lease_reads: bool = False

    @property
    def promise_ms(self) -> int:
        """What `election_ticks` ticks take at least: the first may be due, the second follow a late first at once."""
        return (self.election_ticks - 2) * self.tick_ms


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a node takes from outside besides its files: tests and the simulation bring their own.

    `monotonic`, in seconds, goes on while the process is stopped or the machine suspended: leases rest on it.
    """

    transport: PeerTransport | None = None
    random: Random = field(default_factory=SystemRandom)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = lambda: time.clock_gettime(_MONOTONIC)
    sleep: Callable[[float], Awaitable[None]] = trio.sleep
    """For Raft's ticks: waits until so many seconds have passed on this node's clock."""
    run_blocking: RunBlocking = in_thread
    run_beside: RunBlocking = field(default_factory=BesideLoop)


class Node:
    """The actors of one node, wired. `run` runs them; the ports (`front`, `status`, `receive`) work meanwhile.

    Args:
        members: the voters that the cluster begins with, this node too, and their addresses; none if this node joins
            a cluster that runs. What the raft log and the checkpoint say of the members goes before it; addresses here
            go before those there.
        files: the opened files; the node writes to them and does not close them.
        checkpoint_entries: so many entries make a checkpoint due, and stay in the log before it.
        timeouts: of what clients do, or do not do.

    Attributes:
        displaced: set when another node knows this one as another incarnation.
    """

    def __init__(
        self,
        identity: NodeIdentity,
        members: Mapping[NodeId, Address],
        files: NodeFiles,
        *,
        timing: Timing,
        surroundings: Surroundings,
        checkpoint_entries: int = CHECKPOINT_ENTRIES,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self._timeouts = timeouts
        self._identity = identity
        self._incarnation = files.incarnation
        self.displaced = trio.Event()
        self._members = members
        self._timing = timing
        self._surroundings = surroundings
        self._started_s = surroundings.monotonic()
        self._raft_inbox: Inbox[RaftMessage] = Inbox(RAFT_INBOX)
        self._log_inbox: Inbox[LogMessage] = Inbox(LOG_INBOX)
        self._state_inbox: Inbox[StateMessage] = Inbox(STATE_INBOX)
        self._pages_inbox: Inbox[PagesMessage] = Inbox(PAGES_INBOX)
        self._front_inbox: Inbox[FrontMessage] = Inbox(FRONT_INBOX)
        self._links = PeerLinks(
            identity.node_id,
            raft=self._raft_inbox,
            transport=surroundings.transport,
            random=surroundings.random,
            addresses=members,
        )
        self._log_store = LogStoreActor(
            files.raft_log, inbox=self._log_inbox, raft=self._raft_inbox, run_blocking=surroundings.run_blocking
        )
        machine = Machine(files.engine)
        self.newest_view = NewestView(machine.view())
        self._state_machine = StateMachineActor(
            machine, inbox=self._state_inbox, raft=self._raft_inbox, newest=self.newest_view
        )
        self._checkpointer = self._make_checkpointer(files, checkpoint_entries)
        self.raft = RaftActor(
            self._restore_core(files),
            inbox=self._raft_inbox,
            log_store=self._log_inbox,
            state_machine=self._state_inbox,
            links=self._links,
            newest=self.newest_view,
            checkpointer=self._pages_inbox,
            log_margin_entries=checkpoint_entries,
            clock=surroundings.monotonic if timing.lease_reads else None,
        )
        self._engine = SqlEngine()
        self._proposal_ids = ProposalIds(surroundings.random)
        self._make_lane()
        self.front = RpcFrontActor(
            inbox=self._front_inbox,
            make_session=self._make_session,
            is_ready=lambda: identity.node_id in self.raft.membership.voters,
            members=self.raft.known_members,
        )

    def _make_checkpointer(self, files: NodeFiles, checkpoint_entries: int) -> CheckpointerActor:
        return CheckpointerActor(
            files.engine,
            files.disk,
            inbox=self._pages_inbox,
            raft=self._raft_inbox,
            log_store=self._log_inbox,
            state_machine=self._state_inbox,
            checkpoint_entries=checkpoint_entries,
            run_blocking=self._surroundings.run_blocking,
        )

    def _make_lane(self) -> None:
        self._access = StateAccess(
            raft=self._raft_inbox,
            state_machine=self._state_inbox,
            newest=self.newest_view,
            proposal_ids=self._proposal_ids,
            now=self._surroundings.now,
        )
        self._router_inbox: Inbox[RouterMessage] = Inbox(ROUTER_INBOX)
        lane_inbox: Inbox[LaneTask] = Inbox(LANE_INBOX)
        node_id, leader = self._identity.node_id, self.raft.leader
        self._lane_router = LaneRouterActor(
            node_id, inbox=self._router_inbox, lane=lane_inbox, links=self._links, leader=leader
        )
        lane = Lane(engine=self._engine, now=self._surroundings.now, random=self._surroundings.random)
        self._hot_lane = HotLaneActor(
            node_id, lane, inbox=lane_inbox, access=self._access, links=self._links, leader=leader
        )

    def _restore_core(self, files: NodeFiles) -> RaftCore:
        timing, raft_log = self._timing, files.raft_log
        config = RaftConfig(
            node_id=self._identity.node_id,
            voters=tuple(sorted(self._members)),
            addresses={member: str(address) for member, address in self._members.items()},
            incarnation=files.incarnation,
            heartbeat_ticks=timing.heartbeat_ticks,
            election_ticks=timing.election_ticks,
            promise_ms=timing.promise_ms,
            lease_reads=timing.lease_reads,
        )
        tail = raft_log.tail(LOG_TAIL_BYTES)
        restored = Restored(
            hard_state=raft_log.hard_state,
            first_index=raft_log.first_index,
            term_runs=raft_log.term_runs,
            tail=tail,
            applied_index=files.engine.applied_index,
            snapshot=self._newest_snapshot(files.engine.applied),
            configs=raft_log.configs_at_start(before=tail[0].index) if tail else (),
        )
        return RaftCore(config, restored, self._surroundings.random)

    @staticmethod
    def _newest_snapshot(applied: Applied) -> Snapshot | None:
        """The checkpoint that the node starts from, as Raft sees it."""
        if applied.index == 0:
            return None
        return Snapshot(applied.index, applied.term, decode_membership(applied.membership))

    def _make_session(
        self, session_id: SessionId, inbox: Inbox[StatementRequest], connection: Connection
    ) -> SqlSessionActor:
        random = self._surroundings.random
        return SqlSessionActor(
            Session(session_id, engine=self._engine, now=self._surroundings.now, random=random),
            inbox=inbox,
            connection=connection,
            access=self._access,
            lane_router=self._router_inbox,
            random=random,
            timeouts=self._timeouts,
            run_beside=self._surroundings.run_beside,
        )

    # --- running -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run the actors until cancelled. An exception in any of them ends them all: a restart recovers from disk."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._log_store.run)
            nursery.start_soon(self._state_machine.run)
            nursery.start_soon(self._checkpointer.run)
            nursery.start_soon(self.raft.run)
            nursery.start_soon(self._lane_router.run)
            nursery.start_soon(self._hot_lane.run)
            nursery.start_soon(self.front.run)
            nursery.start_soon(self.raft.tick, self._timing.tick_ms / 1000, self._surroundings.sleep)
            nursery.start_soon(self._links.run)

    @property
    def node_id(self) -> NodeId:
        return self._identity.node_id

    # --- ports -------------------------------------------------------------------------------------------------------

    def receive(self, sender: NodeId, messages: tuple[PeerMessage, ...]) -> None:
        """Messages of another node; dropped while too many wait."""
        for_lane = tuple(each for each in messages if isinstance(each, LaneRequest | LaneResponse))
        if for_lane:
            self._router_inbox.post(LaneFromPeer(sender, for_lane))
        for_raft = tuple(each for each in messages if not isinstance(each, LaneRequest | LaneResponse))
        if for_raft and len(self._raft_inbox) < PEER_INBOX_MESSAGES:
            self._raft_inbox.post(FromPeer(sender, for_raft))

    def greet(self, sender: NodeId, address: Address | None, hello: Incarnations) -> None:
        """See `PeerPort.greet`. A node that is not whom the others know as the member stops."""
        if hello.receiver and hello.receiver != self._incarnation:
            self.displaced.set()
            raise WrongIncarnationError(
                f"node {self._identity.node_id} has another data directory than the one that the cluster knows"
            )
        if address is not None:
            self._links.greet(sender, address)
        if self.is_known_otherwise(sender, hello.sender):
            raise WrongIncarnationError(f"node {sender} has another data directory than the one that the cluster knows")
        if hello.sender:
            self._raft_inbox.post(PeerIntroduced(sender, hello.sender), leave=RAFT_RESERVED)

    def is_known_otherwise(self, peer: NodeId, incarnation: Incarnation) -> bool:
        """See `PeerPort.is_known_otherwise`."""
        known = self.raft.membership.incarnations.get(peer)
        return known is not None and known != incarnation

    async def members(self) -> Members:
        """See `ClusterPort.members`."""
        reply: Reply[RaftStatus] = Reply()
        if not self._raft_inbox.post(RaftStatusAsk(reply), leave=RAFT_RESERVED):
            raise ShuttingDownError.of_node()
        return members_report(await reply.wait(), self._identity, self._links.address)

    async def change_members(self, change: MembershipChange) -> None:
        """See `ClusterPort.change_members`."""
        if change.kind is ChangeKind.REMOVE and change.node_id == self._identity.node_id:
            leader = await self.transfer_leadership(None)
            raise NotLeaderError(f"node {leader} leads now, and can remove this one")
        reply: Reply[Membership] = Reply()
        ask = ChangeAsk(self._proposal_ids.next(), change, reply)
        if not self._raft_inbox.post(ask, leave=RAFT_RESERVED):
            raise ShuttingDownError.of_node()
        with trio.move_on_after(CHANGE_TIMEOUT_S):
            membership = await reply.wait()
            log.info("members changed", voters=list(membership.voters), learners=list(membership.learners))
            return
        raise OutcomeUnknownError(
            "the change of the members was not committed in time, and may still be",
            hint="`mynode members list` shows what came of it.",
        )

    async def transfer_leadership(self, to: NodeId | None) -> NodeId:
        """See `ClusterPort.transfer_leadership`."""
        reply: Reply[NodeId] = Reply()
        if not self._raft_inbox.post(TransferAsk(to, reply), leave=RAFT_RESERVED):
            raise ShuttingDownError("the node is stopping, or too busy to hand leadership over")
        with trio.move_on_after(TRANSFER_TIMEOUT_S):
            return await reply.wait()
        raise NoQuorumError("leadership was handed over, and no new leader was heard of in time")

    async def stop(self) -> None:
        """Bring the node's work to an end that fails no request; `run` goes on. Bounded.

        A leader hands over first, so that nobody has to wait for an election. Then sessions without a transaction are
        sent to other nodes, and open transactions get a while to end by themselves. What is left ends, each statement
        with its final reply. On a node that was removed nothing would come of waiting: it learns of no outcome.
        """
        if not self.raft.removed.is_set() and not self.displaced.is_set():
            await self._hand_over()
            with trio.move_on_after(DRAIN_TIMEOUT_S):
                await self.front.drain()
        with trio.move_on_after(STOP_TIMEOUT_S):
            await self.front.stop()

    async def _hand_over(self) -> None:
        change = self.raft.leader.value
        if change is None or change.role is not Role.LEADER:
            return
        with trio.move_on_after(HAND_OVER_TIMEOUT_S):
            try:
                log.info("leadership handed over", to=await self.transfer_leadership(None))
            except MyNodeError as error:
                log.info("leadership not handed over", reason=error.message)

    async def status(self) -> NodeStatus:
        """What this node knows of itself and its peers; raises `ShuttingDownError`."""
        raft_reply: Reply[RaftStatus] = Reply()
        log_reply: Reply[LogStatus] = Reply()
        machine_reply: Reply[MachineStatus] = Reply()
        posted = (
            self._raft_inbox.post(RaftStatusAsk(raft_reply), leave=RAFT_RESERVED),
            self._log_inbox.post(LogStatusAsk(log_reply)),
            self._state_inbox.post(MachineStatusAsk(machine_reply)),
        )
        if not all(posted):
            raise ShuttingDownError("the node is stopping, or too busy to say how it is")
        raft, raft_log, machine = await raft_reply.wait(), await log_reply.wait(), await machine_reply.wait()
        return status_report(
            self._identity,
            raft,
            raft_log,
            machine,
            find_address=self._links.address,
            sessions=self.front.session_count,
            uptime_ms=round(1000 * (self._surroundings.monotonic() - self._started_s)),
            tick_ms=self._timing.tick_ms,
        )
