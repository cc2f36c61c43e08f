"""Members that come and go while the cluster works, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from trio.testing import MockClock

from mynode.base.errors import MyNodeError, NotLeaderError, NotYetError, OperationRefusedError
from mynode.base.ids import NodeId
from mynode.client.client import open_client
from mynode.client.options import ClientOptions
from mynode.node import Node
from mynode.raft.effects import Role
from mynode.raft.membership import ChangeKind, MembershipChange
from mynode.testing.in_process import InProcessCluster, SqlClient
from mynode.testing.load import load

CREATE = "CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT NOT NULL)"


@asynccontextmanager
async def cluster_of(size: int) -> AsyncIterator[InProcessCluster]:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(size, seed=1, nursery=nursery)
        await cluster.start_all()
        await cluster.leader()
        yield cluster
        nursery.cancel_scope.cancel()


async def change(cluster: InProcessCluster, kind: ChangeKind, node_id: NodeId) -> None:
    """Ask whoever leads until it is done; for one to whom leadership moves, again."""
    wanted = MembershipChange(kind, node_id, cluster.address(node_id))
    while True:
        try:
            await cluster.nodes[await cluster.leader()].change_members(wanted)
        except (NotLeaderError, NotYetError):
            await trio.sleep(0.1)
        else:
            return


async def add(cluster: InProcessCluster, node_id: NodeId) -> None:
    await cluster.join(node_id)
    await change(cluster, ChangeKind.ADD_LEARNER, node_id)
    await change(cluster, ChangeKind.PROMOTE, node_id)


async def remove(cluster: InProcessCluster, node_id: NodeId) -> None:
    """Remove the node, and wait until it says that it was, and has stopped."""
    await change(cluster, ChangeKind.REMOVE, node_id)
    with trio.fail_after(5):
        await cluster.nodes[node_id].raft.removed.wait()
    with trio.fail_after(0.5):  # what its clients wait for there is lost, so they are sent away at once
        await cluster.stop(node_id)
    del cluster.disks[node_id]


async def voters(cluster: InProcessCluster, node_id: NodeId) -> list[NodeId]:
    return [member.node_id for member in (await cluster.nodes[node_id].members()).members if member.is_voter]


async def refused(cluster: InProcessCluster, kind: ChangeKind, node_id: NodeId, *, address: str = "") -> str:
    """What the leader says instead of doing it."""
    wanted = MembershipChange(kind, node_id, address or cluster.address(node_id))
    with pytest.raises(MyNodeError) as caught:
        await cluster.nodes[await cluster.leader()].change_members(wanted)
    return caught.value.message


async def test_from_one_node_to_seven_and_back_under_load(autojump_clock: MockClock) -> None:
    async with cluster_of(1) as cluster:
        for node_id in range(2, 8):
            await cluster.join(node_id)
        options = ClientOptions(spread="round_robin")
        async with open_client(cluster.transports(), options) as client, load(client) as work:
            for node_id in range(2, 8):
                await change(cluster, ChangeKind.ADD_LEARNER, node_id)
                await change(cluster, ChangeKind.PROMOTE, node_id)
                await work.more(20)
            for node_id in range(1, 8):
                assert await voters(cluster, node_id) == [1, 2, 3, 4, 5, 6, 7]
                rows = await SqlClient(cluster.nodes[node_id]).execute("SELECT count(*) FROM load")
                assert rows > [(100,)]
            for node_id in range(1, 7):
                await remove(cluster, node_id)
                await work.more(20)
            assert await voters(cluster, 7) == [7]


async def test_a_client_of_the_first_node_only_goes_on_without_it(autojump_clock: MockClock) -> None:
    async with cluster_of(1) as cluster:
        first = cluster.transports()
        async with open_client(first, make_transport=cluster.transport) as client, load(client) as work:
            for node_id in range(2, 6):
                await add(cluster, node_id)
            for node_id in (1, 2):
                await remove(cluster, node_id)
                await work.more(20)
            assert client.known_addresses == tuple(map(cluster.address, (1, 3, 4, 5)))
            await work.more(20)


async def test_the_members_are_remembered(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        await SqlClient(cluster.nodes[1]).execute(CREATE)
        await add(cluster, 4)
        await add(cluster, 5)
        await remove(cluster, 1)
        for node_id in list(cluster.nodes):
            await cluster.crash(node_id)
        await cluster.start_all()
        await cluster.leader()
        await SqlClient(cluster.nodes[5]).execute("INSERT INTO t VALUES (1, 'after')")
        for node_id in (2, 3, 4, 5):
            assert await voters(cluster, node_id) == [2, 3, 4, 5]
            assert await SqlClient(cluster.nodes[node_id]).execute("SELECT id FROM t") == [(1,)]


async def test_a_node_that_was_away_when_it_was_removed_is_told(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        leader = await cluster.leader()
        away, cut_off = [node_id for node_id in cluster.nodes if node_id != leader]
        await cluster.crash(away)
        await change(cluster, ChangeKind.REMOVE, away)
        await trio.sleep(60)  # the leader has no link to it any more
        await cluster.start(away)
        with trio.fail_after(10):
            await cluster.nodes[away].raft.removed.wait()
        await cluster.crash(away)
        del cluster.disks[away]
        assert await cluster.leader() == leader, "it disturbed nobody"
        assert await voters(cluster, cut_off) == sorted([leader, cut_off])


async def test_a_removed_node_knows_it_after_a_restart(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        leader = await cluster.leader()
        gone = next(node_id for node_id in cluster.nodes if node_id != leader)
        await change(cluster, ChangeKind.REMOVE, gone)
        await cluster.nodes[gone].raft.removed.wait()
        await cluster.crash(gone)
        await cluster.start(gone)
        with trio.fail_after(10):
            await cluster.nodes[gone].raft.removed.wait()


async def test_a_node_that_waits_to_be_added_disturbs_nobody(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        leader = await cluster.leader()
        waiting = await cluster.join(4)
        await trio.sleep(30)
        assert await cluster.leader() == leader
        assert (await waiting.status()).role is Role.LEARNER
        assert await voters(cluster, 4) == []


async def test_what_the_members_do_not_allow_is_refused(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        await SqlClient(cluster.nodes[1]).execute(CREATE)
        leader = await cluster.leader()
        first, second = [node_id for node_id in cluster.nodes if node_id != leader]
        with pytest.raises(NotLeaderError):
            await cluster.nodes[first].change_members(MembershipChange(ChangeKind.REMOVE, second))
        assert "no member" in await refused(cluster, ChangeKind.REMOVE, 9)
        assert "no member" in await refused(cluster, ChangeKind.PROMOTE, 9)
        assert "a member already" in await refused(cluster, ChangeKind.ADD_LEARNER, first)
        assert "has this address" in await refused(cluster, ChangeKind.ADD_LEARNER, 9, address=cluster.address(second))
        await change(cluster, ChangeKind.ADD_LEARNER, 9)  # it does not run
        assert "has not caught up" in await refused(cluster, ChangeKind.PROMOTE, 9)
        await change(cluster, ChangeKind.REMOVE, 9)
        assert "a number is never used again" in await refused(cluster, ChangeKind.ADD_LEARNER, 9)
        await cluster.crash(first)
        await trio.sleep(5)
        assert "too few for a majority" in await refused(cluster, ChangeKind.REMOVE, second)


async def test_a_leader_that_goes_hands_over(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        leader = await cluster.leader()
        with pytest.raises(NotLeaderError, match="leads now"):
            await cluster.nodes[leader].change_members(MembershipChange(ChangeKind.REMOVE, leader))
        await remove(cluster, leader)
        last = await cluster.leader()
        await remove(cluster, next(node_id for node_id in cluster.nodes if node_id != last))
        with pytest.raises(OperationRefusedError, match="no other voter"):
            await cluster.nodes[last].change_members(MembershipChange(ChangeKind.REMOVE, last))


@pytest.mark.parametrize("moment_s", [0.0, 0.001, 0.002, 0.003, 0.005])
async def test_a_leader_killed_in_the_middle_of_a_change(moment_s: float, autojump_clock: MockClock) -> None:
    """The change is done or not; asked for again, it is done, and all nodes agree on it."""
    async with cluster_of(3) as cluster:
        await SqlClient(cluster.nodes[1]).execute(CREATE)
        leader = await cluster.leader()
        await cluster.join(4)

        async def ask(node: Node) -> None:
            with suppress(MyNodeError):
                await node.change_members(MembershipChange(ChangeKind.ADD_LEARNER, 4, cluster.address(4)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, cluster.nodes[leader])
            await trio.sleep(moment_s)
            await cluster.crash(leader)
        next_leader = await cluster.leader()
        members = await cluster.nodes[next_leader].members()
        if 4 not in [member.node_id for member in members.members]:
            await change(cluster, ChangeKind.ADD_LEARNER, 4)
        await change(cluster, ChangeKind.PROMOTE, 4)
        await cluster.start(leader)
        await SqlClient(cluster.nodes[4]).execute("INSERT INTO t VALUES (1, 'by node 4')")
        for node_id in cluster.nodes:
            assert await SqlClient(cluster.nodes[node_id]).execute("SELECT id FROM t") == [(1,)]
            assert await voters(cluster, node_id) == [1, 2, 3, 4]


async def test_a_node_whose_directory_was_emptied_is_kept_out(autojump_clock: MockClock) -> None:
    """It would vote twice, and deny what it acknowledged. The others go on, and a new node takes its place."""
    async with cluster_of(3) as cluster, open_client(cluster.transports()) as client, load(client) as work:
        await work.more(20)
        leader = await cluster.leader()
        lost = next(node_id for node_id in cluster.nodes if node_id != leader)
        await cluster.crash(lost)
        cluster.empty(lost)
        node = await cluster.start(lost)
        with trio.fail_after(5):
            await node.displaced.wait()
        assert (await node.status()).last_log_index == 0, "it was told nothing"
        await work.more(20)
        await cluster.crash(lost)
        await change(cluster, ChangeKind.REMOVE, lost)
        await add(cluster, 4)
        await work.more(20)
        del cluster.disks[lost]


async def test_two_of_three_whose_directories_were_emptied_elect_nobody(autojump_clock: MockClock) -> None:
    """They are a majority, and know nothing of what was acknowledged."""
    async with cluster_of(3) as cluster:
        await SqlClient(cluster.nodes[1]).execute(CREATE)
        await trio.sleep(1)
        for node_id in (2, 3):
            await cluster.crash(node_id)
            cluster.empty(node_id)
        for node_id in (2, 3):
            await cluster.start(node_id)
        with trio.fail_after(5):
            for node_id in (2, 3):
                await cluster.nodes[node_id].displaced.wait()


async def test_a_whole_cluster_whose_directories_were_emptied_starts_afresh(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        await SqlClient(cluster.nodes[1]).execute(CREATE)
        for node_id in (1, 2, 3):
            await cluster.crash(node_id)
            cluster.empty(node_id)
        await cluster.start_all()
        await cluster.leader()
        await SqlClient(cluster.nodes[1]).execute(CREATE)


async def test_every_incarnation_is_recorded_soon(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        await add(cluster, 4)
        await trio.sleep(1)
        for node in cluster.nodes.values():
            assert sorted(node.raft.membership.incarnations) == [1, 2, 3, 4]
