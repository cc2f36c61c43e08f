"""Results for people: tables in rich's style, and one column a line where `\\x` is on.

Drawn by hand, and in parts: rich takes 0.2 ms a row, and nothing stops it on the way. A part that is empty only gives
others their turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TextIO, TypeAlias

from rich import box
from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mynode.client.result import Result
from mynode.session.api import Value
from mynode.shell.formats import is_number
from mynode.shell.values import value_text, visible

NULL_TEXT = "NULL"
ROWS_PER_PART: Final = 1_000

_ENDLESS_WIDTH = 1_000_000
_BOLD: Final = "1"
_DIM: Final = "2"
_DIM_ITALIC: Final = "2;3"

_Cell: TypeAlias = str | None
"""A value as it is shown; None for NULL, which looks different from the text."""


def make_console(stream: TextIO) -> Console:
    """A console on `stream`. A pipe or file has no width: what is drawn there is never folded."""
    if stream.isatty():
        return Console(file=stream, markup=False, emoji=False)
    return Console(file=stream, markup=False, emoji=False, width=_ENDLESS_WIDTH)


def table_parts(console: Console, result: Result) -> Iterator[str]:
    """The result as a table as wide as its content; where that is wider than the terminal, long cells are folded."""
    names = [visible(column.name) for column in result.columns]
    widths = [_width(name) for name in names]
    rows: list[list[_Cell]] = []
    for start in range(0, len(result.rows), ROWS_PER_PART):
        part = [[_cell(value) for value in row] for row in result.rows[start : start + ROWS_PER_PART]]
        columns = zip(*part, strict=True)
        widths = [max(width, *map(_width, column)) for width, column in zip(widths, columns, strict=False)]
        rows += part
        yield ""
    drawing = _Drawing(
        console, _fitted(widths, console.width), [is_number(column.type_name) for column in result.columns]
    )
    yield drawing.head(names)
    for start in range(0, len(rows), ROWS_PER_PART):
        yield "".join(map(drawing.row, rows[start : start + ROWS_PER_PART]))
    yield drawing.foot()
    yield _styled(console, row_count(len(rows)), _DIM) + "\n"


def record_parts(console: Console, result: Result) -> Iterator[str]:
    """Each row as a block with one column a line."""
    names = [visible(column.name) for column in result.columns]
    width = max(map(_width, names), default=0)
    labels = [_styled(console, _padded(name, width, to_right=False), _BOLD) for name in names]
    null = _styled(console, NULL_TEXT, _DIM_ITALIC)
    for start in range(0, len(result.rows), ROWS_PER_PART):
        lines = []
        for number, row in enumerate(result.rows[start : start + ROWS_PER_PART], start + 1):
            lines.append(_styled(console, f"─[ row {number} ]─", _DIM))
            for label, value in zip(labels, row, strict=True):
                lines.append(f"{label} │ {null if value is None else _cell(value)}")
        yield "\n".join(lines) + "\n"
    yield _styled(console, row_count(len(result.rows)), _DIM) + "\n"


def row_count(rows: int) -> str:
    return f"({rows} row{'' if rows == 1 else 's'})"


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table without lines, for lists such as the nodes; columns of numbers stand to the right."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for index, column in enumerate(columns):
        cells = [row[index] for row in rows if row[index]]
        is_numeric = bool(cells) and all(cell.isdigit() for cell in cells)
        table.add_column(column, justify="right" if is_numeric else "left")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    return table


class _Drawing:
    """The lines of one table, whose columns have these widths in terminal cells."""

    def __init__(self, console: Console, widths: list[int], to_right: list[bool]) -> None:
        self._console = console
        self._widths = widths
        self._to_right = to_right
        self._box = (box.ROUNDED if console.is_terminal else box.ASCII2).substitute(console.options)

    def head(self, names: list[str]) -> str:
        padded = [width + 2 for width in self._widths]
        names_row = self._lines([self._folded(name, width) for name, width in self._sized(names)], _BOLD)
        return f"{self._box.get_top(padded)}\n{names_row}{self._box.get_row(padded, 'head')}\n"

    def row(self, cells: list[_Cell]) -> str:
        """One line, or more where a cell is folded or has several."""
        return self._lines([self._folded(cell, width) for cell, width in self._sized(cells)], None)

    def foot(self) -> str:
        return self._box.get_bottom([width + 2 for width in self._widths]) + "\n"

    def _sized(self, cells: Sequence[_Cell]) -> Iterator[tuple[_Cell, int]]:
        return zip(cells, self._widths, strict=True)

    def _folded(self, cell: _Cell, width: int) -> list[_Cell]:
        if cell is None or ("\n" not in cell and (len(cell) <= width and cell.isascii())):
            return [cell]
        return [piece for line in cell.split("\n") for piece in chop_cells(line, width) or [""]]

    def _lines(self, columns: list[list[_Cell]], style: str | None) -> str:
        height = max(map(len, columns), default=1)
        return "".join(
            self._line([column[line] if line < len(column) else "" for column in columns], style)
            for line in range(height)
        )

    def _line(self, cells: Sequence[_Cell], style: str | None) -> str:
        shown = [self._shown(*place, style) for place in zip(cells, self._widths, self._to_right, strict=True)]
        return f"{self._box.mid_left} {f' {self._box.mid_vertical} '.join(shown)} {self._box.mid_right}\n"

    def _shown(self, cell: _Cell, width: int, to_right: bool, style: str | None) -> str:
        padded = _padded(NULL_TEXT if cell is None else cell, width, to_right=to_right)
        if cell is None:
            style = _DIM_ITALIC
        return padded if style is None else _styled(self._console, padded, style)


def _cell(value: Value) -> _Cell:
    return None if value is None else visible(value_text(value))


def _width(cell: _Cell) -> int:
    """Cells of the terminal; of the longest line, if there are several."""
    if cell is None:
        return len(NULL_TEXT)
    if "\n" in cell:
        return max(map(_width, cell.split("\n")))
    return len(cell) if cell.isascii() else cell_len(cell)


def _padded(text: str, width: int, *, to_right: bool) -> str:
    room = " " * (width - _width(text))
    return room + text if to_right else text + room


def _fitted(widths: list[int], room: int) -> list[int]:
    """The widths, the largest ones cut alike so that the table's lines are at most `room` long, if that can be."""
    for_cells = room - 3 * len(widths) - 1
    if sum(widths) <= for_cells:
        return widths
    low, high = 2, max(widths)  # 2: no character is wider
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(width, middle) for width in widths) <= for_cells:
            low = middle
        else:
            high = middle - 1
    return [min(width, low) for width in widths]


def _styled(console: Console, text: str, style: str) -> str:
    """The text with the codes of a style around it, on a terminal that knows them."""
    return text if console.color_system is None else f"\x1b[{style}m{text}\x1b[0m"
