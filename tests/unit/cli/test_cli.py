"""The command line: one line and the right exit code for what a person can get wrong."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mynode import __version__, cli
from mynode.base.errors import InvariantViolation, NoQuorumError

Mynode = Callable[..., tuple[int, str, str]]


@pytest.fixture
def mynode(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mynode:
    """Runs `mynode` with arguments in this process: its exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mynode", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def test_version(mynode: Mynode) -> None:
    assert mynode("--version") == (0, f"mynode {__version__}\n", "")


def test_unknown_options_are_wrong_usage(mynode: Mynode) -> None:
    assert mynode("sql", "--nope")[0] == 2
    assert mynode("nope")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["node", "--config", "/nope"], "cannot read the configuration /nope: No such file or directory"),
        (["cluster", "--nodes", "10"], "a cluster has 1 to 9 nodes, not 10"),
        (["cluster", "--data-dir", "/dev/null/data"], "data directory /dev/null/data is not usable: Not a directory"),
        (
            ["sql", "nowhere", "-c", "SELECT 1"],
            '"nowhere" is not an address (write host:port, as 127.0.0.1:9601 or [::1]:9601)',
        ),
        (["sql", "-c", "SELECT 1", "-f", "x"], "-c and -f exclude each other"),
        (["sql", "-f", "/nope"], "cannot read /nope: No such file or directory"),
        (["sql", "--embedded", "x", "127.0.0.1:1"], "--embedded and addresses exclude each other"),
        (["bench", "dance"], 'there is no workload "dance" (there is read, write, increment, transfer)'),
        (["bench", "read", "--seconds", "1", "--count", "1"], "--seconds and --count exclude each other"),
        (["bench", "read", "--workers", "0"], "1 to 4096 workers, not 0"),
    ],
)
def test_what_is_wrong_is_one_line(mynode: Mynode, arguments: list[str], message: str) -> None:
    assert mynode(*arguments) == (2, "", f"mynode: error: {message}\n")


def test_a_port_in_use_is_one_line_and_starts_nothing(mynode: Mynode, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = mynode("cluster", "--nodes", "1", "--base-port", str(port), "--data-dir", str(tmp_path))
    assert (code, out) == (2, "")
    assert err == f"mynode: error: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_no_node_reachable_is_exit_code_3(mynode: Mynode) -> None:
    address = f"127.0.0.1:{free_port()}"
    code, out, err = mynode("sql", address, "-c", "SELECT 1; SELECT 2")
    assert (code, out) == (3, "")
    assert err == f"ERROR:  no node answers at {address} (SQLSTATE 08001)\n"
    code, out, _ = mynode("status", address)
    assert code == 3
    assert out.splitlines()[1].split() == [address, "unreachable"]
    assert mynode("bench", "read", address)[0] == 3


def test_errors_inside_groups_are_found_and_our_own_mistakes_keep_their_traceback(
    mynode: Mynode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ExceptionGroup("nursery", [ExceptionGroup("inner", [NoQuorumError("no quorum")])])

    monkeypatch.setattr(cli, "app", fail)
    assert mynode() == (3, "", "mynode: error: no quorum\n")

    def mistake() -> None:
        raise InvariantViolation("two and two is four")

    monkeypatch.setattr(cli, "app", mistake)
    code, _, err = mynode()
    assert code == 1
    assert "Traceback" in err


def test_an_interrupt_is_one_line(mynode: Mynode, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise BaseExceptionGroup("of a nursery", [KeyboardInterrupt()])

    monkeypatch.setattr(cli, "app", interrupted)
    assert mynode("sql") == (130, "", "mynode: interrupted\n")
