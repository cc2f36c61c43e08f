"""One connection against a fake transport: what the other side may do to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import trio
from grpclib.const import Cardinality, Handler
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, PingReceived, StreamReset

from mynode.base.limits import KEEPALIVE_S, MAX_UNSENT_BYTES
from mynode.rpc import http2
from mynode.rpc.bridge import open_bridge
from mynode.rpc.http2 import HTTP2_FRAME_BYTES, WINDOW_BYTES, BoundedProtocol, BoundedServer
from mynode.rpc.protobuf import ErrorDetailCodec, MessageCodec

HEADERS = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/test/Method"),
    (":authority", "test"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
]


class FakeTransport(asyncio.Transport):
    """Keeps what is written, and tells its protocol at once when it is aborted."""

    def __init__(self, protocol: BoundedProtocol) -> None:
        super().__init__()
        self.written = bytearray()
        self.unsent = 0
        self.closing = False
        self._protocol = protocol
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def take(self) -> bytes:
        written, self.written = bytes(self.written), bytearray()
        return written

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True
        self._protocol.connection_lost(None)


class Service:
    """One method whose calls wait for ever."""

    def __init__(self) -> None:
        self.started = 0

    def __mapping__(self) -> dict[str, Handler]:
        return {"/test/Method": Handler(self._wait, Cardinality.UNARY_UNARY, bytes, bytes)}

    async def _wait(self, _stream: object) -> None:
        self.started += 1
        await asyncio.get_running_loop().create_future()


class Side:
    """A server's protocol and the client's HTTP/2 to talk to it."""

    def __init__(self) -> None:
        self.service = Service()
        self.server = BoundedServer([self.service], codec=MessageCodec(), status_details_codec=ErrorDetailCodec())
        self.protocol = self.another()
        self.transport = FakeTransport(self.protocol)
        self.client = H2Connection(H2Configuration(client_side=True))
        self.client.initiate_connection()
        self.exchange()

    def another(self) -> BoundedProtocol:
        """One more connection to the same server."""
        return cast(BoundedProtocol, self.server._protocol_factory())

    def exchange(self) -> list[Any]:
        """Bytes both ways; the events at the client."""
        self.protocol.data_received(self.client.data_to_send())
        return self.client.receive_data(self.transport.take())

    @property
    def is_open(self) -> bool:
        return self.protocol in self.server.open_connections


@pytest.fixture
async def side() -> AsyncIterator[Side]:
    async with open_bridge():
        side = Side()
        yield side
        if side.is_open:
            side.protocol.abort()


async def test_frames_are_large_and_windows_wide(side: Side) -> None:
    assert side.client.max_outbound_frame_size == HTTP2_FRAME_BYTES
    assert side.client.remote_settings.initial_window_size == WINDOW_BYTES
    assert side.client.outbound_flow_control_window == WINDOW_BYTES


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\nHost: test\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", bytes(1000), b"\xff"],
)
async def test_what_does_not_begin_as_http2_ends_its_connection(side: Side, garbage: bytes) -> None:
    protocol = side.another()
    transport = FakeTransport(protocol)
    protocol.data_received(garbage)
    assert transport.closing
    protocol.data_received(garbage)
    protocol.abort()
    assert side.is_open


@pytest.mark.parametrize(
    ("garbage", "code"),
    [
        (b"\0\0\x08\x07\0\0\0\0\1" + bytes(8), ErrorCodes.PROTOCOL_ERROR),
        (b"\0\0\x01\x01\x04\0\0\0\x01\xff", ErrorCodes.PROTOCOL_ERROR),
        (b"\0\0\x01\x06\0\0\0\0\0\0", ErrorCodes.FRAME_SIZE_ERROR),
        (b"\x04\x00\x01\x00\0\0\0\0\1" + bytes(0x040001), ErrorCodes.FRAME_SIZE_ERROR),
    ],
)
async def test_garbage_after_a_good_beginning_ends_the_connection(side: Side, garbage: bytes, code: ErrorCodes) -> None:
    side.protocol.data_received(garbage)
    events = side.client.receive_data(side.transport.take())
    assert side.transport.closing
    assert [event.error_code for event in events if isinstance(event, ConnectionTerminated)] == [code]
    side.protocol.data_received(garbage)


async def test_a_frame_that_announces_too_much_is_not_waited_for(side: Side) -> None:
    side.protocol.data_received(b"\xff\xff\xff\0\0\0\0\0\x01")
    assert side.is_open
    side.protocol.data_received(bytes(HTTP2_FRAME_BYTES + 1))
    assert not side.is_open


async def test_a_frame_of_an_unknown_type_is_passed_over(side: Side) -> None:
    side.protocol.data_received(b"\0\0\x04\xfa\0\0\0\0\0junk")
    assert not side.transport.closing


async def test_our_own_failure_on_what_arrives_ends_the_connection_only(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_event: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(side.protocol.processor, "process", fail)
    side.client.ping(b"12345678")
    side.protocol.data_received(side.client.data_to_send())
    assert not side.is_open


async def test_streams_reset_at_once_leave_nothing_behind(side: Side) -> None:
    for _ in range(300):
        stream = side.client.get_next_available_stream_id()
        side.client.send_headers(stream, HEADERS)
        side.client.reset_stream(stream)
        side.exchange()
    await trio.testing.wait_all_tasks_blocked()
    assert side.service.started == 0
    assert side.protocol.processor.streams == {}


async def test_a_stream_reset_later_cancels_its_call_and_leaves_nothing_behind(side: Side) -> None:
    side.client.send_headers(1, HEADERS)
    side.exchange()
    await trio.testing.wait_all_tasks_blocked()
    assert (side.service.started, len(side.protocol.processor.streams)) == (1, 1)
    side.client.reset_stream(1)
    side.exchange()
    await trio.testing.wait_all_tasks_blocked()
    assert side.protocol.processor.streams == {}
    assert not side.transport.closing


async def test_more_streams_than_allowed_end_the_connection(side: Side) -> None:
    # Our own client's HTTP/2 keeps to the limit; one that was never told of it does not.
    careless = H2Connection(H2Configuration(client_side=True))
    careless.initiate_connection()
    careless.remote_settings.max_concurrent_streams = 1_000
    careless.remote_settings.acknowledge()
    protocol = side.another()
    transport = FakeTransport(protocol)
    for stream in range(1, 2 * 101 + 1, 2):
        careless.send_headers(stream, HEADERS)
    protocol.data_received(careless.data_to_send())
    assert transport.closing
    protocol.abort()


async def test_whoever_sends_without_reading_is_cut_off(side: Side) -> None:
    side.transport.unsent = MAX_UNSENT_BYTES
    side.client.ping(b"12345678")
    side.exchange()
    assert side.is_open
    side.transport.unsent += 1
    side.client.ping(b"12345678")
    side.protocol.data_received(side.client.data_to_send())
    assert not side.is_open


async def test_connections_are_bounded(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2, "MAX_CONNECTIONS", 2)
    second, third, fourth = side.another(), side.another(), side.another()
    assert not FakeTransport(second).closing
    assert FakeTransport(third).closing
    second.abort()
    assert not FakeTransport(fourth).closing
    fourth.abort()


async def test_a_silent_peer_is_pinged_then_given_up(side: Side, autojump_clock: trio.testing.MockClock) -> None:
    await trio.sleep(2.5 * KEEPALIVE_S)
    events = side.client.receive_data(side.transport.take())
    assert any(isinstance(event, PingReceived) for event in events)
    assert side.is_open
    await trio.sleep(2 * KEEPALIVE_S)
    assert not side.is_open


async def test_a_peer_that_answers_pings_stays(side: Side, autojump_clock: trio.testing.MockClock) -> None:
    for _ in range(20):
        await trio.sleep(KEEPALIVE_S)
        side.client.receive_data(side.transport.take())
        side.protocol.data_received(side.client.data_to_send())
    assert side.is_open


async def test_stopping_says_goodbye(side: Side) -> None:
    side.client.send_headers(1, HEADERS)
    side.exchange()
    side.protocol.stop()
    events = side.client.receive_data(side.transport.take())
    assert any(isinstance(event, ConnectionTerminated) for event in events)
    assert not any(isinstance(event, StreamReset) for event in events)
    assert side.transport.closing
    side.protocol.stop()
