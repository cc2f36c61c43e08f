"""Elections: timeouts, votes asked for and given (section 5.2 and 5.4.1), pre-vote and stickiness (dissertation 9.6).

Pre-vote: a node first asks whether it would be elected, and raises its term only then, so that a node which was cut
off does not disturb the others when it returns. Stickiness: who has heard of a leader within the shortest election
timeout gives no vote, unless the leader itself hands over. Together with check-quorum (`replication`), a leader that
a quorum hears stays, and one that no quorum hears goes.
"""

from __future__ import annotations

from mynode.base.ids import NodeId
from mynode.raft.effects import Role
from mynode.raft.messages import VoteRequest, VoteResponse
from mynode.raft.state import NodeState


class Election:
    """When to campaign, who voted, and to whom this node gives its vote.

    A vote is given to whoever asks in its due: the candidate may know of a configuration that this node does not
    (dissertation 4.1). It is the candidate who counts those of voters only.

    Invariants: `_votes` holds each node once; a node's own vote counts only once it is durable.
    """

    def __init__(self, state: NodeState) -> None:
        self._state = state
        self._votes: set[NodeId] = set()
        self._timeout = 0
        self._deadline = 0
        # What was promised before a restart is forgotten: such a node may have heard a leader just now.
        self._leader_heard_at = 0 if state.config.promise_ms else -state.config.election_ticks
        self._own_vote_persist: int | None = None
        self.restart_timer()

    # --- the timer ---------------------------------------------------------------------------------------------------

    def restart_timer(self) -> None:
        """A new random timeout: election_ticks to 2 * election_ticks - 1 ticks; one tick where nobody else can lead.

        Another one may while a configuration that has it counts, or has counted before an uncommitted one.
        """
        state = self._state
        shortest = state.config.election_ticks
        is_alone = all(list(each.voters) == [state.node_id] for each in state.memberships.counting(state.commit))
        self._timeout = 1 if is_alone else state.random.randrange(shortest, 2 * shortest)
        self._deadline = state.now + self._timeout

    def leader_heard(self) -> None:
        """The timeout begins anew; it stays the same one, since this is called for every message of the leader."""
        self._leader_heard_at = self._state.now
        self._deadline = self._state.now + self._timeout

    @property
    def ticks_since_leader(self) -> int:
        """How long it is since a leader, of whatever term, was heard."""
        return self._state.now - self._leader_heard_at

    @property
    def timed_out(self) -> bool:
        """Whether to campaign, for one who may; not while a snapshot replaces the log or the disk is stuck."""
        state = self._state
        is_able = state.may_campaign and state.installing is None and not state.is_disk_stuck
        return state.now >= self._deadline and is_able

    # --- campaigning -------------------------------------------------------------------------------------------------

    def start_pre_vote(self) -> None:
        """Ask all whether they would vote for this node in the next term. Nothing durable is promised by that."""
        state = self._state
        self._votes = {state.node_id}
        self.restart_timer()
        log = state.log
        for peer in self._other_voters():
            state.send(peer, VoteRequest(state.term + 1, log.last_index, log.last_term, pre_vote=True, transfer=False))

    def start_vote(self, *, transfer: bool) -> None:
        """Ask all for their vote in the term just entered, once this node's vote for itself is durable."""
        state = self._state
        self._votes = set()
        self._own_vote_persist = None
        self.restart_timer()
        request = VoteRequest(state.term, state.log.last_index, state.log.last_term, pre_vote=False, transfer=transfer)
        for peer in self._other_voters():
            state.send_after_persist(peer, request)

    def hard_state_handed(self, persist_number: int) -> None:
        """This persist carries the hard state: for a candidate, its vote for itself."""
        if self._state.role is Role.CANDIDATE and self._own_vote_persist is None:
            self._own_vote_persist = persist_number

    def persisted(self, persist_number: int) -> None:
        own = self._own_vote_persist
        if self._state.role is Role.CANDIDATE and own is not None and own <= persist_number:
            self._votes.add(self._state.node_id)

    def answered(self, voter: NodeId, response: VoteResponse) -> None:
        """A vote of the running campaign; others are not counted."""
        state = self._state
        if not response.granted:
            return
        if response.pre_vote:
            current = state.role is Role.PRE_CANDIDATE and response.term == state.term + 1
        else:
            current = state.role is Role.CANDIDATE and response.term == state.term
        if current:
            self._votes.add(voter)

    @property
    def won(self) -> bool:
        """Votes of nodes that are no voters, this one perhaps among them, do not count."""
        return self._state.has_majority(self._votes)

    def _other_voters(self) -> list[NodeId]:
        return [each for each in self._state.membership.voters if each != self._state.node_id]

    # --- voting ------------------------------------------------------------------------------------------------------

    def is_sticky(self, request: VoteRequest) -> bool:
        """Whether a living leader keeps this node from looking at the request at all.

        Also one of an earlier term than this node's: what it was promised holds for its time (see `lease`).
        """
        state = self._state
        if request.transfer:
            return False
        return state.role is Role.LEADER or self.ticks_since_leader < state.config.election_ticks

    def consider(self, candidate: NodeId, request: VoteRequest) -> None:
        """Answer a request of this term, or a pre-vote for a later one. A vote leaves once it is durable."""
        if request.pre_vote:
            granted = request.term > self._state.term and self._is_up_to_date(request)
            answer_term = request.term if granted else self._state.term
            self._state.send(candidate, VoteResponse(answer_term, pre_vote=True, granted=granted))
            return
        granted = self._state.voted_for in (None, candidate) and self._is_up_to_date(request)
        if granted and self._state.voted_for is None:
            self._state.voted_for = candidate
            self._state.hard_state_changed = True
        if granted:
            self.restart_timer()
        self._state.send_after_persist(candidate, VoteResponse(self._state.term, pre_vote=False, granted=granted))

    def refuse_stale(self, candidate: NodeId, request: VoteRequest) -> None:
        """The candidate is in an earlier term: tell it this one."""
        self._state.send(candidate, VoteResponse(self._state.term, request.pre_vote, granted=False))

    def _is_up_to_date(self, request: VoteRequest) -> bool:
        log = self._state.log
        return (request.last_term, request.last_index) >= (log.last_term, log.last_index)
