"""The shell's own commands, which begin with a backslash."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mynode.base.errors import ConfigError
from mynode.base.sql_errors import UndefinedTableError
from mynode.cluster.report import status_table
from mynode.shell.catalog import describe_indexes, describe_rest, describe_table, list_tables

if TYPE_CHECKING:
    from mynode.shell.shell import Shell


_NAME = r'(?:"(?:[^"]|"")+"|[^\s".;]+)'
_TABLE = re.compile(rf"{_NAME}(?:\.{_NAME})?")


@dataclass(frozen=True, slots=True)
class Command:
    """A backslash command: how it is written, what it does in a few words, and the function that does it."""

    usage: str
    summary: str
    run: Callable[[Shell, str], Awaitable[None]]


async def run_command(shell: Shell, line: str) -> None:
    """Run a line such as `\\d accounts;`. Raises `ConfigError` for an unknown command, or what its statements raise."""
    name, _, argument = line.strip().removeprefix("\\").partition(" ")
    command = COMMANDS.get(name.rstrip(";"))
    if command is None:
        raise ConfigError(f"there is no command \\{name}", hint=r"\? lists the commands")
    await command.run(shell, argument.strip().rstrip(";").rstrip())


async def _describe(shell: Shell, table: str) -> None:
    if not table:
        await shell.printer.result(await list_tables(shell.session))
        return
    if not _TABLE.fullmatch(table):
        raise ConfigError(f'"{table}" is not the name of one table', hint=r"write \d TABLE")
    try:
        await shell.printer.result(await describe_table(shell.session, table))
        if shell.printer.format != "table":
            return
        indexes = await describe_indexes(shell.session, table)
        parts = {**({"Indexes:": indexes} if indexes else {}), **await describe_rest(shell.session, table)}
    except UndefinedTableError as error:
        error.hint = error.hint or r"\d lists the tables."
        raise
    for heading, lines in parts.items():
        shell.printer.note("\n".join([heading, *(f"    {line}" for line in lines)]))


async def _status(shell: Shell, _: str) -> None:
    shell.printer.table(status_table(await shell.client.status()))


async def _timing(shell: Shell, argument: str) -> None:
    shell.shows_timing = _switched(shell.shows_timing, argument)
    shell.printer.note(f"Timing is {'on' if shell.shows_timing else 'off'}.")


async def _expanded(shell: Shell, argument: str) -> None:
    shell.printer.is_expanded = _switched(shell.printer.is_expanded, argument)
    shell.printer.note(f"Expanded display is {'on' if shell.printer.is_expanded else 'off'}.")


async def _quit(shell: Shell, _: str) -> None:
    shell.is_done = True


async def _help(shell: Shell, _: str) -> None:
    width = max(len(command.usage) for command in COMMANDS.values())
    lines = [f"  {command.usage:<{width}}  {command.summary}" for command in COMMANDS.values()]
    shell.printer.note("\n".join([*lines, "Anything else is SQL, up to a semicolon. Ctrl-C stops a statement."]))


def _switched(value: bool, argument: str) -> bool:
    """`on` or `off`; without an argument, the other one."""
    match argument:
        case "":
            return not value
        case "on" | "off":
            return argument == "on"
        case _:
            raise ConfigError(f'"{argument}" is neither on nor off')


COMMANDS = {
    "d": Command(r"\d [TABLE]", "list the tables, or the columns, indexes and constraints of one", _describe),
    "status": Command(r"\status", "show every node", _status),
    "timing": Command(r"\timing [on|off]", "show how long each statement takes", _timing),
    "x": Command(r"\x [on|off]", "show one column a line", _expanded),
    "q": Command(r"\q", "leave the shell (so does Ctrl-D)", _quit),
    "?": Command(r"\?", "show this list", _help),
}
