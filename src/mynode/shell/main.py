"""`mynode sql` from its options to its exit code."""

from __future__ import annotations

import io
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from mynode.base.errors import ConfigError, ConnectionFailedError, NoQuorumError
from mynode.client.client import Client, open_client
from mynode.shell.formats import Format
from mynode.shell.interactive import run_interactive
from mynode.shell.printer import Printer
from mynode.shell.script import read_chunks, run_script
from mynode.shell.shell import Shell
from mynode.trio import connect

EXIT_FAILED = 1
EXIT_UNREACHABLE = 3


@dataclass(frozen=True, slots=True)
class ShellOptions:
    """What the command line says. `file` is `-` for standard input."""

    addresses: str
    embedded: Path | None
    command: str | None
    file: str | None
    output_format: Format
    keeps_going: bool


def run_shell(options: ShellOptions) -> int:
    """Run the shell; its exit code. Raises `ConfigError` for options that do not fit, or what stops it at once."""
    if options.command is not None:
        if options.file is not None:
            raise ConfigError("-c and -f exclude each other")
        return trio.run(_run, options, _one_chunk(options.command))
    if options.file is None and sys.stdin.isatty():
        return trio.run(_run, options, None)
    with _open_script(options.file) as file:
        return trio.run(_run, options, read_chunks(file))


def _open_script(path: str | None) -> io.FileIO:
    """The file, unbuffered; standard input for None and `-`."""
    if path in (None, "-"):
        return io.FileIO(sys.stdin.fileno(), closefd=False)
    try:
        return io.FileIO(str(path))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error


async def _one_chunk(text: str) -> AsyncIterator[str]:
    yield text


async def _run(options: ShellOptions, script: AsyncIterator[str] | None) -> int:
    async with _open_client(options) as client:
        shell = Shell(client, Printer(sys.stdout, sys.stderr, output_format=options.output_format))
        if script is None:
            await run_interactive(shell)
            return 0
        keeps_going = options.keeps_going and options.command is None
        if await run_script(shell, script, keeps_going=keeps_going):
            return 0
        is_unreachable = isinstance(shell.failure, ConnectionFailedError | NoQuorumError)
        return EXIT_UNREACHABLE if is_unreachable else EXIT_FAILED


@asynccontextmanager
async def _open_client(options: ShellOptions) -> AsyncIterator[Client]:
    if options.embedded is None:
        async with connect(options.addresses) as client:
            yield client
    else:
        from mynode.embedded import open_embedded  # a whole node, which only this needs

        async with open_embedded(options.embedded) as transport, open_client([transport]) as client:
            yield client
