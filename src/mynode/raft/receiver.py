"""The follower's part: taking a leader's entries into the log (AppendEntries of Figure 2, section 5.3)."""

from __future__ import annotations

from mynode.base.ids import LogIndex, NodeId
from mynode.base.invariant import invariant
from mynode.raft.messages import AppendRequest, AppendResponse, Heartbeat, HeartbeatResponse, SnapshotChunk
from mynode.raft.proposals import Proposals
from mynode.raft.state import NodeState


class AppendReceiver:
    """Accepts appends and heartbeats of the current term's leader.

    Appends of one step are acknowledged once, for the newest index; the acknowledgement leaves when all is durable.
    A rejection promises nothing and leaves at once.

    Invariants: up to `_agreed` the log equals the leader's, and is not truncated in this term.
    """

    def __init__(self, state: NodeState, proposals: Proposals) -> None:
        self._state = state
        self._proposals = proposals
        self._agreed: LogIndex = 0
        self._acknowledge_to: NodeId | None = None

    def new_term(self) -> None:
        self._agreed = 0
        self._acknowledge_to = None

    def append(self, leader: NodeId, request: AppendRequest) -> None:
        """Take the entries in if the one before them is the leader's too, else say where the logs may agree."""
        state = self._state
        if state.installing is not None:
            return  # The log is about to be replaced.
        log = state.log
        prev_index = request.prev_index
        # What is no longer in the log was committed, and every leader has it (Leader Completeness, Figure 3).
        if prev_index >= log.base_index and not log.holds(prev_index, request.prev_term):
            invariant(prev_index > state.commit, "every leader has every committed entry")
            hint = log.newest_of_term_at_most(min(prev_index, log.last_index), request.prev_term)
            state.send(leader, AppendResponse(state.term, False, 0, prev_index, hint, log.term_at(hint)))
            return
        if request.entries:
            self._take_in(request)
        reached = prev_index + len(request.entries)
        self._agreed = max(self._agreed, reached)
        self._acknowledge_to = leader
        state.commit = max(state.commit, min(request.commit, reached))

    def _take_in(self, request: AppendRequest) -> None:
        """Append what is new; entries here that conflict with the leader's, and all after them, go (section 5.3)."""
        log = self._state.log
        entries = request.entries
        known = 0
        if request.prev_index < log.last_index:
            while known < len(entries):
                index = entries[known].index
                if index > log.base_index and not log.holds(index, entries[known].term):
                    break
                known += 1
            entries = entries[known:]
            if entries and entries[0].index <= log.last_index:
                invariant(entries[0].index > self._state.commit, "a committed entry is never replaced")
                first = entries[0].index
                self._proposals.truncated(first, log.truncate(first))
                self._state.config_truncated(first)
        if entries:
            log.append(entries)
            self._proposals.appended(entries)
            self._state.config_appended(entries)

    def agree(self, leader: NodeId, index: LogIndex) -> None:
        """What a snapshot up to `index` holds is here, and committed: as if it had come in appends."""
        state = self._state
        state.commit = max(state.commit, index)
        self._agreed = max(self._agreed, state.commit)
        self._acknowledge_to = leader

    def heartbeat(self, leader: NodeId, heartbeat: Heartbeat) -> None:
        state = self._state
        # The leader never says more than it knows to be durable here, so up to `commit` the logs are equal.
        if state.installing is None:
            state.commit = max(state.commit, min(heartbeat.commit, state.log.last_index))
        if heartbeat.round:
            state.send(leader, HeartbeatResponse(state.term, heartbeat.round, self._agreed, state.config.promise_ms))

    def refuse_stale(self, sender: NodeId, request: AppendRequest | Heartbeat | SnapshotChunk) -> None:
        """The sender leads an earlier term: tell it this one, so that it steps down."""
        rejected = request.prev_index if isinstance(request, AppendRequest) else 0
        self._state.send(sender, AppendResponse(self._state.term, False, 0, rejected, 0, 0))

    def acknowledge(self) -> None:
        """At the end of a step: one answer for all appends accepted in it."""
        if self._acknowledge_to is not None:
            response = AppendResponse(self._state.term, True, self._agreed, 0, 0, 0)
            self._state.send_after_persist(self._acknowledge_to, response)
            self._acknowledge_to = None
