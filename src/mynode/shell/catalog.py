"""What the shell knows of the tables, asked for in SQL: for `\\d` and for completion."""

from __future__ import annotations

from dataclasses import dataclass, field

from mynode.client.result import Result
from mynode.client.session import Session

MAX_TABLES_COMPLETED = 200
"""Completion knows the columns of so many tables, each of which costs a statement."""


@dataclass(frozen=True, slots=True)
class Names:
    """Tables, and the columns of each."""

    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def tables(self) -> tuple[str, ...]:
        return tuple(self.columns)


async def list_tables(session: Session) -> Result:
    """One row a table, its name first."""
    return await session.execute("SHOW TABLES")


async def describe_table(session: Session, table: str) -> Result:
    """One row a column of `table`, its name first; `table` is written as in SQL, in double quotes if need be."""
    return await session.execute(f"SHOW COLUMNS FROM {table}")


async def describe_indexes(session: Session, table: str) -> list[str]:
    """A line each, as `"city_pkey" PRIMARY KEY (id)`; none for a view."""
    lines: list[str] = []
    for name, kind, columns, is_ready in (await session.execute(f"SHOW INDEXES FROM {table}")).rows:
        words = [f'"{name!s}"', *([] if kind is None else [str(kind)]), f"({columns!s})"]
        lines.append(" ".join(words if is_ready else [*words, "half-built"]))
    return lines


async def load_names(session: Session) -> Names:
    """All names, as they are written in SQL."""
    tables = [quoted(str(row[0])) for row in (await list_tables(session)).rows]
    columns: dict[str, tuple[str, ...]] = {}
    for table in tables[:MAX_TABLES_COMPLETED]:
        rows = (await describe_table(session, table)).rows
        columns[table] = tuple(quoted(str(row[0])) for row in rows)
    return Names(columns)


def quoted(name: str) -> str:
    """The name as SQL must write it: in double quotes unless it is plain and in lower case."""
    is_plain = name.isascii() and name.isidentifier() and name == name.lower()
    return name if is_plain else '"' + name.replace('"', '""') + '"'
