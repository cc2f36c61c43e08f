"""`mynode sql` from its options to its exit code."""

from __future__ import annotations

import io
import signal
import sys
from dataclasses import dataclass

import trio

from mynode.base.errors import ConfigError
from mynode.base.exit_codes import EXIT_DONE, EXIT_INTERRUPTED, exit_code
from mynode.observability.logging import log_warnings_only
from mynode.shell.formats import Format
from mynode.shell.printer import Printer
from mynode.shell.script import TextReader, run_script
from mynode.shell.shell import Shell
from mynode.trio import connect


@dataclass(frozen=True, slots=True)
class ShellOptions:
    """What the command line says. `target` is as for `mynode.trio.connect`; `file` is `-` for standard input."""

    target: str
    command: str | None
    file: str | None
    output_format: Format
    keeps_going: bool


def run_shell(options: ShellOptions) -> int:
    """Run the shell; its exit code. Raises `ConfigError` for options that do not fit, or what stops it at once."""
    log_warnings_only()
    if options.command is not None:
        if options.file is not None:
            raise ConfigError("-c and -f exclude each other")
        return trio.run(_run, options, io.BytesIO(options.command.encode()))
    if options.file is None and sys.stdin.isatty():
        return trio.run(_run, options, None)
    with _open_script(options.file) as file:
        return trio.run(_run, options, file)


def _open_script(path: str | None) -> io.FileIO:
    """The file, unbuffered; standard input for None and `-`."""
    if path in (None, "-"):
        return io.FileIO(sys.stdin.fileno(), closefd=False)
    try:
        return io.FileIO(str(path))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error


async def _run(options: ShellOptions, script: io.FileIO | io.BytesIO | None) -> int:
    async with connect(options.target) as client:
        shell = Shell(client, Printer(sys.stdout, sys.stderr, output_format=options.output_format))
        if script is None:
            from mynode.shell.interactive import run_interactive  # prompt_toolkit, which no script needs

            await run_interactive(shell)
            return EXIT_DONE
        keeps_going = options.keeps_going and options.command is None
        if await is_interrupted(shell, TextReader(script), keeps_going=keeps_going):
            return EXIT_INTERRUPTED
        return EXIT_DONE if shell.failure is None else exit_code(shell.failure)


async def is_interrupted(shell: Shell, script: TextReader, *, keeps_going: bool) -> bool:
    """Run the script; whether SIGINT ended it, which stops the statement that runs."""
    interrupts = 0

    async def stop_on_interrupt(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        nonlocal interrupts
        with trio.open_signal_receiver(signal.SIGINT) as signals:
            task_status.started()
            async for _ in signals:
                interrupts += 1
                shell.is_done = True
                if not shell.cancel():
                    raise KeyboardInterrupt

    async with trio.open_nursery() as nursery:
        await nursery.start(stop_on_interrupt)
        await run_script(shell, script.read, keeps_going=keeps_going)
        nursery.cancel_scope.cancel()
    return interrupts > 0
