"""Does every index have exactly the entries that the rows ask for?"""

from __future__ import annotations

from collections.abc import Iterator

from mynode.mvcc.view import ReadView
from mynode.relation.catalog import Catalog
from mynode.relation.indexes import IndexEntries
from mynode.relation.keys import ABOVE
from mynode.relation.rows import TableRows
from mynode.relation.schema import Table

MOST_PROBLEMS = 10
"""Of one index; there is no use in more."""


def check_indexes(view: ReadView) -> list[str]:
    """What is wrong with the indexes of all tables; empty if nothing is."""
    return [problem for table in Catalog.load(view).tables.values() for problem in _check_table(view, table)]


def _check_table(view: ReadView, table: Table) -> Iterator[str]:
    rows = TableRows(table)
    for entries in rows.indexes:
        name = f'index "{entries.index.name}" of table "{table.name}"'
        count = 0
        for problem in (*_missing(view, rows, entries), *_superfluous(view, rows, entries)):
            if count < MOST_PROBLEMS:
                yield f"{name}: {problem}"
            count += 1
        if count > MOST_PROBLEMS:
            yield f"{name}: {count - MOST_PROBLEMS:,} more"


def _missing(view: ReadView, rows: TableRows, entries: IndexEntries) -> Iterator[str]:
    """Rows without their entry. While the index is built, only those before the row with which the build goes on."""
    end = rows.high if entries.index.is_ready else view.get(entries.prefix) or rows.low
    for key, record in view.scan(rows.low, end):
        if view.get(entries.key(rows.decode(record), key)) != key:
            yield f"the row at {key.hex()} has no entry"


def _superfluous(view: ReadView, rows: TableRows, entries: IndexEntries) -> Iterator[str]:
    """Entries that no row asks for, one of a build that is over among them."""
    low = entries.prefix if entries.index.is_ready else entries.prefix + b"\0"
    for entry, key in view.scan(low, entries.prefix + ABOVE):
        record = view.get(key)
        if record is None:
            yield f"the entry {entry.hex()} leads to {key.hex()}, where no row is"
        elif entries.key(rows.decode(record), key) != entry:
            yield f"the entry {entry.hex()} leads to the row at {key.hex()}, which has other values"
