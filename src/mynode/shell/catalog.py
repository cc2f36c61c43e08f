"""What the shell knows of the tables, asked for in SQL: for `\\d` and for completion."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mynode.client.result import Result
from mynode.client.session import Session

MAX_TABLES_COMPLETED = 200
"""Completion knows the columns of so many tables, each of which costs a statement."""


_LAST_NAME = re.compile(r'(?:"(?P<quoted>(?:[^"]|"")+)"|(?P<plain>[^\s".;]+))$')
_REST = (
    """SELECT column_name, CASE is_identity WHEN 'YES' THEN 'GENERATED ' || identity_generation || ' AS IDENTITY'
    ELSE column_default END FROM information_schema.columns
    WHERE table_name = ? AND (is_identity = 'YES' OR column_default IS NOT NULL) ORDER BY ordinal_position""",
    """SELECT constraint_name, check_clause FROM information_schema.check_constraints
    JOIN information_schema.table_constraints USING (constraint_name) WHERE table_name = ? ORDER BY 1""",
    """SELECT constraint_name, string_agg(k.column_name, ', ' ORDER BY k.ordinal_position),
    (SELECT min(u.table_name) FROM information_schema.constraint_column_usage AS u
    WHERE u.constraint_name = r.constraint_name), 'ON DELETE ' || delete_rule || ' ON UPDATE ' || update_rule
    FROM information_schema.referential_constraints AS r JOIN information_schema.key_column_usage AS k
    USING (constraint_name) WHERE k.table_name = ? GROUP BY constraint_name, delete_rule, update_rule ORDER BY 1""",
    "SELECT view_definition FROM information_schema.views WHERE table_name = ?",
)
"""What `describe_rest` asks, each for the name of a table."""


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


async def describe_rest(session: Session, table: str) -> dict[str, list[str]]:
    """Lines of defaults, constraints and the query of a view, below their headings; no heading without lines."""
    values = (_meant(table),)
    defaults, checks, references, queries = [(await session.execute(query, values)).rows for query in _REST]
    found = {
        "Defaults:": [f"{quoted(str(name))}: {default!s}" for name, default in defaults],
        "Check constraints:": [f'"{name!s}" CHECK ({condition!s})' for name, condition in checks],
        "Foreign keys:": [
            f'"{name!s}" FOREIGN KEY ({columns!s}) REFERENCES {quoted(str(other))} {actions!s}'
            for name, columns, other, actions in references
        ],
        "View:": [str(query) for (query,) in queries],
    }
    return {heading: lines for heading, lines in found.items() if lines}


def _meant(table: str) -> str:
    """The name that is meant by one as SQL writes it, without its schema."""
    found = _LAST_NAME.search(table)
    if found is None:
        return table
    return found["plain"].lower() if found["plain"] else found["quoted"].replace('""', '"')


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
