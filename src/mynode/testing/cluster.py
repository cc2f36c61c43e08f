"""A cluster of real processes for tests: start, kill, stop, pause and restart its nodes; always cleaned up.

async with real_cluster(tmp_path) as cluster:
    leader = await cluster.wait_for_leader()
    await cluster.kill(leader)
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

import trio

from mynode.base.address import Address
from mynode.base.ids import NodeId
from mynode.base.invariant import invariant
from mynode.client.status import StatusReport
from mynode.cluster.directory import ClusterPlan, write_joining_config, write_node_configs
from mynode.cluster.launcher import node_command, node_environment
from mynode.cluster.survey import survey, wait_for_leader

START_TIMEOUT_S = 30
_LOG_TAIL_LINES = 40
_TEST_PORTS = range(18_000, 32_000)
"""Below the ports that Linux gives to outgoing connections, so that none of those takes a stopped node's port."""


def free_addresses(count: int) -> list[Address]:
    """`count` addresses on 127.0.0.1 that nobody listens on now."""
    found: list[Address] = []
    for port in SystemRandom().sample(_TEST_PORTS, k=len(_TEST_PORTS)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(Address("127.0.0.1", port))
        if len(found) == count:
            break
    invariant(len(found) == count, "the machine has free ports")
    return found


class RealCluster:
    """Node processes of one cluster. Make it by `real_cluster`.

    Attributes:
        plan: addresses and directories.
    """

    def __init__(self, plan: ClusterPlan, settings: Mapping[str, str | int]) -> None:
        self.plan = plan
        self._settings = settings
        self._processes: dict[NodeId, trio.Process] = {}

    @property
    def addresses(self) -> tuple[Address, ...]:
        return self.plan.addresses

    @property
    def node_ids(self) -> tuple[NodeId, ...]:
        return tuple(self.plan.members)

    @property
    def running(self) -> tuple[NodeId, ...]:
        """The nodes whose process was started and not ended by this harness."""
        return tuple(self._processes)

    def process_id(self, node_id: NodeId) -> int:
        return self._processes[node_id].pid

    def log(self, node_id: NodeId) -> str:
        """All that the node wrote to standard output and error, over all its lives."""
        path = self._log_path(node_id)
        return path.read_text("utf-8", "replace") if path.exists() else ""

    # --- acting ------------------------------------------------------------------------------------------------------

    async def start(self, *node_ids: NodeId) -> None:
        """Start these nodes (all that do not run, if none is named); does not wait until they answer."""
        for node_id in node_ids or [node for node in self.node_ids if node not in self._processes]:
            invariant(node_id not in self._processes, f"node {node_id} runs already")
            with self._log_path(node_id).open("ab") as log:
                self._processes[node_id] = await trio.lowlevel.open_process(
                    node_command(self.plan, node_id),
                    stdin=subprocess.PIPE,  # the node stops when this process is gone
                    stdout=log,
                    stderr=log,
                    env=node_environment(),
                    start_new_session=True,
                )

    async def join(self, node_id: NodeId, *, cluster_id: str | None = None) -> Address:
        """Start one more node, which waits to be added; returns its address."""
        address = free_addresses(1)[0]
        plan = self.plan if cluster_id is None else replace(self.plan, cluster_id=cluster_id)
        write_joining_config(plan, node_id, address, self._settings)
        await self.start(node_id)
        return address

    async def kill(self, *node_ids: NodeId) -> None:
        """`kill -9` these nodes (all, if none is named) at the same moment, and wait for their end."""
        chosen = node_ids or self.running
        for node_id in chosen:
            self._processes[node_id].kill()
        for node_id in chosen:
            await self._processes.pop(node_id).wait()

    async def stop(self, node_id: NodeId) -> int:
        """Stop the node by SIGTERM; its exit code."""
        self._processes[node_id].terminate()
        return await self.wait_for_end(node_id)

    async def wait_for_end(self, node_id: NodeId) -> int:
        """Wait until the node's process ends by itself; its exit code."""
        code = await self._processes[node_id].wait()
        del self._processes[node_id]
        return code

    def empty(self, node_id: NodeId) -> None:
        """Delete the data of a node that does not run; its configuration stays."""
        for path in self.plan.node_directory(node_id).iterdir():
            if path != self.plan.config_file(node_id):
                path.unlink()

    async def restart(self, node_id: NodeId) -> None:
        """`kill -9` the node and start it again."""
        await self.kill(node_id)
        await self.start(node_id)

    def pause(self, node_id: NodeId) -> None:
        """Stop the node's process in its tracks (SIGSTOP); its connections stay open."""
        self._processes[node_id].send_signal(signal.SIGSTOP)

    def resume(self, node_id: NodeId) -> None:
        self._processes[node_id].send_signal(signal.SIGCONT)

    # --- watching ----------------------------------------------------------------------------------------------------

    async def status(self) -> list[StatusReport]:
        """What every node says of itself now, in the order of `node_ids`."""
        return await survey(self.addresses)

    async def wait_for_leader(
        self, *, timeout_s: float = START_TIMEOUT_S, accept: Callable[[NodeId], bool] = lambda _: True
    ) -> NodeId:
        """Wait until a majority follows a leader that `accept` takes; raises `trio.TooSlowError`."""
        with trio.fail_after(timeout_s):
            return await wait_for_leader(self.addresses, accept=accept)

    async def wait_until_caught_up(self, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until every running node has applied what any running node knows committed."""
        with trio.fail_after(timeout_s):
            while True:
                reports = dict(zip(self.node_ids, await self.status(), strict=True))
                statuses = [reports[node_id].status for node_id in self.running]
                known = [status for status in statuses if status is not None]
                commit = max((status.commit_index for status in known), default=0)
                if len(known) == len(statuses) and all(status.applied_index >= commit for status in known):
                    return
                await trio.sleep(0.05)

    def log_tails(self) -> str:
        """The end of every node's log, to show with a failure."""
        parts = []
        for node_id in self.node_ids:
            lines = self.log(node_id).splitlines()[-_LOG_TAIL_LINES:]
            parts += [f"--- node {node_id}", *lines]
        return "\n".join(parts)

    def _log_path(self, node_id: NodeId) -> Path:
        return self.plan.directory / f"node-{node_id}.log"


@asynccontextmanager
async def real_cluster(
    directory: Path,
    *,
    nodes: int = 5,
    settings: Mapping[str, str | int] | None = None,
    start: Iterable[NodeId] | None = None,
) -> AsyncIterator[RealCluster]:
    """A cluster of `nodes` processes with data in `directory`, on free ports; all of them gone afterwards.

    Args:
        settings: keys of `NodeConfig` for every node, as `election_ticks`.
        start: the nodes to start at once; all, if None.
    """
    addresses = free_addresses(nodes)
    plan = ClusterPlan("test", directory, dict(enumerate(addresses, start=1)))
    all_settings = {"log_level": "info", "log_format": "logfmt", **(settings or {})}
    write_node_configs(plan, all_settings)
    cluster = RealCluster(plan, all_settings)
    try:
        for node_id in plan.members if start is None else start:
            await cluster.start(node_id)
        yield cluster
    except BaseException:
        sys.stderr.write(cluster.log_tails() + "\n")  # pytest shows it with the failure
        raise
    finally:
        with trio.CancelScope(shield=True):
            if cluster.running:
                await cluster.kill()
