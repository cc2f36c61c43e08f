"""Calls to another process, used from Trio: unary ones, and what the streams of `peer.py` and `channel.py` share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, Generic, TypeVar

import grpclib.stream
import trio
from grpclib.client import Stream
from grpclib.exceptions import GRPCError, StreamTerminatedError
from h2.exceptions import H2Error

from mynode.base.address import Address
from mynode.base.errors import ConnectionFailedError
from mynode.base.invariant import invariant
from mynode.rpc.bridge import Crossing, await_in_asyncio, in_asyncio
from mynode.rpc.direct import buffer_of
from mynode.rpc.errors import error_of
from mynode.rpc.http2 import BoundedChannel
from mynode.rpc.methods import Method
from mynode.rpc.protobuf import MessageCodec, ProtoMessage

Request = TypeVar("Request", bound=ProtoMessage)
Response = TypeVar("Response", bound=ProtoMessage)

CONNECT_TIMEOUT_S: Final = 5.0


@contextmanager
def open_channel(address: Address) -> Iterator[BoundedChannel]:
    """A connection to `address`, made by the first call over it."""
    channel = BoundedChannel(address.host, address.port, codec=MessageCodec())
    try:
        yield channel
    finally:
        channel.close()


async def ask(address: Address, method: Method[Request, Response], request: Request, *, timeout_s: float) -> Response:
    """One unary call over a connection of its own.

    Raises:
        ConnectionFailedError: nobody answers there in time, or what does is no node.
        MyNodeError: what the node says instead of a response.
    """
    with open_channel(address) as channel, trio.move_on_after(timeout_s):
        return await await_in_asyncio(_ask(channel, method, request, address))
    raise ConnectionFailedError(f"{address} does not answer")


async def _ask(
    channel: BoundedChannel, method: Method[Request, Response], request: Request, address: Address
) -> Response:
    stream = channel.request(method.route, method.cardinality, method.request, method.response)
    try:
        async with stream:
            await stream.send_message(request, end=True)
            response = await stream.recv_message()
    except GRPCError as failure:
        told = error_of(failure, stream.trailing_metadata or {})
        raise told or ConnectionFailedError(f"{address}: {failure.message or failure.status.name}") from failure
    except (OSError, StreamTerminatedError, H2Error) as failure:
        raise ConnectionFailedError(f"{address}: {failure}") from failure
    if response is None:
        raise ConnectionFailedError(f"{address}: the node ended the call without an answer")
    return response


class StreamCall(Generic[Request, Response]):
    """One call with a streaming request. An asyncio task holds it open and receives; Trio tasks send and take.

    What has arrived and is not taken is bounded by the flow control of HTTP/2 (`http2.WINDOW_BYTES`).

    Invariant: after the task's end, every wait in `send` and `receive` ends with the call's error.
    """

    def __init__(self, channel: BoundedChannel, method: Method[Request, Response], address: Address) -> None:
        self._channel = channel
        self._method = method
        self._address = address
        self._codec = MessageCodec()
        self._received: Crossing[Response] = Crossing(self._taken)
        self._stream: Stream[Request, Response] | None = None
        self._accepted = trio.Event()
        self._error: ConnectionFailedError | None = None
        self._sending: trio.CancelScope | None = None

    async def hold(self, hello: Request | None) -> None:
        """asyncio's side: the call from its beginning, with `hello` as the first message, to its end."""
        method = self._method
        error = ConnectionFailedError(f"{self._address}: the stream was closed")
        try:
            async with self._channel.request(
                method.route, method.cardinality, method.request, method.response
            ) as stream:
                await stream.send_request()
                if hello is not None:
                    await stream.send_message(hello)
                await stream.recv_initial_metadata()
                self._stream = stream
                self._accepted.set()
                await self._receive_all(stream)
        except GRPCError as failure:
            error = ConnectionFailedError(f"{self._address}: {failure.message or failure.status.name}")
        except (OSError, StreamTerminatedError, H2Error) as failure:
            error = ConnectionFailedError(f"{self._address}: {failure}")
        finally:
            self._end(error)

    async def _receive_all(self, stream: Stream[Request, Response]) -> None:
        await buffer_of(stream._stream).deliver(self._receive, holds_back=True)
        # On its way out of the call, grpclib makes of this what the trailers say, if there are any.
        raise StreamTerminatedError("the stream ended")

    def _receive(self, data: bytes) -> None:
        self._received.put(self._codec.decode(data, self._method.response))

    def _taken(self) -> None:
        if self._stream is not None:
            buffer_of(self._stream._stream).acknowledge()

    def _end(self, error: ConnectionFailedError) -> None:
        if self._error is None:
            self._error = error
            self._accepted.set()
            self._received.close(error)
            if self._sending is not None:
                self._sending.cancel()

    async def accepted(self) -> None:
        """Wait until the other side has accepted the call; raises what it says instead."""
        await self._accepted.wait()
        if self._error is not None:
            raise self._error

    async def send(self, message: Request) -> None:
        """Send one message; waits while the other side reads too slowly. For one task at a time.

        Raises:
            ConnectionFailedError: the call has ended; it says why.
        """
        invariant(self._sending is None, "one task sends over a call")
        if self._error is not None or self._stream is None:
            raise self._error or ConnectionFailedError(f"{self._address}: the call is not open")
        self._sending = scope = trio.CancelScope()
        with scope:
            try:
                # Not the client stream's own `send_message`, which asks asyncio for its current task.
                await in_asyncio(
                    grpclib.stream.send_message(self._stream._stream, self._codec, message, self._method.request)
                )
            except BaseException as failure:
                # Whatever ends a send early, the stream may have half a message now.
                self._end(ConnectionFailedError(f"{self._address}: {failure or 'a message was cut off'}"))
                if not isinstance(failure, (OSError, H2Error)):
                    raise
            finally:
                self._sending = None
        if self._error is not None:
            raise self._error

    async def receive(self) -> list[Response]:
        """Wait for a message, then take all that have come; raises like `send`."""
        return await self._received.take()


@asynccontextmanager
async def open_call(
    address: Address, method: Method[Request, Response], *, hello: Request | None = None
) -> AsyncIterator[StreamCall[Request, Response]]:
    """A call over a connection of its own, so that a slow one holds back no other.

    Raises:
        ConnectionFailedError: on entry, when nobody answers there within `CONNECT_TIMEOUT_S`, or the other side
            refuses.
    """
    with open_channel(address) as channel:
        call = StreamCall(channel, method, address)
        holder = asyncio.get_running_loop().create_task(call.hold(hello))
        try:
            with trio.move_on_after(CONNECT_TIMEOUT_S) as connecting:
                await call.accepted()
            if connecting.cancelled_caught:
                raise ConnectionFailedError(f"{address} does not answer")
            yield call
        finally:
            holder.cancel()
            with trio.CancelScope(shield=True):
                await in_asyncio(asyncio.wait({holder}))
