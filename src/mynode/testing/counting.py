"""Many workers that change one row in a way that shows which of their statements counted, and in which order."""

from __future__ import annotations

import trio
from trio_util import AsyncValue

from mynode.base.errors import OutcomeUnknownError
from mynode.base.invariant import invariant
from mynode.client.client import Client


class Counting:
    """Workers that add to the row by single statements, each with a mark of its own.

    Attributes:
        acknowledged: version and mark of each statement that was confirmed.
        uncertain: marks of which it is not known.
        stop: ends the workers.
    """

    SCHEMA = (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, value INTEGER NOT NULL, log TEXT NOT NULL)",
        "INSERT INTO t VALUES (1, 0, '')",
    )

    def __init__(self, client: Client) -> None:
        self._client = client
        self._numbers = iter(range(1_000_000))
        self.acknowledged: list[tuple[int, int]] = []
        self.uncertain: set[int] = set()
        self._done: AsyncValue[int] = AsyncValue(0)
        self.stop = trio.Event()

    async def work(self) -> None:
        async with self._client.session() as session:
            while not self.stop.is_set():
                number = next(self._numbers)
                try:
                    result = await session.execute(
                        "UPDATE t SET value = value + 1, log = log || ? WHERE id = 1", (f"{number} ",)
                    )
                except OutcomeUnknownError:
                    self.uncertain.add(number)
                else:
                    invariant(result.rows_affected == 1, "the row is there")
                    self.acknowledged.append((result.version, number))
                    self._done.value += 1

    async def reach(self, more: int) -> None:
        """Wait until so many more are acknowledged."""
        target = self._done.value + more
        await self._done.wait_value(lambda done: done >= target)

    async def check(self) -> None:
        """Every acknowledged mark is there once, no mark twice, and they stand in the order of their versions."""
        ((value, log),) = (await self._client.execute("SELECT value, log FROM t WHERE id = 1")).rows
        marks = [int(mark) for mark in str(log).split()]
        invariant(value == len(marks) == len(set(marks)), "each mark is there once")
        confirmed = {mark for _, mark in self.acknowledged}
        invariant(confirmed <= set(marks), "no acknowledged statement is lost")
        invariant(set(marks) <= confirmed | self.uncertain, "nothing is there that nobody asked for")
        place = {mark: at for at, mark in enumerate(marks)}
        versions = [version for _, version in sorted((place[mark], version) for version, mark in self.acknowledged)]
        invariant(versions == sorted(versions), "they stand in the order of their versions")
