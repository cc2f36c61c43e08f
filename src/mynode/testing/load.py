"""Clients at work while something happens to their cluster, none of whose requests may fail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio
from trio_util import AsyncValue

from mynode.client.client import Client

CREATE: Final = "CREATE TABLE load (id INTEGER PRIMARY KEY, value TEXT NOT NULL)"
_IDS_EACH: Final = 1_000_000


class Load:
    """Inserts rows and reads each back. An error of any request ends the run.

    Attributes:
        written: ids of the acknowledged rows.
        done: their number.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stop = trio.Event()
        self.written: list[int] = []
        self.done: AsyncValue[int] = AsyncValue(0)

    async def more(self, count: int) -> None:
        """Wait until so many more rows were written and read."""
        least = self.done.value + count
        await self.done.wait_value(lambda done: done >= least)

    def stop(self) -> None:
        self._stop.set()

    async def work(self, first_id: int) -> None:
        id_ = first_id
        while not self._stop.is_set():
            await self._client.execute("INSERT INTO load VALUES (?, 'x')", (id_,))
            self.written.append(id_)
            assert (await self._client.execute("SELECT id FROM load WHERE id = ?", (id_,))).rows == [(id_,)]
            self.done.value += 1
            id_ += 1


@asynccontextmanager
async def load(client: Client, workers: int = 4) -> AsyncIterator[Load]:
    """Work during the block; afterwards every acknowledged row is there once, and no other."""
    await client.execute(CREATE)
    work = Load(client)
    async with trio.open_nursery() as nursery:
        for number in range(workers):
            nursery.start_soon(work.work, _IDS_EACH * number)
        yield work
        work.stop()
    rows = (await client.execute("SELECT id FROM load ORDER BY id")).rows
    assert [row[0] for row in rows] == sorted(work.written)
