"""Leaders of real processes are stopped (SIGSTOP) for longer than an election, while clients use registers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random

import pytest
import trio

import mynode.trio
from mynode.testing.cluster import real_cluster
from mynode.testing.registers import Registers, describe, read_with

pytestmark = pytest.mark.cluster

PAUSES = 3
WORKERS = 4


@pytest.mark.parametrize("lease_reads", [False, True], ids=["rounds", "leases"])
async def test_no_write_is_lost_and_no_read_is_stale(tmp_path: Path, lease_reads: bool) -> None:
    registers = Registers(Random(1))
    async with real_cluster(tmp_path, settings={"lease_reads": lease_reads}) as cluster:
        await cluster.wait_for_leader()
        target = ",".join(map(str, cluster.addresses))
        async with mynode.trio.connect(target, spread="round_robin", timeout=10) as client:
            await registers.create(client)
            stop = trio.Event()
            async with trio.open_nursery() as nursery:
                for _ in range(WORKERS):
                    nursery.start_soon(registers.work, client, stop)
                for _ in range(PAUSES):
                    paused = await cluster.wait_for_leader()
                    await registers.more(20)
                    cluster.pause(paused)
                    await cluster.wait_for_leader(accept=partial(int.__ne__, paused))
                    await registers.more(20)
                    cluster.resume(paused)
                await registers.more(20)
                stop.set()
            for address in cluster.addresses:
                async with mynode.trio.connect(str(address)) as reader:
                    await registers.read_all(partial(read_with, reader))
    broken = {register: "\n".join(describe(registers.history[register])) for register in registers.broken()}
    assert not broken
