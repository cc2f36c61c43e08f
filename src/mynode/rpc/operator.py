"""An operator's calls to one node, over gRPC; used inside `open_bridge`."""

from __future__ import annotations

from typing import Final, assert_never

from mynode.actors.ports import Members, NodeStatus
from mynode.base.address import Address
from mynode.base.ids import NodeId
from mynode.raft.membership import ChangeKind, MembershipChange
from mynode.rpc.call import ask
from mynode.rpc.generated.mynode.v1 import (
    AddMemberRequest,
    ListMembersRequest,
    PromoteMemberRequest,
    RemoveMemberRequest,
    StatusRequest,
    TransferLeadershipRequest,
)
from mynode.rpc.methods import (
    ADD_MEMBER,
    LIST_MEMBERS,
    PROMOTE_MEMBER,
    REMOVE_MEMBER,
    STATUS,
    TRANSFER_LEADERSHIP,
)
from mynode.rpc.status import members_from_message, status_from_message

STATUS_TIMEOUT_S: Final = 5.0
CHANGE_TIMEOUT_S: Final = 10.0
"""Longer than a node takes to say that it could not do in time what was asked."""


async def ask_status(address: Address) -> NodeStatus:
    """How the node at `address` is; raises `ConnectionFailedError`, `ShuttingDownError`."""
    return status_from_message(await ask(address, STATUS, StatusRequest(), timeout_s=STATUS_TIMEOUT_S))


async def ask_transfer(address: Address, to: NodeId | None) -> NodeId:
    """See `ClusterPort.transfer_leadership`, whose errors it raises, and `ConnectionFailedError`."""
    request = TransferLeadershipRequest(node_id=to or 0)
    return (await ask(address, TRANSFER_LEADERSHIP, request, timeout_s=CHANGE_TIMEOUT_S)).leader_id


async def ask_members(address: Address) -> Members:
    """See `ClusterPort.members`; raises `ConnectionFailedError` too."""
    return members_from_message(await ask(address, LIST_MEMBERS, ListMembersRequest(), timeout_s=STATUS_TIMEOUT_S))


async def ask_change(address: Address, change: MembershipChange) -> Members:
    """See `ClusterPort.change_members`, whose errors it raises, and `ConnectionFailedError`; returns the members."""
    number = change.node_id
    match change.kind:
        case ChangeKind.ADD_LEARNER:
            added = AddMemberRequest(node_id=number, address=change.address)
            response = await ask(address, ADD_MEMBER, added, timeout_s=CHANGE_TIMEOUT_S)
        case ChangeKind.PROMOTE:
            promoted = PromoteMemberRequest(node_id=number)
            response = await ask(address, PROMOTE_MEMBER, promoted, timeout_s=CHANGE_TIMEOUT_S)
        case ChangeKind.REMOVE:
            removed = RemoveMemberRequest(node_id=number)
            response = await ask(address, REMOVE_MEMBER, removed, timeout_s=CHANGE_TIMEOUT_S)
        case _:
            assert_never(change.kind)
    return members_from_message(response)
