"""A node's status survives the wire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mynode.actors.ports import NodeStatus
from mynode.base.errors import ProtocolViolationError
from mynode.raft.effects import Role
from mynode.rpc.generated.mynode import v1
from mynode.rpc.status import status_from_message, status_to_message
from mynode.testing.ports import STATUS


@pytest.mark.parametrize(
    "status",
    [STATUS, replace(STATUS, leader_id=None, leader_address=None, peers=()), *(replace(STATUS, role=r) for r in Role)],
)
def test_status_survives_the_wire(status: NodeStatus) -> None:
    encoded = status_to_message(status).SerializeToString()
    assert status_from_message(v1.StatusResponse.FromString(encoded)) == status


@pytest.mark.parametrize(
    "message",
    [
        v1.StatusResponse(),
        v1.StatusResponse(role=v1.Role.LEADER, leader_address="nowhere"),
        v1.StatusResponse(role=v1.Role.LEADER, peers=[v1.PeerStatus(node_id=1)]),
    ],
)
def test_what_is_no_status_is_refused(message: v1.StatusResponse) -> None:
    with pytest.raises(ProtocolViolationError):
        status_from_message(message)
