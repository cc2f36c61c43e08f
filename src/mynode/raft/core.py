"""`RaftCore`: one node's consensus as a state machine that takes events and returns effects.

The core dispatches events, changes roles and terms, and ends each step; the rest is in its parts:

| part | holds | source |
|---|---|---|
| `state` | term, vote, role, commit index, the tick count | Figure 2 |
| `log` | the newest entries, all terms, what is durable | section 5.3 |
| `election` | timeouts, votes, pre-vote, stickiness | section 5.2, 5.4.1; dissertation 9.6 |
| `receiver` | a follower's appends, conflicts and hints | section 5.3 |
| `replication` | a leader's appends, commitment, check-quorum | section 5.3, 5.4.2; dissertation 6.2, 10.2 |
| `progress` | what a leader knows of one follower | section 5.3 |
| `membership` | who takes part, and its changes | dissertation chapter 4 |
| `snapshots` | the state for who is behind the log's cut | section 7; dissertation chapter 5 |
| `proposals` | clients' proposals until they are delivered | section 8 |
| `read_index` | linearizable reads | section 8; dissertation 6.4 |
| `lease` | reads without a round, if wanted | dissertation 6.4.1 |
| `delivery` | committed entries to the state machine | section 5.3 |
| `roles` | the table of role transitions | Figure 4 |

A step takes a batch of events: each follower gets its appends once at the end, all that became new is persisted at
once, all appends of a leader are acknowledged at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import assert_never

from mynode.base.ids import LogIndex, NodeId, Term
from mynode.base.invariant import invariant
from mynode.raft.config import RaftConfig, Restored
from mynode.raft.delivery import Delivery
from mynode.raft.effects import (
    ChangeRefused,
    Effects,
    HardState,
    LeaderChange,
    PeerProgress,
    Persist,
    RaftStatus,
    Role,
    Snapshot,
    TransferRefusal,
    TransferRefused,
)
from mynode.raft.election import Election
from mynode.raft.events import (
    CancelProposal,
    CancelRead,
    ChangeMembership,
    Compacted,
    DeliveryPaused,
    EntriesLoaded,
    Event,
    PeerIntroduced,
    PeerUnreachable,
    Persisted,
    Propose,
    ReadIndex,
    Receive,
    SnapshotInstalled,
    SnapshotLoaded,
    SnapshotStored,
    SnapshotTaken,
    Tick,
    TransferLeadership,
)
from mynode.raft.membership import ChangeRefusal, Membership
from mynode.raft.messages import (
    AppendRequest,
    AppendResponse,
    ForwardProposals,
    Heartbeat,
    HeartbeatResponse,
    Message,
    ReadIndexRequest,
    ReadIndexResponse,
    Removed,
    SnapshotChunk,
    SnapshotResponse,
    TimeoutNow,
    VoteRequest,
    VoteResponse,
)
from mynode.raft.proposals import Proposals
from mynode.raft.read_index import LocalReads, ReadRounds
from mynode.raft.receiver import AppendReceiver
from mynode.raft.replication import Leadership
from mynode.raft.roles import Cause, next_role
from mynode.raft.snapshots import SnapshotReceiver
from mynode.raft.state import NodeState


class RaftCore:
    """One member of a Raft cluster, or a node that waits to become one.

    Args:
        config: who this node and the first voters are, and the bounds.
        restored: what the log store and the state machine held at the start.
        random: for election timeouts and tokens; seeded, a run can be repeated.

    Invariants:
        - a leadership and its read rounds exist exactly while the role is leader;
        - the term never falls, and is at least that of the newest entry;
        - commit <= last index; what is delivered is committed and durable;
        - the invariants of all parts.
    """

    def __init__(self, config: RaftConfig, restored: Restored, random: Random) -> None:
        self._state = NodeState(config, restored, random)
        self._election = Election(self._state)
        self._proposals = Proposals(self._state)
        self._receiver = AppendReceiver(self._state, self._proposals)
        self._reads = LocalReads(self._state)
        self._delivery = Delivery(self._state, self._proposals, restored.applied_index)
        self._snapshots = SnapshotReceiver(self._state, self._receiver, self._proposals, self._delivery)
        self._leadership: Leadership | None = None
        self._rounds: ReadRounds | None = None
        self._persist_number = 0
        self._announced: tuple[Term, Role, NodeId | None] = (self._state.term, Role.FOLLOWER, None)

    def step(self, events: Sequence[Event], clock_ms: float | None = None) -> Effects:
        """Take in what happened, in order (ticks last); returns what to do about it, see `Effects`.

        `clock_ms` is a reading, after the events had come, of a clock that never stands still; for leases alone.
        """
        effects = self._state.effects = Effects()
        self._state.clock_ms = clock_ms
        ticks = 0
        for event in events:
            match event:
                case Receive(sender, message):
                    self._receive(sender, message)
                case Propose(proposals):
                    self._proposals.propose(proposals)
                case Persisted(number):
                    self._persisted(number)
                case DeliveryPaused(paused):
                    self._delivery.paused = paused
                case ReadIndex(token):
                    self._reads.add(token)
                case Tick():
                    ticks += 1
                case CancelProposal(id_):
                    self._proposals.cancel(id_)
                case CancelRead(token):
                    self._cancel_read(token)
                case EntriesLoaded():
                    self._delivery.entries_loaded(event)
                    if self._leadership is not None:
                        self._leadership.entries_loaded(event)
                case PeerUnreachable(peer):
                    if self._leadership is not None:
                        self._leadership.unreachable(peer)
                case PeerIntroduced(peer, incarnation):
                    self._state.introduced(peer, incarnation)
                case TransferLeadership(to):
                    self._transfer(to)
                case ChangeMembership():
                    self._change_membership(event)
                case _:
                    self._snapshot_event(event)
        # What a stalled node finds waiting may be its leader's heartbeats: they count before the time that passed.
        for _ in range(ticks):
            self._tick()
        self._finish()
        return effects

    @property
    def membership(self) -> Membership:
        """The newest configuration of the log, committed or not: it counts."""
        return self._state.membership

    @property
    def membership_index(self) -> LogIndex:
        """The index of the entry that brought `membership`."""
        return self._state.memberships.newest_index

    def status(self) -> RaftStatus:
        state, log = self._state, self._state.log
        if self._leadership is not None:
            peers = self._leadership.peer_progress()
        else:
            silent = self._election.ticks_since_leader
            peers = tuple(
                PeerProgress(peer, 0, 0, "", silent if peer == state.leader else None) for peer in state.peers
            )
        return RaftStatus(
            node_id=state.node_id,
            term=state.term,
            role=state.role if state.is_voter or state.role is not Role.FOLLOWER else Role.LEARNER,
            leader=state.leader,
            commit=state.commit,
            first_index=log.base_index + 1,
            last_index=log.last_index,
            voters=tuple(state.membership.voters),
            peers=peers,
            learners=tuple(state.membership.learners),
            membership=state.membership,
            snapshot_index=0 if state.snapshot is None else state.snapshot.index,
        )

    @property
    def log_wanted_after(self) -> LogIndex | None:
        """See `Leadership.log_wanted_after`; None where this node does not lead."""
        return None if self._leadership is None else self._leadership.log_wanted_after

    # --- messages ----------------------------------------------------------------------------------------------------

    def _receive(self, sender: NodeId, message: Message) -> None:
        state = self._state
        if sender == state.node_id or self._tell_removed(sender, message):
            return
        if message.term > state.term:
            if not self._is_term_to_enter(message):
                self._receive_from_later_term(sender, message)
                return
            self._enter_term(message.term)
        elif message.term < state.term:
            self._receive_from_earlier_term(sender, message)
            return
        match message:
            case AppendRequest():
                self._hear_leader(sender)
                self._receiver.append(sender, message)
            case AppendResponse():
                if self._leadership is not None:
                    self._leadership.append_answered(sender, message)
            case Heartbeat():
                self._hear_leader(sender)
                self._receiver.heartbeat(sender, message)
            case HeartbeatResponse():
                if self._leadership is not None:
                    self._leadership.heartbeat_answered(sender, message)
            case ForwardProposals(_, proposals):
                if self._leadership is not None and not self._leadership.is_handing_over:
                    self._proposals.append_forwarded(proposals)
            case ReadIndexRequest():
                self._asked_for_read_index(sender, message)
            case ReadIndexResponse():
                self._reads.answered(sender, message)
            case VoteRequest():
                if not self._election.is_sticky(message):
                    self._election.consider(sender, message)
            case VoteResponse():
                self._election.answered(sender, message)
                self._count_votes()
            case TimeoutNow():
                if self._may_be_told_to_campaign:
                    self._campaign(Cause.TOLD_TO_CAMPAIGN, transfer=True)
            case SnapshotChunk():
                self._hear_leader(sender)
                self._snapshots.chunk(sender, message)
            case SnapshotResponse():
                if self._leadership is not None:
                    self._leadership.snapshot_answered(sender, message)
            case Removed(_, index):
                self._hear_leader(sender)
                self._told_removed(index)
            case _:
                assert_never(message)

    def _is_term_to_enter(self, message: Message) -> bool:
        """Its sender has entered a later term, save for pre-votes; but a sticky node does not follow a candidate."""
        match message:
            case VoteRequest():
                return not message.pre_vote and not self._election.is_sticky(message)
            case VoteResponse():
                return not (message.pre_vote and message.granted)
            case _:
                return True

    def _receive_from_later_term(self, sender: NodeId, message: Message) -> None:
        """Pre-votes: the request and the promise are for a term that nobody has entered."""
        match message:
            case VoteRequest():
                if message.pre_vote and not self._election.is_sticky(message):
                    self._election.consider(sender, message)
            case VoteResponse():
                self._election.answered(sender, message)
                self._count_votes()
            case _:
                pass

    def _receive_from_earlier_term(self, sender: NodeId, message: Message) -> None:
        """Requests are refused, which tells the sender of this term; answers are out of date."""
        match message:
            case VoteRequest():
                self._election.refuse_stale(sender, message)
            case AppendRequest() | Heartbeat() | SnapshotChunk():
                self._receiver.refuse_stale(sender, message)
            case ReadIndexRequest():
                self._state.send(sender, ReadIndexResponse(self._state.term, message.token, 0))
            case ForwardProposals(_, proposals):
                if self._leadership is not None and not self._leadership.is_handing_over:
                    self._proposals.append_forwarded(proposals)
            case _:
                pass

    def _asked_for_read_index(self, sender: NodeId, request: ReadIndexRequest) -> None:
        if self._rounds is None:
            self._state.send(sender, ReadIndexResponse(self._state.term, request.token, 0))
        else:
            self._rounds.ask(sender, request.token)

    # --- who takes part ----------------------------------------------------------------------------------------------

    def _transfer(self, to: NodeId | None) -> None:
        if self._leadership is None:
            refusals = self._state.effects.transfers_refused
            refusals.append(TransferRefused(to, TransferRefusal.NOT_LEADER))
        else:
            self._leadership.transfer(to)

    @property
    def _may_be_told_to_campaign(self) -> bool:
        state = self._state
        is_able = state.may_campaign and state.installing is None and not state.is_disk_stuck
        return is_able and state.role in (Role.FOLLOWER, Role.PRE_CANDIDATE)

    def _change_membership(self, event: ChangeMembership) -> None:
        """A leader appends the configuration after the change, and counts by it from then on (dissertation 4.1)."""
        state, leadership = self._state, self._leadership
        if leadership is None:
            state.effects.changes_refused.append(ChangeRefused(event.id, ChangeRefusal.NOT_LEADER))
            return
        after = leadership.after(event.change)
        if isinstance(after, ChangeRefusal):
            state.effects.changes_refused.append(ChangeRefused(event.id, after))
            return
        self._proposals.append_change(event.id, after)
        leadership.membership_changed()

    def _tell_removed(self, sender: NodeId, message: Message) -> bool:
        """A node that was removed while it was cut off asks for votes: it hears why nobody answers."""
        leadership = self._leadership
        if leadership is None or not isinstance(message, VoteRequest) or message.transfer:
            return False
        if not leadership.has_removed(sender):
            return False
        self._state.send(sender, Removed(self._state.term, self._state.memberships.newest_index))
        return True

    def _told_removed(self, index: LogIndex) -> None:
        """Not if this node has heard of a newer configuration: it may have been added again."""
        state = self._state
        newest = state.memberships.newest_index
        if index > newest or (index == newest and state.node_id not in state.membership.members):
            self._leave()

    def _leave(self) -> None:
        self._state.is_removed = True
        self._state.effects.removed = True

    def _retire(self) -> None:
        """This leader's removal is committed: who holds most takes over at once (dissertation 4.2.2)."""
        if self._leadership is not None:
            successor = self._leadership.successor()
            if successor is not None:
                self._state.send(successor, TimeoutNow(self._state.term))
        self._step_down(Cause.REMOVED)
        self._leave()

    # --- snapshots ---------------------------------------------------------------------------------------------------

    def _snapshot_event(
        self, event: SnapshotTaken | Compacted | SnapshotLoaded | SnapshotStored | SnapshotInstalled
    ) -> None:
        state = self._state
        match event:
            case SnapshotTaken(index):
                if state.snapshot is None or index > state.snapshot.index:
                    invariant(index <= self._delivery.delivered_index, "a snapshot holds what was delivered")
                    membership = state.memberships.at(index)
                    invariant(bool(membership.voters), "a log begins with a configuration")
                    state.snapshot = Snapshot(index, state.log.term_at(index), membership)
                    state.memberships.forget_before(index)
            case Compacted(first_index):
                newest = 0 if state.snapshot is None else state.snapshot.index
                invariant(first_index <= newest + 1, "what is cut off is in a snapshot")
                state.log.compact(first_index)
            case SnapshotLoaded():
                if self._leadership is not None:
                    self._leadership.snapshots.loaded(event)
            case SnapshotStored():
                self._snapshots.stored(event)
            case SnapshotInstalled():
                self._snapshots.installed(event)
            case _:
                assert_never(event)

    # --- other events ------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        state = self._state
        state.now += 1
        self._proposals.tick()
        self._reads.tick()
        if self._leadership is None:
            if self._election.timed_out:
                self._begin_pre_vote()
            return
        self._leadership.tick()
        if state.is_disk_stuck:
            self._leadership.hand_over(None)
        if self._rounds is not None:
            self._rounds.tick()
        if not self._leadership.has_quorum:
            self._step_down(Cause.QUORUM_LOST)

    def _persisted(self, number: int) -> None:
        self._state.disk_silent_since = self._state.now if number < self._persist_number else None
        self._state.log.persisted(number)
        self._election.persisted(number)
        self._count_votes()

    def _cancel_read(self, token: int) -> None:
        self._reads.cancel(token)
        if self._rounds is not None:
            self._rounds.cancel(token)
        effects = self._state.effects
        effects.read_ready = [ready for ready in effects.read_ready if ready.token != token]

    # --- roles and terms ---------------------------------------------------------------------------------------------

    def _enter_term(self, term: Term) -> None:
        """A message shows a later term: follow in it, with no vote given and no leader known yet."""
        if self._state.role is Role.LEADER:
            self._step_down(Cause.HIGHER_TERM)
        else:
            self._state.role = next_role(self._state.role, Cause.HIGHER_TERM)
        self._begin_term(term, voted_for=None)

    def _begin_term(self, term: Term, voted_for: NodeId | None) -> None:
        state = self._state
        state.term = term
        state.voted_for = voted_for
        state.hard_state_changed = True
        self._receiver.new_term()
        self._set_leader(None)

    def _set_leader(self, leader: NodeId | None) -> None:
        """The leader, or the term it is unknown in, changed: what was asked of the old one is asked anew."""
        self._state.leader = leader
        self._reads.leader_changed()
        self._proposals.leader_changed()

    def _hear_leader(self, leader: NodeId) -> None:
        """A leader of this term spoke; there is at most one (Election Safety, Figure 3)."""
        state = self._state
        if state.leader is None:
            state.role = next_role(state.role, Cause.LEADER_HEARD)
            self._set_leader(leader)
        invariant(state.leader == leader, "a term has one leader")
        self._election.leader_heard()

    def _begin_pre_vote(self) -> None:
        self._state.role = next_role(self._state.role, Cause.ELECTION_TIMEOUT)
        self._set_leader(None)
        self._election.start_pre_vote()
        self._count_votes()

    def _campaign(self, cause: Cause, *, transfer: bool) -> None:
        """Enter a new term as its candidate, with this node's own vote (section 5.2)."""
        state = self._state
        state.role = next_role(state.role, cause)
        self._begin_term(state.term + 1, voted_for=state.node_id)
        self._election.start_vote(transfer=transfer)

    def _count_votes(self) -> None:
        role = self._state.role
        if role is Role.PRE_CANDIDATE and self._election.won:
            self._campaign(Cause.PRE_VOTES_WON, transfer=False)
        elif role is Role.CANDIDATE and self._election.won:
            self._become_leader()

    def _become_leader(self) -> None:
        state = self._state
        state.role = next_role(state.role, Cause.VOTES_WON)
        self._leadership = Leadership(state)
        self._rounds = ReadRounds(state, self._leadership)
        self._proposals.append_first()
        self._set_leader(state.node_id)

    def _step_down(self, cause: Cause) -> None:
        state = self._state
        state.role = next_role(state.role, cause)
        if self._rounds is not None:
            self._reads.put_back(self._rounds.own_tokens())
        self._leadership = None
        self._rounds = None
        self._election.restart_timer()
        self._set_leader(None)

    # --- the end of a step -------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        state = self._state
        leadership, rounds = self._leadership, self._rounds
        if leadership is not None and rounds is not None:
            if not leadership.is_handing_over:
                self._proposals.append_due()
            if state.unrecorded and leadership.may_change:
                self._proposals.append_incarnations()
            leadership.advance_commit()
            self._reads.ask(rounds)
            rounds.confirm()
            leadership.send_appends()
            if leadership.is_retired:
                self._retire()
        else:
            self._proposals.forward_due()
            self._reads.ask_leader()
            self._receiver.acknowledge()
        if state.is_struck and not state.is_removed and state.memberships.newest_index <= state.commit:
            self._leave()
        self._persist()
        self._delivery.deliver()
        state.log.trim(state.commit)
        view = (state.term, state.role, state.leader)
        if view != self._announced:
            self._announced = view
            state.effects.leader_change = LeaderChange(*view)

    def _persist(self) -> None:
        """Everything new goes out as one persist: vote and term, and entries."""
        state = self._state
        if not state.hard_state_changed and not state.log.has_unpersisted:
            return
        self._persist_number += 1
        if state.disk_silent_since is None:
            state.disk_silent_since = state.now
        hard_state: HardState | None = None
        if state.hard_state_changed:
            hard_state = HardState(state.term, state.voted_for)
            state.hard_state_changed = False
            self._election.hard_state_handed(self._persist_number)
        entries = state.log.take_unpersisted(self._persist_number)
        state.effects.persist = Persist(self._persist_number, hard_state, entries)

    def check_invariants(self) -> None:
        """Raise `InvariantViolation` if any stated invariant does not hold. Walks the whole tail: for tests."""
        state, log = self._state, self._state.log
        log.check_invariants()
        state.memberships.check_invariants()
        self._proposals.check_invariants(self._delivery.delivered_index)
        self._delivery.check_invariants()
        leads = state.role is Role.LEADER
        invariant((self._leadership is not None) == leads == (self._rounds is not None), "only a leader leads")
        invariant((state.leader == state.node_id) == leads, "a leader follows itself, and nobody else itself")
        invariant(log.last_term <= state.term, "no entry is of a later term")
        invariant(state.commit <= log.last_index, "what is committed is in the log")
        if self._leadership is not None:
            self._leadership.check_invariants()


__all__ = ["RaftConfig", "RaftCore", "Restored"]
