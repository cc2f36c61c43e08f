"""Raft's safety properties (Figure 3 of the paper) as checks of a running `RaftCluster`, and random schedules for it.

`SafetyChecker` looks at every step and every message:

| property | check |
|---|---|
| Election Safety | no term has two leaders |
| Leader Append-Only | a leader persists only after the end of its log |
| Log Matching | entries of one index and term are equal everywhere, and so is the term before them |
| Leader Completeness | who becomes leader holds all that was committed before |
| State Machine Safety | all nodes deliver the same entry at an index, in order, once |
| durability | a committed entry is on a quorum of disks; a vote and an acknowledgement leave after the disk has them |
| snapshots | what a snapshot brings is what was committed |
| membership | configurations differ from those before by one voter; a quorum is one of the leader's voters |
| linearizable reads | a read's index is at least every commit index that any node had when it was asked |
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from mynode.base.ids import LogIndex, NodeId, ProposalId, Term
from mynode.base.invariant import invariant
from mynode.raft.config import RaftConfig
from mynode.raft.effects import Effects, Persist, Role
from mynode.raft.events import (
    CancelProposal,
    CancelRead,
    ChangeMembership,
    Event,
    PeerUnreachable,
    Propose,
    ReadIndex,
    SnapshotInstalled,
    Tick,
    TransferLeadership,
)
from mynode.raft.membership import ChangeKind, Membership, MembershipChange, decode_membership
from mynode.raft.messages import AppendResponse, Entry, EntryKind, Proposal, VoteResponse
from mynode.testing.raft_cluster import Envelope, RaftCluster, SimulatedNode

ELECTION_TICKS: Final = 6
MAX_IN_NETWORK: Final = 60
"""Beyond it a schedule's network loses messages, so that no run is buried in resends."""


class SafetyChecker:
    """Remembers what must stay true, and raises `InvariantViolation` when it does not."""

    def __init__(self, size: int) -> None:
        self._first = Membership(dict.fromkeys(range(1, size + 1), ""))
        self._leaders: dict[Term, NodeId] = {}
        self._entries: dict[tuple[LogIndex, Term], tuple[Entry, Term]] = {}
        self.committed: list[Entry] = []
        self._roles: dict[NodeId, tuple[Term, Role, int]] = {}
        self.cluster: RaftCluster | None = None
        self.reads: dict[int, tuple[SimulatedNode, LogIndex]] = {}
        """Unanswered reads: where they were asked, and the least index that may answer them."""

    # --- hooks of the cluster ----------------------------------------------------------------------------------------

    def on_step(self, node: SimulatedNode, events: Sequence[Event], effects: Effects) -> None:
        status = node.core.status()
        if effects.persist is not None:
            self._check_persist(node, effects.persist)
        if status.role is Role.LEADER:
            leader = self._leaders.setdefault(status.term, node.node_id)
            invariant(leader == node.node_id, f"term {status.term} has the leaders {leader} and {node.node_id}")
        before = self._roles.get(node.node_id)
        if status.role is Role.LEADER and before is not None and before[1] is not Role.LEADER:
            held = node.log[: len(self.committed)]
            invariant(held == self.committed, f"leader {node.node_id} of term {status.term} lacks a committed entry")
        self._roles[node.node_id] = (status.term, status.role, len(node.log))
        self._check_members(node, status.membership)
        self._check_commit(node, status.commit, status.membership)
        if any(isinstance(event, SnapshotInstalled) and event.installed for event in events):
            invariant(node.applied == self.committed[: len(node.applied)], "a snapshot holds what was committed")
        self._check_delivery(node, effects.committed)
        for ready in effects.read_ready:
            asked_at, least = self.reads.pop(ready.token)
            invariant(asked_at is node, "a read is answered where it was asked")
            invariant(ready.index >= least, f"read {ready.token} got {ready.index}, but {least} was committed before")

    def on_post(self, node: SimulatedNode, envelope: Envelope) -> None:
        match envelope.message:
            case VoteResponse(term, False, True):
                state = node.disk.hard_state
                durable = state.term > term or (state.term == term and state.voted_for == envelope.to)
                invariant(durable, "a vote leaves only when it is durable")
            case AppendResponse(term, True, match_index):
                durable = len(node.disk.entries) >= match_index and node.disk.hard_state.term >= term
                invariant(durable, "an acknowledgement leaves only when all is durable")
            case _:
                pass

    def read_asked(self, node: SimulatedNode, token: int) -> None:
        self.reads[token] = (node, len(self.committed))

    # --- the properties ----------------------------------------------------------------------------------------------

    def _check_persist(self, node: SimulatedNode, persist: Persist) -> None:
        if persist.hard_state is not None:
            disk = node.disk.hard_state
            for earlier in [disk, *[each.hard_state for each in node.disk.waiting if each is not persist]]:
                if earlier is not None:
                    invariant(earlier.term <= persist.hard_state.term, "a term never falls")
                    same = earlier.term == persist.hard_state.term and earlier.voted_for is not None
                    invariant(not same or earlier.voted_for == persist.hard_state.voted_for, "one vote a term")
        for entry in persist.entries:
            term_before = node.log[entry.index - 2].term if entry.index > 1 else 0
            known = self._entries.setdefault((entry.index, entry.term), (entry, term_before))
            invariant(known == (entry, term_before), f"logs differ at {entry.index} of term {entry.term}")
        before = self._roles.get(node.node_id)
        status = node.core.status()
        if persist.entries and before is not None and status.role is Role.LEADER:
            was_leader = before[:2] == (status.term, Role.LEADER)
            invariant(not was_leader or persist.entries[0].index == before[2] + 1, "a leader only appends")

    def _check_commit(self, node: SimulatedNode, commit: LogIndex, membership: Membership) -> None:
        known = len(self.committed)
        if commit > known:
            assert self.cluster is not None
            newest = node.log[commit - 1]
            disks = [self.cluster.nodes[voter].disk.entries for voter in membership.voters]
            holders = [disk for disk in disks if len(disk) >= commit and disk[commit - 1] == newest]
            invariant(len(holders) >= membership.quorum, f"entry {commit} is committed on {len(holders)} disks")
            self.committed.extend(node.log[known:commit])
            self._check_configs()
        else:
            invariant(commit == 0 or node.log[commit - 1] == self.committed[commit - 1], "committed entries are equal")

    def _check_members(self, node: SimulatedNode, membership: Membership) -> None:
        """A node counts by the newest configuration of its log; before one, by the first, or, if it joins, by none."""
        configs = (entry.payload for entry in reversed(node.log) if entry.kind is EntryKind.CONFIG)
        newest = next(configs, None)
        expected = [Membership(), self._first] if newest is None else [decode_membership(newest)]
        invariant(membership in expected, f"node {node.node_id} counts by {membership}, its log says {expected}")

    def _check_configs(self) -> None:
        before = self._first
        for entry in self.committed:
            if entry.kind is EntryKind.CONFIG:
                after = decode_membership(entry.payload)
                invariant(len(before.voters.keys() ^ after.voters.keys()) <= 1, "one voter comes or goes at a time")
                before = after

    def _check_delivery(self, node: SimulatedNode, delivered: Sequence[Entry]) -> None:
        for entry in delivered:
            invariant(self.committed[entry.index - 1] == entry, f"node {node.node_id} delivers another {entry.index}")
            invariant(node.disk.entries[entry.index - 1] == entry, "what is delivered is durable")
        if delivered:
            indexes = [entry.index for entry in node.applied[-len(delivered) :]]
            first = len(node.applied) - len(delivered) + 1
            invariant(indexes == list(range(first, first + len(delivered))), "each entry is delivered once, in order")


class RandomSchedule:
    """One random run: all that can happen to a cluster does, in an order that the seed alone decides."""

    def __init__(self, seed: int, size: int, joining: int = 2) -> None:
        self.random = Random(seed)
        self.checker = SafetyChecker(size)
        random = self.random
        config = RaftConfig(
            1,
            tuple(range(1, size + 1)),
            election_ticks=ELECTION_TICKS,
            heartbeat_ticks=2,
            max_append_entries=random.choice((1, 3, 100)),
            max_append_bytes=random.choice((8, 1_000)),
            max_inflight_appends=random.choice((1, 3, 16)),
            max_load_bytes=random.choice((8, 1_000)),
            log_tail_bytes=random.choice((0, 1_000, 1_000_000)),
            max_uncommitted_bytes=random.choice((60, 10_000)),
            snapshot_chunk_bytes=random.choice((20, 200, 100_000)),
            caught_up_entries=random.choice((2, 1_000)),
        )
        self.cluster = RaftCluster(
            size,
            joining=joining,
            seed=seed,
            config=config,
            tail_entries=random.choice((1, 5, None)),
            on_step=self._on_step,
            on_post=self.checker.on_post,
        )
        self.checker.cluster = self.cluster
        self._proposed = 0
        self._tokens = 0
        self.waiting: dict[ProposalId, SimulatedNode] = {}
        """Proposals that are neither delivered to their proposer, nor rejected, nor cancelled."""
        # Each schedule has its own weather: how often messages are lost, disks are slow, nodes die.
        self._weights = {action: random.choice(choices) for action, choices in _ACTIONS.items()}

    def run(self, actions: int) -> None:
        names = list(self._weights)
        weights = list(self._weights.values())
        for name in self.random.choices(names, weights, k=actions):
            getattr(self, f"_{name}")(self.random.choice(list(self.cluster.nodes)))

    def finish(self) -> None:
        """Heal everything: then a leader is found, all proposals and reads are answered, all logs are equal."""
        cluster = self.cluster
        cluster.heal()
        for node_id, node in cluster.nodes.items():
            if not node.alive:
                self._restart(node_id)
        for _ in range(30 * ELECTION_TICKS):
            for node_id in cluster.nodes:
                cluster.step(node_id, Tick())
            cluster.settle()
        leader = cluster.leader()
        assert leader is not None, "a healed cluster has a leader"
        members = cluster.nodes[leader].core.status().membership.members
        for node_id, node in cluster.nodes.items():
            if node_id not in members:
                self._forget(node)
        invariant(not self.waiting, f"a healed cluster answers every proposal, not {list(self.waiting)}")
        invariant(not self.checker.reads, f"a healed cluster answers every read, not {list(self.checker.reads)}")
        for node in [cluster.nodes[member] for member in members]:
            invariant(node.applied == self.checker.committed, "all nodes of a healed cluster have delivered the same")

    @property
    def duplicates(self) -> int:
        """Entries whose proposal was in the log before."""
        ids = [entry.proposal_id for entry in self.checker.committed if entry.proposal_id]
        return len(ids) - len(set(ids))

    def _on_step(self, node: SimulatedNode, events: Sequence[Event], effects: Effects) -> None:
        self.checker.on_step(node, events, effects)
        for entry in effects.committed:
            if self.waiting.get(entry.proposal_id) is node:
                del self.waiting[entry.proposal_id]
        for rejected in effects.rejected:
            if isinstance(rejected.key, bytes):
                self.waiting.pop(rejected.key, None)

    # --- what can happen ---------------------------------------------------------------------------------------------

    def _deliver(self, node_id: NodeId) -> None:
        network = self.cluster.network
        while len(network) > MAX_IN_NETWORK:
            network.pop(self.random.randrange(len(network)))
        for _ in range(self.random.randint(1, 6)):
            if network:
                self.cluster.deliver(0)

    def _deliver_any(self, node_id: NodeId) -> None:
        if self.cluster.network:
            self.cluster.deliver(self.random.randrange(len(self.cluster.network)))

    def _deliver_batch(self, node_id: NodeId) -> None:
        self.cluster.deliver_all_to(node_id)

    def _repeat(self, node_id: NodeId) -> None:
        if self.cluster.network:
            self.cluster.deliver(self.random.randrange(len(self.cluster.network)), keep=True)

    def _lose(self, node_id: NodeId) -> None:
        if self.cluster.network:
            self.cluster.network.pop(self.random.randrange(len(self.cluster.network)))

    def _tick(self, node_id: NodeId) -> None:
        self._step(node_id, Tick())

    def _tick_all(self, node_id: NodeId) -> None:
        for each in self.cluster.nodes:
            self._step(each, Tick())

    def _sync(self, node_id: NodeId) -> None:
        self.cluster.sync(node_id, tell=True)

    def _load(self, node_id: NodeId) -> None:
        self.cluster.answer_load(node_id)

    def _propose(self, node_id: NodeId) -> None:
        node = self.cluster.nodes[node_id]
        if node.alive:
            proposals = []
            for _ in range(self.random.randint(1, 3)):
                self._proposed += 1
                id_ = f"p{self._proposed}".encode()
                proposals.append(Proposal(id_, EntryKind.COMMAND, id_ * self.random.randint(1, 3)))
                self.waiting[id_] = node
            self._step(node_id, Propose(tuple(proposals)))

    def _cancel(self, node_id: NodeId) -> None:
        own = [id_ for id_, node in self.waiting.items() if node is self.cluster.nodes[node_id]]
        if own:
            self._step(node_id, CancelProposal(own[0]))
            self.waiting.pop(own[0], None)

    def _read(self, node_id: NodeId) -> None:
        node = self.cluster.nodes[node_id]
        if node.alive:
            self._tokens += 1
            self.checker.read_asked(node, self._tokens)
            self._step(node_id, ReadIndex(self._tokens))

    def _cancel_read(self, node_id: NodeId) -> None:
        own = [token for token, (node, _) in self.checker.reads.items() if node is self.cluster.nodes[node_id]]
        if own:
            del self.checker.reads[own[0]]
            self._step(node_id, CancelRead(own[0]))

    def _transfer(self, node_id: NodeId) -> None:
        self._step(node_id, TransferLeadership(self.random.choice([None, *self.cluster.nodes])))

    def _unreachable(self, node_id: NodeId) -> None:
        self._step(node_id, PeerUnreachable(self.random.choice(list(self.cluster.nodes))))

    def _crash(self, node_id: NodeId) -> None:
        node = self.cluster.nodes[node_id]
        self.cluster.crash(node_id, installed=self.random.random() < 0.5)
        self._forget(node)

    def _forget(self, node: SimulatedNode) -> None:
        """Nobody waits any more for what was asked of this node."""
        self.waiting = {id_: at for id_, at in self.waiting.items() if at is not node}
        self.checker.reads = {token: read for token, read in self.checker.reads.items() if read[0] is not node}

    def _restart(self, node_id: NodeId) -> None:
        if not self.cluster.nodes[node_id].alive:
            self.cluster.restart(node_id)

    def _change(self, node_id: NodeId) -> None:
        """An operator asks the leader, mostly, for some change of the members."""
        leader = self.cluster.leader()
        at = leader if leader is not None and self.random.random() < 0.8 else node_id
        kind = self.random.choice((ChangeKind.ADD_LEARNER, ChangeKind.PROMOTE, ChangeKind.PROMOTE, ChangeKind.REMOVE))
        self._proposed += 1
        change = MembershipChange(kind, self.random.choice(list(self.cluster.nodes)), "")
        self._step(at, ChangeMembership(f"c{self._proposed}".encode(), change))

    def _snapshot(self, node_id: NodeId) -> None:
        self.cluster.take_snapshot(node_id)

    def _compact(self, node_id: NodeId) -> None:
        self.cluster.compact(node_id, self.random.choice((None, len(self.cluster.nodes[node_id].applied) // 2)))

    def _fetch(self, node_id: NodeId) -> None:
        self.cluster.answer_snapshot_load(node_id, gone=self.random.random() < 0.05)

    def _store(self, node_id: NodeId) -> None:
        self.cluster.answer_store(node_id)

    def _install(self, node_id: NodeId) -> None:
        self.cluster.answer_install(node_id)

    def _partition(self, node_id: NodeId) -> None:
        sides = {each: self.random.random() < 0.5 for each in self.cluster.nodes}
        self.cluster.partition([each for each in sides if sides[each]], [each for each in sides if not sides[each]])

    def _depose(self, node_id: NodeId) -> None:
        """The leader is cut off, or only slow, and time passes for the others until they elect another."""
        leader = self.cluster.leader()
        others = [each for each in self.cluster.nodes if each != leader]
        if leader is None or not others:
            return
        if self.random.random() < 0.7:
            self.cluster.partition([leader], others)
        patience = self.random.randint(1, 4) * ELECTION_TICKS
        for _ in range(patience):
            for each in others:
                self._step(each, Tick())
                self.cluster.sync(each)
            self._deliver(node_id)
            if self.cluster.leader() not in (leader, None) and self.random.random() < 0.5:
                break

    def _cut(self, node_id: NodeId) -> None:
        self.cluster.cut.add((node_id, self.random.choice(list(self.cluster.nodes))))

    def _heal(self, node_id: NodeId) -> None:
        self.cluster.heal()

    def _calm(self, node_id: NodeId) -> None:
        self.cluster.settle()

    def _step(self, node_id: NodeId, event: Event) -> None:
        if self.cluster.nodes[node_id].alive:
            self.cluster.step(node_id, event)


_ACTIONS: Final[dict[str, tuple[float, ...]]] = {
    "deliver": (100, 300),
    "deliver_any": (0, 30, 300),
    "deliver_batch": (10, 60),
    "repeat": (0, 10, 60),
    "lose": (0, 10, 60),
    "tick": (10, 60),
    "tick_all": (10, 40),
    "sync": (60, 300),
    "load": (20, 100),
    "propose": (10, 60),
    "cancel": (0, 5),
    "read": (10, 40),
    "cancel_read": (0, 5),
    "transfer": (0, 3, 10),
    "unreachable": (0, 5),
    "change": (0, 10, 40),
    "snapshot": (0, 10, 60),
    "compact": (5, 60),
    "fetch": (20, 100),
    "store": (20, 100),
    "install": (10, 50),
    "crash": (0, 3, 10),
    "restart": (5, 20),
    "depose": (0, 5, 20),
    "partition": (0, 2, 6),
    "cut": (0, 4),
    "heal": (4, 20),
    "calm": (0, 1, 4),
}
"""Each thing that can happen, and the weights a schedule picks one from."""
