"""Building an index on a big table while others write: `python benches/index_build.py [rows] [nodes]`.

Prints how long the build takes, and the longest and the usual time that an INSERT takes before it and during it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import trio

import mynode.trio
from mynode.client.client import Client
from mynode.testing.cluster import real_cluster

WRITERS = 4
CHUNK = 40_000
BEFORE_S = 5


class Writer:
    """Inserts rows one after another and takes the time of each."""

    def __init__(self, client: Client, first_id: int) -> None:
        self._client = client
        self._next_id = first_id
        self.took_s: list[float] = []

    async def run(self) -> None:
        while True:
            began = time.perf_counter()
            await self._client.execute("INSERT INTO t VALUES (?, ?, ?)", (self._next_id, self._next_id % 1_000, "new"))
            self.took_s.append(time.perf_counter() - began)
            self._next_id += 1


def report(title: str, writers: list[Writer]) -> None:
    took = sorted(one for writer in writers for one in writer.took_s)
    if took:
        middle, late = took[len(took) // 2], took[len(took) * 99 // 100]
        sys.stdout.write(
            f"{title}: {len(took)} inserts, p50 {middle:.3f} s, p99 {late:.3f} s, longest {took[-1]:.3f} s\n"
        )
    for writer in writers:
        writer.took_s.clear()


async def load(client: Client, rows: int) -> None:
    await client.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, note TEXT)")
    first = min(rows, 1_000)
    await client.execute(f"INSERT INTO t VALUES {', '.join(f'({n}, {n * 7919 % 1009}, NULL)' for n in range(first))}")
    loaded = first
    while loaded < rows:
        added = min(loaded, rows - loaded, CHUNK)
        copy = f"INSERT INTO t SELECT id + {loaded}, (id + {loaded}) * 7919 % 1000003, 'row' FROM t WHERE id < {added}"
        await client.execute(copy, timeout=300)
        loaded += added


async def main(rows: int, nodes: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with real_cluster(Path(directory), nodes=nodes) as cluster:
            await cluster.wait_for_leader()
            addresses = ",".join(map(str, cluster.addresses))
            async with mynode.trio.connect(addresses) as client, trio.open_nursery() as nursery:
                began = time.perf_counter()
                await load(client, rows)
                sys.stdout.write(f"{rows:,} rows on {nodes} nodes, loaded in {time.perf_counter() - began:.1f} s\n")
                writers = [Writer(client, 10_000_000 * (number + 1)) for number in range(WRITERS)]
                for writer in writers:
                    nursery.start_soon(writer.run)
                await trio.sleep(BEFORE_S)
                report("before", writers)
                began = time.perf_counter()
                await client.execute("CREATE INDEX t_a ON t (a, id DESC)", timeout=3_600)
                took_s = time.perf_counter() - began
                sys.stdout.write(f"built in {took_s:.1f} s, {rows / took_s:,.0f} rows/s\n")
                report("during", writers)
                nursery.cancel_scope.cancel()


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    trio.run(main, *(arguments + [1_000_000, 5][len(arguments) :]))
