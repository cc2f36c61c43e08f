"""Where results and errors go: results to standard output in the chosen format, errors to standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TextIO

import trio
from rich.table import Table
from rich.text import Text

from mynode.base.errors import MyNodeError
from mynode.client.result import Result
from mynode.shell.formats import Format, csv_lines, json_lines, markdown_lines
from mynode.shell.tables import ROWS_PER_PART, make_console, record_parts, table_parts
from mynode.shell.values import visible
from mynode.sql.caret import caret

_LINES: dict[Format, Callable[[Result], Iterator[str]]] = {
    "csv": csv_lines,
    "json": json_lines,
    "markdown": markdown_lines,
}


class Printer:
    """Shows what statements return.

    Attributes:
        format: of results with columns. Only `table` shows command tags too: the others are for programs.
        is_expanded: one column a line instead of tables.
    """

    def __init__(self, output: TextIO, errors: TextIO, *, output_format: Format) -> None:
        self.format = output_format
        self.is_expanded = False
        self._output = output
        self._console = make_console(output)
        self._errors = make_console(errors)

    async def result(self, result: Result) -> None:
        """Show the result in parts; between two of them it can be cancelled."""
        if not result.columns:
            if self.format == "table":
                self.note(result.tag)
            return
        for part in self._parts(result):
            self._output.write(part)
            await trio.lowlevel.checkpoint()
        self._output.flush()

    def _parts(self, result: Result) -> Iterator[str]:
        if self.format == "table":
            return (record_parts if self.is_expanded else table_parts)(self._console, result)
        lines = _LINES[self.format](result)
        slices = iter(lambda: list(islice(lines, ROWS_PER_PART)), [])
        return ("\n".join(part) + "\n" for part in slices)

    def error(self, error: MyNodeError, sql: str = "") -> None:
        """Show the error as psql does, with the place in `sql` where it has one."""
        self._errors.print(Text(error_text(error, sql), style="red"), soft_wrap=True)

    def note(self, text: str) -> None:
        """A line for a person."""
        self._console.print(Text(visible(text)), soft_wrap=True)

    def table(self, table: Table) -> None:
        self._console.print(table)


def error_text(error: MyNodeError, sql: str = "") -> str:
    """The lines `ERROR:`, `LINE n:` with a caret, `DETAIL:` and `HINT:`, as far as there is something to say."""
    lines = [f"ERROR:  {visible(error.message)} (SQLSTATE {error.sqlstate})"]
    if error.position is not None and sql:
        lines.append(caret(sql, error.position))
    if error.detail is not None:
        lines.append(f"DETAIL:  {visible(error.detail)}")
    if error.hint is not None:
        lines.append(f"HINT:  {visible(error.hint)}")
    return "\n".join(lines)
