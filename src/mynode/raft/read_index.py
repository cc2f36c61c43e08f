"""Read index: linearizable reads without a log entry (section 8 of the paper, dissertation 6.4).

The leader notes its commit index, proves by a heartbeat round begun afterwards that it still leads, and answers; any
state that has applied that index serves the read. Before the first entry of its term is committed, a leader does not
know what is committed, and reads wait. Reads of one node are asked together; those that come while a round runs wait
for the next one, since a running round proves nothing about what came after it began. With a lease (see `lease`) there
is no round: they are answered by the step that they come with.
"""

from __future__ import annotations

from dataclasses import dataclass

from mynode.base.ids import LogIndex, NodeId
from mynode.raft.effects import ReadReady
from mynode.raft.messages import ReadIndexRequest, ReadIndexResponse
from mynode.raft.replication import Leadership
from mynode.raft.state import NodeState


class ReadRounds:
    """The leader's side, of one term: who asked, and the round that shall confirm it.

    Invariants: no round runs (`_round` is 0) exactly while `_asked` is empty.
    """

    def __init__(self, state: NodeState, leadership: Leadership) -> None:
        self._state = state
        self._leadership = leadership
        self._waiting: dict[tuple[NodeId, int], None] = {}
        self._asked: dict[tuple[NodeId, int], None] = {}
        self._round = 0
        self._index: LogIndex = 0

    def ask(self, origin: NodeId, token: int) -> None:
        """A node, perhaps this one, wants a read index; asked twice, it may be answered twice."""
        self._waiting[origin, token] = None

    def cancel(self, token: int) -> None:
        """This node's own read needs no answer any more."""
        own = (self._state.node_id, token)
        self._waiting.pop(own, None)
        self._asked.pop(own, None)
        if not self._asked:
            self._round = 0

    def own_tokens(self) -> list[int]:
        """This node's own unanswered reads."""
        return [token for origin, token in (*self._asked, *self._waiting) if origin == self._state.node_id]

    def confirm(self) -> None:
        """Answer the running round if a quorum has, then those that wait by the lease, or begin the next one."""
        state, leadership = self._state, self._leadership
        if self._round and leadership.round_is_confirmed(self._round):
            self._answer()
        if not self._waiting or state.commit < leadership.first_index:
            return
        if leadership.has_lease:
            self._asked |= self._waiting
            self._waiting = {}
            self._index = state.commit
            self._answer()
        elif not self._round:
            self._asked, self._waiting = self._waiting, {}
            self._index = state.commit
            self._round = leadership.ask_quorum()
            if leadership.round_is_confirmed(self._round):
                self._answer()

    def tick(self) -> None:
        """A round that still runs after a while is begun anew with everybody."""
        if self._round:
            self._leadership.send_heartbeats()

    def _answer(self) -> None:
        state = self._state
        for origin, token in self._asked:
            if origin == state.node_id:
                state.effects.read_ready.append(ReadReady(token, self._index))
            else:
                state.send(origin, ReadIndexResponse(state.term, token, self._index))
        self._asked = {}
        self._round = 0


@dataclass(slots=True)
class _Batch:
    """Local reads that were asked of the leader under one token."""

    tokens: list[int]
    resend_at: int = 0


class LocalReads:
    """The asking side on every node: reads of local clients until they are answered.

    The tokens it sends are its own: they rise from a random beginning, so that no answer to an earlier process of
    this node is taken for one of its own. A batch keeps its token only as long as term and leader stay; then all
    reads are asked anew under a new token, and late answers find nobody.

    Invariants: a read is in exactly one place: `_unsent`, one batch, or the leader's `ReadRounds`.
    """

    def __init__(self, state: NodeState) -> None:
        self._state = state
        self._unsent: list[int] = []
        self._batches: dict[int, _Batch] = {}
        self._next_token = state.random.getrandbits(40) << 20

    def add(self, token: int) -> None:
        self._unsent.append(token)

    def put_back(self, tokens: list[int]) -> None:
        """Reads that this node, a leader no more, has not answered."""
        self._unsent = tokens + self._unsent

    def cancel(self, token: int) -> None:
        for tokens in (self._unsent, *[batch.tokens for batch in self._batches.values()]):
            if token in tokens:
                tokens.remove(token)

    def leader_changed(self) -> None:
        """Term or leader changed: nothing that was asked before is waited for."""
        asked = [token for batch in self._batches.values() for token in batch.tokens]
        self._batches.clear()
        self.put_back(asked)

    def ask_leader(self) -> None:
        """Another node leads, or none does: forward what waits, in one batch, once the batch before is answered.

        What comes meanwhile could not join the leader's running round anyhow, and is asked for by one message.
        """
        if self._state.leader is not None and self._unsent and not self._batches:
            batch = _Batch(self._unsent)
            self._batches[self._next_token] = batch
            self._unsent = []
            self._send(self._next_token, batch)
            self._next_token += 1

    def tick(self) -> None:
        """Ask again, under the same token, for what got no answer in a heartbeat's time."""
        for token, batch in list(self._batches.items()):
            if not batch.tokens:
                del self._batches[token]
            elif batch.resend_at <= self._state.now:
                self._send(token, batch)

    def _send(self, token: int, batch: _Batch) -> None:
        state = self._state
        batch.resend_at = state.now + state.config.heartbeat_ticks + 1
        if state.leader is not None:
            state.send(state.leader, ReadIndexRequest(state.term, token))

    def ask(self, rounds: ReadRounds) -> None:
        """This node leads: its reads wait for the next round."""
        for token in self._unsent:
            rounds.ask(self._state.node_id, token)
        self._unsent = []

    def answered(self, sender: NodeId, response: ReadIndexResponse) -> None:
        """An answer of this term's leader; index 0 says that it has none, and the batch is asked again later."""
        if sender != self._state.leader or response.index == 0:
            return
        batch = self._batches.pop(response.token, None)
        if batch is not None:
            self._state.effects.read_ready.extend(ReadReady(token, response.index) for token in batch.tokens)
