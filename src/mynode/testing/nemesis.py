"""The nemesis: somebody who does harm to an `InProcessCluster`, one act after the other, as a seed has it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import TypeAlias

import trio
from trio_util import AsyncValue

from mynode.base.errors import MyNodeError, NotYetError
from mynode.base.ids import NodeId
from mynode.raft.membership import ChangeKind, MembershipChange
from mynode.testing.in_process import InProcessCluster

_Act: TypeAlias = Callable[[], Awaitable[None]]


class Nemesis:
    """Processes are killed, stopped and paused; clocks go wrong; disks lose power, fail a sync, are full; links fail;
    leadership is handed over; nodes come and go for good; all nodes lose power at once.

    Invariant: but for that last thing, a minority of the voters at most is down by its doing; at least three stay.

    Args:
        say: told what is done, in a line.
    """

    def __init__(
        self, cluster: InProcessCluster, random: Random, nursery: trio.Nursery, say: Callable[[str], None]
    ) -> None:
        self._cluster = cluster
        self._random = random
        self._nursery = nursery
        self._down: set[NodeId] = set()
        self._all_up = AsyncValue(True)
        self._next_id = max(cluster.disks) + 1
        self._say = say

    async def harm(self, steps: int) -> None:
        """Do so many things; each takes a while, and so does the time between two."""
        processes: list[_Act] = [self._crash, self._kill, self._stop, self._pause, self._skew]
        disks: list[_Act] = [self._fail_sync, self._lose_power, self._fill]
        links: list[_Act] = [self._partition, self._cut, self._mute]
        operators: list[_Act] = [self._transfer, self._add, self._remove, self._black_out]
        for _ in range(steps):
            act = self._random.choice(self._random.choice([processes, disks, links, operators]))
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
        voters = [each for each in self._voters() if each not in self._down]
        if not voters or 2 * (len(self._down) + 1) >= len(voters) + len(self._down):
            return None
        victim = self._random.choice(voters)
        self._down.add(victim)
        self._all_up.value = False
        return victim

    async def _crash(self) -> None:
        victim = self._victim()
        if victim is not None:
            self._say(f"node {victim} loses power")
            await self._cluster.crash(victim)
            self._nursery.start_soon(self._bring_back, victim)

    async def _kill(self) -> None:
        victim = self._victim()
        if victim is not None:
            self._say(f"node {victim} is killed")
            await self._cluster.kill(victim)
            self._nursery.start_soon(self._bring_back, victim)

    async def _stop(self) -> None:
        victim = self._victim()
        if victim is not None:
            self._say(f"node {victim} is told to stop")
            with trio.CancelScope(shield=True):
                await self._cluster.stop(victim)
            self._nursery.start_soon(self._bring_back, victim)

    async def _bring_back(self, node_id: NodeId) -> None:
        await trio.sleep(self._random.uniform(0, 4))
        self._say(f"node {node_id} starts")
        await self._start(node_id)
        self._is_back(node_id)

    async def _start(self, node_id: NodeId) -> None:
        try:
            await self._cluster.start(node_id)
        except MyNodeError as error:
            raise AssertionError(f"node {node_id} does not start: {error}") from error

    def _is_back(self, node_id: NodeId) -> None:
        self._down.discard(node_id)
        self._all_up.value = not self._down

    async def _pause(self) -> None:
        """Longer than an election, mostly: others lead by the time it goes on."""
        victim = self._victim()
        if victim is not None:
            self._say(f"node {victim} is paused")
            self._cluster.network.pause(victim)
            self._nursery.start_soon(self._resume, victim)

    async def _resume(self, node_id: NodeId) -> None:
        await trio.sleep(self._random.uniform(0.1, 4))
        self._say(f"node {node_id} goes on")
        self._cluster.network.go_on(node_id)
        self._is_back(node_id)

    async def _skew(self) -> None:
        """A clock that jumps, and goes too fast or too slow from now on."""
        node_id = self._random.choice(sorted(self._cluster.nodes))
        clock = self._cluster.clocks[node_id]
        clock.offset_s = self._random.uniform(-100, 100)
        # Leases rest on rates that differ little; nothing else rests on any.
        clock.set_rate(
            self._random.choice((0.9, 0.95, 1.0) if self._cluster.lease_reads else (0.5, 0.9, 1.0, 1.1, 2.0))
        )
        self._say(f"the clock of node {node_id} is {clock.offset_s:+.1f} s off and runs {clock.rate} times as fast")
        await trio.lowlevel.checkpoint()

    # --- disks -------------------------------------------------------------------------------------------------------

    async def _fail_sync(self) -> None:
        """The process ends. What the disk has not may still be in the cache, or is gone with the machine's power."""
        victim = self._victim()
        if victim is not None:
            self._say(f"a sync of node {victim} fails")
            with trio.CancelScope(shield=True):
                failed = await self._cluster.fail_sync(victim, within_s=3)
            if not failed:
                self._is_back(victim)
                return
            if self._random.random() < 0.5:
                self._say(f"node {victim} loses power, too")
                await self._cluster.crash(victim)
            self._nursery.start_soon(self._bring_back, victim)

    async def _lose_power(self) -> None:
        """In the middle of what it does to its disk."""
        victim = self._victim()
        if victim is not None:
            operations = self._random.randrange(20)
            self._say(f"node {victim} loses power after {operations} more operations of its disk")
            self._cluster.disks[victim].fail_power_after(operations)
            with trio.CancelScope(shield=True):
                with trio.move_on_after(3):
                    await self._cluster.ended(victim).wait()
                await self._cluster.crash(victim)
            self._nursery.start_soon(self._bring_back, victim)

    async def _fill(self) -> None:
        victim = self._victim()
        if victim is not None:
            self._say(f"the disk of node {victim} is full")
            self._cluster.disks[victim].capacity_bytes = 0
            self._nursery.start_soon(self._make_room, victim)

    async def _make_room(self, node_id: NodeId) -> None:
        await trio.sleep(self._random.uniform(0.5, 6))
        self._say(f"the disk of node {node_id} has room")
        self._cluster.disks[node_id].capacity_bytes = None
        self._is_back(node_id)

    async def _black_out(self) -> None:
        """All machines lose power at the same moment: whatever was acknowledged must be on their disks."""
        if self._down:
            return
        self._say("all nodes lose power")
        nodes = sorted(self._cluster.nodes)
        with trio.CancelScope(shield=True):
            for node_id in nodes:
                self._cluster.disks[node_id].fail_power_after(0)
            for node_id in nodes:
                await self._cluster.crash(node_id)
            for node_id in nodes:
                await self._start(node_id)

    # --- links and members -------------------------------------------------------------------------------------------

    async def _partition(self) -> None:
        nodes = list(self._cluster.nodes)
        self._random.shuffle(nodes)
        place = self._random.randrange(1, len(nodes))
        self._say(f"nodes {_names(nodes[:place])} and {_names(nodes[place:])} do not hear each other")
        self._cluster.network.partition(nodes[:place], nodes[place:])
        await trio.sleep(self._random.uniform(0.1, 3))
        self._say("all hear each other")
        self._cluster.network.heal()

    async def _cut(self) -> None:
        """Some links are lost in one direction."""
        nodes = list(self._cluster.nodes)
        cut = [(a, b) for a in nodes for b in nodes if a != b and self._random.random() < 0.3]
        self._say("these links lose all: " + ", ".join(f"{a}>{b}" for a, b in cut))
        self._cluster.network.cut = set(cut)
        await trio.sleep(self._random.uniform(0.1, 2))
        self._say("all links are whole")
        self._cluster.network.heal()

    async def _mute(self) -> None:
        """What clients ask of a node is done, but no answer reaches them: they ask elsewhere, and it counts once."""
        node_id = self._random.choice(sorted(self._cluster.nodes))
        self._say(f"the answers of node {node_id} reach no client")
        self._cluster.muted.add(node_id)
        await trio.sleep(self._random.uniform(0.1, 3))
        self._say(f"the answers of node {node_id} reach clients")
        self._cluster.muted.discard(node_id)

    async def _transfer(self) -> None:
        leader = await self._cluster.leader()
        to = self._random.choice([None, *self._voters()])
        self._say(f"node {leader} is told to hand over to {'anybody' if to is None else f'node {to}'}")
        await self._cluster.nodes[leader].transfer_leadership(to)

    async def _add(self) -> None:
        if len(self._voters()) + len(self._down) >= 7:
            return
        node_id, self._next_id = self._next_id, self._next_id + 1
        self._say(f"node {node_id} joins")
        await self._cluster.join(node_id)
        await self._change(ChangeKind.ADD_LEARNER, node_id)
        await self._change(ChangeKind.PROMOTE, node_id)

    async def _remove(self) -> None:
        voters = self._voters()
        if len(voters) > 3 and not self._down:
            node_id = self._random.choice(voters)
            self._say(f"node {node_id} is removed")
            await self._change(ChangeKind.REMOVE, node_id)

    async def _change(self, kind: ChangeKind, node_id: NodeId) -> None:
        change = MembershipChange(kind, node_id, self._cluster.address(node_id))
        while True:
            try:
                await self._cluster.nodes[await self._cluster.leader()].change_members(change)
            except NotYetError:
                await trio.sleep(0.1)
            else:
                return


def _names(nodes: list[NodeId]) -> str:
    return " ".join(str(node_id) for node_id in sorted(nodes)) or "(none)"
