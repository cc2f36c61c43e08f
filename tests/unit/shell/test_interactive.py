"""The shell with a person: keys go in through a pipe that stands for the keyboard."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import trio
from prompt_toolkit.application import create_app_session
from prompt_toolkit.history import FileHistory
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from mynode.base.errors import ConnectionFailedError
from mynode.client.client import open_client
from mynode.client.options import ClientOptions
from mynode.shell.catalog import Names
from mynode.shell.interactive import Prompt, run_interactive
from mynode.shell.printer import Printer
from mynode.shell.shell import Shell
from mynode.testing.fake_nodes import FakeCluster


@pytest.fixture
def keyboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PipeInput]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("SELECT 1;\r", "SELECT 1;"),
        ("SELECT\r1\r;\r", "SELECT\n1\n;"),
        ("SELECT ';\r';\r", "SELECT ';\n';"),
        ("\\d accounts\r", "\\d accounts"),
        ("SELECT 1\x1b\r", "SELECT 1"),
        ("\r", ""),
        ("SELECT oh no\x03", ""),
        ("\x04", None),
    ],
)
def test_input_is_read_until_it_is_complete(keyboard: PipeInput, keys: str, text: str | None) -> None:
    keyboard.send_text(keys)
    assert Prompt().read() == text


def test_history_is_kept_for_its_owner_only(keyboard: PipeInput, tmp_path: Path) -> None:
    keyboard.send_text("SELECT 1;\r")
    Prompt().read()
    history = tmp_path / "mynode" / "history"
    assert list(FileHistory(str(history)).load_history_strings()) == ["SELECT 1;"]
    assert history.stat().st_mode & 0o077 == 0


def test_a_history_that_cannot_be_written_is_no_error(
    keyboard: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    keyboard.send_text("SELECT 1;\r")
    assert Prompt().read() == "SELECT 1;"


async def talk(cluster: FakeCluster) -> str:
    """Run the shell until the keys are used up; all that it showed."""
    output = io.StringIO()
    with trio.fail_after(10):
        async with open_client(cluster.nodes, ClientOptions(), random=Random(1)) as client:
            await run_interactive(Shell(client, Printer(output, output, output_format="table")))
    return output.getvalue()


async def test_a_conversation(keyboard: PipeInput) -> None:
    cluster = FakeCluster(3)
    keyboard.send_text("INSERT 1;\rFAIL 22012;\rINSERT 2;\r\\q\r")
    shown = await talk(cluster)
    assert cluster.applied == ["INSERT 1", "INSERT 2"]
    assert shown.startswith("MyNode ")
    assert "3 of 3 nodes answer" in shown
    assert "(SQLSTATE 22012)" in shown


async def test_ctrl_d_leaves(keyboard: PipeInput) -> None:
    keyboard.send_text("\x04")
    await talk(FakeCluster(1))


async def test_an_interrupt_stops_the_statement_that_runs(keyboard: PipeInput, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_refresh(prompt: Prompt, shell: Shell) -> None:
        """Its statements would take the faults."""

    monkeypatch.setattr(Prompt, "refresh_names", no_refresh)
    cluster = FakeCluster(1)
    cluster.nodes[0].faults.extend(["none", "ignore"])
    keyboard.send_text("INSERT 1;\rINSERT 2;\rINSERT 3;\r\\q\r")

    async def interrupt() -> None:
        while "INSERT 2" not in [request.sql for request in cluster.nodes[0].requests]:
            await trio.lowlevel.checkpoint()
        os.kill(os.getpid(), signal.SIGINT)

    shown = ""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(interrupt)
        shown = await talk(cluster)
    assert cluster.applied == ["INSERT 1", "INSERT 3"]
    assert "the node was told to stop" in shown


async def test_nobody_there_is_said_at_once(keyboard: PipeInput) -> None:
    cluster = FakeCluster(1)
    cluster.nodes[0].stop()
    with pytest.raises(ConnectionFailedError, match="no node answers at node1:9601"):
        await talk(cluster)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("SELE\t ;\r", "SELECT ;"),
        ("selec\t;\r", "select;"),
        ("SELECT acc\t;\r", "SELECT account_;"),
        ("SELECT account\t\t;\r", "SELECT account_name;"),
        ("SELECT account\t\t\t;\r", "SELECT account_type;"),
        ("SELECT account\t\t\t\t;\r", "SELECT account_name;"),
    ],
)
def test_tab_completes_however_quickly_it_comes(keyboard: PipeInput, keys: str, text: str) -> None:
    prompt = Prompt()
    prompt._names = Names({"t": ("account_name", "account_type")})
    keyboard.send_text(keys)
    assert prompt.read() == text


async def test_a_command_amid_a_statement_runs_and_the_statement_goes_on(keyboard: PipeInput) -> None:
    cluster = FakeCluster(1)
    keyboard.send_text("INSERT 1\r\\timing\r;\r\\q\r")
    shown = await talk(cluster)
    assert cluster.applied == ["INSERT 1"]
    assert "Timing is on." in shown
