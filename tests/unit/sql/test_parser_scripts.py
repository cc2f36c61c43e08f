"""The golden scripts of the parser: `tests/scripts/parser/*.txt`. After a wanted change run pytest with `--rewrite`."""

from __future__ import annotations

from pathlib import Path

import pytest

from mynode.base.sql_errors import FeatureNotSupportedError, SqlError
from mynode.testing.sql_database import SqlDatabase
from mynode.testing.sql_text import run_parser_script

SCRIPTS = sorted((Path(__file__).parents[2] / "scripts" / "parser").glob("*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_prints_what_it_says(path: Path, rewrite: bool) -> None:
    expected = path.read_text()
    actual = run_parser_script(expected)
    if rewrite:
        path.write_text(actual)
    else:
        assert actual == expected


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_what_is_parsed_is_planned_or_refused_by_a_typed_error(path: Path) -> None:
    database = SqlDatabase()
    for name in ("t", "u", "x"):
        database.execute(f"CREATE TABLE {name} (a integer, b integer, c boolean)")
    pointless = [block for block in path.read_text().split("\n\n") if not has_place(block, database)]
    assert pointless == []


def has_place(block: str, database: SqlDatabase) -> bool:
    """Whether the statement has a plan, or an error that says where it does what is not supported."""
    try:
        parsed = database.engine.parse(block.partition("\n----")[0])
        if parsed.control is None:
            database.engine.prepare(parsed, database.view)
    except SqlError as error:
        return error.position is not None or not isinstance(error, FeatureNotSupportedError)
    return True


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 8
