from __future__ import annotations

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from mynode.shell.catalog import Names, quoted
from mynode.shell.completion import SqlCompleter

NAMES = Names({"accounts": ("id", "balance"), "owners": ("id", "name"), '"Odd"': ("x",)})


def offered(text: str) -> list[str]:
    completer = SqlCompleter(lambda: NAMES)
    return [completion.text for completion in completer.get_completions(Document(text), CompleteEvent())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SEL", ["SELECT"]),
        ("sel", ["select"]),
        ("SELECT * FROM ", ["accounts", "owners", '"Odd"']),
        ("SELECT * FROM acc", ["accounts"]),
        ("insert into ow", ["owners"]),
        ("DROP TABLE IF EXISTS ow", ["owners"]),
        ("SELECT id FROM accounts WHERE bal", ["balance"]),
        ("SELECT name FROM accounts, owners WHERE na", ["name", "natural"]),
        ("SELECT bal", ["balance"]),
        ("\\", ["d", "status", "timing", "x", "q", "?"]),
        ("\\s", ["status"]),
        ("\\d acc", ["accounts"]),
        ("SELECT ", []),
    ],
)
def test_what_is_offered(text: str, expected: list[str]) -> None:
    assert offered(text) == expected


def test_names_are_quoted_where_sql_needs_it() -> None:
    assert [quoted(name) for name in ("plain", "Mixed", 'a"b', "two words")] == [
        "plain",
        '"Mixed"',
        '"a""b"',
        '"two words"',
    ]
