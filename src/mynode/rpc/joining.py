"""What a node that joins a running cluster finds out before it waits to be added."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from mynode.actors.ports import NodeIdentity
from mynode.base.address import Address
from mynode.base.errors import ConfigError, MyNodeError
from mynode.rpc.operator import ask_members

log = structlog.get_logger(__name__)


async def check_cluster(nodes: Sequence[Address], identity: NodeIdentity, here: Address) -> None:
    """Ask the first of `nodes` that answers whether this node, which has no data yet, may be added.

    That none answers is no error: the node waits, and the leader speaks to it once it is added.

    Raises:
        ConfigError: they are of another cluster, or the node's number is used up.
    """
    for address in nodes:
        try:
            cluster = await ask_members(address)
        except MyNodeError as error:
            log.warning("no answer from the cluster", address=str(address), reason=error.message)
            continue
        if cluster.cluster_id != identity.cluster_id:
            raise ConfigError(f'{address} is a node of cluster "{cluster.cluster_id}", not "{identity.cluster_id}"')
        if identity.node_id in cluster.removed:
            raise ConfigError(
                f"a node {identity.node_id} was removed from the cluster, and a number is never used again",
                hint="Take another node_id.",
            )
        known = {member.node_id: member.address for member in cluster.members}
        if known.get(identity.node_id, str(here)) != str(here):
            raise ConfigError(f"node {identity.node_id} of the cluster is at {known[identity.node_id]}, not at {here}")
        if identity.node_id not in known:
            log.info("waiting to be added", command=f"mynode members add {identity.node_id}={here}")
        return
