"""The launcher: one process a node below it, its log shown with a prefix, started again when it dies.

Nothing here is cancelled to stop: `_stopping` is set, each supervisor sends its node SIGTERM and waits for its end, so
that no way out of the launcher leaves a node running.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable

import trio
from trio_util import move_on_when

from mynode.base.errors import ConfigError
from mynode.base.exit_codes import EXIT_DAMAGED, EXIT_REMOVED, EXIT_USAGE
from mynode.base.ids import NodeId
from mynode.cluster.directory import ClusterPlan
from mynode.cluster.terminal import Terminal

STOP_TIMEOUT_S = 15
"""A node that has not ended this long after SIGTERM is killed."""
FIRST_RESTART_DELAY_S = 0.5
MAX_RESTART_DELAY_S = 15.0
STEADY_AFTER_S = 30
"""A node that ran this long starts again after the first delay."""
_MAX_LINE_BYTES = 64 * 1024
_NODE_KEYS = ("NODE_ID", "CLUSTER_ID", "LISTEN", "MEMBERS", "DATA_DIR")
"""Keys that name one node: from the launcher's environment they would be the same for all."""


def node_command(plan: ClusterPlan, node_id: NodeId) -> list[str]:
    """The command line of a node that stops with the holder of its standard input."""
    return [sys.executable, "-m", "mynode", "node", "--config", str(plan.config_file(node_id)), "--follow-stdin"]


def node_environment() -> dict[str, str]:
    """This process's environment without what names one node."""
    return {key: value for key, value in os.environ.items() if key not in {f"MYNODE_{name}" for name in _NODE_KEYS}}


class Launcher:
    """Runs a plan's nodes until a signal.

    Args:
        plan: the nodes; their configuration files are written.
        terminal: where log lines and the launcher's words go.
        when_started: runs beside the nodes from the start, to wait for a leader and say so.
        command: a node's command line.
    """

    def __init__(
        self,
        plan: ClusterPlan,
        terminal: Terminal,
        when_started: Callable[[], Awaitable[None]],
        *,
        command: Callable[[ClusterPlan, NodeId], list[str]] = node_command,
    ) -> None:
        self._plan = plan
        self._terminal = terminal
        self._when_started = when_started
        self._command = command
        self._stopping = trio.Event()
        self._failure: ConfigError | None = None
        self._damaged: set[NodeId] = set()

    async def run(self) -> None:
        """Returns once a signal stopped all nodes; raises `ConfigError` once all stopped because one cannot start."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._stop_on_signal)
            async with trio.open_nursery() as nodes:
                for node_id in self._plan.members:
                    nodes.start_soon(self._supervise, node_id)
                nodes.start_soon(self._run_until_stopping, self._when_started)
            nursery.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    async def _stop_on_signal(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        try:
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
                task_status.started()
                async for _ in signals:
                    if not self._stopping.is_set():
                        self._terminal.say("stopping all nodes")
                    self._stopping.set()
        finally:
            self._stopping.set()

    async def _run_until_stopping(self, task: Callable[[], Awaitable[None]]) -> None:
        async with move_on_when(self._stopping.wait):
            await task()

    async def _supervise(self, node_id: NodeId) -> None:
        """Run the node again and again until the launcher stops."""
        delay = FIRST_RESTART_DELAY_S
        while not self._stopping.is_set():
            started = trio.current_time()
            code, last_line = await self._run_node(node_id)
            if self._stopping.is_set():
                break
            if code == EXIT_USAGE:
                self._failure = ConfigError(f"node {node_id} cannot start: {last_line.removeprefix('mynode: error: ')}")
                self._stopping.set()
                break
            if code == EXIT_DAMAGED:
                self._give_up(node_id, last_line.removeprefix("mynode: error: "))
                break
            if code == EXIT_REMOVED:
                self._terminal.say(f"node {node_id} was removed from the cluster and is not started again")
                break
            if trio.current_time() - started > STEADY_AFTER_S:
                delay = FIRST_RESTART_DELAY_S
            self._terminal.say(f"node {node_id} {_how_it_ended(code)}; it starts again in {delay:g} s")
            async with move_on_when(self._stopping.wait):
                await trio.sleep(delay)
            delay = min(2 * delay, MAX_RESTART_DELAY_S)

    def _give_up(self, node_id: NodeId, reason: str) -> None:
        """A node whose files are damaged stays down; the others go on, while there are any."""
        self._terminal.say(f"node {node_id} does not start again, its files are damaged: {reason}")
        self._damaged.add(node_id)
        if self._damaged == set(self._plan.members):
            self._failure = ConfigError(f"no node can start: the files of node {node_id} are damaged: {reason}")
            self._stopping.set()

    async def _run_node(self, node_id: NodeId) -> tuple[int, str]:
        """One life of a node: its exit code (negative: the signal that killed it) and the last line it wrote."""
        with trio.CancelScope(shield=True):
            process = await trio.lowlevel.open_process(
                self._command(self._plan, node_id),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=node_environment(),
                start_new_session=True,  # the terminal's Ctrl-C is for the launcher alone
            )
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._stop_node_when_stopping, process)
                last_line = await self._show_log(node_id, process)
                code = await process.wait()
                nursery.cancel_scope.cancel()
        return code, last_line

    async def _stop_node_when_stopping(self, process: trio.Process) -> None:
        await self._stopping.wait()
        process.terminate()
        await trio.sleep(STOP_TIMEOUT_S)
        process.kill()

    async def _show_log(self, node_id: NodeId, process: trio.Process) -> str:
        """Copy the node's lines to the terminal until it closes its end; returns the last one."""
        last_line = ""
        rest = b""
        assert process.stdout is not None
        async for chunk in process.stdout:
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _MAX_LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                last_line = line.decode("utf-8", "replace")
                self._terminal.node_line(node_id, last_line)
        return last_line


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
