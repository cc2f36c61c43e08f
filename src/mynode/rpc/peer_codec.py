"""The messages of a `PeerFrame.batch` that are not Raft's: statements for the leader's hot lane, and its answers.

| tag | message                    | fields                                                                    |
|-----|----------------------------|---------------------------------------------------------------------------|
| 64  | LaneRequest                | number, request: bin, an `execute` item as in `session_codec`             |
| 65  | LaneResponse: committed    | number, version, result (bin), replayed (bool), is_contended (bool)       |
| 66  | LaneResponse: refused      | number, sqlstate (str), message (str), is_contended (bool)                |
| 67  | LaneResponse: not settled  | number, refusal (str): the name of a `LaneRefusal`                        |

Numbers and versions are 0 to 2**63 - 1. Decoding takes nothing on trust, as in `raft_codec`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgpack

from mynode.actors.ports import PeerMessage
from mynode.base.errors import ProtocolViolationError
from mynode.machine.outcomes import Committed, Refused
from mynode.rpc.raft_codec import decode_message, encode_messages, unpack_batch
from mynode.rpc.session_codec import decode_requests, encode_request
from mynode.session.api import StatementRequest
from mynode.session.lane_api import LaneMessage, LaneRefusal, LaneRequest, LaneResponse, LaneSettled

_FIRST_TAG: Final = 64
_INT_MAX: Final = 2**63 - 1
_ARRAY_OF_ONE: Final = b"\x91"


def encode_peer_messages(messages: Iterable[PeerMessage]) -> list[bytes]:
    """Each message as an item of a batch, Raft's first."""
    for_raft = []
    for_lane = []
    for message in messages:
        if isinstance(message, LaneRequest | LaneResponse):
            for_lane.append(_encode(message))
        else:
            for_raft.append(message)
    return encode_messages(for_raft) + for_lane


def _encode(message: LaneMessage) -> bytes:
    match message:
        case LaneRequest(number, request):
            item: tuple[object, ...] = (64, number, encode_request(request))
        case LaneResponse(number, LaneSettled(Committed(version, result, replayed), is_contended)):
            item = (65, number, version, result, replayed, is_contended)
        case LaneResponse(number, LaneSettled(Refused(sqlstate, text), is_contended)):
            item = (66, number, sqlstate, text, is_contended)
        case LaneResponse(number, LaneRefusal() as refusal):
            item = (67, number, refusal.name)
        case _:
            raise AssertionError(f"a lane does not say {message}")
    encoded: bytes = msgpack.packb(item)
    return encoded


def decode_peer_messages(batch: bytes) -> tuple[PeerMessage, ...]:
    """The messages of one frame, in order; raises `ProtocolViolationError`."""
    return tuple(map(_decode, unpack_batch(batch)))


def _decode(item: object) -> PeerMessage:
    if type(item) is tuple and item and type(item[0]) is int and item[0] >= _FIRST_TAG:
        return _lane_message(item)
    return decode_message(item)


def _lane_message(item: tuple[object, ...]) -> LaneMessage:
    match item:
        case (64, int() as number, bytes() as request) if _is_in_range(number):
            return LaneRequest(number, _statement(request))
        case (65, int() as number, int() as version, bytes() as result, bool() as replayed, bool() as contended) if (
            _is_in_range(number) and _is_in_range(version)
        ):
            return LaneResponse(number, LaneSettled(Committed(version, result, replayed), contended))
        case (66, int() as number, str() as sqlstate, str() as text, bool() as contended) if _is_in_range(number):
            return LaneResponse(number, LaneSettled(Refused(sqlstate, text), contended))
        case (67, int() as number, str() as name) if _is_in_range(number) and name in LaneRefusal.__members__:
            return LaneResponse(number, LaneRefusal[name])
    raise ProtocolViolationError(f"a peer frame holds a message of tag {item[0]} that is malformed or unknown")


def _statement(encoded: bytes) -> StatementRequest:
    match decode_requests(_ARRAY_OF_ONE + encoded):
        case [StatementRequest() as request] if request.sequence > 0:
            return request
    raise ProtocolViolationError("a statement for the lane is no statement")


def _is_in_range(number: int) -> bool:
    return type(number) is int and 0 <= number <= _INT_MAX
