"""The shapes of a result that programs read: csv, json, markdown. (`table` is for people, in `tables`.)

| | csv | json | markdown |
|---|---|---|---|
| a result is | a header and a line a row | one line: an array of objects by column name | a table |
| NULL is | nothing between the commas | `null` | an empty cell |
| an empty string is | `""` | `""` | an empty cell |
| binary data is | `\\x` and hexadecimal digits | the same, as a string | the same |
| times are | as SQL writes them | the same, as a string | the same |
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Literal, TypeAlias

from mynode.client.result import Result
from mynode.session.api import Value
from mynode.shell.values import value_text

Format: TypeAlias = Literal["table", "csv", "json", "markdown"]


def csv_lines(result: Result) -> Iterator[str]:
    """RFC 4180, with line feeds; quotes stand only where they are needed."""
    yield ",".join(_csv_field(column.name) for column in result.columns)
    for row in result.rows:
        yield ",".join("" if value is None else _csv_field(value_text(value)) for value in row)


def _csv_field(text: str) -> str:
    if text and not any(character in text for character in ',"\n\r'):
        return text
    return '"' + text.replace('"', '""') + '"'


def json_lines(result: Result) -> Iterator[str]:
    """One line for the whole result."""
    names = unique_names([column.name for column in result.columns])
    keys = [f"{json.dumps(name, ensure_ascii=False)}: " for name in names]
    objects = (
        "{" + ", ".join(key + _json_text(value) for key, value in zip(keys, row, strict=True)) + "}"
        for row in result.rows
    )
    yield f"[{', '.join(objects)}]"


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, with `_2`, `_3`, … after one that stood before, so that an object loses no column."""
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 1
        while candidate in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate)
        unique.append(candidate)
    return unique


def _json_text(value: Value) -> str:
    """JSON has numbers and texts only: binary data, times and numbers that are none (NaN) become strings.

    A NUMERIC keeps all its digits.
    """
    match value:
        case None | bool() | int() | str():
            return json.dumps(value, ensure_ascii=False)
        case float() if math.isfinite(value):
            return json.dumps(value)
        case Decimal() if value.is_finite():
            return value_text(value)
    return json.dumps(value_text(value), ensure_ascii=False)


def markdown_lines(result: Result) -> Iterator[str]:
    """GitHub's tables; numbers to the right."""
    yield _markdown_row([column.name for column in result.columns])
    marks = ["---:" if is_number(column.type_name) else "---" for column in result.columns]
    yield f"| {' | '.join(marks)} |"
    for row in result.rows:
        yield _markdown_row([value_text(value) for value in row])


def _markdown_row(cells: Sequence[str]) -> str:
    escaped = (cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", "<br>") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def is_number(type_name: str) -> bool:
    """Whether values of the type stand to the right in a column."""
    return type_name.partition("(")[0] in {
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "REAL",
        "FLOAT",
        "DOUBLE PRECISION",
        "NUMERIC",
    }
