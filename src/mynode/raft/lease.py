"""Leader leases: linearizable reads without a heartbeat round (dissertation 6.4.1), if `RaftConfig.lease_reads`.

With its answer to a heartbeat a node promises to give no vote for `promise_ms`, unless this leader hands over. So until
the shortest promise of a quorum is over nobody else is elected, and what this leader has committed is all there is. The
leader counts from the moment before the heartbeat left, which was before anybody heard it, and for less than was
promised: the clocks of two nodes may differ in rate by `limits.MAX_CLOCK_DRIFT_PERCENT`. What if they differ by more:
stale reads, which nothing notices. Everything else Raft says is true without any clock.

| what could elect another one early | why it does not |
|---|---|
| a follower sees a later term | it keeps what it promised to the leader of an earlier one (`Election.is_sticky`) |
| a follower restarts | it gives no vote for an election timeout of its start |
| a leader hands over, which no promise stops | it has no lease any more in its term: `TimeoutNow` may be late |
| the leader is stopped for a while (SIGSTOP) | its ticks stop, the clock that comes with each step does not |
| the members change | the quorum is one of the newest configuration, which overlaps all that others may count by |
| the last voter left need not ask anybody | that it is alone it takes from a commit, whose leader is gone |
"""

from __future__ import annotations

from collections import deque

from mynode.base import limits
from mynode.raft.messages import HeartbeatResponse
from mynode.raft.state import NodeState


class Lease:
    """A leader's lease, of one term. Without a clock reading it does not hold.

    Invariants: `_sent` holds rounds (number, clock in ms before it left), ascending, of one lease's length at most;
    `_round`, which left at `_since_ms`, is the newest one taken out of it.
    """

    def __init__(self, state: NodeState) -> None:
        self._state = state
        self._length_ms = state.config.promise_ms * (100 - limits.MAX_CLOCK_DRIFT_PERCENT) / 100
        self._sent: deque[tuple[int, float]] = deque()
        self._round = 0
        self._since_ms = 0.0
        self._is_given_up = not state.config.lease_reads

    def round_begins(self, round_: int) -> None:
        """A heartbeat round leaves with this step."""
        clock_ms = self._state.clock_ms
        if clock_ms is None or self._is_given_up:
            return
        while self._sent and self._sent[0][1] + self._length_ms <= clock_ms:
            self._sent.popleft()
        self._sent.append((round_, clock_ms))

    def counts(self, response: HeartbeatResponse) -> bool:
        """Whether the answerer promises as much as the lease is reckoned with."""
        return response.promise_ms >= self._state.config.promise_ms

    def holds(self, round_: int) -> bool:
        """Whether no other leader can have been elected by now, a quorum having answered this round or later ones."""
        clock_ms = self._state.clock_ms
        if clock_ms is None or self._is_given_up:
            return False
        while self._sent and self._sent[0][0] <= round_:
            self._round, self._since_ms = self._sent.popleft()
        # An earlier one than before: now there is another quorum.
        return 0 < self._round <= round_ and clock_ms < self._since_ms + self._length_ms

    def give_up(self) -> None:
        """For the rest of the term."""
        self._is_given_up = True
        self._sent.clear()
