"""The raft log's format on disk, and its codec: bytes in, changes out, no I/O.

The log is a row of segment files `raft-SSSSSSSSSS.log`, S rising by one. Integers are little-endian. A segment is a
header, then batches. A batch is what one fsync made durable; it is written at the end, never changed, and stands
there whole or not at all.

| segment header | bytes | |
|---|---|---|
| magic | 8 | `MYNRLOG` and a zero byte |
| crc | 4 | CRC32C of the rest of the header; also the segment's salt |
| format | 4 | 2 |
| sequence | 8 | S of the file's name |
| first index | 8 | the index that follows the log's last entry when the segment was begun |
| term before | 8 | the term of the entry before `first index` |
| term, voted for | 8 + 4 | the hard state when the segment was begun; 0 is no vote |
| begins anew | 1 | 1: a snapshot took the log's place, the segments before this one are of no account; else 0 |

| batch | bytes | |
|---|---|---|
| magic | 4 | `RBAT` |
| crc | 4 | CRC32C of length and records, seeded |
| length | 4 | bytes of the records |
| records | length | one or more, back to back |
| seal | 8 | not part of what the fsync waits for, see below |

| record | bytes | |
|---|---|---|
| crc | 4 | CRC32C of the rest of the record, seeded |
| length | 4 | bytes of the body |
| type | 1 | 1 hard state, 2 cut, 3 entry |
| body | length | hard state: term 8, voted for 4. cut: first index removed 8, term before it 8. |
| | | entry: kind 1, id length 1, term 8, index 8, proposal id, payload |

| seal | bytes | |
|---|---|---|
| magic | 4 | `RSEA`; the last seal of a closed segment `RNXT`: the next segment exists |
| crc | 4 | CRC32C of the magic, seeded |

Seeded: the CRC starts from the segment's salt plus the position of the batch, record or seal, so bytes of another
segment or another place, old or forged by a payload, do not pass.

**Torn or damaged?** At most one batch, the newest, is ever unsynced. So whatever is valid after a bad batch proves
that the bad one had been synced and acknowledged, and is now damaged. A batch follows only after the fsync of the one
before it; and right after its fsync a batch gets its seal, which is not waited for: it is the proof for the newest
batch. (etcd's WAL has a running CRC and no such proof: there, the last record is always taken for torn.)

| the newest batch is bad and | is | and so |
|---|---|---|
| its seal, or anything valid, follows | damaged | `CorruptionError`, nothing is changed |
| nothing valid follows | torn by a crash | cut off; it was never acknowledged |

What cannot be told apart: damage within the very last batch when its seal, too, is lost. The seal reaches the page
cache with the fsync's return, so a killed process never loses it; the kernel writes it out within about 30 s, or with
the next batch. Only a power loss in that time together with a flipped bit in exactly this batch passes for a torn tail.
Nor can it be told that the newest file was shortened to the end of a batch: after a power loss its reserve may be gone,
so the size proves nothing. It shows only if the tree holds an entry that the log then lacks: the node does not start. A
damaged seal alone harms nothing.

The file may reach beyond the last seal with zeros, room reserved for batches to come; closed segments, too, may end
with some. (They are no hiding place: the next segment's header says what the log held before it.)

A new segment is written under another name, synced and renamed, so its header is never torn. Then the segment before
it gets the seal `RNXT`: a last segment that has one proves that the file after it was lost.

A cut says that the entries from an index on are no longer part of the log (they conflicted with the leader's). They
stay where they lie until their segment goes.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import google_crc32c

from mynode.base.errors import CorruptionError
from mynode.base.ids import LogIndex, Term
from mynode.base.invariant import invariant
from mynode.raft.effects import HardState
from mynode.raft.messages import Entry, EntryKind

FORMAT_VERSION: Final = 2
FILE_PREFIX: Final = "raft-"
FILE_SUFFIX: Final = ".log"

_SEGMENT_MAGIC: Final = b"MYNRLOG\0"
_BATCH_MAGIC: Final = b"RBAT"
_SEAL_MAGIC: Final = b"RSEA"
_CLOSING_SEAL_MAGIC: Final = b"RNXT"

_U32: Final = struct.Struct("<I")
_HEADER: Final = struct.Struct("<IQQQQIB")
_RECORD: Final = struct.Struct("<IIB")
_HARD_STATE: Final = struct.Struct("<IBQI")
_CUT: Final = struct.Struct("<IBQQ")
_ENTRY: Final = struct.Struct("<IBBBQQ")
"""A record without its crc: length, type and the body's fixed part."""

_TYPE_HARD_STATE: Final = 1
_TYPE_CUT: Final = 2
_TYPE_ENTRY: Final = 3

HEADER_BYTES: Final = len(_SEGMENT_MAGIC) + 4 + _HEADER.size
BATCH_HEAD_BYTES: Final = 12
SEAL_BYTES: Final = 8
_CRC_BYTES: Final = 4
_TYPE_OFFSET: Final = 8
_LENGTH_AND_TYPE_BYTES: Final = 5
_ENTRY_FIXED_BYTES: Final = _CRC_BYTES + _ENTRY.size
_MASK: Final = 0xFFFF_FFFF

_KINDS: Final = {int(kind): kind for kind in EntryKind}


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """What a segment says about itself; `salt` is its checksum."""

    sequence: int
    first_index: LogIndex
    term_before: Term
    hard_state: HardState
    begins_anew: bool
    salt: int


@dataclass(frozen=True, slots=True)
class Cut:
    """The entries from `first_removed` on are no longer part of the log."""

    first_removed: LogIndex
    term_before: Term


@dataclass(slots=True)
class EntryBlock:
    """Where entries that follow each other lie in one segment: offset and length of each record, and runs of terms.

    The first run may be left out if it goes on from the entry before. `configs`, filled in by decoding only, are the
    entries that bring a configuration.
    """

    first: LogIndex
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("I"))
    term_runs: list[tuple[LogIndex, Term]] = field(default_factory=list)
    configs: list[LogIndex] = field(default_factory=list)


Change: TypeAlias = HardState | Cut | EntryBlock
"""One thing that a batch does to the log."""


def segment_name(sequence: int) -> str:
    return f"{FILE_PREFIX}{sequence:010d}{FILE_SUFFIX}"


def segment_sequence(name: str) -> int | None:
    """The inverse of `segment_name`; None for a file that is no segment."""
    if not name.startswith(FILE_PREFIX) or not name.endswith(FILE_SUFFIX):
        return None
    digits = name[len(FILE_PREFIX) : -len(FILE_SUFFIX)]
    return int(digits) if len(digits) >= 10 and digits.isdecimal() else None


def encode_header(
    sequence: int, first_index: LogIndex, term_before: Term, hard_state: HardState, *, begins_anew: bool = False
) -> tuple[bytes, SegmentHeader]:
    voted_for = hard_state.voted_for or 0
    fields = _HEADER.pack(FORMAT_VERSION, sequence, first_index, term_before, hard_state.term, voted_for, begins_anew)
    salt = google_crc32c.value(fields)
    header = SegmentHeader(sequence, first_index, term_before, hard_state, begins_anew, salt)
    return _SEGMENT_MAGIC + _U32.pack(salt) + fields, header


def decode_header(data: bytes, sequence: int) -> SegmentHeader:
    """The header at the beginning of segment number `sequence`.

    Raises:
        CorruptionError: it is incomplete, damaged, of another format version or of another file.
    """
    file = segment_name(sequence)
    fields = data[HEADER_BYTES - _HEADER.size : HEADER_BYTES]
    if data[: len(_SEGMENT_MAGIC)] != _SEGMENT_MAGIC or len(fields) != _HEADER.size:
        raise CorruptionError("this is not the beginning of a raft log segment", file=file, offset=0)
    (salt,) = _U32.unpack_from(data, len(_SEGMENT_MAGIC))
    if google_crc32c.value(fields) != salt:
        raise CorruptionError("the segment header's checksum is wrong", file=file, offset=0)
    version, found, first_index, term_before, term, voted_for, begins_anew = _HEADER.unpack(fields)
    if version != FORMAT_VERSION:
        raise CorruptionError(f"format version {version} is not {FORMAT_VERSION}", file=file, offset=0)
    if found != sequence:
        raise CorruptionError(f"the file holds segment {found}", file=file, offset=0)
    hard_state = HardState(term, voted_for or None)
    return SegmentHeader(sequence, first_index, term_before, hard_state, bool(begins_anew), salt)


# --- batches --------------------------------------------------------------------------------------------------------


class BatchEncoder:
    """Makes the bytes of one batch that will lie at `position` of a segment, and remembers what it changes."""

    def __init__(self, salt: int, position: int) -> None:
        self.changes: list[Change] = []
        self._salt = salt
        self._position = position
        self._next = position + BATCH_HEAD_BYTES
        self._parts: list[bytes] = []

    def add_hard_state(self, state: HardState) -> None:
        self._add(
            _HARD_STATE.pack(
                _HARD_STATE.size - _LENGTH_AND_TYPE_BYTES, _TYPE_HARD_STATE, state.term, state.voted_for or 0
            )
        )
        self.changes.append(state)

    def add_cut(self, cut: Cut) -> None:
        self._add(_CUT.pack(_CUT.size - _LENGTH_AND_TYPE_BYTES, _TYPE_CUT, cut.first_removed, cut.term_before))
        self.changes.append(cut)

    def _add(self, record: bytes) -> None:
        self._parts.append(_U32.pack(google_crc32c.extend((self._salt + self._next) & _MASK, record)))
        self._parts.append(record)
        self._next += _CRC_BYTES + len(record)

    def add_entries(self, entries: tuple[Entry, ...], term_before: Term) -> None:
        """Entries that follow each other; `term_before` is the term of the entry before the first. The hot path."""
        block = EntryBlock(entries[0].index)
        pack, pack_crc, extend = _ENTRY.pack, _U32.pack, google_crc32c.extend
        fixed = _ENTRY.size - _LENGTH_AND_TYPE_BYTES
        salt, position, parts = self._salt, self._next, self._parts
        add_offset, add_length = block.offsets.append, block.lengths.append
        expected, term = block.first, term_before
        for entry in entries:
            proposal_id, payload = entry.proposal_id, entry.payload
            index = entry.index
            if entry.term != term or index != expected:
                invariant(index == expected and entry.term > term, "entries follow each other, their terms never fall")
                term = entry.term
                block.term_runs.append((index, term))
            id_length = len(proposal_id)
            length = fixed + id_length + len(payload)
            record = pack(length, _TYPE_ENTRY, entry.kind, id_length, term, index) + proposal_id + payload
            parts.append(pack_crc(extend((salt + position) & _MASK, record)))
            parts.append(record)
            add_offset(position)
            record_bytes = length + _CRC_BYTES + _LENGTH_AND_TYPE_BYTES
            add_length(record_bytes)
            position += record_bytes
            expected += 1
        self._next = position
        self.changes.append(block)

    def finish(self) -> bytes:
        length = self._next - self._position - BATCH_HEAD_BYTES
        content = b"".join([_U32.pack(length), *self._parts])
        crc = google_crc32c.extend((self._salt + self._position) & _MASK, content)
        return _BATCH_MAGIC + _U32.pack(crc) + content


def batch_end(data: bytes, position: int, salt: int) -> int | None:
    """Where the batch at `position` of a segment ends and its seal begins; None if no valid batch lies there."""
    if data[position : position + 4] != _BATCH_MAGIC or len(data) < position + BATCH_HEAD_BYTES:
        return None
    crc, length = struct.unpack_from("<II", data, position + 4)
    end: int = position + BATCH_HEAD_BYTES + length
    if end > len(data) or google_crc32c.extend((salt + position) & _MASK, data[position + 8 : end]) != crc:
        return None
    return end


def decode_batch(data: bytes, position: int, end: int, file: str) -> list[Change]:
    """What the batch at `position` changes; `batch_end` has checked it.

    Raises:
        CorruptionError: the records are not what this version writes, though their checksum holds.
    """
    changes: list[Change] = []
    block: EntryBlock | None = None
    term = -1
    position += BATCH_HEAD_BYTES
    while position < end:
        if position + _ENTRY_FIXED_BYTES <= end and data[position + _TYPE_OFFSET] == _TYPE_ENTRY:
            length, _, kind, _, entry_term, index = _ENTRY.unpack_from(data, position + _CRC_BYTES)
            if block is None or index != block.first + len(block.offsets):
                block, term = EntryBlock(index), -1
                changes.append(block)
            if entry_term != term:
                term = entry_term
                block.term_runs.append((index, term))
            if kind == EntryKind.CONFIG:
                block.configs.append(index)
            record_bytes = length + _CRC_BYTES + _LENGTH_AND_TYPE_BYTES
            block.offsets.append(position)
            block.lengths.append(record_bytes)
        else:
            block = None
            change, record_bytes = _decode_small_record(data, position, end, file)
            changes.append(change)
        position += record_bytes
    if position != end:
        raise CorruptionError("a record is longer than its batch", file=file, offset=end)
    return changes


def _decode_small_record(data: bytes, position: int, end: int, file: str) -> tuple[HardState | Cut, int]:
    if position + _CRC_BYTES + _LENGTH_AND_TYPE_BYTES <= end:
        record_type = data[position + _TYPE_OFFSET]
        if record_type == _TYPE_HARD_STATE and position + _CRC_BYTES + _HARD_STATE.size <= end:
            _, _, term, voted_for = _HARD_STATE.unpack_from(data, position + _CRC_BYTES)
            return HardState(term, voted_for or None), _CRC_BYTES + _HARD_STATE.size
        if record_type == _TYPE_CUT and position + _CRC_BYTES + _CUT.size <= end:
            _, _, first_removed, term_before = _CUT.unpack_from(data, position + _CRC_BYTES)
            return Cut(first_removed, term_before), _CRC_BYTES + _CUT.size
    raise CorruptionError("this record is of no known type", file=file, offset=position)


def decode_entry(data: bytes, start: int, length: int, position: int, salt: int, file: str) -> Entry:
    """The entry whose record of `length` bytes lies at `position` of a segment and at `start` of `data`.

    Raises:
        CorruptionError: its checksum is wrong.
    """
    record = data[start + _CRC_BYTES : start + length]
    if google_crc32c.extend((salt + position) & _MASK, record) != _U32.unpack_from(data, start)[0]:
        raise CorruptionError("an entry's checksum is wrong", file=file, offset=position)
    _, _, kind, id_length, term, index = _ENTRY.unpack_from(record)
    body = _ENTRY.size + id_length
    return Entry(term, index, _KINDS[kind], record[_ENTRY.size : body], record[body:])


# --- seals ----------------------------------------------------------------------------------------------------------


def encode_seal(salt: int, position: int, *, closing: bool = False) -> bytes:
    magic = _CLOSING_SEAL_MAGIC if closing else _SEAL_MAGIC
    return magic + _U32.pack(google_crc32c.extend((salt + position) & _MASK, magic))


def is_seal(data: bytes, position: int, salt: int) -> bool:
    return data[position : position + SEAL_BYTES] == encode_seal(salt, position) or is_closing_seal(
        data, position, salt
    )


def is_closing_seal(data: bytes, position: int, salt: int) -> bool:
    return data[position : position + SEAL_BYTES] == encode_seal(salt, position, closing=True)


def anything_valid_after(data: bytes, position: int, salt: int) -> bool:
    """Is there a valid batch or seal anywhere after `position`, which proves that what lies at it was synced?"""
    return any(
        batch_end(data, found, salt) is not None or is_seal(data, found, salt)
        for magic in (_SEAL_MAGIC, _CLOSING_SEAL_MAGIC, _BATCH_MAGIC)
        for found in _places_of(magic, data, position + 1)
    )


def _places_of(magic: bytes, data: bytes, start: int) -> Iterator[int]:
    found = data.find(magic, start)
    while found >= 0:
        yield found
        found = data.find(magic, found + 1)
