"""A cluster in virtual time, clients that read and write registers, and somebody who does harm all the while.

`run` is a whole run of one seed: afterwards the cluster is healed, every register is read on every node, and the
history of each is judged by `linearizable`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Final

import trio
from trio_util import AsyncValue

from mynode.base.errors import ConnectionFailedError, MyNodeError, NodeBusyError, NoQuorumError, NotYetError
from mynode.base.ids import NodeId
from mynode.client.client import Client, open_client
from mynode.client.options import ClientOptions
from mynode.raft.membership import ChangeKind, MembershipChange
from mynode.testing.in_process import InProcessCluster, SqlClient
from mynode.testing.linearizable import Kind, Operation, is_linearizable

REGISTERS: Final = 3
WORKERS: Final = 4
OPERATION_TIMEOUT_S: Final = 6.0
_NOT_EXECUTED: Final = (NoQuorumError, NodeBusyError, ConnectionFailedError)


class Registers:
    """A table of registers, and what clients did to each, in one order of calls and returns."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._now = 0
        self._next_value = 0
        self.history: dict[int, list[Operation]] = {register: [] for register in range(REGISTERS)}

    async def work(self, client: Client, stop: trio.Event) -> None:
        while not stop.is_set():
            await self._operate(client, self._random.randrange(REGISTERS), self._random.choice(list(Kind)))
            await trio.sleep(self._random.uniform(0, 0.1))

    async def read_all(self, read: Callable[[int], Awaitable[int]]) -> None:
        for register in self.history:
            called = self._tick()
            value = await read(register)
            self.history[register].append(Operation(Kind.READ, called, value, returned=self._tick()))

    def broken(self) -> list[int]:
        """The registers whose history no single register can have."""
        return [register for register, history in self.history.items() if not is_linearizable(history, 0)]

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
        except MyNodeError:
            return  # nobody knows what came of it
        else:
            operation.returned = self._tick()


async def read_with(client: Client, register: int) -> int:
    rows = (await client.execute("SELECT value FROM register WHERE id = ?", (register,))).rows
    assert isinstance(rows[0][0], int)
    return rows[0][0]


class Nemesis:
    """Kills, stops, partitions, hands leadership over, adds and removes nodes, at random times.

    Invariant: a minority of the voters at most is down by its doing; at least three voters stay.
    """

    def __init__(self, cluster: InProcessCluster, random: Random, nursery: trio.Nursery) -> None:
        self._cluster = cluster
        self._random = random
        self._nursery = nursery
        self._down: set[NodeId] = set()
        self._all_up = AsyncValue(True)
        self._next_id = max(cluster.disks) + 1
        self.done: list[str] = []

    async def harm(self, stop: trio.Event) -> None:
        acts = [self._kill, self._stop, self._partition, self._cut, self._transfer, self._add, self._remove]
        while not stop.is_set():
            act = self._random.choice(acts)
            self.done.append(act.__name__)
            with suppress(MyNodeError), trio.move_on_after(5):
                await act()
            await trio.sleep(self._random.uniform(0.1, 1.5))

    async def heal(self) -> None:
        """Nothing is cut off any more, and all who are members run."""
        self._cluster.network.heal()
        await self._all_up.wait_value(True)

    def _voters(self) -> list[NodeId]:
        """As the node that knows most says."""
        memberships = [node.raft.membership for node in self._cluster.nodes.values()]
        newest = max(memberships, key=lambda each: (len(each.removed), len(each.members), len(each.voters)))
        return sorted(newest.voters.keys() & self._cluster.nodes.keys())

    def _victim(self) -> NodeId | None:
        voters = self._voters()
        if not voters or 2 * (len(self._down) + 1) >= len(voters) + len(self._down):
            return None
        victim = self._random.choice(voters)
        self._down.add(victim)
        self._all_up.value = False
        return victim

    async def _kill(self) -> None:
        victim = self._victim()
        if victim is not None:
            await self._cluster.crash(victim)
            self._nursery.start_soon(self._bring_back, victim)

    async def _stop(self) -> None:
        victim = self._victim()
        if victim is not None:
            with trio.CancelScope(shield=True):
                await self._cluster.stop(victim)
            self._nursery.start_soon(self._bring_back, victim)

    async def _bring_back(self, node_id: NodeId) -> None:
        await trio.sleep(self._random.uniform(0, 4))
        await self._cluster.start(node_id)
        self._down.discard(node_id)
        self._all_up.value = not self._down

    async def _partition(self) -> None:
        nodes = list(self._cluster.nodes)
        self._random.shuffle(nodes)
        place = self._random.randrange(len(nodes))
        self._cluster.network.partition(nodes[:place], nodes[place:])
        await trio.sleep(self._random.uniform(0.1, 3))
        self._cluster.network.heal()

    async def _cut(self) -> None:
        """Some links are lost in one direction."""
        nodes = list(self._cluster.nodes)
        self._cluster.network.cut = {(a, b) for a in nodes for b in nodes if self._random.random() < 0.3}
        await trio.sleep(self._random.uniform(0.1, 2))
        self._cluster.network.heal()

    async def _transfer(self) -> None:
        leader = await self._cluster.leader()
        await self._cluster.nodes[leader].transfer_leadership(self._random.choice([None, *self._voters()]))

    async def _add(self) -> None:
        if len(self._voters()) + len(self._down) >= 7:
            return
        node_id, self._next_id = self._next_id, self._next_id + 1
        await self._cluster.join(node_id)
        await self._change(ChangeKind.ADD_LEARNER, node_id)
        await self._change(ChangeKind.PROMOTE, node_id)

    async def _remove(self) -> None:
        voters = self._voters()
        if len(voters) > 3 and not self._down:
            await self._change(ChangeKind.REMOVE, self._random.choice(voters))

    async def _change(self, kind: ChangeKind, node_id: NodeId) -> None:
        change = MembershipChange(kind, node_id, self._cluster.address(node_id))
        while True:
            try:
                await self._cluster.nodes[await self._cluster.leader()].change_members(change)
            except NotYetError:
                await trio.sleep(0.1)
            else:
                return


async def run(seed: int, *, seconds: float = 20.0, size: int = 5, lease_reads: bool = False) -> Sequence[str]:
    """One run; returns what was done to the cluster. Raises `AssertionError` when a history cannot be.

    Virtual time: for Trio's `MockClock(autojump_threshold=0)`.
    """
    random = Random(seed)
    registers = Registers(random)
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(
            size,
            seed=seed,
            nursery=nursery,
            checkpoint_entries=40,
            segment_bytes=4_096,
            lease_reads=lease_reads,
        )
        await cluster.start_all()
        await cluster.leader()
        nemesis = Nemesis(cluster, random, nursery)
        options = ClientOptions(spread="round_robin", timeout=OPERATION_TIMEOUT_S)
        async with open_client(cluster.transports(), options, random=random) as client:
            await client.execute("CREATE TABLE register (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)")
            for register in registers.history:
                await client.execute("INSERT INTO register VALUES (?, 0)", (register,))
            stop = trio.Event()
            async with trio.open_nursery() as at_work:
                for _ in range(WORKERS):
                    at_work.start_soon(registers.work, client, stop)
                at_work.start_soon(nemesis.harm, stop)
                await trio.sleep(seconds)
                stop.set()
        with trio.fail_after(60):
            await nemesis.heal()
            leader = await cluster.leader()
            for node_id in sorted(cluster.nodes.keys() & cluster.nodes[leader].raft.membership.voters.keys()):
                await registers.read_all(_reader(SqlClient(cluster.nodes[node_id])))
        nursery.cancel_scope.cancel()
    broken = registers.broken()
    assert not broken, f"seed {seed}: no register has the history of {broken}"
    return nemesis.done


def _reader(client: SqlClient) -> Callable[[int], Awaitable[int]]:
    async def read(register: int) -> int:
        rows = await client.execute("SELECT value FROM register WHERE id = ?", register)
        assert isinstance(rows[0][0], int)
        return rows[0][0]

    return read
