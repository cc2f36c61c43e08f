"""Operators at work on real processes while clients write: no request of theirs may fail."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio_util import AsyncValue

import mynode.trio
from mynode.client.client import Client
from mynode.cluster.operations import transfer_leader
from mynode.testing.cluster import RealCluster, real_cluster

pytestmark = pytest.mark.cluster


def addresses(cluster: RealCluster) -> str:
    return ",".join(map(str, cluster.addresses))


class Writer:
    """Inserts rows and reads each back, until told to stop; any error is the test's."""

    def __init__(self, client: Client, first_id: int, done: AsyncValue[int]) -> None:
        self._client = client
        self._next_id = first_id
        self._done = done
        self.written: list[int] = []

    async def run(self, stop: trio.Event) -> None:
        while not stop.is_set():
            id_ = self._next_id
            self._next_id += 1
            await self._client.execute("INSERT INTO t VALUES (?)", (id_,))
            self.written.append(id_)
            assert (await self._client.execute("SELECT id FROM t WHERE id = ?", (id_,))).rows == [(id_,)]
            self._done.value += 1


async def assert_all_are_there(client: Client, writers: list[Writer]) -> None:
    """Every row that was acknowledged, once."""
    rows = (await client.execute("SELECT id FROM t ORDER BY id")).rows
    assert [row[0] for row in rows] == sorted(id_ for writer in writers for id_ in writer.written)


async def test_a_rolling_restart_by_sigterm_fails_no_request(tmp_path: Path) -> None:
    async with real_cluster(tmp_path) as cluster:
        await cluster.wait_for_leader()
        async with mynode.trio.connect(addresses(cluster), spread="round_robin") as client:
            await client.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
            done = AsyncValue(0)
            writers = [Writer(client, 1_000_000 * number, done) for number in range(4)]
            stop = trio.Event()
            async with trio.open_nursery() as nursery:
                for writer in writers:
                    nursery.start_soon(writer.run, stop)
                for node_id in cluster.node_ids:
                    before = done.value
                    assert await cluster.stop(node_id) == 0
                    await cluster.start(node_id)
                    await done.wait_value(lambda count, least=before + 50: count > least)
                    await cluster.wait_until_caught_up()
                stop.set()
            await assert_all_are_there(client, writers)


async def test_an_operator_names_the_leader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with real_cluster(tmp_path, nodes=3) as cluster:
        leader = await cluster.wait_for_leader()
        to = next(node_id for node_id in cluster.node_ids if node_id != leader)
        one_address = str(cluster.plan.members[to])
        assert await trio.to_thread.run_sync(transfer_leader, one_address, to) == 0
        assert capsys.readouterr().out == f"node {to} leads\n"
        assert await cluster.wait_for_leader() == to
