"""What a `PeerFrame.batch` holds: a msgpack array of messages, each an array that begins with its tag. Those of Raft
are here, the others in `peer_codec`.

| tag | message           | fields                                                              |
|-----|-------------------|---------------------------------------------------------------------|
| 1   | VoteRequest       | term, last_index, last_term, pre_vote, transfer                     |
| 2   | VoteResponse      | term, pre_vote, granted                                             |
| 3   | AppendRequest     | term, prev_index, prev_term, commit, [entry, …]                     |
| 4   | AppendResponse    | term, accepted, match_index, rejected_index, hint_index, hint_term  |
| 5   | Heartbeat         | term, commit, round                                                 |
| 6   | HeartbeatResponse | term, round, last_index, promise_ms                                 |
| 7   | ReadIndexRequest  | term, token                                                         |
| 8   | ReadIndexResponse | term, token, index                                                  |
| 9   | ForwardProposals  | term, [proposal, …]                                                 |
| 10  | TimeoutNow        | term                                                                |
| 11  | SnapshotChunk     | term, index, index_term, membership, offset, data, checksum, last   |
| 12  | SnapshotResponse  | term, index, index_term, size                                       |
| 13  | Removed           | term, index                                                         |

| part     | is                                                                         |
|----------|----------------------------------------------------------------------------|
| entry    | [term, index, kind, proposal_id, payload]; indexes go on from prev_index   |
| proposal | [id, kind, payload]                                                        |
| kind     | int, as `EntryKind`                                                        |

An entry of kind CONFIG holds a configuration as `mynode.raft.membership` encodes it, and so does `membership`.

Integers are 0 to 2**63 - 1, flags are bools, ids and payloads are bin. Decoding takes nothing on trust: what is not
as above raises `ProtocolViolationError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, assert_never

import msgpack

from mynode.base.errors import ProtocolViolationError
from mynode.base.limits import MAX_TRANSACTION_BYTES
from mynode.raft.membership import decode_membership
from mynode.raft.messages import (
    AppendRequest,
    AppendResponse,
    Entry,
    EntryKind,
    ForwardProposals,
    Heartbeat,
    HeartbeatResponse,
    Message,
    Proposal,
    ReadIndexRequest,
    ReadIndexResponse,
    Removed,
    SnapshotChunk,
    SnapshotResponse,
    TimeoutNow,
    VoteRequest,
    VoteResponse,
)

_APPEND_REQUEST: Final = 3
_FORWARD_PROPOSALS: Final = 9
_SNAPSHOT_CHUNK: Final = 11

_INT: Final = (int,)
_FLAG: Final = (bool,)
_FLAT: Final[dict[int, tuple[Callable[..., Message], tuple[type, ...]]]] = {
    1: (VoteRequest, 3 * _INT + 2 * _FLAG),
    2: (VoteResponse, _INT + 2 * _FLAG),
    4: (AppendResponse, _INT + _FLAG + 4 * _INT),
    5: (Heartbeat, 3 * _INT),
    6: (HeartbeatResponse, 4 * _INT),
    7: (ReadIndexRequest, 2 * _INT),
    8: (ReadIndexResponse, 3 * _INT),
    10: (TimeoutNow, _INT),
    12: (SnapshotResponse, 4 * _INT),
    13: (Removed, 2 * _INT),
}
"""Messages whose fields are integers and flags only: their class, and the types of its fields in order."""

_ENTRY_TYPES: Final = (int, int, int, bytes, bytes)
_CHUNK_TYPES: Final = (int, int, int, bytes, int, bytes, int, bool)
_PROPOSAL_TYPES: Final = (bytes, int, bytes)
_KINDS: Final = tuple(EntryKind)
_INT_MAX: Final = 2**63 - 1


def encode_messages(messages: Iterable[Message]) -> list[bytes]:
    """Each message as an item of a batch. Proposals that would make a frame too large go in several messages."""
    items: list[bytes] = []
    for message in messages:
        if isinstance(message, ForwardProposals) and len(message.proposals) > 1:
            items.extend(_encode(ForwardProposals(message.term, part)) for part in _parts(message.proposals))
        else:
            items.append(_encode(message))
    return items


def _encode(message: Message) -> bytes:
    match message:
        case AppendRequest(term, prev_index, prev_term, entries, commit):
            packed = [(entry.term, entry.index, entry.kind, entry.proposal_id, entry.payload) for entry in entries]
            item: tuple[object, ...] = (3, term, prev_index, prev_term, commit, packed)
        case AppendResponse(term, accepted, match_index, rejected_index, hint_index, hint_term):
            item = (4, term, accepted, match_index, rejected_index, hint_index, hint_term)
        case Heartbeat(term, commit, round_):
            item = (5, term, commit, round_)
        case HeartbeatResponse(term, round_, last_index, promise_ms):
            item = (6, term, round_, last_index, promise_ms)
        case ReadIndexRequest(term, token):
            item = (7, term, token)
        case ReadIndexResponse(term, token, index):
            item = (8, term, token, index)
        case ForwardProposals(term, proposals):
            item = (9, term, [(proposal.id, proposal.kind, proposal.payload) for proposal in proposals])
        case VoteRequest(term, last_index, last_term, pre_vote, transfer):
            item = (1, term, last_index, last_term, pre_vote, transfer)
        case VoteResponse(term, pre_vote, granted):
            item = (2, term, pre_vote, granted)
        case TimeoutNow(term):
            item = (10, term)
        case SnapshotChunk(term, index, index_term, membership, offset, data, checksum, is_last):
            item = (11, term, index, index_term, membership, offset, data, checksum, is_last)
        case SnapshotResponse(term, index, index_term, size):
            item = (12, term, index, index_term, size)
        case Removed(term, index):
            item = (13, term, index)
        case _:
            assert_never(message)
    encoded: bytes = msgpack.packb(item)
    return encoded


def _parts(proposals: Sequence[Proposal]) -> Iterator[tuple[Proposal, ...]]:
    start, size = 0, 0
    for place, proposal in enumerate(proposals):
        if size + len(proposal.payload) > MAX_TRANSACTION_BYTES and place > start:
            yield tuple(proposals[start:place])
            start, size = place, 0
        size += len(proposal.payload)
    yield tuple(proposals[start:])


def decode_messages(batch: bytes) -> tuple[Message, ...]:
    """The messages of one frame, in order; raises `ProtocolViolationError`."""
    return tuple(map(decode_message, unpack_batch(batch)))


def unpack_batch(batch: bytes) -> tuple[object, ...]:
    """The items of one frame; raises `ProtocolViolationError`."""
    try:
        items = msgpack.unpackb(batch, use_list=False)
    except (ValueError, msgpack.UnpackException) as error:
        raise ProtocolViolationError(f"a peer frame is no msgpack: {error}") from error
    if type(items) is not tuple:
        raise ProtocolViolationError("a peer frame holds no array")
    return items


def decode_message(item: object) -> Message:
    """One item of a frame; raises `ProtocolViolationError`."""
    if type(item) is not tuple or not item or type(item[0]) is not int:
        raise ProtocolViolationError("a peer frame holds an item that is no message")
    tag, *fields = item
    types = tuple(map(type, fields))
    if tag == _APPEND_REQUEST:
        if types == (int, int, int, int, tuple) and _are_in_range(fields[:4]):
            term, prev_index, prev_term, commit, entries = fields
            return AppendRequest(term, prev_index, prev_term, _entries(entries, prev_index + 1), commit)
    elif tag == _FORWARD_PROPOSALS:
        if types == (int, tuple) and _are_in_range(fields[:1]):
            term, proposals = fields
            return ForwardProposals(term, tuple(map(_proposal, proposals)))
    elif tag == _SNAPSHOT_CHUNK:
        if types == _CHUNK_TYPES and _are_in_range([field for field in fields if type(field) is int]):
            chunk = SnapshotChunk(*fields)
            decode_membership(chunk.membership)
            return chunk
    elif (flat := _FLAT.get(tag)) is not None and types == flat[1] and _are_in_range(fields):
        return flat[0](*fields)
    raise ProtocolViolationError(f"a peer frame holds a message of tag {tag} that is malformed or unknown")


def _are_in_range(numbers: Sequence[int]) -> bool:
    return min(numbers) >= 0 and max(numbers) <= _INT_MAX


def _entries(items: tuple[object, ...], first: int) -> tuple[Entry, ...]:
    entries = []
    for expected, item in enumerate(items, first):
        if type(item) is not tuple or tuple(map(type, item)) != _ENTRY_TYPES:
            raise ProtocolViolationError("an append request holds an item that is no entry")
        term, index, kind, proposal_id, payload = item
        if index != expected or not 0 <= term <= _INT_MAX or not 0 <= kind < len(_KINDS):
            raise ProtocolViolationError(f"an append request has no valid entry where {expected} belongs")
        if kind == EntryKind.CONFIG:
            decode_membership(payload)
        entries.append(Entry(term, index, _KINDS[kind], proposal_id, payload))
    return tuple(entries)


def _proposal(item: object) -> Proposal:
    if type(item) is not tuple or tuple(map(type, item)) != _PROPOSAL_TYPES:
        raise ProtocolViolationError("forwarded proposals hold an item that is no proposal")
    id_, kind, payload = item
    if not 0 <= kind < len(_KINDS):
        raise ProtocolViolationError(f"a forwarded proposal is of the unknown kind {kind}")
    return Proposal(id_, _KINDS[kind], payload)
