"""What a workload is, and the two simple ones, look-ups and inserts. A new one is a subclass listed in `bench.main`."""

from __future__ import annotations

import contextlib
import string
from abc import ABC, abstractmethod
from random import Random
from typing import ClassVar

from mynode.base.errors import MyNodeError
from mynode.base.sql_errors import UndefinedTableError, UniqueViolationError
from mynode.client.client import Client
from mynode.client.session import Session
from mynode.session.api import Row

_VALUE_CHARACTERS = 64
_ROWS_PER_INSERT = 250


class VerificationError(MyNodeError):
    """The data set is not what the acknowledged items make it."""

    sqlstate = "XX001"


class Workload(ABC):
    """One workload over one data set.

    Class attributes:
        name: as in `mynode bench NAME`.
        summary: in a few words, what an item is.
        default_rows: how many rows the data set has unless told otherwise; None where it grows by the run.

    Args:
        rows: of the data set.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    default_rows: ClassVar[int | None]

    def __init__(self, random: Random, rows: int) -> None:
        self.random = random
        self.rows = rows

    @abstractmethod
    async def prepare(self, client: Client) -> None:
        """Make the data set anew."""

    @abstractmethod
    def next_item(self) -> int:
        """The number that tells `run` which item to do."""

    @abstractmethod
    async def run(self, session: Session, item: int, *, is_retry: bool) -> int:
        """Do one item, or raise why not; how many attempts the client made. `is_retry`: it may have been executed."""

    @abstractmethod
    async def verify(self, client: Client) -> str:
        """Check the whole data set and say what it holds; raises `VerificationError`."""


class ReadWorkload(Workload):
    """Primary-key look-ups, evenly over all rows."""

    name = "read"
    summary = "one SELECT of a random id"
    default_rows = 1_000
    _SELECT = "SELECT value FROM bench_read WHERE id = ?"

    async def prepare(self, client: Client) -> None:
        self._values = [random_text(self.random) for _ in range(self.rows)]
        await make_table(client, "bench_read")
        rows = list(enumerate(self._values, start=1))
        for first in range(0, self.rows, _ROWS_PER_INSERT):
            batch = rows[first : first + _ROWS_PER_INSERT]
            places = ", ".join(["(?, ?)"] * len(batch))
            await client.execute(
                f"INSERT INTO bench_read (id, value) VALUES {places}", [value for row in batch for value in row]
            )

    def next_item(self) -> int:
        return int(self.random.random() * self.rows) + 1

    async def run(self, session: Session, item: int, *, is_retry: bool) -> int:
        result = await session.execute(self._SELECT, (item,))
        if result.rows != [(self._values[item - 1],)]:
            raise VerificationError(f"id {item} of bench_read came back as {result.rows!r}")
        return result.attempts

    async def verify(self, client: Client) -> str:
        rows = await all_rows(client, "bench_read")
        if rows != list(enumerate(self._values, start=1)):
            raise VerificationError(f"bench_read does not hold its {self.rows} rows but {len(rows)} others")
        return f"{len(rows)} rows, each as it was written"


class WriteWorkload(Workload):
    """Inserts of single rows with rising ids into an empty table."""

    name = "write"
    summary = "one INSERT of the next id"
    default_rows = None
    _VALUES = 1_024
    _INSERT = "INSERT INTO bench_write (id, value) VALUES (?, ?)"

    async def prepare(self, client: Client) -> None:
        self._values = [random_text(self.random) for _ in range(self._VALUES)]
        self._acknowledged = bytearray()  # by id - 1: 0 tried, 1 acknowledged
        await make_table(client, "bench_write")

    def next_item(self) -> int:
        self._acknowledged.append(0)
        return len(self._acknowledged)

    async def run(self, session: Session, item: int, *, is_retry: bool) -> int:
        try:
            attempts = (await session.execute(self._INSERT, (item, self._value(item)))).attempts
        except UniqueViolationError:
            if not is_retry:
                raise
            attempts = 1
        self._acknowledged[item - 1] = 1
        return attempts

    def _value(self, item: int) -> str:
        return self._values[item % self._VALUES]

    async def verify(self, client: Client) -> str:
        rows = await all_rows(client, "bench_write")
        present = {row[0]: row[1] for row in rows}
        if len(present) < len(rows):
            raise VerificationError(f"bench_write holds {len(rows) - len(present)} ids twice")
        lost = [item for item, kept in enumerate(self._acknowledged, start=1) if kept and item not in present]
        if lost:
            raise VerificationError(f"bench_write lost {len(lost)} acknowledged rows, id {lost[0]} first")
        for item, value in present.items():
            if not (isinstance(item, int) and 1 <= item <= len(self._acknowledged) and value == self._value(item)):
                raise VerificationError(f"bench_write holds a row that nobody wrote, id {item!r}")
        return f"{len(rows)} rows, every acknowledged one exactly once"


def random_text(random: Random) -> str:
    return "".join(random.choices(string.ascii_letters + string.digits, k=_VALUE_CHARACTERS))


async def make_table(client: Client, table: str) -> None:
    """An empty table (id INTEGER PRIMARY KEY, value TEXT NOT NULL) of that name."""
    with contextlib.suppress(UndefinedTableError):  # there is none on the first run
        await client.execute(f"DROP TABLE {table}")
    await client.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, value TEXT NOT NULL)")


async def all_rows(client: Client, table: str) -> list[Row]:
    """All rows by id."""
    rows: list[Row] = []
    async with client.stream(f"SELECT id, value FROM {table} ORDER BY id") as batches:
        async for batch in batches:
            rows += batch
    return rows
