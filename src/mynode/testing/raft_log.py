"""Entries and persists for tests of the raft log, and a look at all that a log holds."""

from __future__ import annotations

from mynode.base.ids import LogIndex, NodeId, Term
from mynode.raft.effects import HardState, Persist
from mynode.raft.messages import Entry, EntryKind
from mynode.storage.raft_log import RaftLog


def make_entries(first: LogIndex, count: int, term: Term, *, payload_bytes: int = 20) -> tuple[Entry, ...]:
    """Entries whose payload tells index and term, so that a mix-up shows."""
    return tuple(
        Entry(
            term,
            index,
            EntryKind.COMMAND,
            f"id{index:010d}".encode(),
            f"{term}/{index} ".encode() * (payload_bytes // 4),
        )
        if index % 7
        else Entry(term, index, EntryKind.NOOP, b"", b"")
        for index in range(first, first + count)
    )


def persist(entries: tuple[Entry, ...] = (), *, term: Term | None = None, voted_for: NodeId | None = None) -> Persist:
    """A `Persist` of these entries and, if `term` is given, of a hard state."""
    return Persist(1, None if term is None else HardState(term, voted_for), entries)


def all_entries(log: RaftLog) -> tuple[Entry, ...]:
    return log.read(log.first_index, log.last_index, 1 << 40)
