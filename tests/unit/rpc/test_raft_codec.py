"""The layout of peer frames: both ways, and against frames that nobody of ours would send."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mynode.base.errors import ProtocolViolationError
from mynode.base.limits import MAX_REQUEST_FRAME_BYTES, MAX_TRANSACTION_BYTES
from mynode.raft.membership import Membership, encode_membership
from mynode.raft.messages import (
    AppendRequest,
    Entry,
    EntryKind,
    ForwardProposals,
    Message,
    Proposal,
    SnapshotChunk,
)
from mynode.rpc.raft_codec import decode_messages, encode_messages
from mynode.rpc.session_codec import pack_batches

numbers = st.integers(0, 2**63 - 1)
ids = st.binary(max_size=12)
kinds = st.sampled_from(EntryKind)
nodes = st.dictionaries(st.integers(1, 65_535), st.text(max_size=10), max_size=3)
memberships = st.builds(
    lambda voter, voters, learners: encode_membership(
        Membership({voter: "", **voters}, {each: learners[each] for each in learners if each not in (voter, *voters)})
    ),
    st.integers(1, 65_535),
    nodes,
    nodes,
)
chunks = st.builds(
    SnapshotChunk, numbers, numbers, numbers, memberships, numbers, st.binary(max_size=30), numbers, st.booleans()
)
proposals = st.builds(Proposal, ids, kinds, st.binary(max_size=30))


@st.composite
def append_requests(draw: st.DrawFn) -> AppendRequest:
    prev_index = draw(st.integers(0, 2**62))
    count = draw(st.integers(0, 5))
    entries = []
    for place in range(count):
        kind = draw(kinds)
        payload = draw(memberships if kind is EntryKind.CONFIG else st.binary(max_size=30))
        entries.append(Entry(draw(numbers), prev_index + 1 + place, kind, draw(ids), payload))
    return AppendRequest(draw(numbers), prev_index, draw(numbers), tuple(entries), draw(numbers))


def _flat(message_type: type[Message]) -> st.SearchStrategy[Message]:
    return st.builds(
        message_type, *(st.booleans() if field.type == "bool" else numbers for field in fields(message_type))
    )


messages: st.SearchStrategy[Message] = st.one_of(
    append_requests(),
    st.builds(ForwardProposals, numbers, st.lists(proposals, max_size=4).map(tuple)),
    chunks,
    *(_flat(cls) for cls in get_args(Message) if cls not in (AppendRequest, ForwardProposals, SnapshotChunk)),
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 2**64 - 1), st.binary(max_size=12)),
    lambda inner: st.lists(inner, max_size=7),
    max_leaves=25,
)


def encode(sent: list[Message]) -> bytes:
    return b"".join(pack_batches(encode_messages(sent)))


@given(st.lists(messages, min_size=1, max_size=5))
def test_messages_arrive_as_sent(sent: list[Message]) -> None:
    assert list(decode_messages(encode(sent))) == sent


@given(st.binary(max_size=60) | st.lists(anything, max_size=3).map(msgpack.packb))
def test_whatever_arrives_is_decoded_or_refused(batch: bytes) -> None:
    try:
        decode_messages(batch)
    except ProtocolViolationError:
        return


@given(st.lists(messages, min_size=1, max_size=2), st.data())
def test_a_damaged_frame_is_decoded_or_refused(sent: list[Message], data: st.DataObject) -> None:
    batch = bytearray(encode(sent))
    place = data.draw(st.integers(0, len(batch) - 1))
    batch[place] = data.draw(st.integers(0, 255))
    try:
        decode_messages(bytes(batch))
    except ProtocolViolationError:
        return


@pytest.mark.parametrize(
    "item",
    [
        [],
        [None, 1],
        [99, 1],
        [5, 1, 2],
        [5, 1, 2, -1],
        [5, 1, 2, 2**63],
        [5, 1, 2, True],
        [2, 1, 1, 0],
        [3, 1, 0, 0, 0, [[1, 2, 1, b"", b""]]],
        [3, 1, 0, 0, 0, [[1, 1, 3, b"", b""]]],
        [3, 1, 0, 0, 0, [[1, 1, 1, "", b""]]],
        [3, 1, 0, 0, 0, [[1, 1, 1, b""]]],
        [3, 1, 0, 0, 0, [7]],
        [9, 1, [[b"", -1, b""]]],
        [9, 1, [[b"", 1]]],
        [11, 1, 2, 3, b"no members", 0, b"", 0, True],
        [12, 1, 2, 3],
        "text",
    ],
)
def test_a_malformed_message_is_refused(item: object) -> None:
    with pytest.raises(ProtocolViolationError):
        decode_messages(msgpack.packb([item]))


def test_the_largest_appends_and_proposals_fit_frames() -> None:
    payload = bytes(MAX_TRANSACTION_BYTES)
    sent = ForwardProposals(1, tuple(Proposal(bytes([n]) * 12, EntryKind.COMMAND, payload) for n in range(5)))
    batches = list(pack_batches(encode_messages([sent]), MAX_REQUEST_FRAME_BYTES))
    assert all(len(batch) <= MAX_REQUEST_FRAME_BYTES for batch in batches)
    received = [message for batch in batches for message in decode_messages(batch)]
    forwarded = [message for message in received if isinstance(message, ForwardProposals)]
    assert [proposal for message in forwarded for proposal in message.proposals] == list(sent.proposals)
