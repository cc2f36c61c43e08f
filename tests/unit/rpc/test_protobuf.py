"""Hand-written encodings against protobuf's own runtime, and malformed messages."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from google.protobuf import any_pb2, message_factory
from google.protobuf.descriptor import FileDescriptor
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import given
from hypothesis import strategies as st

from mynode.rpc.execute import encode_rows
from mynode.rpc.generated.mynode import v1
from mynode.rpc.protobuf import ERROR_DETAIL_URL, ErrorDetailCodec, MessageCodec
from mynode.session.api import Row

texts = st.text(st.characters(codec="utf-8"), max_size=300)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    texts,
    st.binary(max_size=300),
)
CODEC = MessageCodec()


def google_class(file: FileDescriptor, name: str) -> Any:
    """The same message by protobuf's own runtime."""
    return message_factory.GetMessageClass(file.message_types_by_name[name])


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), texts, st.binary(max_size=300))
def test_frames_are_what_protobuf_writes(sender: int, receiver: int, cluster_id: str, batch: bytes) -> None:
    peer_frame = v1.PeerFrame(sender=sender, receiver=receiver, cluster_id=cluster_id, batch=batch)
    encoded = CODEC.encode(peer_frame, v1.PeerFrame)
    expected = google_class(v1.MYNODE_V1_RAFT_PROTO_DESCRIPTOR, "PeerFrame")(
        sender=sender, receiver=receiver, cluster_id=cluster_id, batch=batch
    )
    assert encoded == expected.SerializeToString()
    assert CODEC.decode(encoded, v1.PeerFrame) == peer_frame

    session_frame = v1.SessionFrame(batch=batch)
    assert CODEC.encode(session_frame, v1.SessionFrame) == session_frame.SerializeToString()
    assert CODEC.decode(CODEC.encode(session_frame, v1.SessionFrame), v1.SessionFrame) == session_frame
    about_members = v1.SessionFrame(batch=batch, members=["127.0.0.1:9601"], members_index=7)
    assert CODEC.decode(CODEC.encode(about_members, v1.SessionFrame), v1.SessionFrame) == about_members


@given(st.lists(st.lists(values, max_size=4).map(tuple), max_size=4))
def test_rows_are_what_protobuf_reads(rows: list[Row]) -> None:
    response = google_class(v1.MYNODE_V1_SQL_PROTO_DESCRIPTOR, "ExecuteResponse").FromString(encode_rows(rows))
    read = [tuple(getattr(value, value.WhichOneof("kind")) for value in row.values) for row in response.rows]
    expected = [tuple(True if value is None else value for value in row) for row in rows]
    assert read == expected
    assert [[value.WhichOneof("kind") == "null" for value in row.values] for row in response.rows] == [
        [value is None for value in row] for row in rows
    ]


@given(st.binary(max_size=40))
def test_whatever_arrives_is_decoded_or_refused(data: bytes) -> None:
    for message_type in (v1.PeerFrame, v1.SessionFrame, v1.ExecuteRequest, v1.StatusResponse):
        with suppress(GRPCError):
            CODEC.decode(data, message_type)


def test_details_hold_a_status_with_the_packed_detail() -> None:
    detail = v1.ErrorDetail(sqlstate="42601", position=8, hint="Try något else.", retryable=True)
    encoded = ErrorDetailCodec().encode(Status.INVALID_ARGUMENT, "syntax error", detail)
    code, message, details = _top_fields(encoded)
    packed = any_pb2.Any.FromString(details)
    assert (code, message) == (Status.INVALID_ARGUMENT.value, b"syntax error")
    assert packed.type_url == ERROR_DETAIL_URL
    assert v1.ErrorDetail.FromString(packed.value) == detail


def _top_fields(data: bytes) -> tuple[int, bytes, bytes]:
    """The fields 1 (a small number), 2 and 3 (both shorter than 128 bytes) of a message."""
    assert data[0] == 0x08
    code = data[1]
    assert data[2] == 0x12
    message = data[4 : 4 + data[3]]
    rest = data[4 + data[3] :]
    assert rest[0] == 0x1A
    assert len(rest) == 2 + rest[1]
    return code, message, rest[2:]
