"""raft: the mailbox and the effects of the Raft core. The thinking is in `mynode.raft`."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, assert_never

import structlog
import trio
from trio_util import AsyncValue

from mynode.actors.links import PeerLinks
from mynode.actors.mailbox import Inbox, Reply
from mynode.actors.newest_view import NewestView
from mynode.actors.operators import OperatorAsks
from mynode.actors.protocol import (
    RAFT_RESERVED,
    AbandonProposal,
    AppendPersists,
    Applied,
    ApplyEntries,
    ChangeAsk,
    CheckpointDone,
    CutLog,
    DiskFull,
    FromPeer,
    LinkBroken,
    LoadDone,
    LogMessage,
    OpenViews,
    PagesMessage,
    PersistDone,
    ProposeAsk,
    RaftMessage,
    RaftStatusAsk,
    ReadAsk,
    RefuseViews,
    StateMessage,
    TickNow,
    TransferAsk,
)
from mynode.base.errors import (
    DiskFullError,
    MyNodeError,
    NodeBusyError,
    NoQuorumError,
    OutcomeUnknownError,
    ShuttingDownError,
)
from mynode.base.ids import LogIndex, NodeId, ProposalId
from mynode.base.limits import CHECKPOINT_ENTRIES, ELECTION_TICKS, MAX_UNAPPLIED_BYTES
from mynode.machine.outcomes import Outcome
from mynode.mvcc.view import ReadView
from mynode.raft import events
from mynode.raft.core import RaftCore
from mynode.raft.effects import Effects, InstallSnapshot, LeaderChange, Load, Persist, Rejected, RejectReason, Send
from mynode.raft.log import ENTRY_OVERHEAD_BYTES
from mynode.raft.messages import Entry, EntryKind, Message, Proposal
from mynode.session.api import KnownMembers

log = structlog.get_logger(__name__)

PATIENCE_TICKS: Final = 2 * ELECTION_TICKS
"""A node without a leader lets a client wait for one to two times so long before it says that there is no quorum."""


class RaftActor:
    """Steps the core with everything that waits, then carries out its effects.

    Invariants: `_proposers` holds each proposal of this node that is neither committed nor rejected; `_readers` each
    read whose index is not known. What must wait for the disk leaves in `_held` order. log_store has one append at a
    time; `_unpersisted` is what came since. This actor never waits for the disk. Of what it hands to state_machine,
    each half of `MAX_UNAPPLIED_BYTES` ends with a message that asks for `Applied`; with two of them unanswered,
    delivery pauses.
    """

    def __init__(
        self,
        core: RaftCore,
        *,
        inbox: Inbox[RaftMessage],
        log_store: Inbox[LogMessage],
        state_machine: Inbox[StateMessage],
        links: PeerLinks,
        newest: NewestView,
        checkpointer: Inbox[PagesMessage],
        log_margin_entries: int = CHECKPOINT_ENTRIES,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`clock`, in seconds, is for leases: it never stands still. None: there are none."""
        self._core = core
        self._clock = clock
        self._inbox = inbox
        self._log_store = log_store
        self._state_machine = state_machine
        self._links = links
        self.membership = core.membership
        """Who takes part, as this node knows it now."""
        links.update(self.membership)
        self.known_members: AsyncValue[KnownMembers] = AsyncValue(self._known_members())
        """What clients are told of it."""
        self._newest = newest
        self._proposers: dict[ProposalId, Reply[Outcome]] = {}
        self._readers: dict[int, list[Reply[ReadView]]] = {}
        self._next_token = 1
        self._unpersisted: list[Persist] = []
        self._disk_is_busy = False
        self._checkpointer = checkpointer
        self._log_margin_entries = log_margin_entries
        self._loads: deque[Load | CutLog] = deque()
        self._snapshot_work: deque[PagesMessage] = deque()
        self._install: tuple[int, InstallSnapshot] | None = None
        """An install and the persist that it waits for."""
        self._checkpoint: CheckpointDone | None = None
        self._last_persist = 0
        self._durable = 0
        self._held: deque[tuple[int, list[Send]]] = deque()
        self._bytes_since_asked = 0
        self._unapplied_halves = 0
        self._delivery_paused = False
        self._tick_waits = False
        self._leaderless_ticks = 0
        self._aged: set[ProposalId | int] = set()
        self._unsent: list[ApplyEntries | OpenViews | RefuseViews] = []
        self._is_disk_full = False
        self._operators = OperatorAsks(core.status().node_id)
        self.leader: AsyncValue[LeaderChange | None] = AsyncValue(None)
        self.removed = trio.Event()
        """The node is no member any more, and is to stop."""

    async def run(self) -> None:
        more_committed = False
        try:
            while True:
                batch = self._inbox.clear() if more_committed else await self._inbox.drain()
                abandoned: list[ProposalId] = []
                events_ = self._events(batch, abandoned)
                # Read when all of the batch is here: a read rests on a lease that holds after it was asked for.
                clock_ms = None if self._clock is None else 1_000 * self._clock()
                effects = self._core.step(events_, clock_ms)
                self._answer_abandoned(abandoned, effects)
                await self._carry_out(effects)
                more_committed = effects.more_committed
        finally:
            self._refuse_all()

    async def tick(self, interval_s: float, sleep: Callable[[float], Awaitable[None]] = trio.sleep) -> None:
        """Posts the ticks, one at a time: a node too busy to take them need not think that time passed."""
        while True:
            await sleep(interval_s)
            if not self._tick_waits:
                self._tick_waits = self._inbox.post(TickNow(), leave=RAFT_RESERVED)

    # --- messages in -------------------------------------------------------------------------------------------------

    def _events(self, batch: list[RaftMessage], abandoned: list[ProposalId]) -> list[events.Event]:
        """The batch as events of the core: all proposals as one event, all reads under one token."""
        steps: list[events.Event] = []
        proposals: list[Proposal] = []
        readers: list[Reply[ReadView]] = []
        for message in batch:
            match message:
                case FromPeer(sender, messages):
                    steps.extend(events.Receive(sender, each) for each in messages)
                case ProposeAsk(reply=reply) if self._is_disk_full:
                    reply.answer(_disk_full())
                case ProposeAsk(id_, command, reply):
                    self._proposers[id_] = reply
                    proposals.append(Proposal(id_, EntryKind.COMMAND, command))
                case ReadAsk(reply):
                    readers.append(reply)
                case PersistDone(number):
                    self._durable = number
                    self._disk_is_busy = False
                    steps.append(events.Persisted(number))
                case LoadDone(generation, first, entries):
                    steps.append(events.EntriesLoaded(generation, first, entries))
                case DiskFull(is_full):
                    self._is_disk_full = is_full
                    if is_full:
                        self._unsent.append(RefuseViews(_disk_full()))
                case CheckpointDone(index):
                    self._checkpoint = message
                    steps.append(events.SnapshotTaken(index))
                case events.Compacted() | events.PeerIntroduced():
                    steps.append(message)
                case events.SnapshotLoaded() | events.SnapshotStored() | events.SnapshotInstalled():
                    steps.append(message)
                case Applied():
                    self._unapplied_halves -= 1
                case TickNow():
                    steps.extend(self._tick(abandoned))
                case LinkBroken(peer):
                    steps.append(events.PeerUnreachable(peer))
                case AbandonProposal(id_):
                    if id_ in self._proposers:
                        abandoned.append(id_)
                case RaftStatusAsk(reply):
                    reply.answer(self._core.status())
                case TransferAsk() | ChangeAsk():
                    steps.append(self._operators.take(message))
                case _:
                    assert_never(message)
        if self._delivery_paused is not (self._unapplied_halves >= 2):
            self._delivery_paused = not self._delivery_paused
            steps.append(events.DeliveryPaused(self._delivery_paused))
        if proposals:
            steps.append(events.Propose(tuple(proposals)))
        steps.extend(events.CancelProposal(id_) for id_ in abandoned)
        if readers:
            self._readers[self._next_token] = readers
            steps.append(events.ReadIndex(self._next_token))
            self._next_token += 1
        return steps

    def _tick(self, abandoned: list[ProposalId]) -> list[events.Event]:
        self._tick_waits = False
        steps: list[events.Event] = [events.Tick(), *self._forget_abandoned_reads()]
        if self._is_time_to_give_up():
            abandoned.extend(id_ for id_ in self._proposers if id_ in self._aged)
            steps.extend(self._give_up_reads())
            self._aged = {*self._proposers, *self._readers}
        return steps

    def _forget_abandoned_reads(self) -> list[events.Event]:
        """Reads that nobody waits for any more, so that a time without a leader does not pile them up."""
        dead = [token for token, replies in self._readers.items() if all(reply.abandoned for reply in replies)]
        for token in dead:
            del self._readers[token]
        return [events.CancelRead(token) for token in dead]

    def _is_time_to_give_up(self) -> bool:
        """Without a leader or room on the disk for so long, what waited at the last look is answered: another node may
        have both."""
        change = self.leader.value
        if change is not None and change.leader is not None and not self._is_disk_full:
            self._leaderless_ticks = 0
            self._aged.clear()
            return False
        self._leaderless_ticks += 1
        return self._leaderless_ticks % PATIENCE_TICKS == 0

    def _give_up_reads(self) -> list[events.Event]:
        tokens = [token for token in self._readers if token in self._aged]
        for token in tokens:
            self._reject(Rejected(token, RejectReason.NO_LEADER))
        return [events.CancelRead(token) for token in tokens]

    # --- effects out -------------------------------------------------------------------------------------------------

    async def _carry_out(self, effects: Effects) -> None:
        if effects.membership is not None:
            self.membership = effects.membership
            self._links.update(effects.membership)
            self.known_members.value = self._known_members()
        self._send(effects.send)
        if effects.persist is not None:
            self._last_persist = effects.persist.number
            self._unpersisted.append(effects.persist)
        self._loads.extend(effects.load)
        self._cut_log()
        self._hand_to_log_store()
        if effects.send_after_persist:
            self._held.append((self._last_persist, effects.send_after_persist))
        while self._held and self._held[0][0] <= self._durable:
            self._send(self._held.popleft()[1])
        self._hand_over(effects)
        while self._unsent:
            await self._state_machine.send(self._unsent[0])
            del self._unsent[0]
        self._hand_to_checkpointer(effects)
        for rejected in effects.rejected:
            self._reject(rejected)
        if effects.leader_change is not None:
            self._announce(effects.leader_change)
        self._operators.carry_out(effects)
        if effects.removed and not self.removed.is_set():
            log.error("this node was removed from the cluster", node=self._core.status().node_id)
            self.removed.set()

    def _known_members(self) -> KnownMembers:
        membership = self.membership
        addresses = [self._links.address(voter, membership) for voter in membership.voters]
        return KnownMembers(self._core.membership_index, tuple(str(each) for each in addresses if each is not None))

    def _hand_to_log_store(self) -> None:
        """What log_store has no room for is offered again at the next wake, at the next tick if not before."""
        if self._unpersisted and not self._disk_is_busy:
            self._disk_is_busy = self._log_store.post(AppendPersists(tuple(self._unpersisted)))
            if self._disk_is_busy:
                self._unpersisted.clear()
        while self._loads and self._log_store.post(self._loads[0]):
            self._loads.popleft()

    def _cut_log(self) -> None:
        """After a checkpoint: what is of no use to this node any more, nor soon to another one, may go."""
        if self._checkpoint is None:
            return
        index, kept_after = self._checkpoint.index, self._checkpoint.log_needed_after
        self._checkpoint = None
        wanted_after = min(kept_after, index - self._log_margin_entries)
        others_want_after = self._core.log_wanted_after
        if others_want_after is not None:
            wanted_after = min(wanted_after, others_want_after)
        self._loads.append(CutLog(wanted_after + 1, kept_after + 1))

    def _hand_to_checkpointer(self, effects: Effects) -> None:
        """After the entries that were handed to state_machine. What there is no room for is offered again, as above."""
        work = self._snapshot_work
        work.extend(effects.load_snapshot)
        if effects.store_chunk is not None:
            work.append(effects.store_chunk)
        if effects.install is not None:
            self._install = (self._last_persist, effects.install)
        if self._install is not None and self._install[0] <= self._durable:
            work.append(self._install[1])
            self._install = None
        while work and self._checkpointer.post(work[0]):
            work.popleft()

    def _hand_over(self, effects: Effects) -> None:
        """What goes to state_machine, with the replies that it will answer."""
        if effects.committed:
            replies: dict[LogIndex, Reply[Outcome]] = {}
            if self._proposers:
                for entry in effects.committed:
                    reply = self._proposers.pop(entry.proposal_id, None)
                    if reply is not None:
                        replies[entry.index] = reply
            tell = self._ends_a_half(effects.committed)
            self._unsent.append(ApplyEntries(tuple(effects.committed), replies, tell))
        for ready in effects.read_ready:
            readers = self._readers.pop(ready.token)
            view = self._newest.at_least(ready.index)
            if view is None and self._is_disk_full:
                for reader in readers:
                    reader.answer(_disk_full())
            elif view is None:
                self._unsent.append(OpenViews(ready.index, tuple(readers)))
            else:
                for reader in readers:
                    reader.answer(view)

    def _ends_a_half(self, entries: list[Entry]) -> bool:
        self._bytes_since_asked += sum([len(entry.payload) for entry in entries]) + ENTRY_OVERHEAD_BYTES * len(entries)
        if self._bytes_since_asked < MAX_UNAPPLIED_BYTES // 2:
            return False
        self._bytes_since_asked = 0
        self._unapplied_halves += 1
        return True

    def _send(self, sends: list[Send]) -> None:
        by_peer: dict[NodeId, list[Message]] = {}
        for send in sends:
            by_peer.setdefault(send.to, []).append(send.message)
        for peer, messages in by_peer.items():
            self._links.post(peer, tuple(messages))

    def _reject(self, rejected: Rejected) -> None:
        is_stuck = self._is_disk_full and rejected.reason is RejectReason.NO_LEADER
        error = _disk_full() if is_stuck else _rejection(rejected.reason)
        if isinstance(rejected.key, bytes):
            proposer = self._proposers.pop(rejected.key, None)
            if proposer is not None:
                proposer.answer(error)
        else:
            for reader in self._readers.pop(rejected.key, ()):
                reader.answer(error)

    def _answer_abandoned(self, abandoned: list[ProposalId], effects: Effects) -> None:
        """A cancelled proposal that the core rejects was never in any log; of the others nobody can tell.

        One that this very step commits is left to state_machine, which has its outcome.
        """
        if not abandoned:
            return
        settled = {entry.proposal_id for entry in effects.committed} | {each.key for each in effects.rejected}
        for id_ in abandoned:
            if id_ not in settled and id_ in self._proposers:
                self._proposers.pop(id_).answer(self._unknown())

    def _unknown(self) -> OutcomeUnknownError:
        leader = self.leader.value
        cause = "no quorum" if leader is None or leader.leader is None else "the cluster is slow"
        if self._is_disk_full:
            cause = "this node's disk is full"
        return OutcomeUnknownError(
            f"{cause}: the write was not confirmed in time and may still be applied",
            hint="See whether it took effect before you run it again.",
        )

    def _announce(self, change: LeaderChange) -> None:
        log.info("leader", term=change.term, leader=change.leader, role=change.role.value)
        self.leader.value = change

    def _refuse_all(self) -> None:
        """The node stops: every ask that is still here gets its one answer."""
        stopping = ShuttingDownError.of_node()
        for handed_over in self._unsent:
            match handed_over:
                case ApplyEntries(replies=outcomes):
                    for outcome in outcomes.values():
                        outcome.answer(self._unknown())
                case OpenViews(replies=views):
                    for view in views:
                        view.answer(stopping)
        for proposer in self._proposers.values():
            proposer.answer(OutcomeUnknownError("the node stopped before the write was confirmed"))
        for readers in self._readers.values():
            for reader in readers:
                reader.answer(stopping)
        self._operators.refuse_all(stopping)
        for message in self._inbox.close():
            if isinstance(message, ProposeAsk | ReadAsk | RaftStatusAsk | TransferAsk | ChangeAsk):
                message.reply.answer(stopping)


def _disk_full() -> DiskFullError:
    return DiskFullError(
        "this node's disk is full: it takes no writes, and shows nothing newer than it could write",
        hint="The statement was not executed. Make room on the disk; meanwhile another node can serve the request.",
    )


def _rejection(reason: RejectReason) -> MyNodeError:
    match reason:
        case RejectReason.NO_LEADER:
            return NoQuorumError(
                "no quorum: this node knows no leader that a majority follows",
                hint="The statement was not executed. Check the other nodes with `mynode status`, then send it again.",
            )
        case RejectReason.BUSY:
            return NodeBusyError("the leader has too much uncommitted work", hint="Send the statement again later.")
        case RejectReason.SHUTTING_DOWN:
            return ShuttingDownError.of_node()
        case _:
            assert_never(reason)
