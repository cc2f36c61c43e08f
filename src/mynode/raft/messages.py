"""What Raft nodes say to each other, and the entries of the log.

One frozen class a message, in the closed union `Message`. Sender and receiver travel beside the message, in
`events.Receive` and `effects.Send`. Term 0 never occurs in a message of a voting node.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from mynode.base.ids import LogIndex, NodeId, ProposalId, Term


class EntryKind(IntEnum):
    """What an entry's payload is."""

    NOOP = 0
    """A new leader's first entry (section 5.4.2 and 8 of the Raft paper), save for the very first leader's; the payload
    is empty."""
    COMMAND = 1
    """A command for the replicated state machine; opaque to Raft."""
    CONFIG = 2
    """A configuration, see `membership`; in use from the moment it is appended. A log's first entry is one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the raft log. `proposal_id` is empty for entries that nobody waits for."""

    term: Term
    index: LogIndex
    kind: EntryKind
    proposal_id: ProposalId
    payload: bytes


@dataclass(frozen=True, slots=True)
class Proposal:
    """A payload that its proposer wants in the log; its entry carries the same `id` and `kind`."""

    id: ProposalId
    kind: EntryKind
    payload: bytes


@dataclass(frozen=True, slots=True)
class VoteRequest:
    """Asks for a vote (section 5.2), or with `pre_vote` whether one would be given (dissertation 9.6).

    `term` is the term of the election: for a pre-vote the candidate's term + 1, which it has not entered.
    `transfer` is set when the leader told the candidate to campaign (dissertation 3.10).
    """

    term: Term
    last_index: LogIndex
    last_term: Term
    pre_vote: bool
    transfer: bool


@dataclass(frozen=True, slots=True)
class VoteResponse:
    term: Term
    pre_vote: bool
    granted: bool


@dataclass(frozen=True, slots=True)
class AppendRequest:
    """Entries after (`prev_index`, `prev_term`), and how far the log is committed; with no entries, a probe."""

    term: Term
    prev_index: LogIndex
    prev_term: Term
    entries: tuple[Entry, ...]
    commit: LogIndex


@dataclass(frozen=True, slots=True)
class AppendResponse:
    """Accepted: everything up to `match_index` is durable here and equals the leader's log.

    Rejected: the log does not hold (`prev_index`, `prev_term`) of the request that `rejected_index` names;
    `hint_index` and `hint_term` are the newest place where the two logs may still agree (conflict hint).
    """

    term: Term
    accepted: bool
    match_index: LogIndex
    rejected_index: LogIndex
    hint_index: LogIndex
    hint_term: Term


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Keeps followers from campaigning; `round` is echoed, which confirms leadership for read index (section 8).

    `commit` never passes what the leader knows to match on that follower. Round 0 is no round: it only tells of a new
    `commit`, and is not answered.
    """

    term: Term
    commit: LogIndex
    round: int


@dataclass(frozen=True, slots=True)
class HeartbeatResponse:
    """`last_index` tells a leader that lost track how far the follower's log is known to equal its own.

    That is the newest index an accepted append of this term reached, durable or not; 0 before the first. `promise_ms`
    is how long the answerer gives no vote from now on, by its clock; see `lease`.
    """

    term: Term
    round: int
    last_index: LogIndex
    promise_ms: int


@dataclass(frozen=True, slots=True)
class ReadIndexRequest:
    """A follower asks the leader for a read index; `token` names the batch of reads at the asker."""

    term: Term
    token: int


@dataclass(frozen=True, slots=True)
class ReadIndexResponse:
    """`index` is a read index for the reads of `token`; 0 says that this node cannot serve it (not the leader)."""

    term: Term
    token: int
    index: LogIndex


@dataclass(frozen=True, slots=True)
class ForwardProposals:
    """Proposals of a node that is not the leader, for the leader to append."""

    term: Term
    proposals: tuple[Proposal, ...]


@dataclass(frozen=True, slots=True)
class TimeoutNow:
    """The leader hands over: the receiver campaigns at once (dissertation 3.10)."""

    term: Term


@dataclass(frozen=True, slots=True)
class SnapshotChunk:
    """A part of the state up to `index`, whose entry is of `index_term`, for a follower whose entries are cut off.

    `data` stands at `offset` of the snapshot's bytes, which are opaque here; `checksum` is its sender's, over `data`.
    One without data that is not the last asks how much of the snapshot the receiver holds. At most one is unanswered.
    `membership` is the encoded configuration as of `index`.
    """

    term: Term
    index: LogIndex
    index_term: Term
    membership: bytes
    offset: int
    data: bytes
    checksum: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class SnapshotResponse:
    """The sender holds `size` bytes of the snapshot of (`index`, `index_term`). A whole one is answered, once it has
    taken the place of log and state, by an `AppendResponse`."""

    term: Term
    index: LogIndex
    index_term: Term
    size: int


@dataclass(frozen=True, slots=True)
class Removed:
    """The leader says: the committed configuration at `index` does not hold the receiver."""

    term: Term
    index: LogIndex


Message: TypeAlias = (
    VoteRequest
    | VoteResponse
    | AppendRequest
    | AppendResponse
    | Heartbeat
    | HeartbeatResponse
    | ReadIndexRequest
    | ReadIndexResponse
    | ForwardProposals
    | TimeoutNow
    | SnapshotChunk
    | SnapshotResponse
    | Removed
)

PeerMessages: TypeAlias = tuple[NodeId, tuple[Message, ...]]
"""A sender and what it said, in order."""
