"""`RetryState`: each row of its table, and what is said at the end."""

from __future__ import annotations

from random import Random

import pytest

from mynode.base.errors import (
    ConnectionFailedError,
    MyNodeError,
    NodeBusyError,
    NoQuorumError,
    OutcomeUnknownError,
    QueryCanceledError,
    ShuttingDownError,
)
from mynode.base.sql_errors import SerializationFailureError, UniqueViolationError
from mynode.client.retry import FIRST_BACKOFF_S, MAX_BACKOFF_S, RetryState


@pytest.mark.parametrize(
    ("error", "was_sent", "is_reply", "is_unresolved"),
    [
        (ConnectionFailedError("refused"), False, False, False),
        (ConnectionFailedError("broke"), True, False, True),
        (NoQuorumError("none"), True, True, False),
        (ShuttingDownError("stops"), True, True, False),
        (NodeBusyError("busy"), True, True, False),
        (OutcomeUnknownError("unknown"), True, True, True),
    ],
)
def test_may_be_tried_again(error: MyNodeError, was_sent: bool, is_reply: bool, is_unresolved: bool) -> None:
    state = RetryState()
    state.failed(error, was_sent=was_sent, is_reply=is_reply)
    assert state.is_unresolved == is_unresolved
    assert isinstance(state.at_end(is_waiting=False), OutcomeUnknownError) == is_unresolved


@pytest.mark.parametrize("answer", [UniqueViolationError("taken"), SerializationFailureError("conflict")])
def test_an_answer_is_final(answer: MyNodeError) -> None:
    state = RetryState()
    state.failed(ConnectionFailedError("broke"), was_sent=True, is_reply=False)
    with pytest.raises(type(answer)):
        state.failed(answer, was_sent=True, is_reply=True)


def test_a_cancelled_attempt_says_nothing_of_an_earlier_one() -> None:
    state = RetryState()
    with pytest.raises(QueryCanceledError):
        state.failed(QueryCanceledError("late"), was_sent=True, is_reply=True)
    state.failed(ConnectionFailedError("broke"), was_sent=True, is_reply=False)
    with pytest.raises(OutcomeUnknownError) as caught:
        state.failed(QueryCanceledError("late"), was_sent=True, is_reply=True)
    assert caught.value.detail == "broke"


def test_what_a_node_said_counts_more_than_who_was_not_reached() -> None:
    state = RetryState()
    assert isinstance(state.at_end(is_waiting=False), ConnectionFailedError)
    state.failed(NoQuorumError("none"), was_sent=True, is_reply=True)
    state.failed(ConnectionFailedError("refused"), was_sent=False, is_reply=False)
    assert isinstance(state.at_end(is_waiting=False), NoQuorumError)
    assert isinstance(state.at_end(is_waiting=True), OutcomeUnknownError)


def test_backoff_grows_up_to_its_bound() -> None:
    state = RetryState()
    waits = [state.backoff_s(Random(1)) for _ in range(20)]
    assert FIRST_BACKOFF_S / 2 <= waits[0] <= FIRST_BACKOFF_S
    assert all(MAX_BACKOFF_S / 2 <= wait <= MAX_BACKOFF_S for wait in waits[-10:])
