"""The layout of session frames: both ways, and against frames that nobody of ours would send."""

from __future__ import annotations

from datetime import UTC
from typing import cast

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mynode.base.errors import ProtocolViolationError
from mynode.base.limits import MAX_PARAMETERS, MAX_REQUEST_FRAME_BYTES
from mynode.base.sql_errors import InvalidParameterValueError, NumericOutOfRangeError, ProgramLimitExceededError
from mynode.rpc.session_codec import (
    decode_replies,
    decode_requests,
    encode_reply,
    encode_request,
    pack_batches,
)
from mynode.session.api import (
    CancelRequest,
    CloseRequest,
    ColumnInfo,
    Completion,
    ErrorInfo,
    SessionRequest,
    StatementReply,
    StatementRequest,
    TransactionStatus,
    Value,
)

SESSION_ID = bytes(range(16))

numbers = st.integers(0, 2**63 - 1)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    texts,
    st.binary(max_size=20),
    st.decimals(allow_nan=False, allow_infinity=False, places=4),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.uuids(),
)
session_ids = st.binary(min_size=16, max_size=16)
states = st.none() | st.binary(max_size=20)
rows = st.lists(values, max_size=4).map(tuple)
requests: st.SearchStrategy[SessionRequest] = st.one_of(
    st.builds(StatementRequest, session_ids, numbers, texts, rows, numbers, st.booleans(), numbers, states),
    st.builds(CancelRequest, session_ids, numbers),
    st.builds(CloseRequest, session_ids),
)
replies = st.builds(
    StatementReply,
    session_ids,
    numbers,
    st.none() | st.lists(st.builds(ColumnInfo, texts, texts), max_size=3).map(tuple),
    st.lists(rows, max_size=3).map(tuple),
    st.none() | st.builds(Completion, texts, st.integers(-1, 2**40)),
    st.none()
    | st.builds(ErrorInfo, texts, texts, st.none() | numbers, st.none() | texts, st.none() | texts, st.booleans()),
    numbers,
    st.none() | st.sampled_from(TransactionStatus),
    states,
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), texts, st.binary(max_size=20)),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=20,
)


def statement(sql: str, *parameters: Value) -> StatementRequest:
    return StatementRequest(SESSION_ID, 1, sql, parameters, 1000, False, 0)


@given(st.lists(requests, max_size=5))
def test_requests_arrive_as_sent(sent: list[SessionRequest]) -> None:
    batches = pack_batches([encode_request(request) for request in sent])
    assert [request for batch in batches for request in decode_requests(batch)] == sent


@given(st.lists(replies, max_size=5))
def test_replies_arrive_as_sent(sent: list[StatementReply]) -> None:
    batches = pack_batches([encode_reply(reply) for reply in sent])
    assert [reply for batch in batches for reply in decode_replies(batch)] == sent


@given(st.binary(max_size=60) | anything.map(msgpack.packb))
def test_whatever_arrives_is_decoded_or_refused(batch: bytes) -> None:
    for decode in (decode_requests, decode_replies):
        try:
            decode(batch)
        except ProtocolViolationError:
            continue


@pytest.mark.parametrize(
    "item",
    [
        [SESSION_ID[:15], 1, 1, "SELECT 1", [], 1, False, 0],
        [SESSION_ID, -1, 1, "SELECT 1", [], 1, False, 0],
        [SESSION_ID, 1, 1, b"SELECT 1", [], 1, False, 0],
        [SESSION_ID, 1, 1, "SELECT 1", None, 1, False, 0],
        [SESSION_ID, 1, 1, "SELECT 1", [[1]], 1, False, 0],
        [SESSION_ID, 1, 1, "SELECT 1", [{}], 1, False, 0],
        [SESSION_ID, 1, 1, "SELECT 1", [2**63], 1, False, 0],
        [SESSION_ID, 1, 1, "SELECT 1", [msgpack.Timestamp(1)], 1, False, 0],
        [SESSION_ID, 1, 1, "SELECT 1", [0] * (MAX_PARAMETERS + 1), 1, False, 0],
        [SESSION_ID, 1, 1, "SELECT 1", [], 2**63, False, 0],
        [SESSION_ID, 1, 1, "SELECT 1", [], 1, 0, 0],
        [SESSION_ID, 1, 1, "SELECT 1", [], 1, False, 2**64 - 1],
        [SESSION_ID, True, 2],
        [SESSION_ID, 1, 4],
        [SESSION_ID, 1],
        "no array",
    ],
)
def test_a_malformed_request_is_refused(item: object) -> None:
    with pytest.raises(ProtocolViolationError):
        decode_requests(msgpack.packb([item]))


@pytest.mark.parametrize(
    "item",
    [
        [SESSION_ID, 1, 5, None, None, None, 0],
        [SESSION_ID, 1, {}, None, None, None, 0],
        [SESSION_ID, 1, [["a"]], None, None, None, 0],
        [SESSION_ID, 1, None, 5, None, None, 0],
        [SESSION_ID, 1, None, None, ["TAG"], None, 0],
        [SESSION_ID, 1, None, None, None, ["42601", "message"], 0],
        [SESSION_ID, 1, None, None, None, None],
    ],
)
def test_a_malformed_reply_is_refused(item: object) -> None:
    with pytest.raises(ProtocolViolationError):
        decode_replies(msgpack.packb([item]))


def test_what_cannot_be_sent_is_said_before() -> None:
    with pytest.raises(InvalidParameterValueError):
        encode_request(statement("SELECT '\ud800'"))
    with pytest.raises(NumericOutOfRangeError):
        encode_request(statement("SELECT ?", 2**64))
    with pytest.raises(InvalidParameterValueError):
        encode_request(statement("SELECT ?", cast(Value, object())))
    with pytest.raises(ProgramLimitExceededError):
        encode_request(statement("SELECT ?", bytes(MAX_REQUEST_FRAME_BYTES)))


def test_batches_are_bounded_and_a_large_item_goes_alone() -> None:
    items = [encode_request(statement("x" * size)) for size in (10, 10, 500, 10)]
    batches = list(pack_batches(items, most_bytes=200))
    assert [len(decode_requests(batch)) for batch in batches] == [2, 1, 1]
    assert b"".join(items) == b"".join(batch[1:] for batch in batches)
    many = [encode_request(CloseRequest(SESSION_ID))] * 100_000
    assert len(decode_requests(next(pack_batches(many, most_bytes=10**9)))) == 100_000
    assert list(pack_batches([])) == []
