"""The client and the gRPC services together, over sockets, with an imagined node behind the services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio

import mynode.trio
from mynode.actors.ports import NodeIdentity, NodeStatus
from mynode.base.address import Address
from mynode.base.errors import ConnectionFailedError
from mynode.base.ids import NodeId
from mynode.base.sql_errors import SqlSyntaxError
from mynode.raft.messages import Message
from mynode.rpc.bridge import open_bridge
from mynode.rpc.server import serve
from mynode.session.api import KnownMembers, SessionRequest, StatementReply
from mynode.testing.fake_nodes import FakeCluster, FakeNode, FakeStream


class FakeConnection:
    """A `ClientConnection` over a stream of an imagined node."""

    def __init__(self, stream: FakeStream) -> None:
        self._stream = stream

    def submit(self, requests: Sequence[SessionRequest]) -> None:
        self._stream.take(requests)

    async def replies(self) -> list[StatementReply]:
        try:
            return [item for item in await self._stream.receive() if isinstance(item, StatementReply)]
        except ConnectionFailedError:
            return []

    def take_members(self) -> KnownMembers | None:
        return None

    def close(self) -> None:
        self._stream.break_off()


class FakePorts:
    """The doors of an imagined node."""

    def __init__(self, node: FakeNode) -> None:
        self._node = node

    def connect(self, *, with_members: bool = False) -> FakeConnection:
        return FakeConnection(self._node.open_stream())

    async def status(self) -> NodeStatus:
        return await self._node.status()

    def receive(self, sender: NodeId, messages: tuple[Message, ...]) -> None:
        raise AssertionError("there are no peers")


@asynccontextmanager
async def serving(cluster: FakeCluster) -> AsyncIterator[tuple[str, list[trio.CancelScope]]]:
    """Every node of the cluster behind a port of its own: the addresses, and a scope each that ends the port."""
    addresses: list[str] = []
    scopes: list[trio.CancelScope] = []

    async def run(node: FakeNode, task_status: trio.TaskStatus[Address]) -> None:
        ports = FakePorts(node)
        with trio.CancelScope() as scope:
            scopes.append(scope)
            await serve(
                address=Address("127.0.0.1", 0),
                sessions=ports,
                cluster=ports,
                peers=ports,
                identity=NodeIdentity("fake", 1),
                task_status=task_status,
            )

    async with open_bridge(), trio.open_nursery() as nursery:
        for node in cluster.nodes:

            async def start(task_status: trio.TaskStatus[Address], node: FakeNode = node) -> None:
                await run(node, task_status)

            addresses.append(str(await nursery.start(start)))
        yield ",".join(addresses), scopes
        nursery.cancel_scope.cancel()


async def test_statements_streams_and_status() -> None:
    cluster = FakeCluster(2)
    with trio.fail_after(20):
        async with serving(cluster) as (addresses, _), mynode.trio.connect(addresses) as client:
            assert (await client.execute("SELECT 3")).rows == [(1,), (2,), (3,)]
            async with trio.open_nursery() as nursery:
                for number in range(100):
                    nursery.start_soon(client.execute, f"INSERT {number}", (number, "ü", b"\x00", None, True, 1.5))
            assert len(cluster.applied) == 100
            assert len(cluster.nodes[0].frames) < 10, "packed"
            async with client.stream("SELECT 1000") as rows:
                assert sum([len(batch) async for batch in rows]) == 1000
            reports = await client.status()
            assert [report.status.node_id for report in reports if report.status is not None] == [1, 2]


async def test_errors_of_the_block_come_out_alone() -> None:
    with trio.fail_after(20):
        async with serving(FakeCluster(1)) as (addresses, _):
            with pytest.raises(SqlSyntaxError) as caught:
                async with mynode.trio.connect(addresses) as client:
                    await client.execute("nonsense")
    assert caught.value.position == 1


async def test_fails_over_when_a_port_closes_under_load() -> None:
    cluster = FakeCluster(3)
    with trio.fail_after(20):
        async with serving(cluster) as (addresses, scopes), mynode.trio.connect(addresses) as client:

            async def write(first: int) -> None:
                for number in range(first, first + 50):
                    await client.execute(f"INSERT {number}")
                    if number == 20:
                        scopes[0].cancel()

            async with trio.open_nursery() as nursery:
                for worker in range(4):
                    nursery.start_soon(write, 50 * worker)
    assert sorted(cluster.applied) == sorted(f"INSERT {number}" for number in range(200))
    assert cluster.nodes[1].requests


async def test_nobody_there() -> None:
    with trio.fail_after(20), pytest.raises(ConnectionFailedError, match="no node can be reached"):
        async with mynode.trio.connect("127.0.0.1:1") as client:
            await client.reach()
