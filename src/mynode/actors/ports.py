"""The doors of a node: what its actors offer to whatever transport stands in front, and what they need of one.

`SessionPort`, `ClusterPort` and `PeerPort` are the actors' side, called by a transport in the node's own thread.
`PeerTransport` is the transport's side, called by peer_link. Nothing here knows gRPC.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from mynode.base.address import Address
from mynode.base.ids import Incarnation, LogIndex, NodeId, Term
from mynode.raft.effects import Role
from mynode.raft.membership import MembershipChange
from mynode.raft.messages import Message
from mynode.session.api import KnownMembers, SessionRequest, StatementReply
from mynode.session.lane_api import LaneMessage


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """Which node of which cluster this is. Frames of another cluster, or for another node, are refused."""

    cluster_id: str
    node_id: NodeId


# --- SQL -------------------------------------------------------------------------------------------------------------


class ClientConnection(Protocol):
    """One client's connection: any number of SQL sessions over it. Used by one task at a time on each side."""

    def submit(self, requests: Sequence[SessionRequest]) -> None:
        """Hand requests to their sessions, in order. Never waits: over a bound, the answer is an error reply.

        Raises:
            NodeBusyError: even the error replies find no room, because the client does not read; it is cut off.
        """

    async def replies(self) -> list[StatementReply]:
        """Wait for a reply, then take what waits, in order and bounded. An empty list: the connection is closed, or
        `take_members` has some."""

    def take_members(self) -> KnownMembers | None:
        """What is to be told of the cluster's members, if anything is new."""

    def close(self) -> None:
        """The client is gone: its sessions close and their running statements are cancelled. Closing twice is fine."""


class SessionPort(Protocol):
    """Where clients come in; rpc_front."""

    def connect(self, *, with_members: bool = False) -> ClientConnection:
        """A new client connection; `with_members`: it is told who they are, now and whenever they change.

        Raises:
            NodeBusyError: a bound is reached.
            ShuttingDownError: the node is stopping.
            NoQuorumError: the node joins the cluster, and may be far behind it.
        """


# --- status ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """What a node knows of another one. Only a leader knows `match_index`, `lag_entries` and `state`."""

    node_id: NodeId
    address: Address
    match_index: LogIndex
    lag_entries: int
    """Entries of the leader's log that the peer is not known to hold."""
    state: str
    """How the leader sends to it (`probe`, `replicate`, `snapshot`), or empty."""
    last_heard_ms: int | None
    """Since its last message; a follower knows it of the leader only, None of all others."""


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """A member of the cluster, as the node that was asked sees it."""

    node_id: NodeId
    address: str
    """`host:port`"""
    is_voter: bool
    """Else it is a learner: it gets the log and counts in no majority."""
    is_leader: bool
    lag_entries: int | None
    """Entries of the leader's log that it is not known to hold; None where the leader was not asked."""


@dataclass(frozen=True, slots=True)
class Members:
    """Who takes part, and whose numbers are used up."""

    members: tuple[MemberStatus, ...]
    removed: tuple[NodeId, ...]
    cluster_id: str


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node as it sees itself and its cluster."""

    node_id: NodeId
    cluster_id: str
    version: str
    """The program's version."""
    role: Role
    term: Term
    leader_id: NodeId | None
    leader_address: Address | None
    commit_index: LogIndex
    applied_index: LogIndex
    first_log_index: LogIndex
    last_log_index: LogIndex
    log_bytes: int
    tree_records: int
    sessions: int
    uptime_ms: int
    peers: tuple[PeerStatus, ...]
    disk_full: bool = False
    """It takes no writes until there is room; its reads go on as far as they need nothing newer than it has."""


class ClusterPort(Protocol):
    """Where operators come in."""

    async def status(self) -> NodeStatus:
        """Ask the actors; raises `ShuttingDownError`."""

    async def transfer_leadership(self, to: NodeId | None) -> NodeId:
        """Hand leadership over, to the voter that holds most if None; returns who leads then.

        Raises:
            NotLeaderError: this node does not lead.
            OperationRefusedError: `to` cannot take over; this node leads on.
            NoQuorumError: it was handed over, and no new leader was heard of in time.
            ShuttingDownError: the node is stopping, or too busy.
        """

    async def members(self) -> Members:
        """Who takes part, as far as this node knows; raises `ShuttingDownError`."""

    async def change_members(self, change: MembershipChange) -> None:
        """Do this change, and return once it is committed. A leader that is to go hands over instead.

        Raises:
            NotLeaderError: this node does not lead, or leads no more.
            OperationRefusedError: the cluster does not allow it; nothing was done.
            OutcomeUnknownError: it was not committed in time, and may still be.
            ShuttingDownError: the node is stopping, or too busy.
        """


# --- other nodes -----------------------------------------------------------------------------------------------------

PeerMessage: TypeAlias = Message | LaneMessage
"""What nodes say to each other: Raft's messages, and the lane's beside them."""


@dataclass(frozen=True, slots=True)
class Incarnations:
    """How a stream between two nodes begins: who its sender is, and whom it expects. Empty where that is not known."""

    sender: Incarnation
    receiver: Incarnation


class PeerPort(Protocol):
    """Where other nodes' messages come in: the inboxes of raft and lane_router."""

    def receive(self, sender: NodeId, messages: tuple[PeerMessage, ...]) -> None:
        """Never waits; drops the messages when the inbox is full (Raft tolerates loss)."""

    def greet(self, sender: NodeId, address: Address | None, hello: Incarnations) -> None:
        """`sender` opens a stream, and can be reached at `address`.

        Raises:
            WrongIncarnationError: one of the two is not the incarnation that the other one knows as the member.
        """

    def is_known_otherwise(self, peer: NodeId, incarnation: Incarnation) -> bool:
        """Whether the member of that number is another incarnation: what this one says must not count."""


class PeerStream(Protocol):
    """An open stream to one other node."""

    async def send(self, messages: Sequence[PeerMessage]) -> None:
        """Send these in one frame. Waits while the peer reads too slowly.

        Raises:
            ConnectionFailedError: the link broke; what was sent before may be lost.
        """


class PeerTransport(Protocol):
    """Opens streams to other nodes."""

    def connect(
        self, peer: NodeId, address: Address, incarnation: Incarnation
    ) -> AbstractAsyncContextManager[PeerStream]:
        """A stream to `peer`, which is at `address`, open within the context. `incarnation`: the member's, if known.

        Raises:
            ConnectionFailedError: on entry, when the peer cannot be reached or refuses us.
        """
