"""Completion of keywords, commands, tables and columns at the prompt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from mynode.shell.catalog import Names
from mynode.shell.commands import COMMANDS
from mynode.sql.keywords import KEYWORDS

_WORD = re.compile(r'[\w"$]+')
_COMMAND = re.compile(r"^\s*\\(\S*)$")
_AFTER_TABLE_WORD = re.compile(
    r'\b(?:FROM|INTO|UPDATE|TABLE|JOIN)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?[\w"$]*$', re.IGNORECASE
)
_DESCRIBE = re.compile(r'^\s*\\d\s+[\w"$]*$')


class SqlCompleter(Completer):
    """Offers what may stand at the cursor: tables after FROM and the like, else columns of the statement's tables, then
    tables and keywords.

    Args:
        names: gives the names known now; it is called in the prompt's thread.
    """

    def __init__(self, names: Callable[[], Names]) -> None:
        self._names = names

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        before = document.text_before_cursor
        if command := _COMMAND.match(before):
            yield from _starting_with(command[1], COMMANDS)
            return
        word = document.get_word_before_cursor(pattern=_WORD)
        names = self._names()
        if _AFTER_TABLE_WORD.search(before) or _DESCRIBE.match(before):
            yield from _starting_with(word, names.tables)
        elif word:
            yield from _starting_with(word, _columns(names, document.text))
            yield from _starting_with(word, names.tables)
            yield from _starting_with(word, (_in_case_of(word, keyword) for keyword in KEYWORDS))


def _columns(names: Names, text: str) -> list[str]:
    """Columns of the tables that the statement names; of all tables while it names none."""
    words = set(_WORD.findall(text))
    used = [table for table in names.tables if table in words] or names.tables
    return sorted({column for table in used for column in names.columns.get(table, ())})


def _starting_with(word: str, candidates: Iterable[str]) -> Iterator[Completion]:
    folded = word.lower()
    for candidate in candidates:
        if candidate.lower().startswith(folded) and candidate != word:
            yield Completion(candidate, start_position=-len(word))


def _in_case_of(word: str, keyword: str) -> str:
    return keyword.lower() if word.islower() else keyword
