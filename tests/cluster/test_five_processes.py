"""Five real processes on free ports: killed, stopped, restarted, while clients write. Nothing acknowledged is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing
from trio_util import AsyncValue

import mynode
import mynode.trio
from mynode.base.errors import MyNodeError, NoQuorumError, OutcomeUnknownError
from mynode.base.ids import NodeId
from mynode.client.client import Client
from mynode.testing.cluster import RealCluster, real_cluster

pytestmark = pytest.mark.cluster

CREATE = "CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT NOT NULL)"


def addresses(cluster: RealCluster, *node_ids: NodeId) -> str:
    """As `mynode.trio.connect` takes them: of these nodes, or of all."""
    return ",".join(str(cluster.plan.members[node_id]) for node_id in node_ids or cluster.node_ids)


async def ids_on(cluster: RealCluster, node_id: NodeId) -> list[int]:
    """The ids of table t as that one node answers."""
    async with mynode.trio.connect(addresses(cluster, node_id)) as client:
        result = await client.execute("SELECT id FROM t ORDER BY id")
    return [row[0] for row in result.rows if isinstance(row[0], int)]


class Inserter:
    """Inserts ids from its own range until told to stop; knows which were acknowledged and which ended in an error."""

    def __init__(self, client: Client, first_id: int, total: AsyncValue[int]) -> None:
        self._client = client
        self._total = total
        self._next_id = first_id
        self.acknowledged: list[int] = []
        self.uncertain: list[int] = []

    async def run(self, stop: trio.Event) -> None:
        while not stop.is_set():
            id_ = self._next_id
            self._next_id += 1
            try:
                await self._client.execute("INSERT INTO t VALUES (?, ?)", (id_, f"value {id_}"), timeout=20)
            except MyNodeError:
                self.uncertain.append(id_)
            else:
                self.acknowledged.append(id_)
                self._total.value += 1


async def assert_every_acknowledged_row_once(cluster: RealCluster, inserters: list[Inserter]) -> None:
    acknowledged = {id_ for inserter in inserters for id_ in inserter.acknowledged}
    uncertain = {id_ for inserter in inserters for id_ in inserter.uncertain}
    for node_id in cluster.running:
        found = await ids_on(cluster, node_id)
        assert len(found) == len(set(found)), "no row twice"
        assert acknowledged <= set(found), "no acknowledged row is missing"
        assert set(found) <= acknowledged | uncertain, "no row from nowhere"


async def test_every_node_creates_inserts_and_selects(tmp_path: Path) -> None:
    async with real_cluster(tmp_path) as cluster:
        await cluster.wait_for_leader()
        async with mynode.trio.connect(addresses(cluster)) as client:
            assert (await client.execute(CREATE)).tag == "CREATE TABLE"
        for node_id in cluster.node_ids:
            async with mynode.trio.connect(addresses(cluster, node_id)) as client:
                inserted = await client.execute("INSERT INTO t VALUES ($1, $2)", (node_id, f"through {node_id}"))
                assert inserted.rows_affected == 1
        for node_id in cluster.node_ids:
            assert await ids_on(cluster, node_id) == [1, 2, 3, 4, 5]


async def test_kill_of_the_leader_then_of_all_loses_nothing(tmp_path: Path) -> None:
    async with real_cluster(tmp_path) as cluster:
        await cluster.wait_for_leader()
        async with mynode.trio.connect(addresses(cluster), spread="round_robin") as client:
            await client.execute(CREATE)
            acknowledged = AsyncValue(0)
            inserters = [Inserter(client, 1_000_000 * worker, acknowledged) for worker in range(8)]
            stop = trio.Event()
            async with trio.open_nursery() as nursery:
                for inserter in inserters:
                    nursery.start_soon(inserter.run, stop)
                await acknowledged.wait_value(lambda count: count > 100)
                leader = await cluster.wait_for_leader()
                await cluster.kill(leader)
                before = acknowledged.value
                with trio.fail_after(15):  # writes go on within seconds
                    await acknowledged.wait_value(lambda count: count > before + 50)
                await cluster.start(leader)
                before = acknowledged.value
                await acknowledged.wait_value(lambda count: count > before + 50)
                await cluster.kill()  # all five at once, with statements under way
                await cluster.start()
                await cluster.wait_for_leader()
                stop.set()
        await assert_every_acknowledged_row_once(cluster, inserters)


async def test_two_down_still_works_three_down_says_no_quorum(tmp_path: Path) -> None:
    async with real_cluster(tmp_path) as cluster:
        await cluster.wait_for_leader()
        async with mynode.trio.connect(addresses(cluster)) as client:
            await client.execute(CREATE)
        for node_id in (4, 5):
            assert await cluster.stop(node_id) == 0
        await cluster.wait_for_leader()
        async with mynode.trio.connect(addresses(cluster, 1, 2)) as client:
            await client.execute("INSERT INTO t VALUES (1, 'three of five')", timeout=20)
            assert await cluster.stop(3) == 0
            with pytest.raises((NoQuorumError, OutcomeUnknownError), match="no quorum"):
                await client.execute("INSERT INTO t VALUES (2, 'two of five')", timeout=6)
            with pytest.raises((NoQuorumError, OutcomeUnknownError), match="no quorum"):
                await client.execute("SELECT count(*) FROM t", timeout=6)
            await cluster.start(3)
            await cluster.wait_for_leader()
            await client.execute("INSERT INTO t VALUES (3, 'three again')", timeout=20)
        rows = await ids_on(cluster, 3)
        assert rows in ([1, 3], [1, 2, 3])


@pytest.mark.parametrize("lease_reads", [False, True], ids=["rounds", "leases"])
async def test_a_paused_leader_answers_nothing_stale_when_it_wakes(tmp_path: Path, lease_reads: bool) -> None:
    """A read waits for it already: it is the first thing that the node sees, before it hears of another leader."""
    async with real_cluster(tmp_path, settings={"lease_reads": lease_reads}) as cluster:
        leader = await cluster.wait_for_leader()
        others = [node_id for node_id in cluster.node_ids if node_id != leader]
        async with (
            mynode.trio.connect(addresses(cluster, *others)) as client,
            mynode.trio.connect(addresses(cluster, leader)) as at_leader,
        ):
            await client.execute(CREATE)
            assert not (await at_leader.execute("SELECT id FROM t")).rows
            cluster.pause(leader)
            await cluster.wait_for_leader(accept=lambda node_id: node_id != leader)
            await client.execute("INSERT INTO t VALUES (1, 'while it slept')", timeout=20)
            async with trio.open_nursery() as nursery:

                async def read() -> None:
                    assert (await at_leader.execute("SELECT id FROM t")).rows == [(1,)]

                nursery.start_soon(read)
                await trio.testing.wait_all_tasks_blocked()
                cluster.resume(leader)
        assert await ids_on(cluster, leader) == [1]


async def test_a_connection_outlives_its_node(tmp_path: Path) -> None:
    """DB-API over two of the nodes: the one it is on is killed, and it goes on with the other."""
    async with real_cluster(tmp_path) as cluster:
        leader = await cluster.wait_for_leader()
        first, second = [node_id for node_id in cluster.node_ids if node_id != leader][:2]
        target = addresses(cluster, first, second)
        connection = await trio.to_thread.run_sync(lambda: mynode.connect(target, autocommit=True))
        cursor = connection.cursor()
        await trio.to_thread.run_sync(cursor.execute, CREATE)
        await cluster.kill(first)
        await trio.to_thread.run_sync(cursor.execute, "INSERT INTO t VALUES (1, 'through the other')")
        await trio.to_thread.run_sync(connection.close)
        assert await ids_on(cluster, second) == [1]
