"""A node's status, and its list of the members, as messages and back."""

from __future__ import annotations

from typing import Final

from mynode.actors.ports import Members, MemberStatus, NodeStatus, PeerStatus
from mynode.base.address import Address
from mynode.base.errors import ConfigError, ProtocolViolationError
from mynode.raft.effects import Role
from mynode.rpc.generated.mynode import v1

_ROLES: Final = {
    Role.FOLLOWER: v1.Role.FOLLOWER,
    Role.PRE_CANDIDATE: v1.Role.PRE_CANDIDATE,
    Role.CANDIDATE: v1.Role.CANDIDATE,
    Role.LEADER: v1.Role.LEADER,
    Role.LEARNER: v1.Role.LEARNER,
}
_ROLES_BACK: Final = {message: role for role, message in _ROLES.items()}


def status_to_message(status: NodeStatus) -> v1.StatusResponse:
    return v1.StatusResponse(
        node_id=status.node_id,
        cluster_id=status.cluster_id,
        version=status.version,
        role=_ROLES[status.role],
        term=status.term,
        leader_id=status.leader_id or 0,
        leader_address="" if status.leader_address is None else str(status.leader_address),
        commit_index=status.commit_index,
        applied_index=status.applied_index,
        first_log_index=status.first_log_index,
        last_log_index=status.last_log_index,
        log_bytes=status.log_bytes,
        tree_records=status.tree_records,
        sessions=status.sessions,
        uptime_ms=status.uptime_ms,
        disk_full=status.disk_full,
        peers=[
            v1.PeerStatus(
                node_id=peer.node_id,
                address=str(peer.address),
                match_index=peer.match_index,
                lag_entries=peer.lag_entries,
                state=peer.state,
                last_heard_ms=peer.last_heard_ms,
            )
            for peer in status.peers
        ],
    )


def members_to_message(members: Members) -> v1.MembersResponse:
    return v1.MembersResponse(
        members=[
            v1.Member(
                node_id=member.node_id,
                address=member.address,
                is_voter=member.is_voter,
                is_leader=member.is_leader,
                lag_entries=member.lag_entries,
            )
            for member in members.members
        ],
        removed=list(members.removed),
        cluster_id=members.cluster_id,
    )


def members_from_message(message: v1.MembersResponse) -> Members:
    return Members(
        members=tuple(
            MemberStatus(member.node_id, member.address, member.is_voter, member.is_leader, member.lag_entries)
            for member in message.members
        ),
        removed=tuple(message.removed),
        cluster_id=message.cluster_id,
    )


def status_from_message(message: v1.StatusResponse) -> NodeStatus:
    """Raises `ProtocolViolationError` when it is no status of a node."""
    try:
        return NodeStatus(
            node_id=message.node_id,
            cluster_id=message.cluster_id,
            version=message.version,
            role=_ROLES_BACK[message.role],
            term=message.term,
            leader_id=message.leader_id or None,
            leader_address=Address.parse(message.leader_address) if message.leader_address else None,
            commit_index=message.commit_index,
            applied_index=message.applied_index,
            first_log_index=message.first_log_index,
            last_log_index=message.last_log_index,
            log_bytes=message.log_bytes,
            tree_records=message.tree_records,
            sessions=message.sessions,
            uptime_ms=message.uptime_ms,
            disk_full=message.disk_full,
            peers=tuple(
                PeerStatus(
                    node_id=peer.node_id,
                    address=Address.parse(peer.address),
                    match_index=peer.match_index,
                    lag_entries=peer.lag_entries,
                    state=peer.state,
                    last_heard_ms=peer.last_heard_ms,
                )
                for peer in message.peers
            ),
        )
    except (KeyError, ConfigError) as error:
        raise ProtocolViolationError(f"not a node's status: {error}") from error
