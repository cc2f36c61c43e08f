"""Streams between nodes, over sockets."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest
import trio
import trio.lowlevel

from mynode.actors.ports import NodeIdentity, PeerStream
from mynode.base.address import Address
from mynode.base.errors import ConnectionFailedError
from mynode.base.limits import MAX_REQUEST_FRAME_BYTES
from mynode.raft.messages import AppendRequest, Entry, EntryKind, Heartbeat, Message
from mynode.rpc import call, http2
from mynode.rpc.bridge import open_bridge
from mynode.rpc.peer import GrpcPeerTransport
from mynode.testing.grpc import IDENTITY, serving
from mynode.testing.ports import ScriptedNode

ME = NodeIdentity(IDENTITY.cluster_id, 1)
HERE = Address("127.0.0.1", 9601)


@pytest.fixture
async def bridge() -> AsyncIterator[None]:
    with trio.fail_after(20):
        async with open_bridge():
            yield


async def received(node: ScriptedNode, count: int) -> list[Message]:
    """The first `count` messages that the node has received, once they are there."""
    while True:
        arrived = trio.Event()
        node.on_receive = arrived.set
        messages = [message for _, frame in node.received for message in frame]
        if len(messages) >= count:
            return messages
        await arrived.wait()


async def test_messages_arrive_in_order_with_their_sender(bridge: None) -> None:
    node = ScriptedNode()
    sent = [Heartbeat(1, 2, number) for number in range(100)]
    async with serving(node) as address, GrpcPeerTransport(ME, HERE, "1st").connect(2, address, "") as stream:
        for place in range(0, 100, 10):
            await stream.send(sent[place : place + 10])
        assert await received(node, 100) == sent
    assert {sender for sender, _ in node.received} == {1}
    assert node.greeted == [(1, HERE)]
    assert [len(messages) for _, messages in node.received] == [10] * 10


async def test_what_fits_no_frame_goes_in_several(bridge: None) -> None:
    node = ScriptedNode()
    payload = os.urandom(MAX_REQUEST_FRAME_BYTES // 3)
    sent = [
        AppendRequest(1, number, 1, (Entry(1, number + 1, EntryKind.COMMAND, b"", payload),), 0) for number in range(5)
    ]
    async with serving(node) as address, GrpcPeerTransport(ME, HERE, "1st").connect(2, address, "") as stream:
        await stream.send(sent)
        assert await received(node, 5) == sent
    assert len(node.received) > 1


@pytest.mark.parametrize(
    ("identity", "receiver"),
    [(NodeIdentity("other", 1), 2), (ME, 3), (NodeIdentity("test", 2), 2)],
    ids=["another cluster", "another receiver", "the node itself"],
)
async def test_frames_that_are_not_for_this_node_are_refused(
    bridge: None, identity: NodeIdentity, receiver: int
) -> None:
    node = ScriptedNode()
    async with serving(node) as address:
        with pytest.raises(ConnectionFailedError, match="came to node 2 of cluster"):
            async with GrpcPeerTransport(identity, HERE, "1st").connect(receiver, address, ""):
                pass
    assert node.received == []


async def test_a_peer_that_is_not_there_fails_the_connection(bridge: None) -> None:
    async with serving(ScriptedNode()) as address:
        pass
    with pytest.raises(ConnectionFailedError, match=str(address)):
        async with GrpcPeerTransport(ME, HERE, "1st").connect(2, address, ""):
            pass


async def test_a_peer_that_speaks_something_else_fails_the_connection(bridge: None) -> None:
    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with trio.open_nursery() as nursery:
        address = await _listen(nursery, answer)
        with pytest.raises(ConnectionFailedError):
            async with GrpcPeerTransport(ME, HERE, "1st").connect(2, address, ""):
                pass
        nursery.cancel_scope.cancel()


async def test_a_peer_that_never_answers_fails_the_connection(bridge: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "CONNECT_TIMEOUT_S", 0.1)

    async def stay_silent(stream: trio.SocketStream) -> None:
        async with stream:
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        address = await _listen(nursery, stay_silent)
        with pytest.raises(ConnectionFailedError, match="does not answer"):
            async with GrpcPeerTransport(ME, HERE, "1st").connect(2, address, ""):
                pass
        nursery.cancel_scope.cancel()


async def send_for_ever(stream: PeerStream, message: Message) -> None:
    while True:
        await stream.send([message])
        await trio.lowlevel.checkpoint()


async def serve_until(stop: trio.Event, node: ScriptedNode, task_status: trio.TaskStatus[Address]) -> None:
    async with serving(node) as address:
        task_status.started(address)
        await stop.wait()


async def test_a_broken_link_is_noticed_by_the_sender(bridge: None) -> None:
    node, stop = ScriptedNode(), trio.Event()
    async with trio.open_nursery() as nursery:
        address = await nursery.start(serve_until, stop, node)
        async with GrpcPeerTransport(ME, HERE, "1st").connect(2, address, "") as stream:
            await stream.send([Heartbeat(1, 2, 3)])
            await received(node, 1)
            stop.set()
            with pytest.raises(ConnectionFailedError):
                await send_for_ever(stream, Heartbeat(1, 2, 3))


async def test_a_sender_that_waits_for_a_dead_peer_is_freed(bridge: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer accepts and takes the first frames, then neither reads nor answers pings: as a machine without power."""
    monkeypatch.setattr(http2, "KEEPALIVE_S", 0.05)
    dead = trio.Event()
    node = ScriptedNode()
    append = AppendRequest(1, 0, 1, (Entry(1, 1, EntryKind.COMMAND, b"", bytes(1_000_000)),), 0)
    async with trio.open_nursery() as nursery, serving(node) as behind:

        async def relay(stream: trio.SocketStream) -> None:
            async with stream, await trio.open_tcp_stream(behind.host, behind.port) as server:
                async with trio.open_nursery() as pumps:
                    pumps.start_soon(_pump, stream, server)
                    pumps.start_soon(_pump, server, stream)
                    await dead.wait()
                    pumps.cancel_scope.cancel()
                await trio.sleep_forever()

        address = await _listen(nursery, relay)
        async with GrpcPeerTransport(ME, HERE, "1st").connect(2, address, "") as stream:
            await stream.send([append])
            await received(node, 1)
            dead.set()
            with pytest.raises(ConnectionFailedError):
                await send_for_ever(stream, append)
        nursery.cancel_scope.cancel()


async def test_a_link_whose_send_was_cancelled_sends_no_more(bridge: None) -> None:
    """Half a frame may be on its way; what follows would be read as its rest."""
    node = ScriptedNode()
    async with serving(node) as address, GrpcPeerTransport(ME, HERE, "1st").connect(2, address, "") as stream:
        large = AppendRequest(1, 0, 1, (Entry(1, 1, EntryKind.COMMAND, b"", bytes(15_000_000)),), 0)
        with trio.CancelScope() as scope:
            scope.cancel()
            await stream.send([large])
        assert scope.cancelled_caught
        with pytest.raises(ConnectionFailedError):
            await stream.send([Heartbeat(1, 2, 3)])


async def _pump(source: trio.SocketStream, target: trio.SocketStream) -> None:
    async for data in source:
        await target.send_all(data)


async def _listen(nursery: trio.Nursery, answer: Callable[[trio.SocketStream], Awaitable[None]]) -> Address:
    [listener] = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
    return Address("127.0.0.1", listener.socket.getsockname()[1])
