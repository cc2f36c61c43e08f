"""`mynode cluster` as a person runs it: real processes, signals, kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio

from mynode.base.address import Address
from mynode.base.errors import AddressInUseError
from mynode.cluster.directory import check_addresses_free, local_members
from mynode.cluster.survey import survey
from mynode.testing.cluster import free_addresses

pytestmark = pytest.mark.cluster

TIMEOUT_S = 30


class Launched:
    """A launcher of three nodes and what it says."""

    def __init__(self, process: trio.Process, directory: Path, base_port: int) -> None:
        self.process = process
        self.directory = directory
        self.base_port = base_port
        self.said = ""

    @property
    def addresses(self) -> list[Address]:
        return [Address("127.0.0.1", self.base_port + offset) for offset in range(3)]

    async def hear(self, text: str) -> None:
        """Read on until it says `text`, or ends."""
        assert self.process.stdout is not None
        with trio.fail_after(TIMEOUT_S):
            while text not in self.said:
                chunk = await self.process.stdout.receive_some()
                assert chunk, f"it ended without {text!r}:\n{self.said}"
                self.said += chunk.decode()

    async def end(self) -> int:
        """Read to the end; the exit code."""
        assert self.process.stdout is not None
        with trio.fail_after(TIMEOUT_S):
            async for chunk in self.process.stdout:
                self.said += chunk.decode()
            return await self.process.wait()


def free_base_port() -> int:
    """The first of three free ports in a row."""
    while True:
        base_port = free_addresses(1)[0].port
        with suppress(AddressInUseError):
            check_addresses_free(local_members(3, base_port).values())
            return base_port


@asynccontextmanager
async def launched(directory: Path) -> AsyncIterator[Launched]:
    base_port = free_base_port()
    command = [sys.executable, "-m", "mynode", "cluster", "--nodes", "3"]
    command += ["--base-port", str(base_port), "--data-dir", str(directory)]
    process = await trio.lowlevel.open_process(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield Launched(process, directory, base_port)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


def node_process_ids(launcher: int) -> list[int]:
    """The launcher's three children, which any of its threads may have started."""
    children = [path.read_text().split() for path in Path(f"/proc/{launcher}/task").glob("*/children")]
    nodes = [int(process_id) for listed in children for process_id in listed]
    assert len(nodes) == 3
    return nodes


def any_lives(process_ids: list[int]) -> bool:
    return any(Path(f"/proc/{process_id}").exists() for process_id in process_ids)


async def test_it_says_how_to_connect_and_ctrl_c_stops_all(tmp_path: Path) -> None:
    async with launched(tmp_path) as cluster:
        await cluster.hear("MyNode is ready: 3 nodes")
        nodes = node_process_ids(cluster.process.pid)
        await cluster.hear("grpcurl")
        assert f"127.0.0.1:{cluster.base_port}" in cluster.said
        cluster.process.send_signal(signal.SIGINT)
        assert await cluster.end() == 0
        _, _, after = cluster.said.partition("stopping all nodes\n")
        assert "starts again" not in after
        assert "Traceback" not in after
        assert not any_lives(nodes)


async def test_a_killed_node_comes_back(tmp_path: Path) -> None:
    async with launched(tmp_path) as cluster:
        await cluster.hear("MyNode is ready")
        with trio.fail_after(TIMEOUT_S):
            os.kill(node_process_ids(cluster.process.pid)[0], signal.SIGKILL)
            await cluster.hear("was killed by SIGKILL; it starts again in 0.5 s")
            while any(report.status is None for report in await survey(cluster.addresses)):
                await trio.lowlevel.checkpoint()
        cluster.process.terminate()
        assert await cluster.end() == 0


async def test_kill_9_of_the_launcher_leaves_no_node(tmp_path: Path) -> None:
    async with launched(tmp_path) as cluster:
        await cluster.hear("MyNode is ready")
        ends = [os.pidfd_open(node) for node in node_process_ids(cluster.process.pid)]
        cluster.process.kill()
        with trio.fail_after(TIMEOUT_S):
            for end in ends:
                await trio.lowlevel.wait_readable(end)  # a process descriptor is readable once the process is gone
                os.close(end)


async def test_a_second_launcher_on_the_directory_is_one_line(tmp_path: Path) -> None:
    async with launched(tmp_path) as first:
        await first.hear("starting 3 nodes")
        async with launched(tmp_path) as second:
            assert await second.end() == 2
            assert second.said == f"mynode: error: data directory {tmp_path} is in use by another cluster that runs\n"
