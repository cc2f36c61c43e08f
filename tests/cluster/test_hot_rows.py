"""Five real processes and many clients of one row, while leaders die: each statement counts once."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

import mynode.trio
from mynode.testing.cluster import real_cluster
from mynode.testing.counting import Counting

pytestmark = pytest.mark.cluster

WORKERS = 32
KILLS = 2


async def test_each_statement_counts_once_while_leaders_die(tmp_path: Path) -> None:
    async with real_cluster(tmp_path) as cluster:
        await cluster.wait_for_leader()
        targets = ",".join(str(address) for address in cluster.plan.members.values())
        async with mynode.trio.connect(targets, spread="round_robin", timeout=60) as client:
            for statement in Counting.SCHEMA:
                await client.execute(statement)
            counting = Counting(client)
            async with trio.open_nursery() as workers:
                for _ in range(WORKERS):
                    workers.start_soon(counting.work)
                for _ in range(KILLS):
                    await counting.reach(200)
                    leader = await cluster.wait_for_leader()
                    await cluster.kill(leader)
                    await counting.reach(200)
                    await cluster.start(leader)
                await counting.reach(200)
                counting.stop.set()
            await counting.check()
