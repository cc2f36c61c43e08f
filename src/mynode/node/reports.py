"""What a node says of itself and its cluster to operators, put together from what its actors know."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import mynode
from mynode.actors.ports import Members, MemberStatus, NodeIdentity, NodeStatus, PeerStatus
from mynode.actors.protocol import LogStatus
from mynode.base.address import Address
from mynode.base.ids import NodeId
from mynode.machine.machine import MachineStatus
from mynode.raft.effects import RaftStatus, Role
from mynode.raft.membership import Membership

FindAddress: TypeAlias = Callable[[NodeId, Membership], Address | None]
"""`PeerLinks.address`."""


def members_report(raft: RaftStatus, identity: NodeIdentity, find_address: FindAddress) -> Members:
    """Who takes part, as the node knows it now."""
    lags = {peer.peer: max(0, raft.last_index - peer.match_index) for peer in raft.peers if peer.state}
    if raft.role is Role.LEADER:
        lags[raft.node_id] = 0
    membership = raft.membership
    return Members(
        members=tuple(
            MemberStatus(
                node_id=member,
                address=str(find_address(member, membership) or membership.members[member]),
                is_voter=member in membership.voters,
                is_leader=member == raft.leader,
                lag_entries=lags.get(member),
            )
            for member in sorted(membership.members)
        ),
        removed=tuple(sorted(membership.removed)),
        cluster_id=identity.cluster_id,
    )


def status_report(
    identity: NodeIdentity,
    raft: RaftStatus,
    raft_log: LogStatus,
    machine: MachineStatus,
    *,
    find_address: FindAddress,
    sessions: int,
    uptime_ms: int,
    tick_ms: int,
) -> NodeStatus:
    """The node as it sees itself. Only peers whose address is known are in it."""
    peers = tuple(
        PeerStatus(
            node_id=peer.peer,
            address=address,
            match_index=peer.match_index,
            lag_entries=max(0, raft.last_index - peer.match_index) if peer.state else 0,
            state=peer.state,
            last_heard_ms=None if peer.ticks_since_heard is None else peer.ticks_since_heard * tick_ms,
        )
        for peer in raft.peers
        if (address := find_address(peer.peer, raft.membership)) is not None
    )
    return NodeStatus(
        node_id=identity.node_id,
        cluster_id=identity.cluster_id,
        version=mynode.__version__,
        role=raft.role,
        term=raft.term,
        leader_id=raft.leader,
        leader_address=None if raft.leader is None else find_address(raft.leader, raft.membership),
        commit_index=raft.commit,
        applied_index=machine.applied,
        first_log_index=raft_log.first_index,
        last_log_index=raft_log.last_index,
        log_bytes=raft_log.bytes,
        tree_records=machine.records,
        sessions=sessions,
        uptime_ms=uptime_ms,
        peers=peers,
        disk_full=raft_log.is_disk_full,
    )
