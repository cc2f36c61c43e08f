"""Messages handed over where they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import given
from hypothesis import strategies as st

from mynode.base.limits import MAX_REQUEST_FRAME_BYTES
from mynode.rpc.bridge import in_asyncio, open_bridge
from mynode.rpc.direct import PREFIX, DirectBuffer


@pytest.fixture
async def bridge() -> AsyncIterator[None]:
    async with open_bridge():
        yield


class Received:
    """A buffer with what came out of it: the messages, and the bytes that it acknowledged."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.acknowledged = 0
        self.buffer = DirectBuffer(self._acknowledge)

    def _acknowledge(self, size: int) -> None:
        self.acknowledged += size

    def add(self, data: bytes) -> None:
        self.buffer.add(data, len(data))


def framed(*messages: bytes) -> bytes:
    return b"".join(PREFIX.pack(False, len(message)) + message for message in messages)


def failure(end: asyncio.Future[None]) -> Status:
    error = end.exception()
    assert isinstance(error, GRPCError)
    return error.status


@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(0, 400), max_size=8), st.integers(0, 8))
def test_messages_come_out_whole_however_their_bytes_arrive(
    messages: list[bytes], cuts: list[int], delivered_from: int
) -> None:
    async def deliver() -> None:
        data = framed(*messages)
        ends = [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
        received, end, start = Received(), None, 0
        for number, stop in enumerate(ends):
            if number == delivered_from:
                end = received.buffer.deliver(received.messages.append, holds_back=False)
            if stop > start:
                received.add(data[start:stop])
            start = stop
        end = end or received.buffer.deliver(received.messages.append, holds_back=False)
        assert received.messages == messages
        assert received.acknowledged == len(data)
        assert not end.done()
        received.buffer.eof()
        assert end.done()
        assert end.exception() is None

    asyncio.run(deliver())


async def test_what_was_read_before_is_not_delivered(bridge: None) -> None:
    received = Received()
    received.add(framed(b"hello", b"first"))
    assert await in_asyncio(received.buffer.read(10)) == framed(b"hello")
    received.add(framed(b"second"))
    end = received.buffer.deliver(received.messages.append, holds_back=False)
    assert received.messages == [b"first", b"second"]
    received.buffer.eof()
    assert end.done()


async def test_a_stream_that_has_ended_already_is_delivered_too(bridge: None) -> None:
    received = Received()
    received.add(framed(b"last"))
    received.buffer.eof()
    end = received.buffer.deliver(received.messages.append, holds_back=False)
    assert received.messages == [b"last"]
    assert end.done()


async def test_what_is_held_back_is_acknowledged_when_it_is_taken(bridge: None) -> None:
    received = Received()
    end = received.buffer.deliver(received.messages.append, holds_back=True)
    received.add(framed(b"one"))
    received.add(framed(b"two"))
    assert received.acknowledged == 0
    received.buffer.acknowledge()
    assert received.acknowledged == len(framed(b"one", b"two"))
    received.add(framed(b"three"))
    assert received.buffer.unacked_size() == len(framed(b"three"))
    end.cancel()


async def test_bad_bytes_end_the_delivery(bridge: None) -> None:
    for data, status in (
        (PREFIX.pack(False, MAX_REQUEST_FRAME_BYTES + 1), Status.RESOURCE_EXHAUSTED),
        (PREFIX.pack(True, 1) + b"x", Status.UNIMPLEMENTED),
    ):
        received = Received()
        end = received.buffer.deliver(received.messages.append, holds_back=True)
        received.add(framed(b"good") + data)
        assert failure(end) == status
        received.add(framed(b"late"))
        assert received.messages == [b"good"]
        assert received.acknowledged == len(framed(b"good", b"late") + data)


async def test_the_end_within_a_message_is_an_error(bridge: None) -> None:
    received = Received()
    end = received.buffer.deliver(received.messages.append, holds_back=False)
    received.add(framed(b"whole") + framed(b"half")[:-1])
    received.buffer.eof()
    assert failure(end) == Status.INVALID_ARGUMENT
    assert received.messages == [b"whole"]


async def test_what_the_taker_raises_ends_the_delivery(bridge: None) -> None:
    def refuse(message: bytes) -> None:
        raise KeyError(message)

    received = Received()
    end = received.buffer.deliver(refuse, holds_back=False)
    received.add(framed(b"one", b"two"))
    error = end.exception()
    assert isinstance(error, KeyError)
    assert error.args == (b"one",)


async def test_a_cancelled_delivery_drops_what_comes_later(bridge: None) -> None:
    received = Received()
    end = received.buffer.deliver(received.messages.append, holds_back=True)
    end.cancel()
    received.add(framed(b"late"))
    received.buffer.eof()
    assert received.messages == []
    assert received.acknowledged == len(framed(b"late"))
