"""Five real processes: an index is built while clients write, and the leader is killed in the middle."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
import trio

import mynode.trio
from mynode.base.disk_real import RealDisk
from mynode.base.errors import MyNodeError
from mynode.client.client import Client
from mynode.inspect.check import check_disk
from mynode.testing.cluster import RealCluster, real_cluster

pytestmark = pytest.mark.cluster

ROWS = 20_000
CREATE_INDEX = "CREATE INDEX IF NOT EXISTS t_a ON t (a, id DESC)"


async def load(client: Client) -> None:
    await client.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER)")
    await client.execute(
        f"INSERT INTO t VALUES {', '.join(f'({number}, {number * 7919 % 101})' for number in range(1_250))}"
    )
    loaded = 1_250
    while loaded < ROWS:
        await client.execute(f"INSERT INTO t SELECT id + {loaded}, (id + {loaded}) * 7919 % 101 FROM t")
        loaded *= 2


async def write(client: Client, random: Random, first_id: int, stop: trio.Event) -> None:
    """Inserts, updates and deletes rows until told to stop; an answer may be lost with its node."""
    next_id = first_id
    while not stop.is_set():
        old = random.randrange(ROWS)
        with suppress(MyNodeError):
            await client.execute("INSERT INTO t VALUES (?, ?)", (next_id, random.randrange(101)), timeout=30)
            await client.execute("UPDATE t SET a = a + 1 WHERE id = ?", (old,), timeout=30)
            if random.random() < 0.2:
                await client.execute("DELETE FROM t WHERE id = ?", (old,), timeout=30)
        next_id += 1


async def build(client: Client) -> None:
    """Create the index; if the client's own retry met a dead node too, once more."""
    while True:
        try:
            await client.execute(CREATE_INDEX, timeout=120)
        except MyNodeError as error:
            if error.sqlstate[:2] not in ("08", "40", "57"):
                raise
        else:
            return


async def until_it_is_being_built(client: Client) -> None:
    while True:
        found = (await client.execute("SHOW INDEXES FROM t")).rows
        if any(row[0] == "t_a" and row[3] is False for row in found):
            return
        assert not any(row[0] == "t_a" for row in found), "the index was built before anybody looked"


async def assert_index_and_table_agree(cluster: RealCluster) -> None:
    by_index = "SELECT id, a FROM t WHERE a >= 0"
    by_table = "SELECT id, a FROM t WHERE a + 0 >= 0"
    for node_id in cluster.node_ids:
        async with mynode.trio.connect(str(cluster.plan.members[node_id])) as client:
            plan = [row[0] for row in (await client.execute(f"EXPLAIN {by_index}")).rows]
            assert plan[0] == "Index Scan using t_a on t"
            assert (await client.execute(f"EXPLAIN {by_table}")).rows[0][0] == "Seq Scan on t"
            indexed, all_rows = [(await client.execute(query, timeout=60)).rows for query in (by_index, by_table)]
            assert len(all_rows) > ROWS / 2
            assert sorted(map(repr, indexed)) == sorted(map(repr, all_rows))


async def test_the_leader_dies_while_an_index_is_built(tmp_path: Path) -> None:
    async with real_cluster(tmp_path) as cluster:
        await cluster.wait_for_leader()
        addresses = ",".join(map(str, cluster.addresses))
        async with mynode.trio.connect(addresses, spread="round_robin") as client:
            await load(client)
            stop = trio.Event()
            async with trio.open_nursery() as nursery:
                for number in range(4):
                    nursery.start_soon(write, client, Random(number), 1_000_000 * (number + 1), stop)
                async with trio.open_nursery() as builder:
                    builder.start_soon(build, client)
                    await until_it_is_being_built(client)
                    leader = await cluster.wait_for_leader()
                    await cluster.kill(leader)
                await cluster.start(leader)
                stop.set()
        await cluster.wait_until_caught_up()
        await assert_index_and_table_agree(cluster)
        for node_id in cluster.node_ids:
            assert await cluster.stop(node_id) == 0
    for node_id in range(1, 6):
        assert check_disk(RealDisk(tmp_path / f"node-{node_id}")).problems == []
