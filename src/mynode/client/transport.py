"""What the client needs of a way to a node; gRPC, the embedded node and the tests' fake stand behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mynode.actors.ports import NodeStatus
from mynode.session.api import KnownMembers, SessionRequest, StatementReply


class TransportStream(Protocol):
    """One multiplexed session stream to a node. One task sends and one receives, at the same time."""

    async def send(self, requests: Sequence[SessionRequest]) -> None:
        """Send one frame. Raises `ConnectionFailedError` when the stream is broken."""
        ...

    async def receive(self) -> Sequence[StatementReply | KnownMembers]:
        """Wait for the next frame: replies, or what the node says of the cluster's members.

        Raises `ConnectionFailedError` when the stream is broken or ended.
        """
        ...

    async def close(self) -> None:
        """End the stream; the node closes its sessions. Never raises `ConnectionFailedError`."""
        ...


class Transport(Protocol):
    """The way to one node."""

    @property
    def address(self) -> str:
        """The node as a person names it: `host:port`, or the directory of an embedded node."""
        ...

    async def connect(self) -> TransportStream:
        """Open a stream of its own, which waits for no other stream. Raises `ConnectionFailedError`."""
        ...

    async def status(self) -> NodeStatus:
        """Ask the node itself, not its quorum, how it is. Raises `ConnectionFailedError`."""
        ...
