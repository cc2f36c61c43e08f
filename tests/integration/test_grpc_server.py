"""The port's life: listening, and a good end."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator

import grpc
import pytest
import trio
import trio.lowlevel

from mynode.base.address import Address
from mynode.base.errors import AddressInUseError, ConfigError, ConnectionFailedError
from mynode.rpc import server
from mynode.rpc.bridge import open_bridge
from mynode.rpc.channel import GrpcTransport
from mynode.rpc.server import serve
from mynode.session.api import CancelRequest, StatementRequest
from mynode.testing.grpc import IDENTITY, independent_client, serving
from mynode.testing.ports import ScriptedNode

SESSION_ID = bytes(range(16))
WAIT = StatementRequest(SESSION_ID, 1, "WAIT", (), 1000, False, 0)


@pytest.fixture
async def bridge() -> AsyncIterator[None]:
    with trio.fail_after(20):
        async with open_bridge():
            yield


async def _serve(node: ScriptedNode, address: Address) -> None:
    await serve(address=address, sessions=node, cluster=node, peers=node, identity=IDENTITY)


async def test_a_port_in_use_is_said(bridge: None) -> None:
    async with serving(ScriptedNode()) as address:
        with pytest.raises(AddressInUseError, match=str(address)):
            await _serve(ScriptedNode(), address)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_an_address_of_another_machine_is_said(bridge: None, host: str) -> None:
    with pytest.raises(ConfigError, match="cannot listen"):
        await _serve(ScriptedNode(), Address(host, 9601))


async def test_a_port_can_be_used_again_at_once(bridge: None) -> None:
    async with serving(ScriptedNode()) as address:
        stream = await GrpcTransport(address).connect()
    await stream.close()
    async with serving(ScriptedNode(), address) as again:
        assert again == address
        await GrpcTransport(again).status()


async def test_stopping_lets_the_statements_at_work_be_answered(bridge: None) -> None:
    node = ScriptedNode()
    stopping = trio.Event()

    async def run(task_status: trio.TaskStatus[tuple[Address, trio.CancelScope]]) -> None:
        with trio.CancelScope() as scope:

            async def start(task_status: trio.TaskStatus[Address]) -> None:
                await serve(
                    address=Address("127.0.0.1", 0),
                    sessions=node,
                    cluster=node,
                    peers=node,
                    identity=IDENTITY,
                    task_status=task_status,
                )

            async with trio.open_nursery() as nursery:
                address = await nursery.start(start)
                task_status.started((address, scope))
        stopping.set()

    async with trio.open_nursery() as nursery:
        address, scope = await nursery.start(run)
        stream = await GrpcTransport(address).connect()
        other = await GrpcTransport(address).connect()
        await stream.send([WAIT])
        while not node.connections:
            await trio.lowlevel.checkpoint()
        working = node.connections[0]
        await working.submitted.wait()
        scope.cancel()
        with pytest.raises(ConnectionFailedError, match="stopping"):
            await other.receive()
        assert not stopping.is_set()
        working.submit([CancelRequest(SESSION_ID, 1)])
        [reply] = await stream.receive()
        assert reply.error is not None
        assert reply.error.sqlstate == "57014"
        with pytest.raises(ConnectionFailedError):
            await stream.receive()
        await stopping.wait()
        await stream.close()
        await other.close()


async def test_stopping_waits_a_bounded_time(bridge: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STOP_TIMEOUT_S", 0.1)
    node = ScriptedNode()
    async with serving(node) as address:
        stream = await GrpcTransport(address).connect()
        await stream.send([WAIT])
        while not node.connections:
            await trio.lowlevel.checkpoint()
        await node.connections[0].submitted.wait()
    assert node.connections[0].closed.is_set()
    await stream.close()


async def test_a_stopping_port_ends_under_the_load_of_a_busy_client(bridge: None) -> None:
    """Each call ends with an answer or a status, none hangs."""
    node = ScriptedNode()
    stop, done = threading.Event(), []

    def load(address: Address) -> None:
        with independent_client(address) as client:
            while not stop.is_set():
                try:
                    done.append(client.execute("ECHO", timeout=5).command_tag)
                except grpc.RpcError as error:
                    done.append(error.code().name)
                    return

    async with trio.open_nursery() as nursery, serving(node) as address:
        for _ in range(4):
            nursery.start_soon(trio.to_thread.run_sync, load, address)
        while done.count("ECHO 1") < 50:
            await trio.lowlevel.checkpoint()
    assert set(done[50:]) <= {"ECHO 1", "UNAVAILABLE", "CANCELLED"}
    assert sum(answer != "ECHO 1" for answer in done) == 4
