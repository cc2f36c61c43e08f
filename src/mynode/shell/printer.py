"""Where results and errors go: results to standard output in the chosen format, errors to standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TextIO

from rich.table import Table
from rich.text import Text

from mynode.base.errors import MyNodeError
from mynode.client.result import Result
from mynode.shell.formats import Format, csv_lines, json_lines, markdown_lines
from mynode.shell.tables import make_console, print_records, print_table
from mynode.shell.values import visible
from mynode.sql.caret import caret

_LINES: dict[Format, Callable[[Result], Iterable[str]]] = {
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

    def result(self, result: Result) -> None:
        if self.format != "table":
            if result.columns:
                self._output.writelines(f"{line}\n" for line in _LINES[self.format](result))
        elif not result.columns:
            self.note(result.tag)
        elif self.is_expanded:
            print_records(self._console, result)
        else:
            print_table(self._console, result)
        self._output.flush()

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
