"""An operator's calls to one node, over gRPC; used inside `open_bridge`."""

from __future__ import annotations

from typing import Final

from mynode.actors.ports import NodeStatus
from mynode.base.address import Address
from mynode.base.ids import NodeId
from mynode.rpc.call import ask
from mynode.rpc.generated.mynode.v1 import StatusRequest, TransferLeadershipRequest
from mynode.rpc.methods import STATUS, TRANSFER_LEADERSHIP
from mynode.rpc.status import status_from_message

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
