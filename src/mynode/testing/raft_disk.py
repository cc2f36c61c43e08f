"""The files of a simulated Raft node: its log, its newest snapshot, and the parts of one that it receives.

Entries that were cut off, or came with a snapshot, stay readable for the checks of tests; the core never gets them.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgpack

from mynode.base.ids import LogIndex, NodeId, Term
from mynode.raft.config import Restored, term_runs
from mynode.raft.effects import HardState, InstallSnapshot, Load, Persist, Snapshot, StoreSnapshotChunk
from mynode.raft.membership import decode_membership
from mynode.raft.messages import Entry, EntryKind


def checksum_of(data: bytes) -> int:
    return zlib.crc32(data)


@dataclass(slots=True)
class Disk:
    """What is durable, and the persists that an fsync is still owed."""

    hard_state: HardState = field(default_factory=lambda: HardState(0, None))
    entries: list[Entry] = field(default_factory=list)
    waiting: deque[Persist] = field(default_factory=deque)
    first_index: LogIndex = 1
    snapshot: Snapshot | None = None
    source: tuple[NodeId, LogIndex, Term] | None = None
    """Whose snapshot `received` is the beginning of."""
    received: bytes = b""

    # --- the log -----------------------------------------------------------------------------------------------------

    def sync_next(self) -> int:
        """Make the oldest waiting persist durable; returns its number."""
        persist = self.waiting.popleft()
        if persist.hard_state is not None:
            self.hard_state = persist.hard_state
        put_entries(self.entries, persist.entries)
        return persist.number

    def lose_unsynced(self, kept: int = 0) -> None:
        """A crash: of what waits for its fsync, only the first `kept` records are there, in the order of writing.

        A persist's hard state is one record, each entry another. So a crash leaves whole persists, a torn one, or none.
        """
        while self.waiting and kept > 0:
            persist = self.waiting.popleft()
            if persist.hard_state is not None:
                self.hard_state = persist.hard_state
                kept -= 1
            put_entries(self.entries, persist.entries[:kept])
            kept -= len(persist.entries)
        self.waiting.clear()

    @property
    def waiting_records(self) -> int:
        """How many records wait for their fsync."""
        return sum((each.hard_state is not None) + len(each.entries) for each in self.waiting)

    def read(self, load: Load) -> tuple[Entry, ...]:
        chunk: list[Entry] = []
        size = 0
        if load.first < self.first_index:
            return ()
        for entry in self.entries[load.first - 1 : load.last]:
            size += len(entry.payload)
            if chunk and size > load.max_bytes:
                break
            chunk.append(entry)
        return tuple(chunk)

    def restored(self, tail_entries: int | None) -> Restored:
        """What a core starts from; only the newest `tail_entries` are in its memory."""
        base = self.first_index - 1
        kept = self.entries[base:]
        tail = kept if tail_entries is None else kept[max(len(kept) - tail_entries, 0) :]
        runs = term_runs(self.entries)
        base_term = self.entries[base - 1].term if base else 0
        return Restored(
            hard_state=self.hard_state,
            first_index=self.first_index,
            tail=tuple(tail),
            term_runs=((base, base_term), *[run for run in runs if run[0] > base]),
            applied_index=0 if self.snapshot is None else self.snapshot.index,
            snapshot=self.snapshot,
            configs=tuple(entry for entry in kept[: len(kept) - len(tail)] if entry.kind is EntryKind.CONFIG),
        )

    # --- snapshots ---------------------------------------------------------------------------------------------------

    def take_snapshot(self, index: LogIndex) -> None:
        configs = [entry.payload for entry in self.entries[:index] if entry.kind is EntryKind.CONFIG]
        self.snapshot = Snapshot(index, self.entries[index - 1].term, decode_membership(configs[-1]))

    def snapshot_bytes(self, index: LogIndex, term: Term) -> bytes | None:
        """The content of the newest snapshot, if it is this one: all entries that made its state."""
        if self.snapshot is None or (self.snapshot.index, self.snapshot.term) != (index, term):
            return None
        fields = [(each.term, each.index, each.kind, each.proposal_id, each.payload) for each in self.entries[:index]]
        encoded: bytes = msgpack.packb(fields)
        return encoded

    def store(self, chunk: StoreSnapshotChunk) -> int:
        """Keep a part if it goes on after what is here; returns how much is."""
        source = (chunk.source, chunk.index, chunk.term)
        if source != self.source:
            self.source, self.received = source, b""
        if chunk.offset == len(self.received) and checksum_of(chunk.data) == chunk.checksum:
            self.received += chunk.data
        return len(self.received)

    def install(self, install: InstallSnapshot) -> bool:
        """The received snapshot replaces log and state; False if it is not whole."""
        snapshot, received = install.snapshot, self.received
        self.source, self.received = None, b""
        try:
            items = msgpack.unpackb(received)
        except ValueError:
            return False
        self.entries = [Entry(term, index, EntryKind(kind), id_, payload) for term, index, kind, id_, payload in items]
        self.first_index = snapshot.index + 1
        self.snapshot = snapshot
        return True


def put_entries(log: list[Entry], entries: Sequence[Entry]) -> None:
    """Write entries at their place in a log that begins at 1, cutting off what they conflict with."""
    if entries:
        del log[entries[0].index - 1 :]
        log.extend(entries)
