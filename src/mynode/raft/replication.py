"""The leader's part of one term: appends, heartbeats, commitment, check-quorum, handing over.

Replication is section 5.3, commitment by counting section 5.4.2, pipelining and parallel writing to the own disk the
dissertation's 10.2, leadership transfer its 3.10, check-quorum its 6.2. Messages may be lost, doubled and reordered:
every answer is judged against what the leader knows, and `progress` finds out what to send again.
"""

from __future__ import annotations

from collections.abc import Iterable

from mynode.base.ids import LogIndex, NodeId
from mynode.base.invariant import invariant
from mynode.raft.effects import PeerProgress, TransferRefusal, TransferRefused
from mynode.raft.events import EntriesLoaded
from mynode.raft.lease import Lease
from mynode.raft.log import take
from mynode.raft.membership import ChangeKind, ChangeRefusal, Membership, MembershipChange
from mynode.raft.messages import (
    AppendRequest,
    AppendResponse,
    Entry,
    Heartbeat,
    HeartbeatResponse,
    Removed,
    SnapshotResponse,
    TimeoutNow,
)
from mynode.raft.progress import Progress, ProgressState
from mynode.raft.snapshots import SnapshotSender
from mynode.raft.state import NodeState


class Leadership:
    """Exists exactly while the node leads, so that nothing of one term is taken for another's.

    Invariants:
        - the log's entries from `first_index` on are of this term, and no others are;
        - what is committed by counting is of this term (Figure 8);
        - a peer's match_index is at most the log's last_index;
        - there is a progress for each other member, voter or learner, and only voters' count.
    """

    def __init__(self, state: NodeState) -> None:
        self._state = state
        self.first_index: LogIndex = state.log.last_index + 1
        self.progress = {peer: Progress(peer, self.first_index, state.now) for peer in state.peers}
        self._round = 0
        self._next_heartbeat = state.now + state.config.heartbeat_ticks
        self._transfer_to: NodeId | None = None
        self._transfer_until = 0
        self._transfer_told = False
        self._transfer_asked: list[NodeId | None] = []
        """What operators asked for, as they did, of the transfer that runs."""
        self.snapshots = SnapshotSender(state)
        self._lease = Lease(state)
        self._leaving: dict[NodeId, LogIndex] = {}
        """Nodes that an uncommitted configuration leaves out, and its index: they are told when it is committed."""

    # --- time --------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        state = self._state
        if self._transfer_to is not None and state.now >= self._transfer_until:
            self._give_up_transfer(TransferRefusal.GIVEN_UP)
        if state.now >= self._next_heartbeat:
            self.send_heartbeats()

    @property
    def has_quorum(self) -> bool:
        """Whether a quorum, this node included if it is a voter, was heard within an election timeout."""
        heard = [progress.peer for progress in self.progress.values() if self._was_heard(progress)]
        return self._state.has_majority([self._state.node_id, *heard])

    def send_heartbeats(self) -> int:
        """Begin a heartbeat round with everybody; returns its number.

        Its answers prove that this node still leads, and show what of the appends before it was lost.
        """
        self._next_heartbeat = self._state.now + self._state.config.heartbeat_ticks
        round_ = self._begin_round(self.progress.values())
        for progress in self.progress.values():
            progress.heartbeat_sent(round_)
        self.snapshots.heartbeat_sent(round_)
        return round_

    def ask_quorum(self) -> int:
        """Begin a heartbeat round with as many peers as make a quorum, those that answered last: half the messages.

        Should one of them be gone, the next round with everybody confirms this one, too.
        """
        voters = self._state.membership.voters
        others = [progress for progress in self.progress.values() if progress.peer in voters]
        others.sort(key=_quickness, reverse=True)
        return self._begin_round(others[: self._state.quorum - self._state.is_voter])

    def _begin_round(self, peers: Iterable[Progress]) -> int:
        state = self._state
        self._round += 1
        self._lease.round_begins(self._round)
        for progress in peers:
            progress.commit_sent = min(state.commit, progress.match_index)
            state.send(progress.peer, Heartbeat(state.term, progress.commit_sent, self._round))
        return self._round

    def round_is_confirmed(self, round_: int) -> bool:
        """Whether a quorum, this node included if it is a voter, answered this round or a later one."""
        answered = [progress.peer for progress in self.progress.values() if progress.answered_round >= round_]
        return self._state.has_majority([self._state.node_id, *answered])

    @property
    def has_lease(self) -> bool:
        """Whether a quorum's promises show, without a round, that this node still leads."""
        state = self._state
        voters = state.membership.voters
        promised = [progress.promised_round for progress in self.progress.values() if progress.peer in voters]
        if state.is_voter:
            promised.append(self._round)
        promised.sort()
        return self._lease.holds(promised[len(promised) - state.quorum])

    # --- answers -----------------------------------------------------------------------------------------------------

    def append_answered(self, peer: NodeId, response: AppendResponse) -> None:
        progress = self.progress.get(peer)
        if progress is None:
            return
        progress.heard_at = self._state.now
        log = self._state.log
        if response.accepted and progress.state is ProgressState.SNAPSHOT:
            self._snapshot_accepted(progress, min(response.match_index, log.last_index))
            return
        if response.accepted:
            progress.accepted(min(response.match_index, log.last_index))
            return
        hint = min(response.hint_index, log.last_index)
        progress.rejected(response.rejected_index, log.newest_of_term_at_most(hint, response.hint_term))

    def heartbeat_answered(self, peer: NodeId, response: HeartbeatResponse) -> None:
        progress = self.progress.get(peer)
        if progress is None:
            return
        progress.heartbeat_answered(response, self._state.now)
        if self._lease.counts(response):
            progress.promised_round = max(progress.promised_round, response.round)
        self.snapshots.heartbeat_answered(peer, response.round)

    def snapshot_answered(self, peer: NodeId, response: SnapshotResponse) -> None:
        if peer in self.progress:
            self.progress[peer].heard_at = self._state.now
            self.snapshots.answered(peer, response)

    def _snapshot_accepted(self, progress: Progress, match_index: LogIndex) -> None:
        """The follower has all up to there: the log goes on from it, unless it was cut beyond that meanwhile."""
        if match_index >= self._state.log.base_index:
            self.snapshots.end(progress.peer)
            progress.snapshot_arrived(match_index)
        elif match_index >= self.snapshots.index(progress.peer):
            self._begin_snapshot(progress)

    def _begin_snapshot(self, progress: Progress) -> None:
        snapshot = self._state.snapshot
        invariant(snapshot is not None, "what is cut off is in a snapshot")
        if snapshot is not None:
            progress.needs_snapshot()
            self.snapshots.begin(progress.peer, snapshot)

    def unreachable(self, peer: NodeId) -> None:
        if peer in self.progress:
            self.progress[peer].unreachable()

    def entries_loaded(self, event: EntriesLoaded) -> None:
        """Entries for a follower that is behind the log's tail; those nobody waits for any more are dropped."""
        for progress in self.progress.values():
            if progress.load_generation == event.generation:
                progress.load_generation = None
                progress.loaded = event.entries

    def advance_commit(self) -> None:
        """Commit what a quorum of voters holds durably, this node's disk among them; only from this term on (5.4.2)."""
        state = self._state
        voters = state.membership.voters
        held = [progress.match_index for progress in self.progress.values() if progress.peer in voters]
        if state.is_voter:
            held.append(state.log.durable_index)
        held.sort()
        index = held[len(held) - state.quorum]
        if index > state.commit and index >= self.first_index:
            state.commit = index
            if self._leaving:
                self._tell_leaving()

    # --- appends -----------------------------------------------------------------------------------------------------

    def send_appends(self) -> None:
        """Send every follower what it may get now. Followers at the same place get the same message object."""
        made: dict[LogIndex, AppendRequest] = {}
        for progress in self.progress.values():
            self._send_appends_to(progress, made)
        if self._transfer_to is not None:
            self._tell_successor(self._transfer_to)

    def _send_appends_to(self, progress: Progress, made: dict[LogIndex, AppendRequest]) -> None:
        state = self._state
        last_index = state.log.last_index
        while self._may_send(progress, last_index):
            request = self._next_append(progress, made)
            if request is None:
                return
            state.send(progress.peer, request)
            progress.ask_again = False
            progress.sent(request.prev_index + len(request.entries), state.commit)
        if progress.state is not ProgressState.REPLICATE:
            return
        if progress.ask_again:
            progress.ask_again = False
            if progress.next_index <= state.log.base_index:
                self._begin_snapshot(progress)  # the window is full, and the log was cut beyond it
                return
            state.send(progress.peer, self._append_after(progress.next_index - 1, ()))
        commit = min(state.commit, progress.match_index)
        if commit > progress.commit_sent:
            progress.commit_sent = commit
            state.send(progress.peer, Heartbeat(state.term, commit, 0))

    def _may_send(self, progress: Progress, last_index: LogIndex) -> bool:
        if progress.state is ProgressState.REPLICATE:
            return (
                progress.next_index <= last_index and len(progress.inflight) < self._state.config.max_inflight_appends
            )
        return progress.state is ProgressState.PROBE and not progress.probe_sent

    def _next_append(self, progress: Progress, made: dict[LogIndex, AppendRequest]) -> AppendRequest | None:
        """The append from next_index on; None while its entries are loaded. A probe does not load, it goes empty."""
        log, config = self._state.log, self._state.config
        first = progress.next_index
        if first <= log.base_index:
            self._begin_snapshot(progress)
            return None
        if first >= log.tail_start:
            if first not in made:
                entries = log.entries_from(first, config.max_append_entries, config.max_append_bytes)
                made[first] = self._append_after(first - 1, entries)
            return made[first]
        if progress.state is ProgressState.PROBE:
            return self._append_after(first - 1, ())
        loaded = progress.loaded
        if not loaded or not loaded[0].index <= first <= loaded[-1].index:
            progress.loaded = ()
            if progress.load_generation is None:
                progress.load_generation = self._state.load(first, log.tail_start - 1, config.max_load_bytes)
            return None
        offset = first - loaded[0].index
        return self._append_after(first - 1, take(loaded, offset, config.max_append_entries, config.max_append_bytes))

    def _append_after(self, prev_index: LogIndex, entries: tuple[Entry, ...]) -> AppendRequest:
        state = self._state
        return AppendRequest(state.term, prev_index, state.log.term_at(prev_index), entries, state.commit)

    # --- membership --------------------------------------------------------------------------------------------------

    @property
    def may_change(self) -> bool:
        """Whether another configuration may follow the newest one.

        A new leader waits until an entry of its own term is committed: else two leaders could each have changed the
        same configuration, and count by majorities that do not overlap (Ongaro's correction of 2015).
        """
        state = self._state
        is_running = state.memberships.newest_index > state.commit or state.commit < self.first_index
        return not is_running and not self.is_handing_over

    def after(self, change: MembershipChange) -> Membership | ChangeRefusal:
        """The configuration after this change, or why it cannot begin now."""
        state = self._state
        if not self.may_change:
            return ChangeRefusal.CHANGE_RUNNING
        after = state.membership.after(change)
        if isinstance(after, ChangeRefusal):
            return after
        if change.kind is ChangeKind.PROMOTE and change.node_id in state.membership.learners:
            progress = self.progress[change.node_id]
            lacks = state.log.last_index - progress.match_index
            if not self._was_heard(progress) or progress.match_index == 0 or lacks > state.config.caught_up_entries:
                return ChangeRefusal.NOT_CAUGHT_UP
        alive = {state.node_id, *(each.peer for each in self.progress.values() if self._was_heard(each))}
        if len(after.voters.keys() & alive) < after.quorum:
            return ChangeRefusal.UNHEALTHY
        return after

    def _was_heard(self, progress: Progress) -> bool:
        """Within the last election timeout."""
        return progress.heard_at > self._state.now - self._state.config.election_ticks

    def membership_changed(self) -> None:
        """A configuration was appended: who is new gets the log, who left gets no more of it."""
        state = self._state
        for peer in state.peers:
            if peer not in self.progress:
                self.progress[peer] = Progress(peer, state.log.last_index + 1, state.now)
            self._leaving.pop(peer, None)
        for peer in self.progress.keys() - set(state.peers):
            del self.progress[peer]
            self.snapshots.end(peer)
            self._leaving[peer] = state.log.last_index
        if self._transfer_to is not None and self._transfer_to not in state.membership.voters:
            self._give_up_transfer(TransferRefusal.UNKNOWN_NODE)

    def _tell_leaving(self) -> None:
        state = self._state
        for peer, index in list(self._leaving.items()):
            if index <= state.commit:
                del self._leaving[peer]
                state.send(peer, Removed(state.term, index))

    def has_removed(self, node_id: NodeId) -> bool:
        """Whether the committed configuration, which this term's leader knows, does not hold the node."""
        state = self._state
        is_settled = state.memberships.newest_index <= state.commit and state.commit >= self.first_index
        return is_settled and node_id not in state.membership.members

    @property
    def is_retired(self) -> bool:
        """Whether the configuration without this leader is committed."""
        return not self._state.is_voter and self._state.memberships.newest_index <= self._state.commit

    def successor(self) -> NodeId | None:
        """Who holds most of the voters that were heard lately; None for none."""
        state = self._state
        voters = [each for each in self.progress.values() if each.peer in state.membership.voters]
        best = max(voters, key=lambda each: (self._was_heard(each), each.match_index), default=None)
        return None if best is None else best.peer

    # --- handing over ------------------------------------------------------------------------------------------------

    @property
    def is_handing_over(self) -> bool:
        """While it is, new proposals wait: the successor needs the whole log."""
        return self._transfer_to is not None

    def transfer(self, to: NodeId | None) -> None:
        """An operator's wish. Writes wait while it runs, so it begins only with a node that will not keep them long."""
        target = self.successor() if to is None else to
        refusal = self._refusal_of_transfer(target)
        if refusal is TransferRefusal.RUNNING and to is None:
            self._transfer_asked.append(None)
        elif refusal is not None:
            self._state.effects.transfers_refused.append(TransferRefused(to, refusal))
        else:
            self._transfer_asked.append(to)
            self.hand_over(target)

    def _refusal_of_transfer(self, to: NodeId | None) -> TransferRefusal | None:
        state = self._state
        if to is None:
            return TransferRefusal.NO_OTHER_VOTER
        if to == state.node_id:
            return TransferRefusal.LEADS_ALREADY
        if to not in state.membership.voters:
            is_learner = to in state.membership.learners
            return TransferRefusal.LEARNER if is_learner else TransferRefusal.UNKNOWN_NODE
        if self._transfer_to not in (None, to):
            return TransferRefusal.RUNNING
        progress = self.progress[to]
        if not self._was_heard(progress):
            return TransferRefusal.SILENT
        if state.log.last_index - progress.match_index > state.config.caught_up_entries:
            return TransferRefusal.NOT_CAUGHT_UP
        return None

    def _give_up_transfer(self, reason: TransferRefusal) -> None:
        self._transfer_to = None
        refused = [TransferRefused(asked, reason) for asked in self._transfer_asked]
        self._state.effects.transfers_refused.extend(refused)
        self._transfer_asked.clear()

    def hand_over(self, to: NodeId | None) -> None:
        """Bring the voter `to` (None: who holds most) up to date and tell it to campaign; given up after a timeout."""
        state = self._state
        if to is None:
            to = self.successor()
        if to is None or to not in self.progress or to not in state.membership.voters or to == self._transfer_to:
            return
        self._transfer_to = to
        self._transfer_until = state.now + state.config.election_ticks
        self._transfer_told = False

    def _tell_successor(self, to: NodeId) -> None:
        if not self._transfer_told and self.progress[to].match_index == self._state.log.last_index:
            self._transfer_told = True
            self._lease.give_up()
            self._state.send(to, TimeoutNow(self._state.term))

    # --- the log's cut -----------------------------------------------------------------------------------------------

    @property
    def log_wanted_after(self) -> LogIndex | None:
        """What follows this index some follower that was heard lately still needs; None if there is no such follower.

        One that is being sent a snapshot needs what follows that. To cut it off would make it begin again, for ever
        if new entries come as fast as it catches up.
        """
        oldest = self._state.now - self._state.config.follower_patience_ticks
        return min(
            (
                self.snapshots.index(each.peer) if each.state is ProgressState.SNAPSHOT else each.match_index
                for each in self.progress.values()
                if each.heard_at > oldest
            ),
            default=None,
        )

    # --- for people and tests ----------------------------------------------------------------------------------------

    def peer_progress(self) -> tuple[PeerProgress, ...]:
        now = self._state.now
        return tuple(
            PeerProgress(each.peer, each.match_index, each.next_index, each.state.value, now - each.heard_at)
            for each in self.progress.values()
        )

    def check_invariants(self) -> None:
        state = self._state
        log = state.log
        if self.first_index > log.base_index:
            invariant(log.term_at(self.first_index) == state.term, "a leader's first entry is of its term")
            invariant(log.term_at(self.first_index - 1) < state.term, "earlier entries are of earlier terms")
        invariant(self.progress.keys() == set(state.peers), "each other member has a progress")
        invariant(log.last_term == state.term, "a leader's newest entry is of its term")
        for progress in self.progress.values():
            progress.check_invariants()
            invariant(progress.match_index <= log.last_index, "a follower matches what the leader has")
            invariant(progress.next_index <= log.last_index + 1, "nothing was sent that is not in the log")
            invariant(len(progress.inflight) <= state.config.max_inflight_appends, "the window is kept")


def _quickness(progress: Progress) -> tuple[int, int, LogIndex]:
    """Orders peers by how likely they answer soon: by their last answers."""
    return progress.answered_round, progress.heard_at, progress.match_index
