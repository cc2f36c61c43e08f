"""A statement's whole answer."""

from __future__ import annotations

from dataclasses import dataclass

from mynode.base.ids import Version
from mynode.session.api import ColumnInfo, Row


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement returned.

    `columns` and `rows` are empty for a statement that returns none. `tag` is PostgreSQL's command tag (`INSERT 0 1`);
    `rows_affected` is -1 where none is meant; `version` is the state that the statement saw or made; `attempts` is 1
    unless it was tried again.
    """

    columns: tuple[ColumnInfo, ...]
    rows: list[Row]
    tag: str
    rows_affected: int
    version: Version
    attempts: int = 1
