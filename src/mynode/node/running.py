"""A node as a process runs it: its files, its gRPC port, and a clean end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import structlog
import trio
from trio_util import wait_any

from mynode.actors.ports import NodeIdentity
from mynode.actors.sql_session import Timeouts
from mynode.base.errors import RemovedError, WrongIncarnationError
from mynode.config import NodeConfig
from mynode.node.files import open_files
from mynode.node.node import Node, Surroundings, Timing
from mynode.rpc.bridge import open_bridge
from mynode.rpc.joining import check_cluster
from mynode.rpc.peer import GrpcPeerTransport
from mynode.rpc.server import serve

log = structlog.get_logger(__name__)


async def run_until_cancelled(node: Node, serve_clients: Callable[[], Awaitable[None]]) -> None:
    """Run the node and its front door; when cancelled, stop the node (`Node.stop`), then the door and the actors.

    All of it is shielded from the cancellation that starts it, and bounded. A node that is removed from its cluster
    stops in the same way.

    Raises:
        RemovedError: it was removed.
        WrongIncarnationError: the cluster knows it with another data directory.
    """
    stop = trio.Event()
    async with trio.open_nursery() as watcher:
        watcher.start_soon(_set_when_cancelled, stop)
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(node.run)
                nursery.start_soon(serve_clients)
                await wait_any(stop.wait, node.raft.removed.wait, node.displaced.wait)
                await node.stop()
                nursery.cancel_scope.cancel()
        watcher.cancel_scope.cancel()
    if node.displaced.is_set():
        raise WrongIncarnationError(
            "this is not the data directory that the cluster knows of this node: it was emptied, or another took its "
            "place; the node could vote twice",
            hint=f"Put the right one back. If it is lost: `mynode members remove {node.node_id}`, and add a new node "
            "with an empty directory and another number.",
        )
    if node.raft.removed.is_set():
        raise RemovedError("this node was removed from the cluster", hint="Its data directory is of no use any more.")


async def _set_when_cancelled(event: trio.Event) -> None:
    try:
        await trio.sleep_forever()
    finally:
        event.set()


async def run_node(config: NodeConfig) -> None:
    """Run one node with its gRPC port until cancelled; then stop it cleanly.

    Raises:
        DataDirectoryError, CorruptionError, AddressInUseError: it cannot start.
        ConfigError: the cluster that it is to join is another one, or has no place for it.
        RemovedError, WrongIncarnationError: it is no member of the cluster any more, or not the one that it was.
        DiskError: the disk failed; the node must not go on.
    """
    identity = NodeIdentity(config.cluster_id, config.node_id)
    advertised = config.members.get(config.node_id, config.advertise or config.listen)
    with open_files(config.data_dir, identity, segment_bytes=config.log_segment_bytes) as files:
        async with open_bridge():
            members = {} if config.join else dict(config.members) or {config.node_id: advertised}
            if config.join and not files.raft_log.last_index:
                await check_cluster(config.join, identity, advertised)
            surroundings = Surroundings(transport=GrpcPeerTransport(identity, advertised, files.incarnation))
            timing = Timing(config.tick_ms, config.heartbeat_ticks, config.election_ticks, config.lease_reads)
            node = Node(
                identity,
                members,
                files,
                timing=timing,
                surroundings=surroundings,
                checkpoint_entries=config.checkpoint_entries,
                timeouts=Timeouts(
                    config.idle_in_transaction_timeout_s, config.statement_timeout_s, config.view_timeout_s
                ),
            )
            log.info(
                "node starts",
                node=config.node_id,
                listen=str(config.listen),
                log_entries=files.raft_log.last_index,
                applied=files.engine.applied_index,
            )
            await run_until_cancelled(
                node,
                partial(serve, address=config.listen, sessions=node.front, cluster=node, peers=node, identity=identity),
            )
            log.info("node stopped", node=config.node_id)
