"""The launcher over processes that stand in for nodes: small Python programs that do as a node would."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from mynode.base.errors import ConfigError
from mynode.base.ids import NodeId
from mynode.cluster import launcher
from mynode.cluster.directory import ClusterPlan, local_members
from mynode.cluster.launcher import Launcher
from mynode.cluster.terminal import Terminal

OBEDIENT = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("ready", flush=True)
sys.stdin.read()
"""
STUBBORN = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True: signal.pause()
"""
DIES_ONCE = """
import pathlib, sys
been_here = pathlib.Path(sys.argv[1])
if been_here.exists():
    print("second life", flush=True)
    sys.stdin.read()
been_here.touch()
sys.exit(1)
"""
MISCONFIGURED = """
import sys
print("mynode: error: node_id: missing", file=sys.stderr)
sys.exit(2)
"""


DAMAGED = """
import sys
print("mynode: error: raft-1.log: a checksum is wrong", file=sys.stderr)
sys.exit(4)
"""


class Screen(io.StringIO):
    """Collects what the launcher shows; `wait_for` returns once some text is there so many times."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = trio.Event()

    def write(self, text: str) -> int:
        self._changed.set()
        return super().write(text)

    async def wait_for(self, text: str, *, times: int = 1) -> None:
        while self.getvalue().count(text) < times:
            self._changed = trio.Event()
            await self._changed.wait()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "FIRST_RESTART_DELAY_S", 0.01)
    monkeypatch.setattr(launcher, "STOP_TIMEOUT_S", 0.3)


def plan(directory: Path, nodes: int) -> ClusterPlan:
    return ClusterPlan("test", directory, local_members(nodes, 20_000))


def program(*programs: str, argument: str = "") -> Callable[[ClusterPlan, NodeId], list[str]]:
    """Node 1 runs the first of `programs`, node 2 the second …"""
    return lambda _, node_id: [sys.executable, "-c", programs[node_id - 1], argument]


def assert_no_process_is_left() -> None:
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


async def nothing() -> None:
    pass


async def run_and_stop(
    tmp_path: Path, until: Callable[[Screen], Awaitable[None]], *programs: str, signal_number: int = signal.SIGTERM
) -> str:
    """Run the launcher, send this process a signal once `until` returns; all that was shown."""
    screen = Screen()
    command = program(*programs, argument=str(tmp_path / "been-here"))
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Launcher(plan(tmp_path, len(programs)), Terminal(screen), nothing, command=command).run)
            await until(screen)
            os.kill(os.getpid(), signal_number)
    return screen.getvalue()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_stops_all_nodes(tmp_path: Path, signal_number: int) -> None:
    shown = await run_and_stop(
        tmp_path, lambda screen: screen.wait_for("ready", times=3), *[OBEDIENT] * 3, signal_number=signal_number
    )
    assert "node 1 │ ready\n" in shown
    assert "node 3 │ ready\n" in shown
    assert shown.endswith("stopping all nodes\n")
    assert_no_process_is_left()


async def test_a_node_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    await run_and_stop(tmp_path, lambda screen: screen.wait_for("ready", times=2), OBEDIENT, STUBBORN)
    assert_no_process_is_left()


async def test_a_node_that_dies_starts_again(tmp_path: Path) -> None:
    shown = await run_and_stop(tmp_path, lambda screen: screen.wait_for("second life"), DIES_ONCE, OBEDIENT)
    assert "node 1 ended with exit code 1; it starts again in 0.01 s\n" in shown


async def test_a_node_that_cannot_start_stops_all_and_says_why(tmp_path: Path) -> None:
    screen = Screen()
    command = program(OBEDIENT, MISCONFIGURED)
    with trio.fail_after(10), pytest.raises(ConfigError, match=r"^node 2 cannot start: node_id: missing$"):
        await Launcher(plan(tmp_path, 2), Terminal(screen), nothing, command=command).run()
    assert "node 2 │ mynode: error: node_id: missing\n" in screen.getvalue()
    assert_no_process_is_left()


async def test_a_node_with_damaged_files_stays_down_and_the_others_go_on(tmp_path: Path) -> None:
    async def until(screen: Screen) -> None:
        await screen.wait_for("does not start again")
        await screen.wait_for("ready")

    shown = await run_and_stop(tmp_path, until, DAMAGED, OBEDIENT)
    reason = "node 1 does not start again, its files are damaged: raft-1.log: a checksum is wrong\n"
    assert shown.count(reason) == 1
    assert shown.count("node 1 │ mynode: error") == 1
    assert_no_process_is_left()


async def test_when_all_nodes_are_damaged_the_launcher_ends(tmp_path: Path) -> None:
    with trio.fail_after(10), pytest.raises(ConfigError, match=r"^no node can start: the files of node . are damaged"):
        await Launcher(plan(tmp_path, 2), Terminal(Screen()), nothing, command=program(DAMAGED, DAMAGED)).run()
    assert_no_process_is_left()


async def test_cancelling_the_launcher_stops_the_nodes(tmp_path: Path) -> None:
    screen = Screen()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Launcher(plan(tmp_path, 1), Terminal(screen), nothing, command=program(OBEDIENT)).run)
            await screen.wait_for("ready")
            nursery.cancel_scope.cancel()
    assert_no_process_is_left()
