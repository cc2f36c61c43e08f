"""The leader's part of one term: appends, heartbeats, commitment, check-quorum, handing over.

Replication is section 5.3, commitment by counting section 5.4.2, pipelining and parallel writing to the own disk the
dissertation's 10.2, leadership transfer its 3.10, check-quorum its 6.2. Messages may be lost, doubled and reordered:
every answer is judged against what the leader knows, and `progress` finds out what to send again.
"""

from __future__ import annotations

from collections.abc import Iterable

from mynode.base.ids import LogIndex, NodeId
from mynode.base.invariant import invariant
from mynode.raft.effects import PeerProgress
from mynode.raft.events import EntriesLoaded
from mynode.raft.log import take
from mynode.raft.messages import (
    AppendRequest,
    AppendResponse,
    Entry,
    EntryKind,
    Heartbeat,
    HeartbeatResponse,
    TimeoutNow,
)
from mynode.raft.progress import Progress, ProgressState
from mynode.raft.state import NodeState


class Leadership:
    """Exists exactly while the node leads, so that nothing of one term is taken for another's.

    Invariants:
        - the log's entries from `first_index` on are of this term, and no others are;
        - what is committed by counting is of this term (Figure 8);
        - a peer's match_index is at most the log's last_index.
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
        state.log.append([Entry(state.term, self.first_index, EntryKind.NOOP, b"", b"")])

    # --- time --------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        state = self._state
        if self._transfer_to is not None and state.now >= self._transfer_until:
            self._transfer_to = None
        if state.now >= self._next_heartbeat:
            round_ = self.send_heartbeats()
            for progress in self.progress.values():
                progress.heartbeat_sent(round_)

    @property
    def has_quorum(self) -> bool:
        """Whether a quorum, this node included, was heard within an election timeout."""
        oldest = self._state.now - self._state.config.election_ticks
        heard = [progress for progress in self.progress.values() if progress.heard_at > oldest]
        return len(heard) + 1 >= self._state.quorum

    def send_heartbeats(self) -> int:
        """Begin a heartbeat round with everybody; returns its number. Its answers prove that this node still leads."""
        self._next_heartbeat = self._state.now + self._state.config.heartbeat_ticks
        return self._begin_round(self.progress.values())

    def ask_quorum(self) -> int:
        """Begin a heartbeat round with as many peers as make a quorum, those that answered last: half the messages.

        Should one of them be gone, the next round with everybody confirms this one, too.
        """
        quickest = sorted(self.progress.values(), key=_quickness, reverse=True)
        return self._begin_round(quickest[: self._state.quorum - 1])

    def _begin_round(self, peers: Iterable[Progress]) -> int:
        state = self._state
        self._round += 1
        for progress in peers:
            progress.commit_sent = min(state.commit, progress.match_index)
            state.send(progress.peer, Heartbeat(state.term, progress.commit_sent, self._round))
        return self._round

    def round_is_confirmed(self, round_: int) -> bool:
        """Whether a quorum, this node included, answered this round or a later one."""
        answered = [progress for progress in self.progress.values() if progress.answered_round >= round_]
        return len(answered) + 1 >= self._state.quorum

    # --- answers -----------------------------------------------------------------------------------------------------

    def append_answered(self, peer: NodeId, response: AppendResponse) -> None:
        progress = self.progress[peer]
        progress.heard_at = self._state.now
        log = self._state.log
        if response.accepted:
            progress.accepted(min(response.match_index, log.last_index))
            return
        hint = min(response.hint_index, log.last_index)
        progress.rejected(response.rejected_index, log.newest_of_term_at_most(hint, response.hint_term))

    def heartbeat_answered(self, peer: NodeId, response: HeartbeatResponse) -> None:
        self.progress[peer].heartbeat_answered(response, self._state.now)

    def unreachable(self, peer: NodeId) -> None:
        if peer in self.progress:
            self.progress[peer].unreachable()

    def entries_loaded(self, event: EntriesLoaded) -> None:
        """Entries for a follower that is behind the log's tail; those nobody waits for any more are dropped."""
        for progress in self.progress.values():
            if progress.load_generation == event.generation:
                invariant(bool(event.entries), "the log store has what the log holds")
                progress.load_generation = None
                progress.loaded = event.entries

    def advance_commit(self) -> None:
        """Commit what a quorum holds durably, this node's disk being one of it; only from this term on (5.4.2)."""
        state = self._state
        held = sorted([state.log.durable_index, *[progress.match_index for progress in self.progress.values()]])
        index = held[len(held) - state.quorum]
        if index > state.commit and index >= self.first_index:
            state.commit = index

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

    # --- handing over ------------------------------------------------------------------------------------------------

    @property
    def is_handing_over(self) -> bool:
        """While it is, new proposals wait: the successor needs the whole log."""
        return self._transfer_to is not None

    def hand_over(self, to: NodeId | None) -> None:
        """Bring `to` (None: whoever holds most) up to date, tell it to campaign; given up after an election timeout."""
        state = self._state
        if to is None and self.progress:
            recent = state.now - state.config.election_ticks
            to = max(self.progress.values(), key=lambda each: (each.heard_at > recent, each.match_index)).peer
        if to not in self.progress or to == self._transfer_to:
            return
        self._transfer_to = to
        self._transfer_until = state.now + state.config.election_ticks
        self._transfer_told = False

    def _tell_successor(self, to: NodeId) -> None:
        if not self._transfer_told and self.progress[to].match_index == self._state.log.last_index:
            self._transfer_told = True
            self._state.send(to, TimeoutNow(self._state.term))

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
        invariant(log.term_at(self.first_index) == state.term, "a leader's first entry is of its term")
        invariant(log.term_at(self.first_index - 1) < state.term, "earlier entries are of earlier terms")
        invariant(log.last_term == state.term, "a leader's newest entry is of its term")
        for progress in self.progress.values():
            progress.check_invariants()
            invariant(progress.match_index <= log.last_index, "a follower matches what the leader has")
            invariant(progress.next_index <= log.last_index + 1, "nothing was sent that is not in the log")
            invariant(len(progress.inflight) <= state.config.max_inflight_appends, "the window is kept")


def _quickness(progress: Progress) -> tuple[int, int, LogIndex]:
    """Orders peers by how likely they answer soon: by their last answers."""
    return progress.answered_round, progress.heard_at, progress.match_index
