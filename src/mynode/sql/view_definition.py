"""A view's query in the names that tables and columns have now.

A table of its FROM that was renamed, or whose columns were, is given the names that the rest of the text has for them:
`FROM new_name AS old_name (old_column, ...)`.
"""

from __future__ import annotations

from collections.abc import Iterator

from mynode.relation.catalog import Catalog
from mynode.relation.schema import View, ViewUse
from mynode.sql import ast
from mynode.sql.names import quoted
from mynode.sql.parser import parse_stored_query
from mynode.sql.tokens import tokenize


def view_definition(view: View, catalog: Catalog) -> str:
    """SQL text that means what the view does."""
    text = view.query
    bound = {use.written: use for use in view.uses}
    changed = [
        (reference, renamed)
        for reference in _named_tables(parse_stored_query(text), frozenset())
        if (use := bound.get(reference.table.name)) and (renamed := _renamed(reference, use, catalog)) is not None
    ]
    for reference, renamed in sorted(changed, key=lambda one: one[0].position, reverse=True):
        start = reference.position - 1
        text = text[:start] + renamed + text[_end(text, reference) :]
    return text


def _renamed(reference: ast.NamedTable, use: ViewUse, catalog: Catalog) -> str | None:
    """What to write for a table of FROM; None if what stands there is right."""
    table = catalog.table(use.name)
    names = [identifier.name for identifier in reference.columns]
    names += [written for written, _ in use.columns[len(names) :]]
    if table is None:
        if use.name == use.written:
            return None
        names_now = names
    else:
        now = {column.slot: column.name for column in table.columns}
        there = [slot in now for _, slot in use.columns]
        names = [name for name, is_there in zip(names, there, strict=True) if is_there]
        names_now = [now[slot] for _, slot in use.columns if slot in now]
        is_shifted = not all(there[: len(reference.columns)])
        if use.name == use.written and not is_shifted and (names == names_now or reference.columns):
            return None
    called = quoted(reference.alias or use.written)
    columns = f" ({', '.join(map(quoted, names))})" if reference.columns or names != names_now else ""
    return f"{quoted(use.name)} AS {called}{columns}"


def _end(text: str, reference: ast.NamedTable) -> int:
    """The offset behind `[schema.]table [[AS] alias [(columns)]]`."""
    tokens = [token for token in tokenize(text) if token.position >= reference.position]
    last = 0 if reference.table.schema is None else 2
    if reference.alias is not None:
        last += 2 if tokens[last + 1].symbol == "AS" else 1
    if reference.columns:
        last += 2 * len(reference.columns) + 1
    return tokens[last].position - 1 + len(tokens[last].text)


def _named_tables(node: object, common: frozenset[str]) -> Iterator[ast.NamedTable]:
    """The tables and views of all FROMs in the syntax tree; `common` are names of common tables in sight."""
    match node:
        case ast.NamedTable():
            if node.table.schema is not None or node.table.name not in common:
                yield node
        case ast.Query():
            for table in node.common_tables:
                yield from _named_tables(table.query, common)
                common |= {table.name}
            yield from _named_tables((node.body, node.order_by, node.limit, node.offset), common)
        case _:
            for part in ast.parts(node):
                yield from _named_tables(part, common)
