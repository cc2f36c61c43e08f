from __future__ import annotations

import msgpack
import pytest

from mynode.actors.ports import PeerMessage
from mynode.base.errors import ProtocolViolationError
from mynode.machine.outcomes import Committed, Refused
from mynode.raft.messages import TimeoutNow
from mynode.rpc.peer_codec import decode_peer_messages, encode_peer_messages
from mynode.rpc.session_codec import encode_request, pack_batches
from mynode.session.api import CloseRequest, StatementRequest
from mynode.session.lane_api import LaneRefusal, LaneRequest, LaneResponse, LaneSettled

SESSION = b"s" * 16
STATEMENT = StatementRequest(SESSION, 3, "UPDATE t SET a = ?", (1, None, "x", b"y", 2.5, True), 30_000, False, 7)
MESSAGES: list[PeerMessage] = [
    LaneRequest(1, STATEMENT),
    LaneResponse(2, LaneSettled(Committed(9, b"result", replayed=True), is_contended=False)),
    LaneResponse(3, LaneSettled(Refused("40003", "forgotten"), is_contended=True)),
    *(LaneResponse(4, refusal) for refusal in LaneRefusal),
]


def decode(messages: list[PeerMessage]) -> list[PeerMessage]:
    (batch,) = pack_batches(encode_peer_messages(messages), 1_000_000)
    return list(decode_peer_messages(batch))


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_comes_out_as_it_went_in(message: PeerMessage) -> None:
    assert decode([message]) == [message]


def test_messages_of_raft_and_of_the_lane_share_a_frame() -> None:
    assert decode([MESSAGES[0], TimeoutNow(4), MESSAGES[1]]) == [TimeoutNow(4), *MESSAGES[:2]]


REQUEST = encode_request(STATEMENT)


@pytest.mark.parametrize(
    "item",
    [
        (64, 1),
        (64, -1, REQUEST),
        (64, True, REQUEST),
        (64, 1, "text"),
        (64, 1, REQUEST[:-1]),
        (64, 1, REQUEST + REQUEST),
        (64, 1, encode_request(CloseRequest(SESSION))),
        (65, 1, -1, b"", False, False),
        (65, 1, 1, b"", False),
        (66, 1, "40001", b"", False),
        (67, 1, "PERHAPS"),
        (67, 2**63, "UNFIT"),
        (68, 1),
    ],
)
def test_what_is_malformed_is_a_protocol_violation(item: tuple[object, ...]) -> None:
    with pytest.raises(ProtocolViolationError):
        decode_peer_messages(msgpack.packb([item]))
