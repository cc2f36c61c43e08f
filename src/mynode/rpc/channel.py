"""The client's way to a node over gRPC; what `mynode.client.transport` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from mynode.actors.ports import NodeStatus
from mynode.base.address import Address
from mynode.rpc.call import StreamCall, open_call
from mynode.rpc.generated.mynode.v1 import SessionFrame
from mynode.rpc.methods import SESSION
from mynode.rpc.operator import ask_status
from mynode.rpc.session_codec import MAX_REQUEST_BYTES, decode_replies, encode_request, pack_batches
from mynode.session.api import KnownMembers, SessionRequest, StatementReply


class GrpcTransport:
    """The way to the node at `address`; a `client.transport.Transport`. Used inside `open_bridge`."""

    def __init__(self, address: Address) -> None:
        self._address = address

    @property
    def address(self) -> str:
        """`host:port`."""
        return str(self._address)

    async def connect(self) -> GrpcSessionStream:
        """A session stream over a connection of its own; raises `ConnectionFailedError`."""
        async with AsyncExitStack() as opening:
            call = await opening.enter_async_context(open_call(self._address, SESSION))
            return GrpcSessionStream(call, opening.pop_all())

    async def status(self) -> NodeStatus:
        """The node's status, over a connection of its own; raises `ConnectionFailedError`."""
        return await ask_status(self._address)


class GrpcSessionStream:
    """One multiplexed session stream; a `client.transport.TransportStream`. One task sends, one receives."""

    def __init__(self, call: StreamCall[SessionFrame, SessionFrame], resources: AsyncExitStack) -> None:
        self._call = call
        self._resources = resources

    async def send(self, requests: Sequence[SessionRequest]) -> None:
        """Send requests, in one frame unless they are too large for one.

        Raises:
            ConnectionFailedError: the stream is broken or ended.
            SqlError: a request cannot be encoded (see `encode_request`); nothing was sent.
        """
        for batch in pack_batches([encode_request(request) for request in requests], MAX_REQUEST_BYTES):
            await self._call.send(SessionFrame(batch=batch))

    async def receive(self) -> list[StatementReply | KnownMembers]:
        """Wait for a frame, then take all that have come.

        Raises:
            ConnectionFailedError: the stream is broken or ended.
            ProtocolViolationError: the node sent what is no batch of replies.
        """
        frames = await self._call.receive()
        received: list[StatementReply | KnownMembers] = []
        for frame in frames:
            if frame.members:
                received.append(KnownMembers(frame.members_index, tuple(frame.members)))
            if frame.batch:
                received.extend(decode_replies(frame.batch))
        return received

    async def close(self) -> None:
        """End the stream; the node closes its sessions."""
        await self._resources.aclose()
