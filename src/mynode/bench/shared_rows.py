"""Workloads whose workers meet at the same rows: what contention costs, and that it loses nothing."""

from __future__ import annotations

import contextlib

from mynode.base.errors import MyNodeError
from mynode.base.sql_errors import SerializationFailureError, UndefinedTableError
from mynode.bench.workload import VerificationError, Workload
from mynode.client.client import Client
from mynode.client.session import Session

_BALANCE = 1_000


class IncrementWorkload(Workload):
    """Each worker adds 1 to a row of its own, over and over; with fewer rows than workers they share them."""

    name = "increment"
    summary = "one UPDATE that adds 1 to a row"
    default_rows = 1
    _UPDATE = "UPDATE bench_increment SET value = value + 1 WHERE id = ?"

    async def prepare(self, client: Client) -> None:
        self._row_of: dict[Session, int] = {}
        self._tried = 0
        self._acknowledged = 0
        self._uncertain = 0
        await make_numbers(client, "bench_increment", self.rows, 0)

    def next_item(self) -> int:
        self._tried += 1
        return self._tried

    async def run(self, session: Session, item: int, *, is_retry: bool) -> int:
        row = self._row_of.setdefault(session, len(self._row_of) % self.rows)
        try:
            result = await session.execute(self._UPDATE, (row,))
        except MyNodeError:
            self._uncertain += 1
            raise
        self._acknowledged += 1
        return result.attempts

    async def verify(self, client: Client) -> str:
        added = await sum_of(client, "bench_increment")
        if added < self._acknowledged:
            raise VerificationError(f"bench_increment lost {self._acknowledged - added} acknowledged increments")
        if added > self._acknowledged + self._uncertain:
            raise VerificationError(f"bench_increment holds {added - self._acknowledged} increments too many")
        return f"{added:,} increments in {self.rows} rows, every acknowledged one exactly once"


class TransferWorkload(Workload):
    """Each item moves money between two accounts in a transaction, begun again after a serialization failure."""

    name = "transfer"
    summary = "one transaction that moves money between two accounts"
    default_rows = 100
    _SELECT = "SELECT value FROM bench_transfer WHERE id = ?"
    _UPDATE = "UPDATE bench_transfer SET value = ? WHERE id = ?"

    async def prepare(self, client: Client) -> None:
        self._committed = 0
        self._aborted = 0
        await make_numbers(client, "bench_transfer", self.rows, _BALANCE)

    def next_item(self) -> int:
        return 0

    async def run(self, session: Session, item: int, *, is_retry: bool) -> int:
        giver = self.random.randrange(self.rows)
        taker = (giver + self.random.randrange(1, self.rows)) % self.rows if self.rows > 1 else giver
        attempts = 1
        while True:
            try:
                await self._transfer(session, giver, taker)
            except SerializationFailureError:
                self._aborted += 1
                attempts += 1
            else:
                self._committed += 1
                return attempts

    async def _transfer(self, session: Session, giver: int, taker: int) -> None:
        async with session.transaction():
            for account, change in ((giver, -1), (taker, 1)):
                balance = (await session.execute(self._SELECT, (account,))).rows[0][0]
                if not isinstance(balance, int):
                    raise VerificationError(f"account {account} holds {balance!r}")
                await session.execute(self._UPDATE, (balance + change, account))

    async def verify(self, client: Client) -> str:
        total = await sum_of(client, "bench_transfer")
        if total != self.rows * _BALANCE:
            raise VerificationError(f"the accounts hold {total} together, not {self.rows * _BALANCE}")
        begun = self._committed + self._aborted
        aborted = 100 * self._aborted / begun if begun else 0.0
        return f"the sum over {self.rows} accounts holds; {aborted:.1f} % of {begun:,} transactions were aborted"


async def make_numbers(client: Client, table: str, rows: int, value: int) -> None:
    """A table (id INTEGER PRIMARY KEY, value INTEGER NOT NULL) with ids from 0, each with that value."""
    with contextlib.suppress(UndefinedTableError):  # there is none on the first run
        await client.execute(f"DROP TABLE {table}")
    await client.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)")
    per_insert = 1_000
    for first in range(0, rows, per_insert):
        places = ", ".join(f"({row}, {value})" for row in range(first, min(first + per_insert, rows)))
        await client.execute(f"INSERT INTO {table} (id, value) VALUES {places}")


async def sum_of(client: Client, table: str) -> int:
    """The sum of all values, read in one statement."""
    total = (await client.execute(f"SELECT SUM(value) FROM {table}")).rows[0][0]
    if not isinstance(total, int):
        raise VerificationError(f"{table} has the sum {total!r}")
    return total
