"""What the parts of a `RaftCore` share: Figure 2's state, the tick count, and the effects of the running step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from mynode.base.ids import Incarnation, LogIndex, NodeId, Term
from mynode.base.invariant import invariant
from mynode.raft.config import RaftConfig, Restored
from mynode.raft.effects import Effects, Load, LoadSnapshot, Role, Send, Snapshot
from mynode.raft.log import Log
from mynode.raft.membership import Membership, Memberships
from mynode.raft.messages import Entry, Message


class NodeState:
    """One node's Raft state. The parts read it freely; who writes what is said here.

    - `core` writes `term`, `voted_for`, `role`, `leader`, `now` (ticks since the start), `clock_ms` (the reading that
      came with the running step) and `disk_silent_since`.
    - `Log` is appended to by `Proposals` and `AppendReceiver`.
    - `commit` is raised by `Leadership` and `AppendReceiver`.
    - The configuration changes with the log, through `config_appended` and `config_truncated` only.
    - `installing` and `snapshot` (the newest that can be sent) are `SnapshotReceiver`'s and `core`'s.
    """

    def __init__(self, config: RaftConfig, restored: Restored, random: Random) -> None:
        self.config = config
        self.node_id: NodeId = config.node_id
        self.random = random
        self.term: Term = restored.hard_state.term
        self.voted_for: NodeId | None = restored.hard_state.voted_for
        self.hard_state_changed = False
        self.role = Role.FOLLOWER
        self.leader: NodeId | None = None
        self.now = 0
        self.clock_ms: float | None = None
        self.disk_silent_since: int | None = None
        """The tick of the last answer of the disk, or of the persist that waits for one; None if none waits."""
        self.log = Log(restored, config.log_tail_bytes)
        self.commit: LogIndex = restored.applied_index
        self.effects = Effects()
        self._loads = 0
        self.snapshot: Snapshot | None = restored.snapshot
        self.installing: Snapshot | None = None
        self.is_removed = False
        if restored.snapshot is None:
            self.memberships = Memberships(0, Membership({id_: config.addresses.get(id_, "") for id_ in config.voters}))
        else:
            self.memberships = Memberships(restored.snapshot.index, restored.snapshot.membership)
        self.incarnations: dict[NodeId, Incarnation] = {}
        """Those heard of in this process's life."""
        if config.incarnation:
            self.incarnations[config.node_id] = config.incarnation
        since = self.memberships.newest_index
        self.memberships.appended(entry for entry in (*restored.configs, *restored.tail) if entry.index > since)
        self._count_members()
        if restored.snapshot is not None:
            in_log = self.log.holds(restored.snapshot.index, restored.snapshot.term)
            invariant(in_log, "the log begins at most after the snapshot, and goes on from it")

    # --- who takes part ----------------------------------------------------------------------------------------------

    def _count_members(self) -> None:
        membership = self.memberships.newest
        self.membership: Membership = membership
        self.peers: tuple[NodeId, ...] = tuple(each for each in membership.members if each != self.node_id)
        self.is_voter: bool = self.node_id in membership.voters
        self.quorum: int = membership.quorum
        self.is_struck: bool = self.node_id in membership.removed
        self._find_unrecorded()

    def _find_unrecorded(self) -> None:
        self.unrecorded: bool = bool(self.membership.unknown_of(self.incarnations))
        """Whether an incarnation that was heard of is missing in the configuration."""

    def introduced(self, peer: NodeId, incarnation: Incarnation) -> None:
        """The peer has said which incarnation it is."""
        self.incarnations[peer] = incarnation
        self._find_unrecorded()

    def config_appended(self, entries: Sequence[Entry]) -> bool:
        """These entries are now in the log: a configuration among them counts from now on (dissertation 4.1)."""
        changed = self.memberships.appended(entries)
        if changed:
            self.config_changed()
        return changed

    def config_truncated(self, first: LogIndex) -> None:
        """The log was cut off at `first`: what was brought after it never was."""
        if self.memberships.truncated(first):
            self.config_changed()

    def config_changed(self) -> None:
        before = self.membership
        self._count_members()
        if self.membership != before:
            self.effects.membership = self.membership

    @property
    def may_campaign(self) -> bool:
        """Voters do; one whose removal is not committed may still be needed as a leader (dissertation 4.2.2)."""
        return not self.is_removed and any(
            self.node_id in each.voters for each in self.memberships.counting(self.commit)
        )

    @property
    def is_disk_stuck(self) -> bool:
        """Whether nothing became durable for an election timeout though something should: the disk is full, say.

        Such a node does not campaign, and as a leader hands over: what waits for its disk alone waits for no other.
        """
        since = self.disk_silent_since
        return since is not None and self.now - since >= self.config.election_ticks

    def has_majority(self, nodes: Iterable[NodeId]) -> bool:
        """Whether these nodes, of which only voters count, are a majority of the voters."""
        return len(self.membership.voters.keys() & nodes) >= self.quorum

    # --- asking for things -------------------------------------------------------------------------------------------

    def send(self, to: NodeId, message: Message) -> None:
        """At once: nothing in it rests on what is not durable yet."""
        self.effects.send.append(Send(to, message))

    def send_after_persist(self, to: NodeId, message: Message) -> None:
        """Once all that this step and earlier ones persist is durable."""
        self.effects.send_after_persist.append(Send(to, message))

    def load(self, first: LogIndex, last: LogIndex, max_bytes: int) -> int:
        """Ask the log store for entries; returns the generation that names the answer."""
        self._loads += 1
        self.effects.load.append(Load(self._loads, first, last, max_bytes))
        return self._loads

    def load_snapshot(self, snapshot: Snapshot, offset: int) -> int:
        """Ask for a part of this node's snapshot; returns the generation that names the answer."""
        self._loads += 1
        max_bytes = self.config.snapshot_chunk_bytes
        self.effects.load_snapshot.append(LoadSnapshot(self._loads, snapshot.index, snapshot.term, offset, max_bytes))
        return self._loads
