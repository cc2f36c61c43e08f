"""Random schedules for a `RaftCluster`: all that can happen to it, in an order that a seed alone decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Final

from mynode.base.ids import NodeId, ProposalId
from mynode.base.invariant import invariant
from mynode.base.limits import TICK_MS
from mynode.raft.config import RaftConfig
from mynode.raft.effects import Effects
from mynode.raft.events import (
    CancelProposal,
    CancelRead,
    ChangeMembership,
    DeliveryPaused,
    Event,
    PeerIntroduced,
    PeerUnreachable,
    Propose,
    ReadIndex,
    Receive,
    Tick,
    TransferLeadership,
)
from mynode.raft.membership import ChangeKind, MembershipChange
from mynode.raft.messages import EntryKind, Proposal
from mynode.testing.raft_cluster import RaftCluster, SimulatedNode
from mynode.testing.raft_safety import SafetyChecker
from mynode.testing.raft_time import DriftingClocks

ELECTION_TICKS: Final = 6
MAX_IN_NETWORK: Final = 60
"""Beyond it a schedule's network loses messages, so that no run is buried in resends."""


class RandomSchedule:
    """One random run.

    - Messages are lost, doubled, reordered, and swallowed by links, in one direction or both.
    - A disk syncs late, or not at all while it is full; at a failed sync the node stops. A crash leaves of what was not
      synced any part of it, from the first record on.
    - Nodes are paused and go on, each counts its own ticks, and some count faster than others.
    - With `leases` reads rest on clocks, which go on while a node is paused, and drift as far as they may.
    - Clients propose, read, and give up; operators change the members and the leader; logs are cut behind snapshots.

    Attributes:
        happened: how often each action, event, message and effect occurred, by its name.
    """

    def __init__(self, seed: int, size: int, joining: int = 2, *, leases: bool = False) -> None:
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
            promise_ms=(ELECTION_TICKS - 2) * TICK_MS if leases else 0,
            lease_reads=leases,
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
        self._clocks = DriftingClocks(self.cluster.nodes, Random(seed))
        self._proposed = 0
        self._tokens = 0
        self.waiting: dict[ProposalId, SimulatedNode] = {}
        """Proposals that are neither delivered to their proposer, nor rejected, nor cancelled."""
        self._speeds = {node_id: random.choice((1, 1, 1, 2, 3)) for node_id in self.cluster.nodes}
        self._paused: set[NodeId] = set()
        self._full: set[NodeId] = set()
        self.happened: Counter[str] = Counter()
        # Each schedule has its own weather: how often messages are lost, disks are slow, nodes die.
        self._weights = {action: random.choice(choices) for action, choices in ACTION_WEIGHTS.items()}

    def run(self, actions: int) -> None:
        names = list(self._weights)
        weights = list(self._weights.values())
        for name in self.random.choices(names, weights, k=actions):
            node_id = self.random.choice(list(self.cluster.nodes))
            if name not in _DONE_BY_A_NODE or node_id not in self._paused:
                self.happened[name] += 1
                getattr(self, f"_{name}")(node_id)

    def finish(self) -> None:
        """Heal everything: then a leader is found, all proposals and reads are answered, all logs are equal."""
        cluster = self.cluster
        cluster.heal()
        self._calm(1)
        for node_id, node in cluster.nodes.items():
            if not node.alive:
                cluster.restart(node_id)
            self._step(node_id, DeliveryPaused(False))
        for _ in range(30 * ELECTION_TICKS):
            for node_id in cluster.nodes:
                self._step(node_id, Tick())
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

    def usurp(self) -> None:
        """In a calm cluster one node hears nothing for a while, then gets the others' votes, if they give them.

        The leader, which is cut off by then, is read at all the while. Leases are to be no longer than what keeps the
        votes back: here it is shaken by restarts, handing over and changes of the members.
        """
        cluster, random = self.cluster, self.random
        for _ in range(10 * ELECTION_TICKS):
            self._tick_all(1)
            cluster.settle()
        leader = cluster.leader()
        assert leader is not None, "a calm cluster has a leader"
        others = [each for each in cluster.nodes if each != leader]
        usurper = random.choice(others)
        if random.random() < 0.3:
            self._step(leader, TransferLeadership(usurper))
        for _ in range(random.randint(1, 3 * ELECTION_TICKS)):
            self._tick_all(leader)
            self._deliver_but_to(usurper)
        if random.random() < 0.3:
            self._change(leader)
            self._deliver_but_to(usurper)
        if random.random() < 0.3:
            self._deliver_from(leader, usurper)
        shaken = [each for each in others if each != usurper and random.random() < 0.7]
        for each in shaken if random.random() < 0.5 else ():
            self._bounce(each)
        cluster.partition([leader], others)
        awake = [usurper, *random.choice((others, ()))]
        for _ in range(random.randint(1, 2 * ELECTION_TICKS)):
            for each in awake:
                self._tick(each)
            self._propose(usurper)
            self._deliver_but_to(leader)
            self._read(leader)
        cluster.heal()

    @property
    def duplicates(self) -> int:
        """Entries whose proposal was in the log before."""
        ids = [entry.proposal_id for entry in self.checker.committed if entry.proposal_id]
        return len(ids) - len(set(ids))

    def _on_step(self, node: SimulatedNode, events: Sequence[Event], effects: Effects) -> None:
        self.checker.on_step(node, events, effects)
        for event in events:
            self.happened[type(event.message if isinstance(event, Receive) else event).__name__] += 1
        self.happened.update(name for name in Effects.__slots__ if getattr(effects, name))
        for entry in effects.committed:
            if self.waiting.get(entry.proposal_id) is node:
                del self.waiting[entry.proposal_id]
        for rejected in effects.rejected:
            if isinstance(rejected.key, bytes):
                self.waiting.pop(rejected.key, None)

    # --- what can happen ---------------------------------------------------------------------------------------------

    def _arriving(self) -> list[int]:
        """Places in the network of what can arrive: a paused node takes nothing in."""
        return [place for place, each in enumerate(self.cluster.network) if each.to not in self._paused]

    def _deliver(self, node_id: NodeId) -> None:
        network = self.cluster.network
        while len(network) > MAX_IN_NETWORK:
            network.pop(self.random.randrange(len(network)))
        for _ in range(self.random.randint(1, 6)):
            arriving = self._arriving()
            if arriving:
                self.cluster.deliver(arriving[0])

    def _deliver_but_to(self, node_id: NodeId) -> None:
        """What is on the way arrives, save for what is on the way to one node."""
        network = self.cluster.network
        for _ in range(MAX_IN_NETWORK):
            place = next((place for place, each in enumerate(network) if each.to != node_id), None)
            if place is not None:
                self.cluster.deliver(place)
            for each in self.cluster.nodes:
                self.cluster.sync(each)

    def _deliver_from(self, sender: NodeId, to: NodeId) -> None:
        """The oldest message on this link arrives."""
        for place, each in enumerate(self.cluster.network):
            if (each.sender, each.to) == (sender, to):
                self.cluster.deliver(place)
                return

    def _deliver_any(self, node_id: NodeId) -> None:
        arriving = self._arriving()
        if arriving:
            self.cluster.deliver(self.random.choice(arriving))

    def _deliver_batch(self, node_id: NodeId) -> None:
        self.cluster.deliver_all_to(node_id)

    def _repeat(self, node_id: NodeId) -> None:
        arriving = self._arriving()
        if arriving:
            self.cluster.deliver(self.random.choice(arriving), keep=True)

    def _lose(self, node_id: NodeId) -> None:
        if self.cluster.network:
            self.cluster.network.pop(self.random.randrange(len(self.cluster.network)))

    def _tick(self, node_id: NodeId) -> None:
        self._step(node_id, Tick())

    def _tick_all(self, node_id: NodeId) -> None:
        """The same time passes for all, which some count as more of it."""
        for each in self.cluster.nodes:
            for _ in range(self._speeds[each]):
                self._step(each, Tick())

    def _pause(self, node_id: NodeId) -> None:
        """The process is stopped in its tracks; its disk may finish what it was asked for."""
        self._paused.add(node_id)

    def _go_on(self, node_id: NodeId) -> None:
        """A node that was paused finds all that waits for it at once, one tick among it."""
        if self._paused:
            node_id = self.random.choice(sorted(self._paused))
            self._paused.discard(node_id)
            self.cluster.deliver_all_to(node_id)
            self._step(node_id, Tick())

    def _sync(self, node_id: NodeId) -> None:
        if node_id not in self._full:
            self.cluster.sync(node_id)

    def _fill(self, node_id: NodeId) -> None:
        """The disk is full: nothing becomes durable until there is room."""
        self._full.add(node_id)

    def _make_room(self, node_id: NodeId) -> None:
        if self._full:
            self._full.discard(self.random.choice(sorted(self._full)))

    def _fail_sync(self, node_id: NodeId) -> None:
        """The node stops at once. What its next start finds of what was to be synced is durable then."""
        node = self.cluster.nodes[node_id]
        if node.alive and node.disk.waiting:
            self._crash(node_id)

    def _load(self, node_id: NodeId) -> None:
        self.cluster.answer_load(node_id)

    def _pause_delivery(self, node_id: NodeId) -> None:
        """The state machine is behind, or has caught up."""
        self._step(node_id, DeliveryPaused(self.random.random() < 0.5))

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
        """Of this node or, as often, of the leader, where reads of all nodes meet."""
        leader = self.cluster.leader()
        if leader is not None and leader not in self._paused and self.random.random() < 0.5:
            node_id = leader
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

    def _introduce(self, node_id: NodeId) -> None:
        """A stream begins: the node, mostly the leader, hears which data directory a peer has."""
        leader = self.cluster.leader()
        at = leader if leader is not None and self.random.random() < 0.8 else node_id
        peer = self.random.choice(list(self.cluster.nodes))
        if peer != at:
            self._step(at, PeerIntroduced(peer, f"directory {peer}"))

    def _crash(self, node_id: NodeId) -> None:
        node = self.cluster.nodes[node_id]
        kept = self.random.choice((0, self.random.randint(0, node.disk.waiting_records)))
        self.happened["torn"] += 0 < kept < node.disk.waiting_records
        installed = node_id not in self._full and self.random.random() < 0.5
        self.cluster.crash(node_id, installed=installed, kept=kept)
        self._paused.discard(node_id)
        self._forget(node)

    def _forget(self, node: SimulatedNode) -> None:
        """Nobody waits any more for what was asked of this node."""
        self.waiting = {id_: at for id_, at in self.waiting.items() if at is not node}
        self.checker.reads = {token: read for token, read in self.checker.reads.items() if read[0] is not node}

    def _restart(self, node_id: NodeId) -> None:
        down = [each.node_id for each in self.cluster.nodes.values() if not each.alive]
        if down:
            self.cluster.restart(self.random.choice(down))

    def _change(self, node_id: NodeId) -> None:
        """An operator asks the leader, mostly, for some change of the members."""
        leader = self.cluster.leader()
        at = leader if leader is not None and self.random.random() < 0.8 else node_id
        members = self.cluster.nodes[at].core.status().membership
        others = self.cluster.nodes.keys() - members.members.keys() - members.removed
        sensible = {
            ChangeKind.ADD_LEARNER: sorted(others),
            ChangeKind.PROMOTE: list(members.learners),
            ChangeKind.REMOVE: [node_id] if self.random.random() < 0.3 else [],
        }
        kind = self.random.choice([each for each in sensible if sensible[each]] or list(ChangeKind))
        of = sensible[kind] if self.random.random() < 0.8 else []
        self._proposed += 1
        change = MembershipChange(kind, self.random.choice(of or list(self.cluster.nodes)), "")
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
        if node_id not in self._full:
            self.cluster.answer_install(node_id)

    def _partition(self, node_id: NodeId) -> None:
        sides = {each: self.random.random() < 0.5 for each in self.cluster.nodes}
        self.cluster.partition([each for each in sides if sides[each]], [each for each in sides if not sides[each]])

    def _depose(self, node_id: NodeId) -> None:
        """The leader is cut off, or only slow, with proposals that nobody else has; the others elect another."""
        leader = self.cluster.leader()
        others = [each for each in self.cluster.nodes if each != leader and each not in self._paused]
        if leader is None or leader in self._paused or not others:
            return
        if self.random.random() < 0.7:
            self.cluster.partition([leader], others)
        for _ in range(self.random.randint(1, 4)):
            self._propose(leader)
            self._sync(leader)
        if self.random.random() < 0.3:
            self._bounce(leader)
        for _ in range(self.random.randint(1, 4) * ELECTION_TICKS):
            self._go_on_without(others)
            after = self.cluster.leader()
            if after not in (leader, None) and self.random.random() < 0.3:
                break
        if after is not None and after in others:
            self._propose(after)
            self._go_on_without(others)
        if self.random.random() < 0.5:
            self.cluster.heal()

    def _leave_behind(self, node_id: NodeId) -> None:
        """A node hears nothing while the others go on and cut their logs; when it is back, the leader may be gone."""
        leader = self.cluster.leader()
        others = [each for each in self.cluster.nodes if each != node_id and each not in self._paused]
        if leader is None or leader not in others:
            return
        self.cluster.partition([node_id], others)
        for _ in range(self.random.randint(2, 6)):
            self._propose(leader)
            self._go_on_without(others)
            self._go_on_without(others)
        for each in others:
            self._snapshot(each)
            self._compact(each)
        self.cluster.heal()
        if self.random.random() < 0.4:
            self._crash(leader)
            for _ in range(2 * ELECTION_TICKS):
                self._go_on_without(others)
            for _ in range(2 * ELECTION_TICKS):
                self._step(node_id, Tick())

    def _go_on_without(self, others: Sequence[NodeId]) -> None:
        """Time passes for these nodes, and some of what is on the way arrives."""
        for each in others:
            self._step(each, Tick())
            self._sync(each)
            self._deliver(each)

    def _bounce(self, node_id: NodeId) -> None:
        """It crashes and is back at once, in the same term."""
        self._crash(node_id)
        self.cluster.restart(node_id)

    def _cut(self, node_id: NodeId) -> None:
        self.cluster.cut.add((node_id, self.random.choice(list(self.cluster.nodes))))

    def _heal(self, node_id: NodeId) -> None:
        self.cluster.heal()

    def _calm(self, node_id: NodeId) -> None:
        """All nodes go on, all disks have room, and all that is on the way arrives."""
        self._full.clear()
        while self._paused:
            self._go_on(node_id)
        self.cluster.settle()

    def _step(self, node_id: NodeId, event: Event) -> None:
        if self.cluster.nodes[node_id].alive and node_id not in self._paused:
            if isinstance(event, Tick):
                self._clocks.wait_for_tick(node_id)
                self.cluster.clocks_ms = self._clocks.read()
            self.cluster.step(node_id, event)


ACTION_WEIGHTS: Final[dict[str, tuple[float, ...]]] = {
    "deliver": (100, 300),
    "deliver_any": (0, 30, 300),
    "deliver_batch": (10, 60),
    "repeat": (0, 10, 60),
    "lose": (0, 10, 60),
    "tick": (10, 60),
    "tick_all": (10, 40),
    "pause": (0, 1, 4),
    "go_on": (5, 20),
    "sync": (60, 300),
    "fill": (0, 0, 2, 4),
    "make_room": (2, 10),
    "fail_sync": (0, 1, 4),
    "pause_delivery": (0, 2),
    "load": (20, 100),
    "propose": (10, 60),
    "cancel": (0, 5),
    "read": (10, 80),
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
    "bounce": (0, 5, 20),
    "depose": (0, 5, 20),
    "leave_behind": (0, 3, 10),
    "partition": (0, 2, 6),
    "cut": (0, 4),
    "heal": (4, 20),
    "calm": (0, 1, 4),
    "introduce": (0, 3),
}
"""Each thing that can happen, and the weights a schedule picks one from."""

_DONE_BY_A_NODE: Final = frozenset(
    ("deliver_batch", "sync", "load", "propose", "cancel", "read", "cancel_read", "snapshot", "compact")
) | {"fetch", "store", "install"}
"""What a paused node does not do."""
