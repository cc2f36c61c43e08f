"""Asking every node of a cluster how it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from mynode.base.address import Address
from mynode.base.ids import NodeId
from mynode.client.status import StatusReport
from mynode.raft.effects import Role
from mynode.trio import connect

_POLL_INTERVAL_S = 0.1


async def survey(addresses: Sequence[Address]) -> list[StatusReport]:
    """Every node's report, in the order of `addresses`; a node that does not answer has an error for a status."""
    async with connect(",".join(map(str, addresses))) as client:
        return await client.status()


async def wait_for_leader(addresses: Sequence[Address], *, accept: Callable[[NodeId], bool] = lambda _: True) -> NodeId:
    """Ask until a majority of the nodes follows a leader that `accept` takes; bounded by the caller's deadline."""
    async with connect(",".join(map(str, addresses))) as client:
        while True:
            leader = agreed_leader(await client.status())
            if leader is not None and accept(leader):
                return leader
            await trio.sleep(_POLL_INTERVAL_S)


def agreed_leader(reports: Sequence[StatusReport]) -> NodeId | None:
    """The node that says it leads and that a majority of all nodes follows, itself among them; or None."""
    statuses = [report.status for report in reports if report.status is not None]
    for candidate in statuses:
        followers = [
            status for status in statuses if (status.leader_id, status.term) == (candidate.node_id, candidate.term)
        ]
        if candidate.role is Role.LEADER and 2 * len(followers) > len(reports):
            return candidate.node_id
    return None
