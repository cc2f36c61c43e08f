"""Raft cores without a node around them: a simulated disk, network and state machine, driven step by step.

Nothing happens by itself: whoever drives decides when a tick passes, a message arrives, an fsync ends, a node dies.
So one seed, or one script, is one run. `raft_script` and the property tests are built on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from mynode.base.ids import LogIndex, NodeId
from mynode.raft.config import RaftConfig
from mynode.raft.core import RaftCore
from mynode.raft.effects import Effects, InstallSnapshot, Load, LoadSnapshot, Role, Send, StoreSnapshotChunk
from mynode.raft.events import (
    Compacted,
    EntriesLoaded,
    Event,
    Persisted,
    Receive,
    SnapshotInstalled,
    SnapshotLoaded,
    SnapshotStored,
    SnapshotTaken,
)
from mynode.raft.messages import Entry, Message
from mynode.testing.raft_disk import Disk, checksum_of, put_entries


@dataclass(slots=True)
class SimulatedNode:
    """One core with its disk and its state machine, which keeps all it was given and is lost in a crash."""

    node_id: NodeId
    core: RaftCore
    disk: Disk
    log: list[Entry]
    """Every entry of the core's log, durable or not."""
    applied: list[Entry] = field(default_factory=list)
    loads: deque[tuple[Load, tuple[Entry, ...]]] = field(default_factory=deque)
    """Unanswered loads, with what the disk held when they were asked: an answer may be late."""
    held: deque[tuple[int, list[Send]]] = field(default_factory=deque)
    """Sends that wait for the persist of this number."""
    handed: int = 0
    durable: int = 0
    more_committed: bool = False
    alive: bool = True
    snapshot_loads: deque[LoadSnapshot] = field(default_factory=deque)
    stores: deque[StoreSnapshotChunk] = field(default_factory=deque)
    installs: deque[InstallSnapshot] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message on its way."""

    sender: NodeId
    to: NodeId
    message: Message


class RaftCluster:
    """Nodes 1 to n and the messages between them.

    Args:
        joining: more nodes, numbered after the voters, that wait to be added.
        config: what all nodes share; node_id and voters are filled in.
        tail_entries: how many entries a restarted core gets in memory; None for all.
        on_step: called after every step with the node, its events and its effects.
        on_post: called with the sending node and each message as it leaves.

    `network` holds what was sent and neither delivered nor dropped, in the order of sending. `cut` are the links,
    (sender, receiver), that swallow what is sent on them. `clocks_ms` are the nodes' clocks; whoever
    drives moves them. They matter to leases only.
    """

    def __init__(
        self,
        size: int,
        *,
        joining: int = 0,
        seed: int = 0,
        config: RaftConfig | None = None,
        tail_entries: int | None = None,
        on_step: Callable[[SimulatedNode, Sequence[Event], Effects], None] | None = None,
        on_post: Callable[[SimulatedNode, Envelope], None] | None = None,
    ) -> None:
        self._voters = tuple(range(1, size + 1))
        self._config = config or RaftConfig(1, self._voters)
        self._seed = seed
        self._starts = 0
        self._tail_entries = tail_entries
        self._on_step = on_step
        self._on_post = on_post
        self.network: list[Envelope] = []
        self.cut: set[tuple[NodeId, NodeId]] = set()
        self.clocks_ms = dict.fromkeys(range(1, size + joining + 1), 0.0)
        self.nodes = {node_id: self._start(node_id, Disk()) for node_id in range(1, size + joining + 1)}

    def _start(self, node_id: NodeId, disk: Disk) -> SimulatedNode:
        self._starts += 1
        config = replace(self._config, node_id=node_id, voters=self._voters if node_id in self._voters else ())
        restored = disk.restored(self._tail_entries)
        core = RaftCore(config, restored, Random(self._seed * 1_000_003 + self._starts * 101 + node_id))
        node = SimulatedNode(node_id, core, disk, list(disk.entries))
        node.applied = disk.entries[: restored.applied_index]
        return node

    # --- one thing happens -------------------------------------------------------------------------------------------

    def step(self, node_id: NodeId, *events: Event) -> Effects:
        """Step a living core, and carry out its effects as far as they need no fsync and no load."""
        node = self.nodes[node_id]
        effects = node.core.step(events, self.clocks_ms[node_id])
        node.core.check_invariants()
        self._post(node, effects.send)
        if effects.persist is not None:
            node.handed = effects.persist.number
            node.disk.waiting.append(effects.persist)
            put_entries(node.log, effects.persist.entries)
        if effects.send_after_persist:
            node.held.append((node.handed, effects.send_after_persist))
        self._release(node)
        node.loads.extend((load, node.disk.read(load)) for load in effects.load)
        node.snapshot_loads.extend(effects.load_snapshot)
        if effects.store_chunk is not None:
            node.stores.append(effects.store_chunk)
        if effects.install is not None:
            node.installs.append(effects.install)
        node.applied.extend(effects.committed)
        node.more_committed = effects.more_committed
        if self._on_step is not None:
            self._on_step(node, events, effects)
        return effects

    def _post(self, node: SimulatedNode, sends: Sequence[Send]) -> None:
        for send in sends:
            envelope = Envelope(node.node_id, send.to, send.message)
            if self._on_post is not None:
                self._on_post(node, envelope)
            if (envelope.sender, envelope.to) not in self.cut:
                self.network.append(envelope)

    def _release(self, node: SimulatedNode) -> None:
        while node.held and node.held[0][0] <= node.durable:
            self._post(node, node.held.popleft()[1])

    def sync(self, node_id: NodeId, *, tell: bool = True) -> None:
        """The node's oldest waiting persist becomes durable, if there is one; `tell` steps the core with it."""
        node = self.nodes[node_id]
        if node.alive and node.disk.waiting:
            number = node.disk.sync_next()
            node.durable = number
            self._release(node)
            if tell:
                self.step(node_id, Persisted(number))

    def answer_load(self, node_id: NodeId) -> None:
        """The node's oldest load is answered, if there is one."""
        node = self.nodes[node_id]
        if node.alive and node.loads:
            load, entries = node.loads.popleft()
            self.step(node_id, EntriesLoaded(load.generation, load.first, entries))

    # --- snapshots ---------------------------------------------------------------------------------------------------

    def take_snapshot(self, node_id: NodeId) -> None:
        """A checkpoint of what the node has applied, if that is more than its newest one has."""
        node = self.nodes[node_id]
        taken = node.disk.snapshot
        index = len(node.applied)
        if node.alive and not node.installs and index > (0 if taken is None else taken.index):
            node.disk.take_snapshot(index)
            self.step(node_id, SnapshotTaken(index))

    def compact(self, node_id: NodeId, first_index: LogIndex | None = None) -> None:
        """The log store cuts off what is before `first_index`, at most all that the newest snapshot includes."""
        node = self.nodes[node_id]
        if not node.alive or node.disk.snapshot is None or node.installs:
            return
        most = node.disk.snapshot.index + 1
        node.disk.first_index = max(node.disk.first_index, min(first_index or most, most))
        self.step(node_id, Compacted(node.disk.first_index))

    def answer_snapshot_load(self, node_id: NodeId, *, gone: bool = False) -> None:
        """The oldest part asked for is read; `gone`: as if that snapshot were no longer there."""
        node = self.nodes[node_id]
        if not node.alive or not node.snapshot_loads:
            return
        load = node.snapshot_loads.popleft()
        content = None if gone else node.disk.snapshot_bytes(load.index, load.term)
        if content is None:
            self.step(node_id, SnapshotLoaded(load.generation, None, 0, is_last=False))
            return
        data = content[load.offset : load.offset + load.max_bytes]
        is_last = load.offset + len(data) >= len(content)
        self.step(node_id, SnapshotLoaded(load.generation, data, checksum_of(data), is_last=is_last))

    def answer_store(self, node_id: NodeId) -> None:
        node = self.nodes[node_id]
        if node.alive and node.stores:
            chunk = node.stores.popleft()
            self.step(node_id, SnapshotStored(chunk.index, chunk.term, node.disk.store(chunk)))

    def answer_install(self, node_id: NodeId) -> None:
        """All persists before it first; then state and log change at once."""
        node = self.nodes[node_id]
        if not node.alive or not node.installs:
            return
        while node.disk.waiting:
            self.sync(node_id)
        install = node.installs.popleft()
        installed = node.disk.install(install)
        if installed:
            node.log = list(node.disk.entries)
            node.applied = list(node.disk.entries)
        self.step(node_id, SnapshotInstalled(install.snapshot.index, install.snapshot.term, installed))

    # --- messages and lives ------------------------------------------------------------------------------------------

    def deliver(self, place: int = 0, *, keep: bool = False) -> None:
        """The message at this place of the network arrives; `keep` leaves a copy of it behind."""
        envelope = self.network[place] if keep else self.network.pop(place)
        if self._arrives(envelope):
            self.step(envelope.to, Receive(envelope.sender, envelope.message))

    def deliver_all_to(self, node_id: NodeId) -> None:
        """All messages to one node arrive together, in one step."""
        arriving = [envelope for envelope in self.network if envelope.to == node_id]
        self.network = [envelope for envelope in self.network if envelope.to != node_id]
        events = [Receive(envelope.sender, envelope.message) for envelope in arriving if self._arrives(envelope)]
        if events:
            self.step(node_id, *events)

    def _arrives(self, envelope: Envelope) -> bool:
        return self.nodes[envelope.to].alive and (envelope.sender, envelope.to) not in self.cut

    def crash(self, node_id: NodeId, *, installed: bool = False, kept: int = 0) -> None:
        """The node dies: what was not synced is gone. What is on the way to it may find it restarted.

        Args:
            installed: a snapshot that was being installed was, but nobody heard of it.
            kept: how many unsynced records are on the disk all the same, see `Disk.lose_unsynced`.
        """
        node = self.nodes[node_id]
        node.alive = False
        if installed and node.installs:
            while node.disk.waiting:
                node.disk.sync_next()
            node.disk.install(node.installs.popleft())
        node.disk.lose_unsynced(kept)

    def restart(self, node_id: NodeId) -> None:
        if self.nodes[node_id].alive:
            self.crash(node_id)
        self.nodes[node_id] = self._start(node_id, self.nodes[node_id].disk)

    def partition(self, *groups: Sequence[NodeId]) -> None:
        """Only nodes of one group hear each other; what is on the way between groups is lost."""
        group_of = {node_id: number for number, group in enumerate(groups) for node_id in group}
        self.cut = {
            (one, other)
            for one in self.nodes
            for other in self.nodes
            if one != other and group_of.get(one, -one) != group_of.get(other, -other)
        }
        self.network = [each for each in self.network if (each.sender, each.to) not in self.cut]

    def heal(self) -> None:
        self.cut = set()

    # --- much happens ------------------------------------------------------------------------------------------------

    def settle(self, limit: int = 100_000) -> None:
        """Deliver, sync and load until nothing is left to do, without time passing."""
        for _ in range(limit):
            if not self._work():
                return
        raise AssertionError("the cluster does not come to rest")

    def _work(self) -> bool:
        for node in self.nodes.values():
            if node.alive and node.disk.waiting:
                self.sync(node.node_id)
                return True
            if node.alive and node.loads:
                self.answer_load(node.node_id)
                return True
            if node.alive and node.snapshot_loads:
                self.answer_snapshot_load(node.node_id)
                return True
            if node.alive and node.stores:
                self.answer_store(node.node_id)
                return True
            if node.alive and node.installs:
                self.answer_install(node.node_id)
                return True
            if node.alive and node.more_committed:
                self.step(node.node_id)
                return True
        if self.network:
            self.deliver()
            return True
        return False

    def leader(self) -> NodeId | None:
        """The leader of the newest term among the living, if there is one."""
        leaders = [
            (node.core.status().term, node.node_id)
            for node in self.nodes.values()
            if node.alive and node.core.status().role is Role.LEADER
        ]
        return max(leaders)[1] if leaders else None
