"""Results for people: tables by rich, and one column a line where `\\x` is on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mynode.client.result import Result
from mynode.session.api import Value
from mynode.shell.formats import is_number
from mynode.shell.values import value_text, visible

NULL_TEXT = "NULL"
_NULL = Text(NULL_TEXT, style="dim italic")


_ENDLESS_WIDTH = 1_000_000


def make_console(stream: TextIO) -> Console:
    """A console on `stream`. A pipe or file has no width: what is drawn there is never folded."""
    if stream.isatty():
        return Console(file=stream, markup=False, emoji=False)
    return Console(file=stream, markup=False, emoji=False, width=_ENDLESS_WIDTH)


def print_table(console: Console, result: Result) -> None:
    """Draw the result as a table as wide as its content; a terminal's width folds long cells."""
    table = Table(box=box.ROUNDED if console.is_terminal else box.ASCII2, header_style="bold", show_edge=True)
    for column in result.columns:
        name = Text(visible(column.name))
        table.add_column(name, justify="right" if is_number(column.type_name) else "left", overflow="fold")
    for row in result.rows:
        table.add_row(*map(_cell, row))
    console.print(table)
    console.print(row_count(len(result.rows)), style="dim", highlight=False)


def print_records(console: Console, result: Result) -> None:
    """Draw each row as a block with one column a line."""
    names = [visible(column.name) for column in result.columns]
    width = max(map(len, names), default=0)
    for number, row in enumerate(result.rows, start=1):
        console.print(Text(f"─[ row {number} ]─", style="dim"))
        for name, value in zip(names, row, strict=True):
            console.print(Text.assemble((name.ljust(width), "bold"), " │ ", _cell(value)), soft_wrap=True)
    console.print(row_count(len(result.rows)), style="dim", highlight=False)


def row_count(rows: int) -> str:
    return f"({rows} row{'' if rows == 1 else 's'})"


def _cell(value: Value) -> Text:
    return _NULL if value is None else Text(visible(value_text(value)))


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table without lines, for lists such as the nodes; columns of numbers stand to the right."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for index, column in enumerate(columns):
        is_numeric = bool(rows) and all(row[index].isdigit() for row in rows)
        table.add_column(column, justify="right" if is_numeric else "left")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    return table
