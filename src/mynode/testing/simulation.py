"""`mynode simulate`: a whole cluster in one process and in virtual time, under the nemesis, and a verdict on it.

The real actors, sessions, cores and files run over a simulated network and disks, with clients that read and write
registers meanwhile. At the end everything is healed and read again through every node. The verdict: each register's
history is one that a single register can have, and all nodes hold the same state. A seed is one exact run, to the byte.
"""

from __future__ import annotations

import hashlib
import logging
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Final
from unittest.mock import patch

import structlog
import trio
import trio._core._run as trio_run
from trio.testing import MockClock

from mynode.base.errors import DiskFullError, NoQuorumError
from mynode.base.exit_codes import EXIT_DONE, EXIT_FAILED
from mynode.base.ids import NodeId, Term, Version
from mynode.client.client import open_client
from mynode.client.options import ClientOptions
from mynode.mvcc.view import ReadView
from mynode.raft.effects import Role
from mynode.testing.in_process import InProcessCluster, SqlClient
from mynode.testing.nemesis import Nemesis
from mynode.testing.registers import Registers, describe

NODES: Final = 5
WORKERS: Final = 4
OPERATION_TIMEOUT_S: Final = 6.0
HEAL_TIMEOUT_S: Final = 60.0
_LOOK_INTERVAL_S: Final = 0.05

Say = Callable[[str], None]


class SimulationFailed(Exception):
    """The verdict is against the cluster; the message says why."""


def run_simulations(first_seed: int, steps: int, runs: int, *, lease_reads: bool = False) -> int:
    """What the command does: print the runs of so many seeds, up to one that fails; returns the exit code."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for seed in range(first_seed, first_seed + runs):
        if runs > 1:
            _print(f"seed {seed}")
        if run_simulation(seed, steps, lease_reads=lease_reads) != EXIT_DONE:
            return EXIT_FAILED
    return EXIT_DONE


def run_simulation(seed: int, steps: int, *, lease_reads: bool = False) -> int:
    """Print the run of this seed and the verdict; returns the exit code."""
    try:
        simulate(seed, steps, _print, lease_reads=lease_reads)
    except SimulationFailed as failure:
        _print(f"FAILED: {failure}")
    except Exception as error:  # a node that fails by itself is a finding, whatever it fails by
        traceback.print_exception(error)
        _print("FAILED: a node or a client ended by an error of its own")
    else:
        return EXIT_DONE
    _print(f"again: mynode simulate --seed {seed} --steps {steps}" + (" --lease-reads" if lease_reads else ""))
    return EXIT_FAILED


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def simulate(seed: int, steps: int, say: Say, *, lease_reads: bool = False) -> None:
    """One run, told line by line.

    Args:
        steps: how many things the nemesis does.
        lease_reads: as of `NodeConfig`.

    Raises:
        SimulationFailed: some history cannot be, or nodes differ, or the healed cluster does not serve.
        Exception: what a node ended by.
    """
    with _deterministic_scheduling(seed):
        trio.run(_Simulation(seed, say, lease_reads).run, steps, clock=MockClock(autojump_threshold=0))


@contextmanager
def _deterministic_scheduling(seed: int) -> Iterator[None]:
    """Trio wakes tasks in random order, of which only these private names let us have a say."""
    random_state = trio_run._r.getstate()
    trio_run._r.seed(seed)
    try:
        with patch.object(trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True):
            yield
    finally:
        trio_run._r.setstate(random_state)


class _Simulation:
    def __init__(self, seed: int, say: Say, lease_reads: bool) -> None:
        self._seed = seed
        self._lease_reads = lease_reads
        self._random = Random(seed)
        self._registers = Registers(self._random)
        self._tell = say

    def _say(self, text: str) -> None:
        self._tell(f"{trio.current_time():9.3f} s  {text}")

    async def run(self, steps: int) -> None:
        async with trio.open_nursery() as nursery:
            cluster = InProcessCluster(
                NODES,
                seed=self._seed,
                nursery=nursery,
                checkpoint_entries=40,
                segment_bytes=4_096,
                lease_reads=self._lease_reads,
            )
            await cluster.start_all()
            nursery.start_soon(self._tell_leaders, cluster)
            await cluster.leader()
            nemesis = Nemesis(cluster, self._random, nursery, self._say)
            await self._work(cluster, nemesis, steps)
            with trio.move_on_after(HEAL_TIMEOUT_S) as patience:
                await self._look(cluster, nemesis)
            if patience.cancelled_caught:
                raise SimulationFailed(f"the healed cluster does not serve within {HEAL_TIMEOUT_S:.0f} s")
            nursery.cancel_scope.cancel()
        self._judge()

    async def _work(self, cluster: InProcessCluster, nemesis: Nemesis, steps: int) -> None:
        """Clients work while the nemesis does its part."""
        options = ClientOptions(spread="round_robin", timeout=OPERATION_TIMEOUT_S)
        async with open_client(cluster.transports(), options, random=Random(self._random.random())) as client:
            await self._registers.create(client)
            stop = trio.Event()
            async with trio.open_nursery() as at_work:
                for _ in range(WORKERS):
                    at_work.start_soon(self._registers.work, client, stop)
                await nemesis.harm(steps)
                stop.set()

    async def _tell_leaders(self, cluster: InProcessCluster) -> None:
        told: Term = 0
        while True:
            for node_id, node in cluster.nodes.items():
                change = node.raft.leader.value
                if change is not None and change.role is Role.LEADER and change.term > told:
                    told = change.term
                    self._say(f"node {node_id} leads term {told}")
            await trio.sleep(_LOOK_INTERVAL_S)

    async def _look(self, cluster: InProcessCluster, nemesis: Nemesis) -> None:
        """Heal; then read everything through every node, and compare what they hold."""
        await nemesis.heal()
        self._say("all is healed")
        leader = await cluster.leader()
        voters = sorted(cluster.nodes.keys() & cluster.nodes[leader].raft.membership.voters.keys())
        for node_id in voters:
            client = SqlClient(cluster.nodes[node_id], session_id=self._random.randbytes(16))
            await self._registers.read_all(_reader(client))
        while True:
            views = {node_id: cluster.nodes[node_id].newest_view.at_least(0) for node_id in voters}
            states = {node_id: _state(view) for node_id, view in views.items() if view is not None}
            if len({version for version, _ in states.values()}) == 1:
                break
            await trio.sleep(_LOOK_INTERVAL_S)
        self._compare(states)

    def _compare(self, states: dict[NodeId, tuple[Version, str]]) -> None:
        if len(set(states.values())) > 1:
            raise SimulationFailed(f"the nodes' states differ: {states}")
        version, digest = next(iter(states.values()))
        nodes = " ".join(map(str, states))
        self._say(f"nodes {nodes} hold the same state as of version {version}: {digest}")

    def _judge(self) -> None:
        registers = self._registers
        self._tell(registers.summary())
        broken = registers.broken()
        if broken:
            histories = [f"register {each}:\n" + "\n".join(describe(registers.history[each])) for each in broken]
            raise SimulationFailed("no single register can have this history\n" + "\n".join(histories))
        self._tell("PASSED: linearizable, and all nodes are equal")


def _state(view: ReadView) -> tuple[Version, str]:
    """All keys with their versions and values, deletions too, as a digest."""
    digest = hashlib.sha256()
    for key, (version, value) in view.tree.scan(b"", None):
        digest.update(repr((key, version, value)).encode())
    return view.version, digest.hexdigest()[:16]


def _reader(client: SqlClient) -> Callable[[int], Awaitable[int]]:
    """Reads until it has an answer: a node may find out only now that its disk has room, or who leads."""

    async def read(register: int) -> int:
        while True:
            try:
                rows = await client.execute("SELECT value FROM register WHERE id = ?", register)
            except (DiskFullError, NoQuorumError):
                await trio.sleep(_LOOK_INTERVAL_S)
            else:
                assert isinstance(rows[0][0], int)
                return rows[0][0]

    return read
