"""What a `RaftCore` wants done: `Effects`, which its caller carries out in the order of the fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from mynode.base.ids import LogIndex, NodeId, ProposalId, Term
from mynode.raft.membership import ChangeRefusal, Membership
from mynode.raft.messages import Entry, Message


class Role(Enum):
    """A node's role in the current term."""

    FOLLOWER = "follower"
    PRE_CANDIDATE = "pre-candidate"
    CANDIDATE = "candidate"
    LEADER = "leader"
    LEARNER = "learner"


@dataclass(frozen=True, slots=True)
class HardState:
    """What must be durable before a node answers in a term (Figure 2, 'persistent state')."""

    term: Term
    voted_for: NodeId | None


@dataclass(frozen=True, slots=True)
class Persist:
    """Append these to the log store, in one fsync; answered by `events.Persisted(number)`.

    `entries` follow each other; the first one's index says where a conflicting tail is cut off first. Numbers rise by
    one. Persists are carried out in order.
    """

    number: int
    hard_state: HardState | None
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Send:
    to: NodeId
    message: Message


@dataclass(frozen=True, slots=True)
class Load:
    """Fetch entries from the log store, from `first` up to `last` or `max_bytes`; answered by `EntriesLoaded`."""

    generation: int
    first: LogIndex
    last: LogIndex
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a snapshot stands for: the log up to `index`, whose entry is of `term`, and the members as of it."""

    index: LogIndex
    term: Term
    membership: Membership


@dataclass(frozen=True, slots=True)
class LoadSnapshot:
    """Read up to `max_bytes` of this node's own snapshot from `offset` on; answered by `events.SnapshotLoaded`."""

    generation: int
    index: LogIndex
    term: Term
    offset: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class StoreSnapshotChunk:
    """Put a part of `source`'s snapshot beside the state; answered by `events.SnapshotStored`.

    Parts of another source, index or term are thrown away first. A part is stored only if its checksum is right and it
    begins where what is held ends; without data it only asks how much is held.
    """

    source: NodeId
    index: LogIndex
    term: Term
    offset: int
    data: bytes
    checksum: int


@dataclass(frozen=True, slots=True)
class InstallSnapshot:
    """Let the whole snapshot that was stored from `source` replace state and log; answered by `SnapshotInstalled`.

    Carried out after all persists and committed entries handed out before. The log is empty afterwards, its next entry
    is `snapshot.index` + 1 (the term before it `snapshot.term`); the hard state stays. A crash leaves the old or the
    new one: a log that ends before the state, or has another term at its index, is emptied at the next start.
    """

    source: NodeId
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class ReadReady:
    """The reads of `token` may be served from any state that has applied `index`."""

    token: int
    index: LogIndex


class RejectReason(Enum):
    """Why a proposal or a read index will not be answered otherwise."""

    NO_LEADER = "no leader is known"
    BUSY = "too much is uncommitted"
    SHUTTING_DOWN = "the node is stopping"


@dataclass(frozen=True, slots=True)
class Rejected:
    """`key` is a proposal's id or a read's token; nothing of it is in any log that this node knows of."""

    key: ProposalId | int
    reason: RejectReason


@dataclass(frozen=True, slots=True)
class ChangeRefused:
    """The change of this id is in no configuration, and will not be."""

    id: ProposalId
    reason: ChangeRefusal


class TransferRefusal(Enum):
    """Why leadership was not handed over."""

    NOT_LEADER = "this node does not lead"
    LEADS_ALREADY = "it leads already"
    UNKNOWN_NODE = "no member has this number"
    LEARNER = "a learner cannot lead"
    NO_OTHER_VOTER = "there is no other voter"
    RUNNING = "leadership is being handed over to another node"
    SILENT = "it has not been heard of lately"
    NOT_CAUGHT_UP = "it has not caught up with the log"
    GIVEN_UP = "it did not take over in time"


@dataclass(frozen=True, slots=True)
class TransferRefused:
    """The answer to `events.TransferLeadership(to)` while this node leads on, or never led."""

    to: NodeId | None
    reason: TransferRefusal


@dataclass(frozen=True, slots=True)
class LeaderChange:
    """This node's view of who leads changed; `leader` is None while nobody is known to."""

    term: Term
    role: Role
    leader: NodeId | None


@dataclass(slots=True)
class Effects:
    """What one call of `RaftCore.step` asks for. Carried out by `actors/raft.py`.

    - `send` leaves at once, also while an fsync runs (leader's appends, heartbeats, pre-votes).
    - `persist` goes to the log store; its `events.Persisted` is stepped back in.
    - `send_after_persist` leaves once every persist handed out so far is durable (votes, append acknowledgements).
    - `load` asks the log store for older entries.
    - `committed` goes to the state machine, in order, each entry once: committed on a quorum and durable here.
    - `read_ready`, `rejected` answer local clients.
    - `leader_change` tells whoever shows or follows the leader.
    - `more_committed`: `committed` is full and more could be delivered; step again soon, if need be without events.
    - `membership`: the configuration that counts from now on (also one that a truncation brought back): who is to have
      a link. One that left keeps it for an election timeout or so: it is told.
    - `changes_refused` and `transfers_refused` answer operators.
    - `removed`: this node is no member any more; it says so and stops.
    - `load_snapshot` asks for parts of the own snapshot, `store_chunk` and `install` are a follower's side of it.
    """

    send: list[Send] = field(default_factory=list)
    persist: Persist | None = None
    send_after_persist: list[Send] = field(default_factory=list)
    load: list[Load] = field(default_factory=list)
    committed: list[Entry] = field(default_factory=list)
    read_ready: list[ReadReady] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    leader_change: LeaderChange | None = None
    more_committed: bool = False
    membership: Membership | None = None
    changes_refused: list[ChangeRefused] = field(default_factory=list)
    transfers_refused: list[TransferRefused] = field(default_factory=list)
    removed: bool = False
    load_snapshot: list[LoadSnapshot] = field(default_factory=list)
    store_chunk: StoreSnapshotChunk | None = None
    install: InstallSnapshot | None = None


@dataclass(frozen=True, slots=True)
class PeerProgress:
    """What the leader knows of one peer; on other roles only when the leader was heard last."""

    peer: NodeId
    match_index: LogIndex
    next_index: LogIndex
    state: str
    ticks_since_heard: int | None
    """None: not a leader's or the leader's word to know."""


@dataclass(frozen=True, slots=True)
class RaftStatus:
    node_id: NodeId
    term: Term
    role: Role
    leader: NodeId | None
    commit: LogIndex
    first_index: LogIndex
    last_index: LogIndex
    voters: tuple[NodeId, ...]
    peers: tuple[PeerProgress, ...]
    learners: tuple[NodeId, ...] = ()
    membership: Membership = field(default_factory=Membership)
    """The newest configuration of the log, with addresses; committed or not."""
    snapshot_index: LogIndex = 0
    """What the newest snapshot includes; 0 without one."""
