"""`mynode dump`: what lies in a data directory, for people who want to see it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import assert_never

from mynode.base.disk import Disk
from mynode.base.errors import CorruptionError, ProtocolViolationError
from mynode.base.exit_codes import EXIT_DONE
from mynode.inspect.directories import data_directories
from mynode.machine.commands import BatchCommand, RetainCommand, TransactionCommand, decode_command
from mynode.mvcc import keyspace
from mynode.mvcc.view import ReadView
from mynode.raft.messages import Entry, EntryKind
from mynode.relation.catalog import Catalog
from mynode.relation.rows import TableRows
from mynode.relation.schema import Table
from mynode.storage.nodes import Node, Place
from mynode.storage.pages.engine import PageEngine
from mynode.storage.pages.format import FILE_NAME, Meta, page_of
from mynode.storage.pages.page_file import PageFile
from mynode.storage.raft_log.format import decode_entry
from mynode.storage.raft_log.recovery import Recovered, recover

_WIDEST = 200
"""Characters of a line beyond which it is cut."""


def run_dump(path: Path, *, rows: int, entries: int) -> int:
    """Print what the data directories at `path` hold; the exit code.

    Raises:
        CorruptionError: something that is shown is damaged.
    """
    for directory in data_directories(path):
        identity = directory.identity
        sys.stdout.write(f"{directory.path}: node {identity.node_id} of cluster {identity.cluster_id}\n")
        for line in dump_disk(directory.disk, rows=rows, entries=entries):
            sys.stdout.write("  " + (line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "…") + "\n")
    return EXIT_DONE


def dump_disk(disk: Disk, *, rows: int, entries: int) -> Iterator[str]:
    """The lines: metas, the tree's root, tables with their first rows, the newest entries. Raises as `run_dump`."""
    if FILE_NAME in disk.list():
        yield from _dump_metas(disk)
        with closing(PageEngine.look(disk)) as engine:
            yield f"root: {_describe_node(engine.tree.root)}"
            yield from _dump_tables(ReadView(engine.applied_index, engine.tree), rows)
    else:
        yield "tree: no checkpoint yet"
    log = recover(disk)
    if log is not None:
        yield from _dump_log(disk, log, entries)


def _dump_metas(disk: Disk) -> Iterator[str]:
    handle = disk.open(FILE_NAME)
    try:
        metas = PageFile(handle).metas()
    finally:
        handle.close()
    for page, meta in enumerate(metas):
        match meta:
            case Meta(checkpoint, applied, root, count, page_count, free_list):
                yield (
                    f"meta in page {page}: checkpoint {checkpoint}, applied index {applied.index}, "
                    f"its term {applied.term}, root in page {page_of(root)}, {count} records, {page_count} pages, "
                    f"free list in page {page_of(free_list)}"
                )
            case CorruptionError():
                yield f"meta in page {page}: none, {meta.message}"


def _describe_node(node: Node) -> str:
    place = node.place or Place(0, 0)
    kind = type(node).__name__.lower()
    return (
        f"{kind} in page {page_of(place.ref)}, {node.fill()} keys or children, newest version {node.newest_version()}"
    )


def _dump_tables(view: ReadView, rows: int) -> Iterator[str]:
    catalog = Catalog.load(view)
    yield f"catalog: version {catalog.version}, {len(catalog.tables)} tables"
    for name, table in sorted(catalog.tables.items()):
        columns = ", ".join(f"{column.name} {column.type.name}" for column in table.columns)
        key = ", ".join(table.columns[at].name for at in table.primary_key.columns) if table.primary_key else "none"
        yield f"table {name} (id {table.id}): {columns}; primary key: {key}"
        yield from _dump_rows(view, table, rows)
    outcomes = sum(1 for _ in view.scan(keyspace.MACHINE, None))
    yield f"machine: {outcomes} records of sessions' outcomes"


def _dump_rows(view: ReadView, table: Table, rows: int) -> Iterator[str]:
    where = TableRows(table)
    for key, record in islice(view.tree.scan(where.low, where.high), rows):
        version, value = record
        yield f"  {key.hex()} @{version}: {'deleted' if value is None else where.decode(value)}"


def _dump_log(disk: Disk, log: Recovered, entries: int) -> Iterator[str]:
    index = log.index
    yield (
        f"raft log: entries {index.first_index} to {index.last_index}, term {log.hard_state.term}, "
        f"voted for {log.hard_state.voted_for or 'nobody'}"
    )
    for number in range(max(index.first_index, index.last_index - entries + 1), index.last_index + 1):
        segment = index.segment_of(number)
        at = number - segment.first
        offset, length = segment.offsets[at], segment.lengths[at]
        file = disk.open(segment.name)
        try:
            entry = decode_entry(file.read(offset, length), 0, length, offset, segment.salt, segment.name)
        finally:
            file.close()
        yield f"  {segment.name} at {offset}: {_describe_entry(entry)}"


def _describe_entry(entry: Entry) -> str:
    text = f"entry {entry.index}, term {entry.term}, {entry.kind.name.lower()}"
    if entry.kind is not EntryKind.COMMAND:
        return text
    try:
        command = decode_command(entry.payload)
    except ProtocolViolationError as error:
        return f"{text}, {error.message}"
    match command:
        case TransactionCommand(session, sequence):
            statements = [(session, sequence)]
        case BatchCommand(requests=requests):
            statements = [(request.session, request.sequence) for request in requests]
        case RetainCommand(session, sequence, entries=kept):
            return f"{text}, session {session.hex()[:8]} #{sequence} retains {kept} entries"
        case _:
            assert_never(command)
    names = ", ".join(f"{session.hex()[:8]} #{sequence}" for session, sequence in statements)
    writes = ", ".join(f"{'delete' if value is None else 'put'} {key.hex()}" for key, value in command.writes)
    return (
        f"{text}, session {names} on view {command.view}, "
        f"keys read {len(command.reads.keys)}, present {len(command.reads.present)}, "
        f"ranges read {len(command.reads.ranges)}; {writes or 'no writes'}"
    )
