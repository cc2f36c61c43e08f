from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from mynode.base.sql_errors import UndefinedTableError, UniqueViolationError
from mynode.client.result import Result
from mynode.session.api import ColumnInfo, Row, Value
from mynode.shell.formats import Format, csv_lines, json_lines, markdown_lines
from mynode.shell.printer import Printer, error_text
from mynode.shell.tables import plain_table, record_parts, table_parts
from mynode.shell.values import value_text, visible


def result(columns: str, *rows: Row) -> Result:
    """A result with columns such as `id INTEGER, name TEXT`."""
    infos = tuple(ColumnInfo(*column.strip().split(" ", 1)) for column in columns.split(","))
    return Result(infos, list(rows), f"SELECT {len(rows)}", len(rows), 1)


PEOPLE = result("id INTEGER, name TEXT", (1, "Ada"), (None, None), (22, ""))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (-7, "-7"),
        (1.5, "1.5"),
        (3.0, "3"),
        (1e300, "1e+300"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        ("a b", "a b"),
        (b"\x00\xff", r"\x00ff"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E-7"), "0.0000001"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, 5, 600_000), "2026-01-02 03:04:05.6"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02 03:04:05+00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_values_look_as_in_postgresql(value: Value, text: str) -> None:
    assert value_text(value) == text


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert visible("a\x1b[31mb\x9bc\rd\r\ne\nf") == r"a\x1b[31mb\x9bc\rd" + "\ne\nf"
    assert visible("héllo ✓") == "héllo ✓"


def test_csv() -> None:
    assert list(csv_lines(PEOPLE)) == ["id,name", "1,Ada", ",", '22,""']
    assert list(csv_lines(result('a "b" TEXT', ('x,"y"\nz',))))[1] == '"x,""y""\nz"'


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1))))
def test_csv_reads_back(rows: list[tuple[str, str]]) -> None:
    text = "".join(f"{line}\n" for line in csv_lines(result("a TEXT, b TEXT", *rows)))
    assert list(csv.reader(io.StringIO(text, newline="")))[1:] == [list(row) for row in rows]


def test_json_is_one_line_an_array_of_objects() -> None:
    (line,) = json_lines(PEOPLE)
    assert json.loads(line) == [{"id": 1, "name": "Ada"}, {"id": None, "name": None}, {"id": 22, "name": ""}]
    assert list(json_lines(result("id INTEGER"))) == ["[]"]


def test_json_loses_no_column_and_stays_json() -> None:
    (line,) = json_lines(result("x INTEGER, x FLOAT, x_2 BYTEA", (1, float("inf"), b"\x01")))
    assert json.loads(line) == [{"x": 1, "x_2": "Infinity", "x_2_2": r"\x01"}]
    (line,) = json_lines(result("ü NUMERIC, d DATE, n NUMERIC", (Decimal("1.50"), date(2026, 1, 2), Decimal("NaN"))))
    assert line == '[{"ü": 1.50, "d": "2026-01-02", "n": "NaN"}]'


def test_markdown() -> None:
    assert list(markdown_lines(result("id INTEGER, name TEXT", (1, "a|b\nc"), (2, None)))) == [
        "| id | name |",
        "| ---: | --- |",
        r"| 1 | a\|b<br>c |",
        "| 2 |  |",
    ]


def drawn(show: Result, *, expanded: bool = False) -> str:
    console = Console(file=io.StringIO(), width=10_000, markup=False)
    return "".join((record_parts if expanded else table_parts)(console, show))


def test_table() -> None:
    assert drawn(PEOPLE) == (
        "+------+------+\n"
        "|   id | name |\n"
        "+------+------+\n"
        "|    1 | Ada  |\n"
        "| NULL | NULL |\n"
        "|   22 |      |\n"
        "+------+------+\n"
        "(3 rows)\n"
    )


def test_records() -> None:
    assert drawn(result("id INTEGER, name TEXT", (1, None)), expanded=True) == (
        "─[ row 1 ]─\nid   │ 1\nname │ NULL\n(1 row)\n"
    )


def test_errors_point_at_their_place() -> None:
    error = UndefinedTableError('relation "nope" does not exist', position=15, hint="look again")
    assert error_text(error, "SELECT * FROM nope") == (
        'ERROR:  relation "nope" does not exist (SQLSTATE 42P01)\n'
        "LINE 1: SELECT * FROM nope\n"
        "                      ^\n"
        "HINT:  look again"
    )
    violation = UniqueViolationError("duplicate key", detail="Key (id)=(1) already exists.")
    assert error_text(violation, "INSERT") == (
        "ERROR:  duplicate key (SQLSTATE 23505)\nDETAIL:  Key (id)=(1) already exists."
    )


@pytest.mark.parametrize("output_format", ["csv", "json", "markdown"])
async def test_formats_for_programs_show_results_only(output_format: Format) -> None:
    output, errors = io.StringIO(), io.StringIO()
    printer = Printer(output, errors, output_format=output_format)
    await printer.result(Result((), [], "INSERT 0 1", 1, 1))
    assert output.getvalue() == ""
    printer.error(UndefinedTableError("no"))
    assert (output.getvalue(), errors.getvalue()) == ("", "ERROR:  no (SQLSTATE 42P01)\n")


def test_a_narrow_terminal_folds_what_is_wide() -> None:
    console = Console(file=io.StringIO(), width=19, force_terminal=True, color_system=None)
    shown = result("id INTEGER, word TEXT", (1, "日本語日本語"), (22, "a\nb"))
    assert "".join(table_parts(console, shown)) == (
        "╭────┬────────────╮\n"
        "│ id │ word       │\n"
        "├────┼────────────┤\n"
        "│  1 │ 日本語日本 │\n"
        "│    │ 語         │\n"
        "│ 22 │ a          │\n"
        "│    │ b          │\n"
        "╰────┴────────────╯\n"
        "(2 rows)\n"
    )


def test_columns_of_numbers_stand_to_the_right_though_a_cell_is_empty() -> None:
    table = plain_table(("node", "lag"), [("a", "7"), ("b", "")])
    assert [column.justify for column in table.columns] == ["left", "right"]
