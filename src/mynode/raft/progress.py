"""What a leader knows of one follower, and what is on the way to it."""

from __future__ import annotations

from collections import deque
from enum import Enum

from mynode.base.ids import LogIndex, NodeId
from mynode.base.invariant import invariant
from mynode.raft.messages import Entry, HeartbeatResponse


class ProgressState(Enum):
    """How entries go to a follower."""

    PROBE = "probe"
    """Where the logs agree is not known, or the link broke: one append at a time, each waits for its answer."""
    REPLICATE = "replicate"
    """Appends are pipelined; `next_index` runs ahead of the answers."""
    SNAPSHOT = "snapshot"
    """The follower needs entries that are no longer in the log; appends wait until it has a snapshot."""


class Progress:
    """A follower's place in the leader's log.

    Invariants:
        - match_index < next_index; what is up to match_index is durable there and equals the leader's log;
        - `inflight` (last indexes of unanswered appends, ascending) is empty unless replicating;
        - `loaded`, if not empty, begins at or before next_index.
    """

    def __init__(self, peer: NodeId, next_index: LogIndex, now: int) -> None:
        self.peer = peer
        self.state = ProgressState.PROBE
        self.match_index: LogIndex = 0
        self.next_index: LogIndex = next_index
        self.inflight: deque[LogIndex] = deque()
        self.probe_sent = False
        self.ask_again = False
        """The follower holds what it has not acknowledged; an empty append brings the lost acknowledgement back."""
        self.commit_sent: LogIndex = 0
        self.heard_at = now
        self.answered_round = 0
        self.promised_round = 0
        """The newest round whose answer counts for a lease."""
        self.load_generation: int | None = None
        self.loaded: tuple[Entry, ...] = ()
        self._check_round = 0
        self._check_index: LogIndex = 0

    def sent(self, last_index: LogIndex, commit: LogIndex) -> None:
        """An append up to `last_index` with this commit index leaves."""
        self.commit_sent = max(self.commit_sent, min(commit, last_index))
        if self.state is ProgressState.PROBE:
            self.probe_sent = True
        else:
            self.inflight.append(last_index)
            self.next_index = last_index + 1

    def accepted(self, match_index: LogIndex) -> None:
        """The follower holds everything up to `match_index`."""
        inflight = self.inflight
        while inflight and inflight[0] <= match_index:
            inflight.popleft()
        if self.state is ProgressState.PROBE:
            self._replicate_from(max(match_index, self.match_index) + 1)
        elif match_index >= self.next_index:
            self.next_index = match_index + 1
        self.match_index = max(self.match_index, match_index)

    def rejected(self, rejected_index: LogIndex, agree_index: LogIndex) -> None:
        """The append after `rejected_index` did not fit; the logs may agree at `agree_index`. Late ones are ignored."""
        if self.state is ProgressState.SNAPSHOT:
            return
        if self.state is ProgressState.PROBE:
            if rejected_index != self.next_index - 1:
                return
        elif rejected_index <= self.match_index:
            return
        self._probe_from(max(self.match_index, min(agree_index, rejected_index - 1)) + 1)

    def unreachable(self) -> None:
        """What was on the way may be lost."""
        if self.state is ProgressState.REPLICATE:
            self._probe_from(self.match_index + 1)
        self.probe_sent = False

    def heartbeat_sent(self, round_: int) -> None:
        """A periodic heartbeat leaves: remember what had been sent before it, unless one is being waited for."""
        if self._check_round == 0:
            self._check_round = round_
            self._check_index = self.next_index - 1

    def heartbeat_answered(self, response: HeartbeatResponse, now: int) -> None:
        """Find out what got lost: messages keep their order, so what left before the heartbeat is there or lost."""
        self.heard_at = now
        self.answered_round = max(self.answered_round, response.round)
        if self.state is ProgressState.SNAPSHOT or not 0 < self._check_round <= response.round:
            return
        self._check_round = 0
        held = max(response.last_index, self.match_index)
        if self.state is ProgressState.PROBE:
            if response.last_index > 0:
                self._replicate_from(held + 1)
                self.ask_again = held > self.match_index
            else:
                self.probe_sent = False
        elif held < self._check_index:
            self._replicate_from(held + 1)
            self.ask_again = held > self.match_index
        elif self.match_index < self._check_index:
            self.ask_again = True

    def needs_snapshot(self) -> None:
        """What the follower needs next is cut off: it gets a snapshot, and after it `snapshot_arrived`."""
        self.state = ProgressState.SNAPSHOT
        self.probe_sent = False
        self.ask_again = False
        self._forget_sent()

    def snapshot_arrived(self, match_index: LogIndex) -> None:
        """The follower holds everything up to `match_index`, after which the log goes on."""
        self.match_index = max(self.match_index, match_index)
        self._replicate_from(self.match_index + 1)

    def _probe_from(self, next_index: LogIndex) -> None:
        self.state = ProgressState.PROBE
        self.next_index = next_index
        self.probe_sent = False
        self.ask_again = False
        self._forget_sent()

    def _replicate_from(self, next_index: LogIndex) -> None:
        self.state = ProgressState.REPLICATE
        self.next_index = next_index
        self.ask_again = False
        self._forget_sent()

    def _forget_sent(self) -> None:
        self.inflight.clear()
        self.loaded = ()
        self.load_generation = None
        self._check_round = 0
        self.commit_sent = min(self.commit_sent, self.match_index)

    def check_invariants(self) -> None:
        invariant(self.match_index < self.next_index, "next is after match")
        invariant(not self.inflight or self.state is ProgressState.REPLICATE, "only replicating is pipelined")
        invariant(list(self.inflight) == sorted(self.inflight), "appends are sent in order")
        invariant(not self.inflight or self.inflight[-1] < self.next_index, "what is on the way is before next")
        invariant(not self.loaded or self.loaded[0].index <= self.next_index, "loaded entries are not ahead")
