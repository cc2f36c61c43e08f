"""How a node is, as it says itself, and the report over all nodes that `mynode status` prints."""

from __future__ import annotations

from dataclasses import dataclass

from mynode.base.errors import MyNodeError
from mynode.base.ids import LogIndex, NodeId, Term


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """Another node as this one sees it.

    Attributes:
        address: `host:port`.
        match_index: the last log index known to be there; only a leader knows it, and the next two.
        lag_entries: entries of the leader's log that the peer is not known to hold.
        state: how the leader replicates to it, in a word.
        last_heard_ms: since its last message; None if it was never heard of.
    """

    node_id: NodeId
    address: str
    match_index: LogIndex
    lag_entries: int
    state: str
    last_heard_ms: int | None


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A node's own words, field by field those of `mynode.v1.StatusResponse`.

    Attributes:
        version: of the program.
        role: `leader`, `follower`, `candidate`, `pre-candidate` or `learner`.
        leader_id, leader_address: 0 and "" while no leader is known.
        tree_records: live ones and tombstones.
        sessions: open SQL sessions.
    """

    node_id: NodeId
    cluster_id: str
    version: str
    role: str
    term: Term
    leader_id: NodeId
    leader_address: str
    commit_index: LogIndex
    applied_index: LogIndex
    first_log_index: LogIndex
    last_log_index: LogIndex
    log_bytes: int
    tree_records: int
    sessions: int
    uptime_ms: int
    peers: tuple[PeerStatus, ...]


@dataclass(frozen=True, slots=True)
class StatusReport:
    """One address of the client's list: the node's status, or why there is none."""

    address: str
    status: NodeStatus | None
    error: MyNodeError | None
