"""The command `mynode`: options in, exit codes out. What a command does is in the package it calls."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from mynode import __version__
from mynode.base.errors import ConfigError, InvariantViolation, MyNodeError
from mynode.base.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED, exit_code

DEFAULT_ADDRESSES = ",".join(f"127.0.0.1:{port}" for port in range(9601, 9606))
OutputFormat: TypeAlias = Literal["table", "csv", "json", "markdown"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line; an error a person can act on is one line without a traceback."""
    try:
        app()
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:
        sys.exit(_report(error))


def _report(error: BaseException) -> int:
    """Say what went wrong on standard error; returns the exit code."""
    leaves = list(_leaves(error))
    for leaf in leaves:
        if isinstance(leaf, MyNodeError) and not isinstance(leaf, InvariantViolation):
            _say(f"mynode: error: {leaf.message}" + (f" ({leaf.hint})" if leaf.hint else ""))
            return exit_code(leaf)
    for leaf in leaves:
        if isinstance(leaf, KeyboardInterrupt):
            _say("mynode: interrupted")
            return EXIT_INTERRUPTED
        if isinstance(leaf, BrokenPipeError):  # the reader of our output has enough, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_FAILED
        if isinstance(leaf, OSError):
            _say(f"mynode: error: {leaf}")
            return EXIT_FAILED
    traceback.print_exception(error)
    return EXIT_FAILED


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions inside the groups that Trio's nurseries make."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mynode {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """MyNode, a distributed SQL database."""


@app.command()
def node(
    config: Annotated[
        Path | None, typer.Option(help="TOML file; every key may also stand as MYNODE_<KEY> in the environment.")
    ] = None,
    follow_stdin: Annotated[
        bool, typer.Option("--follow-stdin", help="Stop at the end of standard input (for a launcher's pipe).")
    ] = False,
) -> None:
    """Run one node until SIGTERM or Ctrl-C."""
    from mynode.cluster.node_process import run_node_process
    from mynode.config import load_config

    run_node_process(load_config(config), follow_stdin=follow_stdin)


_Addresses: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="HOST:PORT", help="The nodes; by default 127.0.0.1:9601 to :9605.", show_default=False),
]


@app.command()
def cluster(
    nodes: Annotated[int, typer.Option(help="How many nodes; an odd number is best.")] = 5,
    base_port: Annotated[int, typer.Option(help="Node 1's port; the others follow.")] = 9601,
    data_dir: Annotated[Path, typer.Option(help="Where the nodes keep their data.")] = Path("data"),
) -> None:
    """Run a cluster on this machine, one process a node, until SIGTERM or Ctrl-C."""
    from mynode.cluster.local import run_local_cluster

    run_local_cluster(nodes, base_port, data_dir)


@app.command()
def sql(
    addresses: _Addresses = None,
    command: Annotated[str | None, typer.Option("--command", "-c", help="Run these statements and exit.")] = None,
    file: Annotated[str | None, typer.Option("--file", "-f", help="Run the statements of a file (-: stdin).")] = None,
    output_format: Annotated[OutputFormat, typer.Option("--format", help="How results are shown.")] = "table",
    embedded: Annotated[
        Path | None, typer.Option(help="No cluster: one node inside, its data in this directory.")
    ] = None,
    keep_going: Annotated[bool, typer.Option(help="Go on after a failed statement of a file.")] = False,
) -> None:
    """Open the SQL shell, or run statements from -c, -f or standard input."""
    from mynode.shell.main import ShellOptions, run_shell

    if embedded is not None and addresses:
        raise ConfigError("--embedded and addresses exclude each other")
    target = _joined(addresses) if embedded is None else f"file:{embedded}"
    options = ShellOptions(target, command, file, output_format, keep_going)
    raise typer.Exit(run_shell(options))


@app.command()
def status(
    addresses: _Addresses = None,
    output_format: Annotated[Literal["table", "json"], typer.Option("--format", help="How it is shown.")] = "table",
) -> None:
    """Show every node: role, term, leader, indexes, lag, sizes."""
    from mynode.cluster.report import show_status

    raise typer.Exit(show_status(_joined(addresses), as_json=output_format == "json"))


@app.command("transfer-leader")
def transfer_leader(
    node: Annotated[int, typer.Argument(help="The number of the node that shall lead.")],
    addresses: _Addresses = None,
) -> None:
    """Hand leadership over to another node."""
    from mynode.cluster.operations import transfer_leader as transfer

    raise typer.Exit(transfer(_joined(addresses), node))


members_app = typer.Typer(no_args_is_help=True, help="Show the cluster's members, add one, remove one.")
app.add_typer(members_app, name="members")


@members_app.command("list")
def members_list(
    addresses: _Addresses = None,
    output_format: Annotated[Literal["table", "json"], typer.Option("--format", help="How it is shown.")] = "table",
) -> None:
    """Show who takes part, as the leader knows it."""
    from mynode.cluster.members import list_members

    raise typer.Exit(list_members(_joined(addresses), as_json=output_format == "json"))


@members_app.command("add")
def members_add(
    node: Annotated[str, typer.Argument(metavar="NUMBER=HOST:PORT", help="The new node, which runs already.")],
    addresses: _Addresses = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait until the node has caught up and votes.")] = 600,
) -> None:
    """Add a node that was started with `join`, and wait until it votes."""
    from mynode.cluster.members import add_member

    raise typer.Exit(add_member(_joined(addresses), node, timeout_s=timeout))


@members_app.command("remove")
def members_remove(
    node: Annotated[int, typer.Argument(help="The node's number, which is never used again.")],
    addresses: _Addresses = None,
) -> None:
    """Remove a node for good; it stops. A leader hands over first."""
    from mynode.cluster.members import remove_member

    raise typer.Exit(remove_member(_joined(addresses), node))


@app.command()
def bench(
    workload: Annotated[
        str,
        typer.Argument(
            help="read: look-ups by primary key; write: inserts of single rows; increment: each worker adds to one "
            "of --rows; transfer: transactions that move money between two accounts of --rows."
        ),
    ],
    addresses: _Addresses = None,
    workers: Annotated[int, typer.Option(help="Items under way at the same time.")] = 16,
    seconds: Annotated[float | None, typer.Option(help="Run for so long; 10 if --count is not given.")] = None,
    count: Annotated[int | None, typer.Option(help="Run until so many items succeeded.")] = None,
    rows: Annotated[int | None, typer.Option(help="Rows to work on: read 1,000, increment 1, transfer 100.")] = None,
    output_format: Annotated[
        Literal["table", "json"], typer.Option("--format", help="How figures are shown.")
    ] = "table",
) -> None:
    """Measure a running cluster, and check what it kept."""
    from mynode.bench.main import BenchOptions, run_bench

    options = BenchOptions(workload, _joined(addresses), workers, rows, seconds, count, output_format == "json")
    raise typer.Exit(run_bench(options))


@app.command()
def simulate(
    seed: Annotated[int, typer.Option(help="Which run; each is the same every time, to the byte.")] = 0,
    steps: Annotated[int, typer.Option(min=0, help="How many things are done to the cluster.")] = 20,
    runs: Annotated[int, typer.Option(min=1, help="So many seeds, one after the other; stops at a failure.")] = 1,
    lease_reads: Annotated[bool, typer.Option("--lease-reads", help="With leader leases.")] = False,
) -> None:
    """Run a whole cluster with faults inside this process, in virtual time, and judge what its clients saw."""
    from mynode.testing.simulation import run_simulations

    raise typer.Exit(run_simulations(seed, steps, runs, lease_reads=lease_reads))


_Directory: TypeAlias = Annotated[
    Path, typer.Argument(metavar="DIR", help="A node's data directory, or a directory of such; no node may be running.")
]


@app.command()
def check(directory: _Directory) -> None:
    """Prove stopped nodes' files sound, and print their sizes."""
    from mynode.inspect.check import run_check

    raise typer.Exit(run_check(directory))


@app.command()
def repair(directory: _Directory) -> None:
    """Explain what can be done about stopped nodes' damaged files; changes nothing."""
    from mynode.inspect.repair import run_repair

    raise typer.Exit(run_repair(directory))


@app.command()
def dump(
    directory: _Directory,
    rows: Annotated[int, typer.Option(help="Rows of each table.")] = 5,
    entries: Annotated[int, typer.Option(help="Newest entries of the raft log.")] = 20,
) -> None:
    """Show what is in stopped nodes' files: metas, tables, log entries."""
    from mynode.inspect.dump import run_dump

    raise typer.Exit(run_dump(directory, rows=rows, entries=entries))


def _joined(addresses: list[str] | None) -> str:
    """The addresses, given apart or with commas, as the client takes them."""
    return ",".join(addresses) if addresses else DEFAULT_ADDRESSES
