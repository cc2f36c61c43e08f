"""A node inside the caller's process: the same actors and files as any node, a cluster of one, no server to start."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from mynode.actors.connection import FrontConnection
from mynode.actors.ports import NodeIdentity, NodeStatus
from mynode.base.address import Address
from mynode.base.errors import ConnectionFailedError, ShuttingDownError
from mynode.node import STOP_TIMEOUT_S, Node, Surroundings, Timing, open_files
from mynode.observability.logging import log_warnings_only
from mynode.session.api import SessionRequest, StatementReply

IDENTITY: Final = NodeIdentity(cluster_id="embedded", node_id=1)
ADDRESS: Final = Address("embedded", 1)


class EmbeddedStream:
    """A client's stream to the node in the same process; a `mynode.client.transport.TransportStream`."""

    def __init__(self, connection: FrontConnection) -> None:
        self._connection = connection

    async def send(self, requests: Sequence[SessionRequest]) -> None:
        self._connection.submit(requests)
        await trio.lowlevel.checkpoint()

    async def receive(self) -> Sequence[StatementReply]:
        replies = await self._connection.replies()
        if not replies:
            raise ConnectionFailedError("the embedded node has stopped")
        return replies

    async def close(self) -> None:
        self._connection.close()
        await trio.lowlevel.checkpoint()


class EmbeddedTransport:
    """The way to the node in the same process; a `mynode.client.transport.Transport`."""

    def __init__(self, node: Node, directory: Path) -> None:
        self._node = node
        self._directory = directory

    @property
    def address(self) -> str:
        return f"file:{self._directory}"

    async def connect(self) -> EmbeddedStream:
        await trio.lowlevel.checkpoint()
        try:
            return EmbeddedStream(self._node.front.connect())
        except ShuttingDownError as error:
            raise ConnectionFailedError("the embedded node has stopped") from error

    async def status(self) -> NodeStatus:
        return await self._node.status()


@asynccontextmanager
async def open_embedded(directory: Path) -> AsyncIterator[EmbeddedTransport]:
    """Run a node with its data in `directory` (made if it is not there) for as long as the context is open.

    Raises:
        DataDirectoryError: the directory cannot be used, is in use, or belongs to a node of a cluster.
        CorruptionError: its raft log is damaged.
    """
    log_warnings_only()
    with open_files(directory, IDENTITY) as files:
        node = Node(
            IDENTITY, {IDENTITY.node_id: ADDRESS}, files, timing=Timing(tick_ms=10), surroundings=Surroundings()
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.run)
            try:
                yield EmbeddedTransport(node, directory)
            finally:
                with trio.move_on_after(STOP_TIMEOUT_S, shield=True):
                    await node.front.stop()
                nursery.cancel_scope.cancel()
