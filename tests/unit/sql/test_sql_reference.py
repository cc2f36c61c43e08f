"""docs/sql.md says what happens: its examples run in their order, its list of reserved words is the parser's."""

from __future__ import annotations

import re
from pathlib import Path

from mynode.sql.keywords import FUNCTION_ONLY, RESERVED
from mynode.sql.tokens import END, tokenize
from mynode.testing.sql_sessions import LocalSession, SessionDatabase
from mynode.values.text import format_text
from mynode.values.types import Value

REFERENCE = (Path(__file__).parents[3] / "docs" / "sql.md").read_text()


def answer(session: LocalSession, sql: str) -> list[str]:
    """A line for each row, or the command tag if the statement has no columns, or the error."""
    answered = session.answer(sql)
    if answered.error is not None:
        return [f"ERROR {answered.error.sqlstate}: {answered.error.message}"]
    if answered.columns:
        return [" | ".join(map(shown, row)) for row in answered.rows]
    return [answered.tag]


def shown(value: Value) -> str:
    return "NULL" if value is None else format_text(value)


def examples() -> list[tuple[str, list[str]]]:
    """The statements of the page, each with the comments that follow it."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```sql\n(.*?)^```", REFERENCE, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if line.startswith("-- "):
                found[-1][1].append(line[3:])
            else:
                found.append((line, []))
    return found


def test_the_examples_answer_what_the_page_says() -> None:
    session = SessionDatabase().session()
    for statement, expected in examples():
        assert (statement, answer(session, statement)) == (statement, expected)


def test_each_example_is_one_statement_in_one_line() -> None:
    assert len(examples()) > 35
    for statement, _ in examples():
        symbols = [token.symbol for token in tokenize(statement)]
        assert symbols[-2:] == [";", END]


def test_the_contents_name_every_section() -> None:
    sections = [re.sub("[`,]", "", line[3:]) for line in REFERENCE.splitlines() if line.startswith("## ")]
    contents = REFERENCE.split("\n## ")[0]
    linked = re.findall(r"\[([^]]+)\]\(#([a-z_-]+)\)", contents)
    assert [re.sub("[`,]", "", name) for name, _ in linked] == sections
    assert [anchor for _, anchor in linked] == [section.lower().replace(" ", "-") for section in sections]


def test_the_reserved_words_are_those_of_the_parser() -> None:
    listed = REFERENCE.split("<!-- reserved words")[1].split("## Types")[0]
    assert set(re.findall("`([A-Z_]+)`", listed)) == RESERVED | FUNCTION_ONLY


def test_the_contents_lead_to_headings() -> None:
    headings = re.findall("^## (.*)$", REFERENCE, re.MULTILINE)
    links = re.findall(r"\[([^]]+)\]\(#([a-z0-9_-]+)\)", REFERENCE.split("## Lexical rules")[0])
    anchors = [re.sub("[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert len(links) > 20
    assert set(links) <= set(zip(headings, anchors, strict=True))
