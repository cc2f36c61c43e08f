"""What can happen to a `RaftCore`: the closed union `Event` that `RaftCore.step` takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from mynode.base.ids import Incarnation, LogIndex, NodeId, ProposalId, Term
from mynode.raft.membership import MembershipChange
from mynode.raft.messages import Entry, Message, Proposal


@dataclass(frozen=True, slots=True)
class Tick:
    """`limits.TICK_MS` have passed."""


@dataclass(frozen=True, slots=True)
class Receive:
    """A peer's message arrived."""

    sender: NodeId
    message: Message


@dataclass(frozen=True, slots=True)
class Propose:
    """A local client wants these in the log. Answered by the entry's `Effects.committed`, or `Effects.rejected`."""

    proposals: tuple[Proposal, ...]


@dataclass(frozen=True, slots=True)
class CancelProposal:
    """The local client waits no more: do not propose it again after a leader change.

    Answered by `Effects.rejected` if it has not been in any log nor sent to a leader, so that it is certainly not
    executed; else by nothing.
    """

    id: ProposalId


@dataclass(frozen=True, slots=True)
class ReadIndex:
    """A local client wants to read; answered by `Effects.read_ready` or `Effects.rejected` under the same token.

    Tokens are the caller's, unique in this process's life, and rise.
    """

    token: int


@dataclass(frozen=True, slots=True)
class CancelRead:
    """Nobody waits for this read any more; it will not be answered, not even by this step."""

    token: int


@dataclass(frozen=True, slots=True)
class Persisted:
    """`Effects.persist` with this number, and all before it, is durable."""

    number: int


@dataclass(frozen=True, slots=True)
class DeliveryPaused:
    """The state machine is behind: no `Effects.committed`, save what is being loaded, until it is `paused` no more."""

    paused: bool


@dataclass(frozen=True, slots=True)
class EntriesLoaded:
    """The answer to `Effects.load`; stale when the generation has passed. Entries follow each other from `first`.

    None, if the log store has cut `first` off since; a `Compacted` says so before, or soon.
    """

    generation: int
    first: LogIndex
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class TransferLeadership:
    """An operator, or a leader that stops, wants `to` to lead; None picks the most up-to-date voter.

    Answered by `Effects.leader_change`, or by `Effects.transfers_refused`.
    """

    to: NodeId | None


@dataclass(frozen=True, slots=True)
class PeerUnreachable:
    """The link to the peer broke: what was in flight may be lost."""

    peer: NodeId


@dataclass(frozen=True, slots=True)
class PeerIntroduced:
    """The peer has said which incarnation it is. A leader puts it into the configuration, if none is there."""

    peer: NodeId
    incarnation: Incarnation


@dataclass(frozen=True, slots=True)
class ChangeMembership:
    """An operator wants this change. Only a leader does it, and only if no other one is uncommitted.

    Answered by the entry with this id in `Effects.committed`, or by `Effects.changes_refused`.
    """

    id: ProposalId
    change: MembershipChange


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    """The state as of `index`, which is applied, is durable outside of the log, and can be had by `LoadSnapshot`."""

    index: LogIndex


@dataclass(frozen=True, slots=True)
class Compacted:
    """The log store has cut off its front: `first_index` is the first entry left, at most one after the snapshot."""

    first_index: LogIndex


@dataclass(frozen=True, slots=True)
class SnapshotLoaded:
    """The answer to `Effects.load_snapshot`: bytes from the offset asked for, with the loader's checksum over them.

    `data` is None if that snapshot is no longer there. `is_last`: they end the snapshot; then they may be none.
    """

    generation: int
    data: bytes | None
    checksum: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class SnapshotStored:
    """The answer to `Effects.store_chunk`: how many bytes of that snapshot are here, from the first one on."""

    index: LogIndex
    term: Term
    size: int


@dataclass(frozen=True, slots=True)
class SnapshotInstalled:
    """The answer to `Effects.install`, durable; not `installed`: the bytes were no whole snapshot, and are gone."""

    index: LogIndex
    term: Term
    installed: bool


Event: TypeAlias = (
    Tick
    | Receive
    | Propose
    | CancelProposal
    | ReadIndex
    | CancelRead
    | Persisted
    | DeliveryPaused
    | EntriesLoaded
    | TransferLeadership
    | PeerUnreachable
    | PeerIntroduced
    | ChangeMembership
    | SnapshotTaken
    | Compacted
    | SnapshotLoaded
    | SnapshotStored
    | SnapshotInstalled
)
