"""grpclib's HTTP/2 made fit for remote mistakes: messages, connections and unsent bytes are bounded, a dead peer is
noticed, and nothing that arrives on the port can stop the node.

grpclib by itself reads a message of any length, keeps streams that a client resets at once, ends the connection's
callback with an exception for frames it does not know, and on a silent peer waits for the kernel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from functools import partial
from typing import Final, cast

import structlog
from grpclib._typing import IServable
from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.encoding.base import CodecBase, StatusDetailsCodecBase
from grpclib.exceptions import GRPCError
from grpclib.protocol import AbstractHandler, Connection, EventsProcessor, H2Protocol, Stream, _set_nodelay
from grpclib.server import Server
from grpclib.utils import Wrapper
from h2.connection import H2Connection
from h2.events import Event, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from mynode.base.limits import (
    KEEPALIVE_S,
    KIB,
    MAX_CONNECTIONS,
    MAX_UNSENT_BYTES,
    MIB,
)
from mynode.rpc.direct import DirectBuffer, check_size

log = structlog.get_logger(__name__)

WINDOW_BYTES: Final = 8 * MIB
"""What a stream, and a connection, may send before the receiver has taken it."""
HTTP2_FRAME_BYTES: Final = 256 * KIB
"""HTTP/2 starts with frames of 16 KiB, each of which costs as much as a large one."""
FRAME_HEADER_BYTES: Final = 9
PING: Final = b"mynode??"
"""A ping carries eight bytes."""
WRITE_BUFFER_BYTES: Final = 1 * MIB
"""Writers wait while this much has not gone to the kernel."""

CONFIGURATION: Final = Configuration(
    _keepalive_time=None,  # grpclib's own would close the transport in good order, and wait for a dead peer to read
    http2_connection_window_size=WINDOW_BYTES,
    http2_stream_window_size=WINDOW_BYTES,
)


class BoundedStream(Stream):
    """A stream that refuses a message by the length it announces, before any of it is kept, and, at a client, still
    gives out what had arrived when it was reset: a stopping node sends its last replies and its goodbye at once.
    """

    def __terminated__(self, reason: str) -> None:
        if self.headers is None:
            super().__terminated__(reason)
        else:
            self.buffer.eof()

    def init_stream(self, stream_id: int, connection: Connection) -> None:
        super().init_stream(stream_id, connection)
        self.buffer = DirectBuffer(partial(connection.ack, stream_id))

    async def recv_data(self, size: int) -> bytes:
        check_size(size)
        try:
            return await super().recv_data(size)
        except AssertionError as error:
            raise GRPCError(Status.INVALID_ARGUMENT, "the stream ended within a message") from error


class BoundedConnection(Connection):
    def ack(self, stream_id: int, size: int) -> None:
        if not self.is_closing():
            super().ack(stream_id, size)

    def create_stream(self, *, stream_id: int | None = None, wrapper: Wrapper | None = None) -> Stream:
        return BoundedStream(self, self._connection, self._transport, stream_id=stream_id, wrapper=wrapper)


class TolerantProcessor(EventsProcessor):
    """Passes over what it does not know, and forgets a stream as soon as it is reset."""

    def __init__(self, handler: AbstractHandler, connection: Connection) -> None:
        super().__init__(handler, connection)
        self._releases: dict[int, Callable[[], None]] = {}

    def process(self, event: Event) -> None:
        if type(event) in getattr(self, "processors", ()):
            super().process(event)

    def register(self, stream: Stream) -> Callable[[], None]:
        stream_id = cast(int, stream.id)
        self._releases[stream_id] = super().register(stream)
        return lambda: self._release(stream_id)

    def process_stream_reset(self, event: StreamReset) -> None:
        stream = self.streams.get(event.stream_id)
        super().process_stream_reset(event)
        # A handler releases its stream when it ends, but one that is cancelled before it began never does. A client
        # still reads what had arrived, and releases later.
        if stream is not None and stream.headers is None:
            self._release(event.stream_id)

    def _release(self, stream_id: int) -> None:
        release = self._releases.pop(stream_id, None)
        if release is not None:
            release()


class BoundedProtocol(H2Protocol):
    """One connection, of a server or a client.

    Invariant: it is in `open_connections` from `connection_made` until `connection_lost`.
    """

    connection: BoundedConnection

    def __init__(self, base: H2Protocol, open_connections: set[BoundedProtocol]) -> None:
        super().__init__(base.handler, base.config, base.h2_config)
        self._open_connections = open_connections
        self._transport: asyncio.Transport | None = None
        self._silent_rounds = 0
        self._timer: asyncio.TimerHandle | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As grpclib's, with our classes, larger frames, and a bound on connections."""
        self._transport = cast(asyncio.Transport, transport)
        socket = transport.get_extra_info("socket")
        if socket is not None:
            _set_nodelay(socket)
        http2 = H2Connection(config=self.h2_config)
        http2.initiate_connection()
        initial = http2.local_settings.initial_window_size
        http2.increment_flow_control_window(self.config.http2_connection_window_size - initial)
        http2.update_settings(
            {
                SettingCodes.INITIAL_WINDOW_SIZE: self.config.http2_stream_window_size,
                SettingCodes.MAX_FRAME_SIZE: HTTP2_FRAME_BYTES,
            }
        )
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self.connection = BoundedConnection(http2, self._transport, config=self.config)
        self.processor = TolerantProcessor(self.handler, self.connection)
        if len(self._open_connections) >= MAX_CONNECTIONS:
            log.warning("connection refused", reason=f"{MAX_CONNECTIONS} are open")
            self._transport.abort()
            return
        self._open_connections.add(self)
        self.connection.flush()
        self._timer = asyncio.get_running_loop().call_later(KEEPALIVE_S, self._keep_alive)

    def data_received(self, data: bytes) -> None:
        if self.connection.is_closing():
            return
        self._silent_rounds = 0
        try:
            events = self.connection.feed(data)
            self.connection.flush()
            for event in events:
                self.processor.process(event)
            if not self.connection.is_closing():
                self.connection.flush()
        except ProtocolError as error:
            log.info("connection closed", reason=f"not HTTP/2: {error}")
            self.connection.flush()
            self.processor.close()
        except Exception:
            log.exception("connection closed", reason="it sent what made us fail")
            self.abort()
        else:
            self._check_bounds()

    def _check_bounds(self) -> None:
        if self._transport is None or self.connection.is_closing():
            return
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            log.info("connection closed", reason="it sends but does not read")
            self.abort()
        # h2 refuses a frame that is too long only when all of it, up to 16 MiB, is there.
        elif len(self.connection._connection.incoming_buffer._data) > HTTP2_FRAME_BYTES + FRAME_HEADER_BYTES:
            log.info("connection closed", reason="it sends a frame that is too long")
            self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._open_connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)
        self._transport = None
        if not self.closed.done():
            self.closed.set_result(None)

    def stop(self) -> None:
        """Say goodbye (GOAWAY) and close once all is sent."""
        if not self.connection.is_closing():
            self.connection._connection.close_connection()
            self.connection.flush()
        self.processor.close()

    def abort(self) -> None:
        """Close at once; what is not sent is lost."""
        if self._transport is not None:
            self._transport.abort()

    def _keep_alive(self) -> None:
        """Ping after a silence; give up when that stays without an answer.

        Rounds are counted, not seconds, and there is one to spare: after a stall of our own process, what arrived
        meanwhile is read before the peer is called dead.
        """
        self._silent_rounds += 1
        if self._silent_rounds > 3:
            log.info("connection closed", reason="the peer is silent")
            self.abort()
            return
        if self._silent_rounds == 2 and not self.connection.is_closing():
            self.connection._connection.ping(PING)
            self.connection.flush()
        self._timer = asyncio.get_running_loop().call_later(KEEPALIVE_S, self._keep_alive)


class BoundedServer(Server):
    """A server that knows its connections, so that it can close them."""

    def __init__(
        self,
        handlers: Collection[IServable],
        *,
        codec: CodecBase,
        status_details_codec: StatusDetailsCodecBase,
    ) -> None:
        super().__init__(handlers, codec=codec, status_details_codec=status_details_codec, config=CONFIGURATION)
        self.open_connections: set[BoundedProtocol] = set()

    def _protocol_factory(self) -> H2Protocol:
        return BoundedProtocol(super()._protocol_factory(), self.open_connections)

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Start to serve; the address that was bound. Raises `OSError`."""
        await self.start(host, port)
        bound_host, bound_port, *_ = self._listener().sockets[0].getsockname()
        return bound_host, bound_port

    def stop_listening(self) -> None:
        """Accept no more connections; those that are open go on."""
        self._listener().close()

    async def stop(self, flush_timeout_s: float) -> None:
        """Cancel all calls, say goodbye, and close every connection, at the latest after the timeout."""
        self.close()
        connections = list(self.open_connections)
        for connection in connections:
            connection.stop()
        if connections:
            await asyncio.wait([connection.closed for connection in connections], timeout=flush_timeout_s)
        for connection in list(self.open_connections):
            connection.abort()
        await self.wait_closed()

    def _listener(self) -> asyncio.Server:
        return cast(asyncio.Server, self._server)


class BoundedChannel(Channel):
    """A client's one connection."""

    def __init__(self, host: str, port: int, *, codec: CodecBase) -> None:
        super().__init__(host, port, codec=codec, config=CONFIGURATION)

    def _protocol_factory(self) -> H2Protocol:
        return BoundedProtocol(super()._protocol_factory(), set())
