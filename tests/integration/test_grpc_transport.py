"""The client's way to a node, over sockets."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from functools import partial

import pytest
import trio
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived

from mynode.base.address import Address
from mynode.base.errors import ConnectionFailedError, InvariantViolation
from mynode.base.limits import MAX_REQUEST_FRAME_BYTES
from mynode.base.sql_errors import ProgramLimitExceededError
from mynode.client.transport import Transport
from mynode.rpc import call, operator
from mynode.rpc.call import open_call
from mynode.rpc.channel import GrpcTransport
from mynode.rpc.generated.mynode.v1 import SessionFrame
from mynode.rpc.methods import SESSION
from mynode.rpc.session_codec import encode_reply, pack_batches
from mynode.session.api import Completion, StatementReply, StatementRequest, Value
from mynode.testing.grpc import serving
from mynode.testing.ports import STATUS, ScriptedNode

SESSION_ID = bytes(range(16))


def statement(sql: str, *parameters: Value, sequence: int = 1) -> StatementRequest:
    return StatementRequest(SESSION_ID, sequence, sql, parameters, 1000, False, 0)


class Side:
    def __init__(self, node: ScriptedNode, address: Address) -> None:
        self.node = node
        self.transport: Transport = GrpcTransport(address)
        self.address = address


@pytest.fixture
async def side() -> AsyncIterator[Side]:
    node = ScriptedNode()
    with trio.fail_after(20):
        async with serving(node) as address:
            yield Side(node, address)


async def test_status(side: Side) -> None:
    assert await side.transport.status() == STATUS
    assert side.transport.address == str(side.address)


async def test_requests_of_one_send_are_one_frame_and_come_back_together(side: Side) -> None:
    stream = await side.transport.connect()
    sent = [statement("ECHO", number, sequence=number) for number in range(1, 20)]
    await stream.send(sent)
    replies: list[StatementReply] = []
    while len(replies) < len(sent):
        replies += await stream.receive()
    assert [(reply.sequence, list(reply.rows)) for reply in replies] == [(n, [(n,)]) for n in range(1, 20)]
    assert side.node.connections[0].requests == sent
    await stream.close()


async def test_closing_a_stream_closes_the_nodes_connection(side: Side) -> None:
    stream = await side.transport.connect()
    await stream.send([statement("WAIT")])
    [connection] = side.node.connections
    await connection.submitted.wait()
    await stream.close()
    await connection.closed.wait()
    await stream.close()
    with pytest.raises(ConnectionFailedError):
        await stream.send([statement("ECHO")])


async def test_a_request_too_large_is_refused_before_it_is_sent(side: Side) -> None:
    stream = await side.transport.connect()
    with pytest.raises(ProgramLimitExceededError):
        await stream.send([statement("ECHO", bytes(MAX_REQUEST_FRAME_BYTES))])
    blob = bytes(MAX_REQUEST_FRAME_BYTES // 2)
    await stream.send([statement("FAIL 42601 a", blob), statement("FAIL 42601 b", blob, sequence=2)])
    replies = [*await stream.receive()]
    while len(replies) < 2:
        replies += await stream.receive()
    assert [reply.error.message for reply in replies if reply.error] == ["a", "b"]
    await stream.close()


async def test_a_reader_that_waits_holds_back_the_node(side: Side) -> None:
    stream = await side.transport.connect()
    await stream.send([statement("ROWS 1000000")])
    while not side.node.connections:
        await trio.lowlevel.checkpoint()
    [connection] = side.node.connections
    await trio.testing.wait_all_tasks_blocked(0.1)
    taken = connection.replies_taken
    assert taken < 1_000_000 // 256
    rows = 0
    done = False
    while not done:
        for reply in await stream.receive():
            rows += len(reply.rows)
            done = reply.is_final
    assert rows == 1_000_000
    await stream.close()


async def test_a_node_that_stops_ends_the_stream(side: Side) -> None:
    async with trio.open_nursery() as nursery:
        async with serving(ScriptedNode()) as address:
            stream = await GrpcTransport(address).connect()
            nursery.start_soon(_receive_until_broken, stream.receive)
        await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(ConnectionFailedError):
        await stream.send([statement("ECHO")])
    await stream.close()


async def _receive_until_broken(receive: object) -> None:
    assert callable(receive)
    with pytest.raises(ConnectionFailedError, match="stopping"):
        await receive()


async def test_a_node_that_is_not_there(side: Side) -> None:
    async with serving(ScriptedNode()) as address:
        gone = GrpcTransport(address)
    for ask in (gone.connect, gone.status):
        with pytest.raises(ConnectionFailedError, match=str(address)):
            await ask()
    with pytest.raises(ConnectionFailedError):
        await GrpcTransport(Address("no-such-host.invalid", 1)).connect()


async def test_a_node_that_does_not_answer(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "CONNECT_TIMEOUT_S", 0.05)
    monkeypatch.setattr(operator, "STATUS_TIMEOUT_S", 0.05)
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        silent = GrpcTransport(Address("127.0.0.1", listener.socket.getsockname()[1]))
        for ask in (silent.connect, silent.status):
            with pytest.raises(ConnectionFailedError, match="does not answer"):
                await ask()


async def test_only_one_task_sends(side: Side) -> None:
    frame = SessionFrame(batch=bytes(15_000_000))
    async with open_call(side.address, SESSION) as open_stream, trio.open_nursery() as nursery:
        nursery.start_soon(_send_quietly, open_stream.send, frame)
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        with pytest.raises(InvariantViolation):
            await open_stream.send(frame)
        nursery.cancel_scope.cancel()


async def _send_quietly(send: object, frame: SessionFrame) -> None:
    assert callable(send)
    with pytest.raises((ConnectionFailedError, trio.Cancelled)):
        await send(frame)
    await trio.lowlevel.checkpoint()


async def test_a_waiting_connect_can_be_cancelled(side: Side) -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        silent = GrpcTransport(Address("127.0.0.1", listener.socket.getsockname()[1]))
        with trio.move_on_after(0.05) as scope:
            await silent.connect()
    assert scope.cancelled_caught


async def test_replies_that_come_with_the_goodbye_are_still_read(side: Side) -> None:
    """A stopping node sends its last reply, the call's status, a reset and GOAWAY at once; they may arrive as one."""
    reply = StatementReply(SESSION_ID, 1, None, (), Completion("LAST 1", 1), None, 7)
    [batch] = pack_batches([encode_reply(reply)])
    message = SessionFrame(batch=batch).SerializeToString()

    async def answer(stream: trio.SocketStream) -> None:
        http2 = H2Connection(H2Configuration(client_side=False))
        http2.initiate_connection()
        async with stream:
            await stream.send_all(http2.data_to_send())
            while True:
                for event in http2.receive_data(await stream.receive_some()):
                    if isinstance(event, RequestReceived):
                        http2.send_headers(1, [(":status", "200"), ("content-type", "application/grpc+proto")])
                    elif isinstance(event, DataReceived):
                        http2.send_data(1, struct.pack(">?I", False, len(message)) + message)
                        trailers = [("grpc-status", "14"), ("grpc-message", "the node is stopping")]
                        http2.send_headers(1, trailers, end_stream=True)
                        http2.reset_stream(1)
                        http2.close_connection()
                        await stream.send_all(http2.data_to_send())
                        return
                await stream.send_all(http2.data_to_send())

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        stream = await GrpcTransport(Address("127.0.0.1", listener.socket.getsockname()[1])).connect()
        await stream.send([statement("LAST")])
        assert await stream.receive() == [reply]
        with pytest.raises(ConnectionFailedError, match="the node is stopping"):
            await stream.receive()
        await stream.close()
        nursery.cancel_scope.cancel()
