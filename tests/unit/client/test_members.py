"""A client that learns of nodes it was not given."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from random import Random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mynode.base.errors import ConfigError
from mynode.client.client import Client, open_client
from mynode.client.options import ClientOptions, Spread
from mynode.client.transport import Transport
from mynode.session.api import KnownMembers
from mynode.testing.fake_nodes import FakeCluster, FakeNode, FakeStream


def connect(
    cluster: FakeCluster, *, given: int = 1, spread: Spread = "one_node"
) -> AbstractAsyncContextManager[Client]:
    """A client that was given the first nodes only, and can find the others by their addresses."""

    def find(address: str) -> Transport:
        for node in cluster.nodes:
            if node.address == address:
                return node
        raise ConfigError(f"{address} is no address")

    options = ClientOptions(spread=spread)
    return open_client(cluster.nodes[:given], options, random=Random(1), make_transport=find)


def members(index: int, *nodes: FakeNode) -> KnownMembers:
    return KnownMembers(index, tuple(node.address for node in nodes))


async def test_it_goes_on_where_it_was_told(autojump_clock: MockClock) -> None:
    cluster = FakeCluster(3)
    first, second, third = cluster.nodes
    async with connect(cluster) as client:
        await client.execute("INSERT 1")
        first.tell(members(5, *cluster.nodes))
        await wait_all_tasks_blocked()
        assert (second.connections, third.connections) == (0, 0), "none is connected to before it is needed"
        first.stop()
        await client.execute("INSERT 2")
        second.tell(members(9, second, third))
        await wait_all_tasks_blocked()
        assert client.known_addresses == ("node1:9601", "node2:9601", "node3:9601")
        assert client.addresses == ("node1:9601",)
        second.stop()
        await client.execute("INSERT 3")
    assert cluster.applied == ["INSERT 1", "INSERT 2", "INSERT 3"]


async def test_who_is_no_member_any_more_is_forgotten_unless_it_is_configured(autojump_clock: MockClock) -> None:
    cluster = FakeCluster(3)
    first, second, third = cluster.nodes
    async with connect(cluster) as client:
        await client.execute("INSERT 1")
        first.tell(members(5, first, second))
        first.tell(members(7, third))
        await wait_all_tasks_blocked()
        assert client.known_addresses == ("node1:9601", "node3:9601")
        first.tell(members(5, first, second))
        await wait_all_tasks_blocked()
        assert client.known_addresses == ("node1:9601", "node3:9601"), "a node that lags behind says nothing new"


async def test_sessions_are_spread_over_the_new_nodes_too(autojump_clock: MockClock) -> None:
    cluster = FakeCluster(3)
    async with connect(cluster, spread="round_robin") as client:
        await client.execute("INSERT 0")
        cluster.nodes[0].tell(members(5, *cluster.nodes))
        await wait_all_tasks_blocked()
        for number in range(6):
            async with client.session() as session:
                await session.execute(f"INSERT {number}")
    assert [len(node.requests) for node in cluster.nodes] == [3, 2, 2]


@pytest.mark.parametrize("spread", ["one_node", "round_robin"])
async def test_nodes_that_cannot_be_reached_slow_nothing_down(spread: Spread, autojump_clock: MockClock) -> None:
    """As those of containers, whose names mean nothing outside: two refuse, one never answers the connection."""
    cluster = FakeCluster(5)
    for unreachable in cluster.nodes[2:]:
        unreachable.is_up = False
    hung = HungNode(cluster, "hung:1")
    cluster.nodes = (*cluster.nodes, hung)
    async with connect(cluster, given=2, spread=spread) as client:
        await client.execute("INSERT 0")
        cluster.nodes[0].tell(members(5, *cluster.nodes))
        cluster.nodes[0].stop()
        for number in range(1, 20):
            with trio.fail_after(0.1):
                await client.execute(f"INSERT {number}")
    assert len(cluster.applied) == 20
    assert hung.tries in (1, 2)


class HungNode(FakeNode):
    """Where it is, connections are neither accepted nor refused."""

    tries = 0

    async def connect(self) -> FakeStream:
        self.tries += 1
        await trio.sleep_forever()
        raise AssertionError("never")


async def test_what_is_no_address_is_left_out(autojump_clock: MockClock) -> None:
    cluster = FakeCluster(2)
    async with connect(cluster) as client:
        await client.execute("INSERT 1")
        cluster.nodes[0].tell(KnownMembers(5, ("", "node2:9601")))
        await wait_all_tasks_blocked()
        assert client.known_addresses == ("node1:9601", "node2:9601")
