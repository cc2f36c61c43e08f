"""Messages of a stream handed over in the very callback of the socket that brought them.

grpclib wakes the asyncio task that reads a stream, twice a message: for its length, and for its bytes. Under
trio-asyncio that is 25 to 40 µs a message, as much as all that is done with it afterwards. Here the bytes of a stream
go to a function instead, which never waits.

A message of gRPC: one byte, 1 if it is compressed (which nobody was told that we can), 4 bytes of length, big-endian,
then as many bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from struct import Struct
from typing import Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.protocol import Buffer, Stream

from mynode.base.limits import MAX_REQUEST_FRAME_BYTES

PREFIX: Final = Struct(">?I")


def check_size(size: int) -> None:
    """Raises `GRPCError` for a message that is too long, by the length it announces, before any of it is kept."""
    if size > MAX_REQUEST_FRAME_BYTES:
        raise GRPCError(Status.RESOURCE_EXHAUSTED, f"a message of {size} bytes, {MAX_REQUEST_FRAME_BYTES} is the most")


class DirectBuffer(Buffer):
    """What a stream has received. Reads as grpclib's own until `deliver` is called.

    Invariants, from then on: `_partial` is less than one message, which is looked at again when it has `_wanted` bytes,
    so that a message in tiny pieces costs no more than a whole one; what arrives after the end, or after an error, is
    dropped. All that arrives is either acknowledged, so that the other side may send as much again, or counted in
    `_unacknowledged`.
    """

    def __init__(self, acknowledge: Callable[[int], None]) -> None:
        super().__init__(acknowledge)
        self._take: Callable[[bytes], None] | None = None
        self._holds_back = False
        self._partial = bytearray()
        self._wanted = PREFIX.size
        self._unacknowledged = 0
        self._end: asyncio.Future[None] | None = None

    def deliver(self, take: Callable[[bytes], None], *, holds_back: bool) -> asyncio.Future[None]:
        """From now on give each whole message to `take`, those that wait included.

        Args:
            take: must not wait. An exception ends the delivery.
            holds_back: acknowledge what arrives only when told by `acknowledge`, so that the flow control of HTTP/2
                bounds what waits.

        Returns: done when the other side has ended the stream; fails with the exception of `take`, or with a
            `GRPCError` for what is no message. Cancelling it ends the delivery.
        """
        self._end = asyncio.get_running_loop().create_future()
        self._take, self._holds_back = take, holds_back
        waiting = [bytes(chunk.data) for chunk in self._acked]
        self._acked.clear()
        self._acked_size = 0
        size = 0
        while not self._unacked.empty():
            chunk = self._unacked.get_nowait()
            waiting.append(chunk.data)
            size += chunk.ack_size
        self.add(b"".join(waiting), size)
        if self._eof:
            self._ended()
        return self._end

    def add(self, data: bytes, ack_size: int) -> None:
        """Received from the connection; `ack_size` has the padding too."""
        if self._take is None or self._end is None:
            super().add(data, ack_size)
            return
        if not self._end.done():
            try:
                self._deliver(data, self._take)
            except Exception as error:
                self._partial.clear()
                self._end.set_exception(error)
        self._unacknowledged += ack_size
        if not self._holds_back or self._end.done():
            self.acknowledge()

    def acknowledge(self) -> None:
        """Let the other side send as much as has arrived."""
        size, self._unacknowledged = self._unacknowledged, 0
        self._ack_callback(size)

    def eof(self) -> None:
        if self._take is None:
            super().eof()
        else:
            self._eof = True
            self._ended()

    def unacked_size(self) -> int:
        size, self._unacknowledged = self._unacknowledged, 0
        return size + super().unacked_size()

    def _deliver(self, data: bytes, take: Callable[[bytes], None]) -> None:
        if self._partial:
            self._partial += data
            if len(self._partial) < self._wanted:
                return
            data = bytes(self._partial)
            self._partial.clear()
        start, self._wanted = 0, PREFIX.size
        while len(data) - start >= PREFIX.size:
            is_compressed, size = PREFIX.unpack_from(data, start)
            if is_compressed:
                raise GRPCError(Status.UNIMPLEMENTED, "a compressed message, though compression was not offered")
            check_size(size)
            end = start + PREFIX.size + size
            if end > len(data):
                self._wanted = end - start
                break
            take(data[start + PREFIX.size : end])
            start = end
        self._partial += data[start:]

    def _ended(self) -> None:
        if self._end is not None and not self._end.done():
            if self._partial:
                self._end.set_exception(GRPCError(Status.INVALID_ARGUMENT, "the stream ended within a message"))
            else:
                self._end.set_result(None)


def buffer_of(stream: Stream) -> DirectBuffer:
    """The buffer of a stream of our connections."""
    buffer = stream.buffer
    if not isinstance(buffer, DirectBuffer):
        raise AssertionError("a stream that our connections did not make")
    return buffer
