"""Reads the segments at start: what the log holds, and what a crash left unfinished. Changes nothing on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from mynode.base.disk import Disk
from mynode.base.errors import CorruptionError
from mynode.base.ids import LogIndex
from mynode.raft.effects import HardState
from mynode.storage.raft_log.format import (
    HEADER_BYTES,
    SEAL_BYTES,
    Change,
    Cut,
    SegmentHeader,
    anything_valid_after,
    batch_end,
    decode_batch,
    decode_header,
    is_closing_seal,
    is_seal,
    segment_name,
    segment_sequence,
)
from mynode.storage.raft_log.index import LogIndexTable, SegmentIndex


@dataclass(frozen=True, slots=True)
class Recovered:
    """What the segments hold.

    Args:
        index: of all entries; its newest segment's `size_bytes` is where the next batch goes.
        hard_state: the newest one.
        unsealed: the newest batch, when it has no seal: where it lies and its bytes. It may be in the page cache only.
        is_torn: there is a batch after the newest one that a crash left incomplete.
        configs: the indexes of the entries that bring a configuration, ascending.
        superseded: segments before the log's first one, which a snapshot has replaced; a crash left them there.
    """

    index: LogIndexTable
    hard_state: HardState
    unsealed: tuple[int, bytes] | None
    is_torn: bool
    configs: list[LogIndex]
    superseded: list[str]


def recover(disk: Disk) -> Recovered | None:
    """What the log in `disk` holds; None if there is no segment at all.

    Raises:
        CorruptionError: something that was durable is damaged or missing.
    """
    sequences = sorted(found for name in disk.list() if (found := segment_sequence(name)) is not None)
    if not sequences:
        return None
    begin = _newest_beginning(disk, sequences)
    superseded, sequences = sequences[:begin], sequences[begin:]
    for earlier, later in pairwise(sequences):
        if later != earlier + 1:
            raise _missing(earlier + 1)
    recovery: _Recovery | None = None
    for sequence in sequences:
        data = _read_file(disk, segment_name(sequence))
        header = decode_header(data, sequence)
        if recovery is None:
            recovery = _Recovery(header)
        else:
            recovery.begin_segment(header)
        recovery.read_batches(data, is_newest=sequence == sequences[-1])
    assert recovery is not None
    return Recovered(
        recovery.index,
        recovery.hard_state,
        recovery.unsealed,
        recovery.is_torn,
        recovery.configs,
        [segment_name(sequence) for sequence in superseded],
    )


def _newest_beginning(disk: Disk, sequences: list[int]) -> int:
    """Which of the segments the log begins with: the newest one that begins anew, else the first."""
    for place in range(len(sequences) - 1, 0, -1):
        file = disk.open(segment_name(sequences[place]))
        try:
            head = file.read(0, HEADER_BYTES)
        finally:
            file.close()
        if decode_header(head, sequences[place]).begins_anew:
            return place
    return 0


def _read_file(disk: Disk, name: str) -> bytes:
    file = disk.open(name)
    try:
        return file.read(0, file.size())
    finally:
        file.close()


def _is_blank(data: bytes, position: int) -> bool:
    """Is the rest of a segment the zeros of its reserve? Were they a batch, the next segment's header would tell."""
    return not data[position:].strip(b"\0")


def _missing(sequence: int) -> CorruptionError:
    return CorruptionError("this segment of the raft log is missing", file=segment_name(sequence), offset=0)


class _Recovery:
    """The log as far as it has been read."""

    def __init__(self, header: SegmentHeader) -> None:
        self.index = LogIndexTable(_segment_index(header), header.term_before)
        self.hard_state = header.hard_state
        self.unsealed: tuple[int, bytes] | None = None
        self.is_torn = False
        self.configs: list[LogIndex] = []

    def begin_segment(self, header: SegmentHeader) -> None:
        index = self.index
        expected = (index.last_index + 1, index.last_term, self.hard_state)
        if (header.first_index, header.term_before, header.hard_state) != expected:
            raise CorruptionError(
                f"the segment begins at entry {header.first_index}, the one before ends with {index.last_index}",
                file=segment_name(header.sequence),
                offset=0,
            )
        index.add_segment(_segment_index(header))

    def read_batches(self, data: bytes, *, is_newest: bool) -> None:
        segment = self.index.segments[-1]
        position = HEADER_BYTES
        last_start = 0
        end = HEADER_BYTES - SEAL_BYTES
        while position < len(data):
            found = batch_end(data, position, segment.salt)
            if found is None:
                if _is_blank(data, position):
                    break
                if not is_newest or anything_valid_after(data, position, segment.salt):
                    raise CorruptionError("a synced batch's checksum is wrong", file=segment.name, offset=position)
                self.is_torn = True
                break
            for change in decode_batch(data, position, found, segment.name):
                self._apply(change, segment.name, position)
            last_start, end = position, found
            position = end + SEAL_BYTES
        segment.size_bytes = position
        if is_newest:
            if is_closing_seal(data, end, segment.salt):
                raise _missing(segment.sequence + 1)
            if last_start and not is_seal(data, end, segment.salt):
                self.unsealed = last_start, data[last_start:end]

    def _apply(self, change: Change, file: str, position: int) -> None:
        if isinstance(change, HardState):
            self.hard_state = change
            return
        problem = self.index.problem_of(change)
        if problem:
            raise CorruptionError(problem, file=file, offset=position)
        self.index.apply(change)
        if isinstance(change, Cut):
            self.configs = [index for index in self.configs if index < change.first_removed]
        else:
            self.configs += change.configs


def _segment_index(header: SegmentHeader) -> SegmentIndex:
    return SegmentIndex(
        segment_name(header.sequence), header.sequence, header.salt, header.first_index, size_bytes=HEADER_BYTES
    )
