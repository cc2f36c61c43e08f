from __future__ import annotations

from dataclasses import replace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mynode.base.errors import ProtocolViolationError
from mynode.base.limits import MAX_RETENTION_ENTRIES, MAX_TRANSACTION_BYTES
from mynode.base.sql_errors import ProgramLimitExceededError
from mynode.machine.commands import (
    BatchCommand,
    Request,
    RetainCommand,
    TransactionCommand,
    decode_command,
    encode_command,
)
from mynode.mvcc.readset import ReadSet

COMMAND = TransactionCommand(
    session=b"s" * 16,
    sequence=3,
    floor=7,
    view=9,
    reads=ReadSet({b"\x01t": None}, [(b"\x02a", b"\x02b"), (b"\x02x", None)], {b"\x02p": None}),
    writes=((b"\x02a", b"v"), (b"\x02b", None)),
    result=b"ok",
    time_ms=1_700_000_000_000,
)
FIELDS = [
    1,
    b"s" * 16,
    3,
    7,
    9,
    [[b"\x01t"], [b"\x02a", b"\x02b", b"\x02x", None], [b"\x02p"]],
    [b"\x02a", b"v", b"\x02b", None],
    b"ok",
    1_700_000_000_000,
]


def test_the_encoding_is_the_documented_array() -> None:
    assert msgpack.unpackb(encode_command(COMMAND)) == FIELDS
    assert decode_command(encode_command(COMMAND)) == COMMAND


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (0, 2),
        (1, b"short"),
        (1, "s" * 16),
        (2, 0),
        (3, -1),
        (4, -1),
        (4, 1.0),
        (5, []),
        (5, [[], []]),
        (5, [["text"], [], []]),
        (5, [[[b"nested"]], [], []]),
        (5, [[], [b"odd"], []]),
        (5, [[], [None, b"b"], []]),
        (5, [[], [b"a", 1], []]),
        (5, [[], [], ["text"]]),
        (6, [b"\x02odd"]),
        (6, [b"\x02a", 1]),
        (6, [b"\x02b", b"", b"\x02a", b""]),
        (6, [b"\x02a", b"", b"\x02a", b""]),
        (6, [b"", b""]),
        (6, [b"\xf0\x01", b""]),
        (7, None),
        (8, -1),
        (8, 2**63),
        (8, 1.0),
    ],
)
def test_a_field_of_the_wrong_form_is_a_protocol_violation(place: int, wrong: object) -> None:
    fields: list[object] = list(FIELDS)
    fields[place] = wrong
    with pytest.raises(ProtocolViolationError):
        decode_command(msgpack.packb(fields))


BATCH = BatchCommand(
    view=9,
    reads=COMMAND.reads,
    writes=COMMAND.writes,
    requests=(Request(b"s" * 16, 3, 7, b"ok"), Request(b"t" * 16, 1, 0, b"")),
    time_ms=5,
)
BATCH_FIELDS = [2, *FIELDS[4:7], [[b"s" * 16, 3, 7, b"ok"], [b"t" * 16, 1, 0, b""]], 5]


def test_the_encoding_of_a_batch_is_the_documented_array() -> None:
    assert msgpack.unpackb(encode_command(BATCH)) == BATCH_FIELDS
    assert decode_command(encode_command(BATCH)) == BATCH


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (0, 1),
        (1, -1),
        (2, [["text"], [], []]),
        (3, [b"\xf0\x01", b""]),
        (4, []),
        (4, [[b"short", 3, 7, b""]]),
        (4, [[b"s" * 16, 0, 7, b""]]),
        (4, [[b"s" * 16, 1, -1, b""]]),
        (4, [[b"s" * 16, 1, 7, None]]),
        (4, [[b"s" * 16, 1, 7]]),
        (4, [[b"s" * 16, 1, 7, b""], [b"s" * 16, 2, 7, b""]]),
        (4, [[b"s" * 16, 1, 7, b""], [b"r" * 16, 1, 7, b""]]),
        (5, -1),
    ],
)
def test_a_batch_of_the_wrong_form_is_a_protocol_violation(place: int, wrong: object) -> None:
    fields: list[object] = list(BATCH_FIELDS)
    fields[place] = wrong
    with pytest.raises(ProtocolViolationError):
        decode_command(msgpack.packb(fields))


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (0, 1),
        (1, b"short"),
        (2, 0),
        (3, -1),
        (4, 0),
        (4, MAX_RETENTION_ENTRIES + 1),
        (4, 1.0),
        (5, "text"),
        (6, -1),
    ],
)
def test_a_retain_command_that_breaks_the_format_is_a_protocol_violation(place: int, wrong: object) -> None:
    retain = RetainCommand(b"s" * 16, 3, 7, 5_000, b"result", 1_000)
    assert decode_command(encode_command(retain)) == retain
    fields = msgpack.unpackb(encode_command(retain))
    fields[place] = wrong
    with pytest.raises(ProtocolViolationError):
        decode_command(msgpack.packb(fields))


@pytest.mark.parametrize(
    "payload", [b"", b"\xc1", b"\x93\x01", b"\x91\x01", b"\x81\x80\x01", b"\xa2\xff\xff", b"\x01\x01"]
)
def test_bytes_that_are_no_command_are_a_protocol_violation(payload: bytes) -> None:
    with pytest.raises(ProtocolViolationError):
        decode_command(payload)


@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.integers(0, 9) | st.binary(max_size=3), st.lists).map(msgpack.packb)
)
def test_garbage_never_raises_anything_else(payload: bytes) -> None:
    with pytest.raises(ProtocolViolationError):
        decode_command(payload)


def test_a_command_over_the_limit_is_refused_by_its_sender() -> None:
    with pytest.raises(ProgramLimitExceededError):
        encode_command(replace(COMMAND, result=b"x" * MAX_TRANSACTION_BYTES))
