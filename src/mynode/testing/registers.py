"""Registers in a table, clients that read and write them, and what each client was told: a history to be judged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

import trio
from trio_util import AsyncValue

from mynode.base.errors import (
    ConnectionFailedError,
    DiskFullError,
    MyNodeError,
    NodeBusyError,
    NoQuorumError,
    ShuttingDownError,
)
from mynode.client.client import Client
from mynode.testing.linearizable import NEVER, Kind, Operation, is_linearizable

REGISTERS: Final = 3
_NOT_EXECUTED: Final = (NoQuorumError, NodeBusyError, ConnectionFailedError, DiskFullError, ShuttingDownError)


class Registers:
    """What clients did to each register, in one order of calls and returns.

    Attributes:
        history: the operations of each register; those that certainly were not executed are left out.
        refused: how many those are.
        answered: how many operations came back.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._now = 0
        self._next_value = 0
        self.history: dict[int, list[Operation]] = {register: [] for register in range(REGISTERS)}
        self.refused = 0
        self.answered: AsyncValue[int] = AsyncValue(0)

    async def create(self, client: Client) -> None:
        await client.execute("CREATE TABLE register (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)")
        for register in self.history:
            await client.execute("INSERT INTO register VALUES (?, 0)", (register,))

    async def work(self, client: Client, stop: trio.Event) -> None:
        while not stop.is_set():
            await self._operate(client, self._random.randrange(REGISTERS), self._random.choice(list(Kind)))
            await trio.sleep(self._random.uniform(0, 0.1))

    async def more(self, count: int) -> None:
        """Wait until so many more operations came back."""
        least = self.answered.value + count
        await self.answered.wait_value(lambda answered: answered >= least)

    async def read_all(self, read: Callable[[int], Awaitable[int]]) -> None:
        """A last look through one node, which must show what was acknowledged even if no client read it."""
        for register in self.history:
            called = self._tick()
            value = await read(register)
            self.history[register].append(Operation(Kind.READ, called, value, returned=self._tick()))

    def broken(self) -> list[int]:
        """The registers whose history no single register can have."""
        return [register for register, history in self.history.items() if not is_linearizable(history, 0)]

    def summary(self) -> str:
        operations = [each for history in self.history.values() for each in history]
        unknown = sum(each.returned == NEVER for each in operations)
        return (
            f"{len(operations) + self.refused} operations: {len(operations) - unknown} answered, "
            f"{unknown} of unknown outcome, {self.refused} not executed"
        )

    def _tick(self) -> int:
        self._now += 1
        return self._now

    async def _operate(self, client: Client, register: int, kind: Kind) -> None:
        self._next_value += 1
        operation = Operation(kind, self._tick(), self._next_value)
        history = self.history[register]
        history.append(operation)
        try:
            match kind:
                case Kind.READ:
                    operation.value = await read_with(client, register)
                case Kind.WRITE:
                    sql = "UPDATE register SET value = ? WHERE id = ?"
                    await client.execute(sql, (operation.value, register))
                case Kind.SWAP:
                    operation.expected = max((each.value for each in history[-4:-1]), default=0)
                    sql = "UPDATE register SET value = ? WHERE id = ? AND value = ?"
                    result = await client.execute(sql, (operation.value, register, operation.expected))
                    operation.swapped = result.rows_affected == 1
        except _NOT_EXECUTED:
            history.remove(operation)
            self.refused += 1
        except MyNodeError:
            return  # nobody knows what came of it
        else:
            operation.returned = self._tick()
            self.answered.value += 1


async def read_with(client: Client, register: int) -> int:
    rows = (await client.execute("SELECT value FROM register WHERE id = ?", (register,))).rows
    assert isinstance(rows[0][0], int)
    return rows[0][0]


def describe(history: list[Operation]) -> list[str]:
    """A line for each operation, in the order of calls."""
    lines = []
    for each in sorted(history, key=lambda operation: operation.called):
        match each.kind:
            case Kind.READ:
                what = f"read {each.value}" if each.returned != NEVER else "read"
            case Kind.WRITE:
                what = f"write {each.value}"
            case Kind.SWAP:
                outcome = "unknown" if each.returned == NEVER else "swapped" if each.swapped else "not swapped"
                what = f"swap {each.expected} for {each.value}: {outcome}"
        returned = "never" if each.returned == NEVER else str(each.returned)
        lines.append(f"{each.called:>5} to {returned:>5}  {what}")
    return lines
