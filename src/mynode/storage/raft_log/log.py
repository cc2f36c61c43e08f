"""`RaftLog`: the durable raft log of one node. The format and its reasons are in format.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mynode.base import limits
from mynode.base.disk import Disk, File
from mynode.base.errors import DiskError, DiskFullError
from mynode.base.ids import LogIndex, Term
from mynode.base.invariant import invariant
from mynode.raft.effects import HardState, Persist
from mynode.raft.messages import Entry
from mynode.storage.raft_log.format import (
    FILE_PREFIX,
    HEADER_BYTES,
    SEAL_BYTES,
    BatchEncoder,
    Change,
    Cut,
    decode_entry,
    encode_header,
    encode_seal,
    segment_name,
)
from mynode.storage.raft_log.index import LogIndexTable, SegmentIndex
from mynode.storage.raft_log.recovery import Recovered, recover

_NEW_SUFFIX = ".new"
"""A segment's name while it is written; left over by a crash, it is deleted at start."""


class RaftLog:
    """Hard state and entries of one node, durable when `append` returns.

    One call at a time; calls block on the disk. After a failed write or sync the log is of no use: that and every
    later call raise the same `DiskError`, for a sync tried again would "succeed" (the kernel counts the lost pages as
    clean). A full disk is no such failure: `append` raises `DiskFullError`, nothing is changed, and a later one may
    succeed.

    Invariants:
    - `index` and `hard_state` say what is durable, no more.
    - all but the newest segment are complete and never written again; the newest ends with a durable batch and room
      for its seal.
    """

    def __init__(
        self,
        disk: Disk,
        file: File,
        index: LogIndexTable,
        hard_state: HardState,
        segment_bytes: int,
        configs: Sequence[LogIndex] = (),
    ) -> None:
        """Use `open`."""
        self._disk = disk
        self._file = file
        self._index = index
        self._hard_state = hard_state
        self._segment_bytes = segment_bytes
        self._reserved = file.size()
        """How far the newest segment's file reaches; from its end on there are zeros."""
        self._failure: DiskError | None = None
        self._configs_at_start = configs

    @classmethod
    def open(cls, disk: Disk, *, segment_bytes: int = limits.SEGMENT_BYTES) -> RaftLog:
        """Read the log in `disk`, or begin one. What it then holds is durable.

        Args:
            segment_bytes: a segment at least this long is followed by a new one.

        Raises:
            CorruptionError: something that was durable is damaged or missing; nothing has been changed.
            DiskError: the disk failed or is full.
        """
        recovered = recover(disk)
        leftovers = [name for name in disk.list() if name.startswith(FILE_PREFIX) and name.endswith(_NEW_SUFFIX)]
        for name in leftovers:
            disk.delete(name)
        if recovered is None:
            hard_state = HardState(0, None)
            file, segment = _create_segment(disk, 1, 1, 0, hard_state)
            return cls(disk, file, LogIndexTable(segment, 0), hard_state, segment_bytes)
        newest = recovered.index.segments[-1]
        file = disk.open(newest.name)
        _make_durable(file, newest, recovered)
        disk.sync_directory()
        for name in recovered.superseded:
            _delete_durably(disk, name)
        return cls(disk, file, recovered.index, recovered.hard_state, segment_bytes, recovered.configs)

    @property
    def hard_state(self) -> HardState:
        return self._hard_state

    @property
    def first_index(self) -> LogIndex:
        """The first entry's index; `last_index` + 1 if there is none."""
        return self._index.first_index

    @property
    def last_index(self) -> LogIndex:
        return self._index.last_index

    def term_of(self, index: LogIndex) -> Term:
        """The term of an entry, from the one before `first_index` (0 for index 0) to `last_index`."""
        return self._index.term_of(index)

    @property
    def term_runs(self) -> tuple[tuple[LogIndex, Term], ...]:
        """(index, term) of the entry before `first_index`, then of every entry whose term is not its predecessor's."""
        return self._index.term_runs()

    def configs_at_start(self, before: LogIndex) -> tuple[Entry, ...]:
        """The entries before `before` that bring a configuration, as of when the log was opened.

        Raises as `read` does.
        """
        return tuple(
            entry for index in self._configs_at_start if index < before for entry in self.read(index, index, 0)
        )

    def size_bytes(self) -> int:
        """What the segments take on the disk."""
        return sum(segment.size_bytes for segment in self._index.segments)

    # --- writing ---

    def append(self, persists: Sequence[Persist]) -> None:
        """Carry out all of `persists`, in order, with one write and one fsync; all or nothing.

        Raises:
            DiskFullError: there is no room; nothing has been changed, and it may be tried again.
            DiskError: the disk failed; the log must not be used any more.
        """
        self._check_usable()
        if not any(persist.hard_state or persist.entries for persist in persists):
            return
        segment = self._index.segments[-1]
        if segment.size_bytes >= self._segment_bytes and segment.size_bytes > HEADER_BYTES:
            segment = self._begin_next_segment()
        batch = BatchEncoder(segment.salt, segment.size_bytes)
        self._encode(batch, persists)
        data = batch.finish()
        self._write_batch(segment, data)
        seal_at = segment.size_bytes + len(data)
        segment.size_bytes = seal_at + SEAL_BYTES
        self._apply(batch.changes)
        self._write_if_room(self._file, encode_seal(segment.salt, seal_at), seal_at)
        self._reserve_ahead(segment)

    def _encode(self, batch: BatchEncoder, persists: Sequence[Persist]) -> None:
        last_index = self._index.last_index
        for number, persist in enumerate(persists):
            if persist.hard_state is not None:
                batch.add_hard_state(persist.hard_state)
            if not persist.entries:
                continue
            first = persist.entries[0].index
            invariant(self._index.first_index <= first <= last_index + 1, f"entry {first} fits the log")
            term_before = _term_in(persists[:number], first - 1)
            if term_before is None:
                term_before = self._index.term_of(first - 1)
            if first <= last_index:
                batch.add_cut(Cut(first, term_before))
            batch.add_entries(persist.entries, term_before)
            last_index = persist.entries[-1].index

    def _write_batch(self, segment: SegmentIndex, data: bytes) -> None:
        with self._poisoned_by_failure():
            try:
                self._file.write(segment.size_bytes, data)
            except DiskFullError:
                # A part of the batch may stand there: it is no valid one, and cutting it off gives back its room.
                self._file.truncate(segment.size_bytes)
                self._reserved = segment.size_bytes
                raise
        with self._poisoned_by_failure(also_full=True):
            self._file.sync()

    def _apply(self, changes: list[Change]) -> None:
        for change in changes:
            if isinstance(change, HardState):
                self._hard_state = change
            else:
                self._index.apply(change)

    def _reserve_ahead(self, segment: SegmentIndex) -> None:
        """Fill the file with zeros ahead of its end: an fsync without a new size to make durable takes half as long."""
        if segment.size_bytes + limits.SEGMENT_RESERVE_BYTES // 2 <= self._reserved:
            return
        start = max(self._reserved, segment.size_bytes)
        end = min(segment.size_bytes + limits.SEGMENT_RESERVE_BYTES, self._segment_bytes)
        if start < end:
            self._write_if_room(self._file, bytes(end - start), start)
            self._reserved = end

    def _write_if_room(self, file: File, data: bytes, position: int) -> None:
        """For seals and reserves: they are not waited for, and nothing is lost if they are missing."""
        with self._poisoned_by_failure():
            try:
                file.write(position, data)
            except DiskFullError:
                return

    def _begin_next_segment(self) -> SegmentIndex:
        """Make the next segment durable, then say in the old one that it exists."""
        index, old = self._index, self._index.segments[-1]
        with self._poisoned_by_failure():
            file, segment = _create_segment(
                self._disk, old.sequence + 1, index.last_index + 1, index.last_term, self._hard_state
            )
        closing_at = old.size_bytes - SEAL_BYTES
        old_file, self._file, self._reserved = self._file, file, segment.size_bytes
        index.add_segment(segment)
        self._write_if_room(old_file, encode_seal(old.salt, closing_at, closing=True), closing_at)
        with self._poisoned_by_failure(also_full=True):
            old_file.sync()
            old_file.close()
        return segment

    def truncate_front(self, first_kept: LogIndex) -> None:
        """Delete the segments whose entries are all before `first_kept` (a snapshot holds them).

        Entries before `first_kept` in a segment that stays stay too: see `first_index`.

        Raises:
            DiskError: the disk failed; the log must not be used any more.
        """
        self._check_usable()
        while len(self._index.segments) > 1 and self._index.segments[0].end <= first_kept:
            with self._poisoned_by_failure(also_full=True):
                _delete_durably(self._disk, self._index.segments[0].name)
            self._index.drop_first_segment()

    def reset(self, index: LogIndex, term: Term) -> None:
        """Begin anew after entry `index` of `term`, up to which a snapshot holds all; the hard state stays.

        Durable when it returns, and in one step: after a crash the log is the old one or the new one.

        Raises:
            DiskFullError: there is no room; nothing has been changed, and it may be tried again.
            DiskError: the disk failed; the log must not be used any more.
        """
        self._check_usable()
        old = self._index.segments
        with self._poisoned_by_failure():
            file, segment = _create_segment(
                self._disk, old[-1].sequence + 1, index + 1, term, self._hard_state, begins_anew=True
            )
        self._file.close()
        self._file, self._reserved = file, segment.size_bytes
        self._index = LogIndexTable(segment, term)
        self._configs_at_start = ()
        with self._poisoned_by_failure(also_full=True):
            for replaced in old:
                _delete_durably(self._disk, replaced.name)

    def close(self) -> None:
        """Everything is durable already. Closing twice is harmless."""
        self._file.close()

    # --- reading ---

    def read(self, first: LogIndex, last: LogIndex, max_bytes: int) -> tuple[Entry, ...]:
        """The entries from `first` to `last`, as many as fit `max_bytes` of the disk, but at least one if it exists.

        Empty if `first` is not in the log.

        Raises:
            CorruptionError: an entry's checksum is wrong.
            DiskError: the disk failed.
        """
        self._check_usable()
        entries: list[Entry] = []
        last = min(last, self.last_index)
        while self.first_index <= first <= last:
            segment = self._index.segment_of(first)
            start = first - segment.first
            stop, room = _fit(segment, start, min(last + 1, segment.end) - segment.first, max_bytes)
            if stop == start:
                if entries:
                    break
                stop, room = start + 1, 0
            entries.extend(self._read_records(segment, start, stop))
            max_bytes = room
            if segment.first + stop < min(last + 1, segment.end):
                break
            first = segment.first + stop
        return tuple(entries)

    def _read_records(self, segment: SegmentIndex, start: int, stop: int) -> list[Entry]:
        """The entries number `start` to `stop` - 1 of one segment, in one read."""
        offsets, lengths = segment.offsets, segment.lengths
        begin = offsets[start]
        with self._opened(segment) as file:
            data = file.read(begin, offsets[stop - 1] + lengths[stop - 1] - begin)
        salt, name = segment.salt, segment.name
        return [
            decode_entry(data, offset - begin, length, offset, salt, name)
            for offset, length in zip(offsets[start:stop], lengths[start:stop], strict=True)
        ]

    @contextmanager
    def _opened(self, segment: SegmentIndex) -> Iterator[File]:
        """Only the newest segment's file stays open: a log may have more segments than a process may have files."""
        if segment is self._index.segments[-1]:
            yield self._file
            return
        file = self._disk.open(segment.name)
        try:
            yield file
        finally:
            file.close()

    def tail(self, max_bytes: int) -> tuple[Entry, ...]:
        """The newest entries that fit `max_bytes` of the disk, at least one if there is any; for a core's start."""
        return self.read(self._index.first_of_tail(max_bytes), self.last_index, max_bytes)

    # --- failures ---

    @contextmanager
    def _poisoned_by_failure(self, *, also_full: bool = False) -> Iterator[None]:
        """After a `DiskError` in here nobody knows what is durable, so nothing may be built on this log."""
        try:
            yield
        except DiskFullError as error:
            if also_full:
                self._failure = error
            raise
        except DiskError as error:
            self._failure = error
            raise

    def _check_usable(self) -> None:
        if self._failure is not None:
            raise self._failure

    def check_invariants(self) -> None:
        self._index.check_invariants()
        invariant(self._file.name == self._index.segments[-1].name, "the newest segment is open")
        invariant(self._hard_state.term >= self._index.last_term, "the hard state's term is at least the last entry's")


def _term_in(persists: Sequence[Persist], index: LogIndex) -> Term | None:
    """The term of an entry that these persists write; None if none of them does."""
    for persist in reversed(persists):
        if persist.entries and persist.entries[0].index <= index <= persist.entries[-1].index:
            return persist.entries[index - persist.entries[0].index].term
    return None


def _fit(segment: SegmentIndex, start: int, stop: int, max_bytes: int) -> tuple[int, int]:
    """How far the records from `start` on, before `stop`, fit into `max_bytes`, and how many bytes are then left."""
    for number, length in enumerate(segment.lengths[start:stop], start):
        if length > max_bytes:
            return number, max_bytes
        max_bytes -= length
    return stop, max_bytes


def _delete_durably(disk: Disk, name: str) -> None:
    """Segments go one at a time, oldest first: a power loss must not bring back an older one than one that is gone."""
    disk.delete(name)
    disk.sync_directory()


def _create_segment(
    disk: Disk,
    sequence: int,
    first_index: LogIndex,
    term_before: Term,
    hard_state: HardState,
    *,
    begins_anew: bool = False,
) -> tuple[File, SegmentIndex]:
    """A new segment, durable, under its name only when it is whole. After an error it can be tried again."""
    data, header = encode_header(sequence, first_index, term_before, hard_state, begins_anew=begins_anew)
    name = segment_name(sequence)
    file = disk.create(name + _NEW_SUFFIX)
    try:
        file.write(0, data)
        file.sync()
    finally:
        file.close()
    disk.rename(name + _NEW_SUFFIX, name)
    disk.sync_directory()
    return disk.open(name), SegmentIndex(name, sequence, header.salt, first_index, size_bytes=len(data))


def _make_durable(file: File, newest: SegmentIndex, recovered: Recovered) -> None:
    """Finish what a crash interrupted, so that all that was read is durable and, if there is room, has its seal.

    A node whose disk is full starts, and serves reads: what was read before is only written over.
    """
    if recovered.is_torn:
        file.truncate(newest.size_bytes)
    if recovered.unsealed is None:
        file.sync()
        return
    position, data = recovered.unsealed
    # Written again, because a failed sync of the last process may have left it in the page cache only, marked clean.
    file.write(position, data)
    file.sync()
    seal_at = position + len(data)
    try:
        file.write(seal_at, encode_seal(newest.salt, seal_at))
    except DiskFullError:
        return
    file.sync()
