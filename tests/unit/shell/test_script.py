"""The shell without a person, over nodes of the imagination: what it runs, shows, and how it ends."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Awaitable, Callable
from random import Random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mynode.base.errors import ConnectionFailedError, OutcomeUnknownError, QueryCanceledError
from mynode.client.client import open_client
from mynode.client.options import ClientOptions
from mynode.shell.main import is_interrupted
from mynode.shell.printer import Printer
from mynode.shell.script import ScriptCutter, TextReader, run_script
from mynode.shell.shell import Shell
from mynode.testing.fake_nodes import FakeCluster


class Run:
    """What came of a script."""

    def __init__(self) -> None:
        self.cluster = FakeCluster(3)
        self.output = io.StringIO()
        self.errors = io.StringIO()
        self.went_well = False

    async def script(self, *chunks: str, keeps_going: bool = False) -> Shell:
        async with open_client(self.cluster.nodes, ClientOptions(), random=Random(1)) as client:
            shell = Shell(client, Printer(self.output, self.errors, output_format="table"))
            self.went_well = await run_script(shell, each(*chunks), keeps_going=keeps_going)
            return shell


def each(*chunks: str) -> Callable[[], Awaitable[str]]:
    rest = iter(chunks)

    async def read() -> str:
        await trio.lowlevel.checkpoint()
        return next(rest, "")

    return read


@pytest.fixture
def run() -> Run:
    return Run()


async def test_all_statements_run_and_it_ends(run: Run) -> None:
    await run.script("INSERT 1; INSERT 2;\nINSERT 3\n + 1;\nSELECT 1")
    assert run.went_well
    assert run.cluster.applied == ["INSERT 1", "INSERT 2", "INSERT 3\n + 1"]
    assert run.output.getvalue().startswith("INSERT 0 1\nINSERT 0 1\nINSERT 0 1\n")
    assert run.output.getvalue().endswith("(1 row)\n")


async def test_nothing_is_fine(run: Run) -> None:
    await run.script("\n\n", "-- only a comment\n;\n")
    assert run.went_well
    assert run.output.getvalue() == ""


async def test_chunks_may_end_anywhere(run: Run) -> None:
    await run.script("INS", "ERT 1", ";INSERT 2\n", ";", "INSERT 3")
    assert run.cluster.applied == ["INSERT 1", "INSERT 2", "INSERT 3"]


async def test_the_first_error_ends_it(run: Run) -> None:
    shell = await run.script("INSERT 1; FAIL 23505; INSERT 2;\nINSERT 3;")
    assert not run.went_well
    assert run.cluster.applied == ["INSERT 1"]
    assert run.errors.getvalue() == "ERROR:  as scripted: 23505 (SQLSTATE 23505)\nHINT:  a hint\n"
    assert shell.failure is not None
    assert shell.failure.sqlstate == "23505"


async def test_it_can_go_on_after_errors(run: Run) -> None:
    await run.script("INSERT 1; FAIL 23505; INSERT 2;\nFAIL 22012;\nINSERT 3;", keeps_going=True)
    assert not run.went_well
    assert run.cluster.applied == ["INSERT 1", "INSERT 2", "INSERT 3"]
    assert run.errors.getvalue().count("ERROR") == 2


async def test_commands_work_in_scripts(run: Run) -> None:
    await run.script("\\x on\nSELECT 1;\n\\q\nINSERT 1;")
    assert run.went_well
    assert "n │ 1" in run.output.getvalue()
    assert run.cluster.applied == []


async def test_an_unknown_command_is_an_error(run: Run) -> None:
    await run.script("\\wat\n")
    assert not run.went_well
    assert r"there is no command \wat" in run.errors.getvalue()


async def test_status_lists_all_nodes(run: Run) -> None:
    run.cluster.nodes[2].stop()
    await run.script("\\status\n")
    lines = run.output.getvalue().splitlines()
    assert lines[1].split()[:5] == ["node1:9601", "1", "leader", "1", "1"]
    assert lines[3].split() == ["node3:9601", "unreachable"]


async def test_no_node_is_found_out_quickly(run: Run, autojump_clock: MockClock) -> None:
    for node in run.cluster.nodes:
        node.stop()
    shell = await run.script("SELECT 1;")
    assert isinstance(shell.failure, ConnectionFailedError)
    assert trio.current_time() < 1
    assert "no node answers at node1:9601, node2:9601, node3:9601" in run.errors.getvalue()


async def test_ctrl_c_stops_the_statement_and_not_the_shell(run: Run, autojump_clock: MockClock) -> None:
    run.cluster.nodes[0].faults.append(10)
    async with open_client(run.cluster.nodes, ClientOptions(), random=Random(1)) as client:
        shell = Shell(client, Printer(run.output, run.errors, output_format="table"))
        shell.cancel()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(shell.run, "INSERT 1;")
            await wait_all_tasks_blocked()
            shell.cancel()
        assert isinstance(shell.failure, OutcomeUnknownError), "the node did not say what became of it"
        assert await shell.run("INSERT 2;")
    assert run.cluster.nodes[0].cancels
    assert trio.current_time() < 3


async def test_a_second_ctrl_c_does_not_wait_for_the_node(run: Run, autojump_clock: MockClock) -> None:
    run.cluster.nodes[0].faults.append(10)
    async with open_client(run.cluster.nodes, ClientOptions(), random=Random(1)) as client:
        shell = Shell(client, Printer(run.output, run.errors, output_format="table"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(shell.run, "INSERT 1;")
            await wait_all_tasks_blocked()
            shell.cancel()
            shell.cancel()
        assert shell.failure is not None
    assert trio.current_time() < 1


async def test_a_pipe_is_read_to_its_end() -> None:
    source_end, sink_end = os.pipe()
    with io.FileIO(sink_end, "w") as sink:
        sink.write("SELECT 'é".encode()[:-1])
    with io.FileIO(source_end) as source:
        reader = TextReader(source)
        assert [await reader.read() for _ in range(4)] == ["SELECT '", "\ufffd", "", ""]


def test_pieces_end_where_statements_end() -> None:
    cutter = ScriptCutter()
    text = "a 'x;\n' b;\n\\d t\n/* ; */ c; d;\n$$;\n$$; e"
    assert list(cutter.feed(text)) == ["a 'x;\n' b;\n", "\\d t\n", "/* ; */ c; d;\n"]
    assert list(cutter.rest()) == ["$$;\n$$; e"]


def test_a_command_amid_a_statement_comes_first() -> None:
    cutter = ScriptCutter()
    assert list(cutter.feed("a\n\\x\n'\n\\no\n' b;\nc\n")) == ["\\x\n", "a\n'\n\\no\n' b;\n"]
    assert list(cutter.feed("\\d")) == []
    assert list(cutter.rest()) == ["\\d", "c\n"]


async def test_describe_takes_one_table(run: Run) -> None:
    await run.script("\\d b c\n")
    assert '"b c" is not the name of one table' in run.errors.getvalue()


async def test_an_interrupt_while_a_table_is_drawn_stops_the_drawing(run: Run) -> None:
    async with open_client(run.cluster.nodes, ClientOptions(), random=Random(1)) as client:
        shell = Shell(client, Printer(run.output, run.errors, output_format="table"))

        async def interrupt() -> None:
            while not run.output.getvalue():
                await trio.lowlevel.checkpoint()
            assert shell.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(interrupt)
            await shell.run("SELECT 100000;")
    assert isinstance(shell.failure, QueryCanceledError)
    assert "(100000 rows)" not in run.output.getvalue()


async def test_an_interrupt_ends_a_script_with_its_statement(run: Run, autojump_clock: MockClock) -> None:
    run.cluster.nodes[0].faults.append(10)
    async with open_client(run.cluster.nodes, ClientOptions(), random=Random(1)) as client:
        shell = Shell(client, Printer(run.output, run.errors, output_format="table"))

        async def interrupt() -> None:
            while not run.cluster.nodes[0].requests:
                await trio.lowlevel.checkpoint()
            os.kill(os.getpid(), signal.SIGINT)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(interrupt)
            script = TextReader(io.BytesIO(b"INSERT 1; INSERT 2;\nINSERT 3;"))
            assert await is_interrupted(shell, script, keeps_going=True)
    assert [request.sql for request in run.cluster.nodes[0].requests] == ["INSERT 1"]
    assert run.cluster.nodes[0].cancels
    assert run.errors.getvalue().count("\n") == 1
