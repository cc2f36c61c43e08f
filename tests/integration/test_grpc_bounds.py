"""What may arrive on the node's port, over real sockets: the node stays up, bounded, and serves everybody else."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import grpc
import msgpack
import pytest
import trio
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, StreamReset, TrailersReceived

from mynode.base.address import Address
from mynode.base.limits import CONNECTION_OUTBOX_REPLIES, MAX_REQUEST_FRAME_BYTES
from mynode.rpc import http2
from mynode.rpc.channel import GrpcTransport
from mynode.session.api import StatementRequest
from mynode.testing.grpc import independent_client, make, serving
from mynode.testing.ports import ScriptedNode

SESSION_ID = bytes(range(16))


class Port:
    def __init__(self, node: ScriptedNode, address: Address) -> None:
        self.node = node
        self.address = address

    async def still_serves(self) -> bool:
        """A new client gets its answer."""
        stream = await GrpcTransport(self.address).connect()
        await stream.send([StatementRequest(SESSION_ID, 1, "ECHO", (7,), 1000, False, 0)])
        [reply] = await stream.receive()
        await stream.close()
        return list(reply.rows) == [(7,)]


class RawClient:
    """HTTP/2 by hand over a socket: it reads, and gives room, only when told."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.http2 = H2Connection(H2Configuration(client_side=True))

    @classmethod
    @asynccontextmanager
    async def connect(cls, address: Address) -> AsyncIterator[RawClient]:
        async with await trio.open_tcp_stream(address.host, address.port) as stream:
            client = cls(stream)
            client.http2.initiate_connection()
            await client.flush()
            yield client

    async def flush(self) -> None:
        await self.stream.send_all(self.http2.data_to_send())

    async def call(self, route: str, data: bytes, *, end: bool = False) -> int:
        stream_id = self.http2.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":path", route), (":authority", "test")]
        headers += [("te", "trailers"), ("content-type", "application/grpc")]
        self.http2.send_headers(stream_id, headers)
        self.http2.send_data(stream_id, data, end_stream=end)
        await self.flush()
        return stream_id

    async def events(self) -> list[Event]:
        """What comes next; empty when the server has closed the connection."""
        data = await self.stream.receive_some()
        if not data:
            return []
        events = self.http2.receive_data(data)
        await self.flush()
        return events

    async def trailers(self) -> dict[str, str]:
        """Read until a call has ended."""
        while True:
            for event in await self.events():
                if isinstance(event, TrailersReceived):
                    return {str(name, "ascii"): str(value, "ascii") for name, value in event.headers}
                headers = dict(getattr(event, "headers", None) or ())
                if b"grpc-status" in headers:
                    return {str(name, "ascii"): str(value, "ascii") for name, value in headers.items()}


def message(content: bytes, *, announced: int | None = None, compressed: bool = False) -> bytes:
    return struct.pack(">?I", compressed, len(content) if announced is None else announced) + content


def session_frame(sql: str) -> bytes:
    frame = make("SessionFrame", batch=msgpack.packb([[SESSION_ID, 1, 1, sql, [], 1000, False, 0]]))
    return message(frame.SerializeToString())


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    node = ScriptedNode()
    with trio.fail_after(30):
        async with serving(node) as address:
            yield Port(node, address)


async def end_of(stream: trio.SocketStream) -> None:
    """Wait until the server has closed the connection."""
    try:
        while await stream.receive_some():
            pass
    except trio.BrokenResourceError:
        return


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", bytes(100_000), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"]
)
async def test_garbage_is_answered_by_closing(port: Port, garbage: bytes) -> None:
    for _ in range(3):
        async with await trio.open_tcp_stream(port.address.host, port.address.port) as stream:
            with suppress(trio.BrokenResourceError):
                await stream.send_all(garbage)
            await end_of(stream)
    assert await port.still_serves()


async def test_a_silent_connection_is_closed(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2, "KEEPALIVE_S", 0.05)
    async with await trio.open_tcp_stream(port.address.host, port.address.port) as stream:
        await end_of(stream)
    assert await port.still_serves()


# --- messages --------------------------------------------------------------------------------------------------------


async def test_a_message_over_the_bound_is_refused_by_its_length(port: Port) -> None:
    async with RawClient.connect(port.address) as client:
        await client.call("/mynode.v1.SqlService/Session", message(b"", announced=MAX_REQUEST_FRAME_BYTES + 1))
        trailers = await client.trailers()
        assert trailers["grpc-status"] == str(grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])
        assert str(MAX_REQUEST_FRAME_BYTES) in trailers["grpc-message"]
        assert await port.still_serves()


@pytest.mark.parametrize("service", ["SqlService/Execute", "ClusterService/Status", "RaftService/Stream"])
async def test_every_method_refuses_a_message_over_the_bound(port: Port, service: str) -> None:
    async with RawClient.connect(port.address) as client:
        await client.call(f"/mynode.v1.{service}", message(b"", announced=2**32 - 1))
        assert (await client.trailers())["grpc-status"] == str(grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])


async def test_a_large_message_really_sent_is_refused(port: Port) -> None:
    def send() -> grpc.StatusCode:
        with independent_client(port.address) as client, pytest.raises(grpc.RpcError) as caught:
            client.execute("x" * (MAX_REQUEST_FRAME_BYTES + 1))
        code: grpc.StatusCode = caught.value.code()
        return code

    assert await trio.to_thread.run_sync(send) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await port.still_serves()


async def test_a_message_at_the_bound_is_taken(port: Port) -> None:
    blob = bytes(MAX_REQUEST_FRAME_BYTES - 1_000)

    def send() -> str:
        with independent_client(port.address) as client, pytest.raises(grpc.RpcError) as caught:
            client.execute("FAIL 42601 taken", parameters=[make("Value", blob=blob)])
        details: str = caught.value.details()
        return details

    assert await trio.to_thread.run_sync(send) == "taken"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (message(b"\x0a\x05ab"), grpc.StatusCode.INVALID_ARGUMENT),
        (message(b"\xff\xff\xff"), grpc.StatusCode.INVALID_ARGUMENT),
        (message(b"abc", announced=100), grpc.StatusCode.INVALID_ARGUMENT),
        (message(b"", compressed=True), grpc.StatusCode.UNIMPLEMENTED),
        (b"\0\0", grpc.StatusCode.INVALID_ARGUMENT),
        (b"", grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
@pytest.mark.parametrize("method", ["SqlService/Execute", "SqlService/Session", "RaftService/Stream"])
async def test_a_damaged_message_is_refused(port: Port, method: str, data: bytes, code: grpc.StatusCode) -> None:
    async with RawClient.connect(port.address) as client:
        await client.call(f"/mynode.v1.{method}", data, end=True)
        status = (await client.trailers())["grpc-status"]
        if method == "SqlService/Session" and not data:
            assert status == "0"
        elif method == "RaftService/Stream" and status == "9":
            assert data[:5] == message(b"", announced=len(data) - 5), "read as a frame of nobody"
        else:
            assert status == str(code.value[0])


# --- clients that do not read, or go away ----------------------------------------------------------------------------


async def test_a_client_that_stops_reading_holds_back_only_itself(port: Port) -> None:
    async with RawClient.connect(port.address) as client:
        await client.call("/mynode.v1.SqlService/Session", session_frame("ROWS 100000000"))
        received = 0
        while received < 60_000:
            for event in await client.events():
                if isinstance(event, DataReceived):
                    received += len(event.data)
        await trio.testing.wait_all_tasks_blocked(0.05)
        [connection] = port.node.connections
        taken = connection.replies_taken
        assert await port.still_serves()
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert connection.replies_taken == taken <= 2 * CONNECTION_OUTBOX_REPLIES
        client.http2.reset_stream(1)
        await client.flush()
        await connection.closed.wait()


async def test_a_client_that_stops_reading_its_socket_is_closed(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2, "KEEPALIVE_S", 0.05)
    async with RawClient.connect(port.address) as client:
        client.http2.increment_flow_control_window(2**30)
        client.http2.update_settings({4: 2**30})
        await client.call("/mynode.v1.SqlService/Session", session_frame("ROWS 100000000"))
        while not port.node.connections:
            await trio.lowlevel.checkpoint()
        await port.node.connections[0].closed.wait()


async def test_a_client_that_vanishes_has_its_statement_cancelled(port: Port) -> None:
    for how in ("closes", "resets", "dies"):
        async with RawClient.connect(port.address) as client:
            await client.call("/mynode.v1.SqlService/Session", session_frame("WAIT"))
            while not (port.node.connections and port.node.connections[-1].submitted.is_set()):
                await client.events()
                await trio.testing.wait_all_tasks_blocked()
            if how == "resets":
                client.http2.reset_stream(1)
                await client.flush()
            elif how == "dies":
                client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                await client.stream.aclose()
            else:
                await client.stream.aclose()
            await port.node.connections[-1].closed.wait()
            port.node.connections.clear()
    assert await port.still_serves()


async def test_a_call_that_fails_before_its_client_has_sent_all_is_reset(port: Port) -> None:
    async with RawClient.connect(port.address) as client:
        await client.call("/mynode.v1.SqlService/Session", message(b"\xff\xff"))
        seen: list[Event] = []
        while not any(isinstance(event, StreamReset) for event in seen):
            seen += await client.events()
        assert await port.still_serves()
