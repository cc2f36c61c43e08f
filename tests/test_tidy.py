"""House rules that no linter knows. What is counted here may only go down: a better number replaces the one below."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for path in (ROOT / "src" / "mynode").rglob("*.py") if "generated" not in path.parts)
TESTS = sorted((ROOT / "tests").rglob("*.py"))
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60

AT_MOST = {
    r"# type: ignore": 0,
    r"# noqa": 13,
    r"(?<![\w.])(?<!def )cast\(": 6,
}
"""Ways around the checkers, and how often the sources may take them."""

_UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
_SWALLOWED = re.compile(r"except(?: Exception| BaseException)?:\s*(?:#[^\n]*)?\n\s+pass\b")
_CODE_NAME = re.compile(r"`(mynode(?:\.\w+)+)(?:\([^`]*\))?`")
_PATH = re.compile(r"`((?:src|tests|docs|protos)/[\w./-]+)`")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=relative)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_functions_are_short(path: Path) -> None:
    long = [f"{name}: {lines} lines" for name, lines in function_lengths(path) if lines > MAX_FUNCTION_LINES]
    assert long == []


def function_lengths(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_modules_say_what_they_are(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


@pytest.mark.parametrize("path", [*SOURCES, *TESTS, *DOCUMENTS], ids=relative)
def test_nothing_is_left_unfinished_or_swallowed(path: Path) -> None:
    text = path.read_text("utf-8")
    assert _UNFINISHED.findall(text) == []
    assert _SWALLOWED.findall(text) == []


@pytest.mark.parametrize("pattern", AT_MOST)
def test_ways_around_the_checkers_do_not_grow(pattern: str) -> None:
    places = [relative(path) for path in SOURCES for _ in re.findall(pattern, path.read_text("utf-8"))]
    assert len(places) <= AT_MOST[pattern], places


def test_every_package_is_one() -> None:
    directories = {path.parent for path in SOURCES}
    assert [relative(directory) for directory in directories if not (directory / "__init__.py").exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_names_of_code_in_the_documents_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    names = {name for name in _CODE_NAME.findall(text) if not name.startswith("mynode.v1.")}
    assert [name for name in sorted(names) if not exists(name)] == []
    assert [place for place in _PATH.findall(text) if not (ROOT / place).exists()] == []


def exists(name: str) -> bool:
    """Whether `name` is a module, or something reachable in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part) and part not in getattr(found, "__annotations__", {}):
                return False
            found = getattr(found, part, None)
        return True
    return False
