"""Snapshots for followers whose next entries the leader's log no longer holds (section 7, dissertation chapter 5).

The leader asks what the follower holds of its snapshot, and then sends what follows, a bounded part at a time, the next
one when the last one is stored. So memory stays bounded on both sides, and after a loss or a restart of either they
go on where they were. Nothing here opens a snapshot: its bytes come and go by effects.
"""

from __future__ import annotations

from mynode.base.ids import LogIndex, NodeId
from mynode.raft.delivery import Delivery
from mynode.raft.effects import InstallSnapshot, Role, Snapshot, StoreSnapshotChunk
from mynode.raft.events import SnapshotInstalled, SnapshotLoaded, SnapshotStored
from mynode.raft.membership import Memberships, decode_membership, encode_membership
from mynode.raft.messages import SnapshotChunk, SnapshotResponse
from mynode.raft.proposals import Proposals
from mynode.raft.receiver import AppendReceiver
from mynode.raft.state import NodeState


class _Stream:
    """One follower's snapshot: what it is known to hold, and what is on its way.

    Invariants: `is_unanswered` (a part or a question is on its way) or a part is being loaded, not both.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.offset = 0
        self.is_asking = True
        """The next answer is taken at its word: it may be less than was known."""
        self.is_unanswered = False
        self.check_round = 0
        """An answer to this heartbeat round, sent after what is unanswered, says that it was lost."""
        self.load_generation: int | None = None


class SnapshotSender:
    """The leader's side, of one term: a stream for each follower that needs one."""

    def __init__(self, state: NodeState) -> None:
        self._state = state
        self._streams: dict[NodeId, _Stream] = {}

    def begin(self, peer: NodeId, snapshot: Snapshot) -> None:
        stream = self._streams[peer] = _Stream(snapshot)
        self._ask(peer, stream)

    def end(self, peer: NodeId) -> None:
        self._streams.pop(peer, None)

    def index(self, peer: NodeId) -> LogIndex:
        """Up to where the snapshot that this peer is getting reaches."""
        return self._streams[peer].snapshot.index

    def _ask(self, peer: NodeId, stream: _Stream) -> None:
        stream.is_asking = True
        stream.load_generation = None
        self._send(peer, stream, b"", 0, is_last=False)

    def _send(self, peer: NodeId, stream: _Stream, data: bytes, checksum: int, *, is_last: bool) -> None:
        state, snapshot = self._state, stream.snapshot
        stream.is_unanswered = True
        stream.check_round = 0
        members = encode_membership(snapshot.membership)
        state.send(
            peer,
            SnapshotChunk(
                state.term, snapshot.index, snapshot.term, members, stream.offset, data, checksum, is_last=is_last
            ),
        )

    def answered(self, peer: NodeId, response: SnapshotResponse) -> None:
        """Go on after what the follower holds; an answer that tells nothing new is a late one."""
        stream = self._streams.get(peer)
        if stream is None or (response.index, response.index_term) != (stream.snapshot.index, stream.snapshot.term):
            return
        if not stream.is_asking and response.size <= stream.offset:
            return
        stream.is_asking = stream.is_unanswered = False
        stream.check_round = 0
        stream.offset = response.size
        stream.load_generation = self._state.load_snapshot(stream.snapshot, stream.offset)

    def loaded(self, event: SnapshotLoaded) -> None:
        for peer, stream in self._streams.items():
            if stream.load_generation == event.generation:
                stream.load_generation = None
                self._take_loaded(peer, stream, event)

    def _take_loaded(self, peer: NodeId, stream: _Stream, event: SnapshotLoaded) -> None:
        if event.data is not None:
            self._send(peer, stream, event.data, event.checksum, is_last=event.is_last)
            return
        # The snapshot is gone. The next heartbeats ask anew, for the newest there is by then.
        stream.snapshot = self._state.snapshot or stream.snapshot
        stream.offset = 0
        stream.is_unanswered = True
        stream.check_round = 0

    def heartbeat_sent(self, round_: int) -> None:
        for stream in self._streams.values():
            if stream.is_unanswered and stream.check_round == 0:
                stream.check_round = round_

    def heartbeat_answered(self, peer: NodeId, round_: int) -> None:
        """Messages keep their order: what left before the heartbeat is there, perhaps being written, or lost."""
        stream = self._streams.get(peer)
        if stream is not None and 0 < stream.check_round <= round_:
            self._ask(peer, stream)


class SnapshotReceiver:
    """The follower's side: one part at a time is stored, the whole takes the place of log and state.

    While it does (`NodeState.installing`), the node takes in no appends, delivers nothing and does not campaign.
    """

    def __init__(self, state: NodeState, receiver: AppendReceiver, proposals: Proposals, delivery: Delivery) -> None:
        self._state = state
        self._receiver = receiver
        self._proposals = proposals
        self._delivery = delivery
        self._storing: tuple[NodeId, SnapshotChunk] | None = None

    def chunk(self, leader: NodeId, chunk: SnapshotChunk) -> None:
        """The leader sends or asks. While a part is stored or installed, its own answer will do."""
        state = self._state
        if state.installing is not None or self._storing is not None:
            return
        if self._is_here(chunk):
            self._receiver.agree(leader, chunk.index)
            return
        self._storing = (leader, chunk)
        state.effects.store_chunk = StoreSnapshotChunk(
            leader, chunk.index, chunk.index_term, chunk.offset, chunk.data, chunk.checksum
        )

    def _is_here(self, chunk: SnapshotChunk) -> bool:
        """A stale snapshot: what it includes is committed here, or in the log, which may hold more."""
        return chunk.index <= self._state.commit or self._state.log.holds(chunk.index, chunk.index_term)

    def stored(self, event: SnapshotStored) -> None:
        if self._storing is None or (event.index, event.term) != (self._storing[1].index, self._storing[1].index_term):
            return
        source, chunk = self._storing
        self._storing = None
        state = self._state
        if state.role is not Role.FOLLOWER or state.leader != source:
            return
        if self._is_here(chunk):
            self._receiver.agree(source, chunk.index)
        elif chunk.is_last and event.size == chunk.offset + len(chunk.data):
            self._install(source, chunk)
        else:
            state.send(source, SnapshotResponse(state.term, chunk.index, chunk.index_term, event.size))

    def _install(self, source: NodeId, chunk: SnapshotChunk) -> None:
        state = self._state
        snapshot = Snapshot(chunk.index, chunk.index_term, decode_membership(chunk.membership))
        state.installing = snapshot
        state.effects.install = InstallSnapshot(source, snapshot)
        self._delivery.stop()

    def installed(self, event: SnapshotInstalled) -> None:
        state, snapshot = self._state, self._state.installing
        if snapshot is None or (event.index, event.term) != (snapshot.index, snapshot.term):
            return
        state.installing = None
        if not event.installed:
            return
        state.snapshot = snapshot
        state.log.replace(snapshot.index, snapshot.term)
        state.memberships = Memberships(snapshot.index, snapshot.membership)
        state.config_changed()
        self._delivery.skip_to(snapshot.index)
        self._proposals.log_replaced()
        state.commit = snapshot.index
        if state.leader is not None:
            self._receiver.agree(state.leader, snapshot.index)
