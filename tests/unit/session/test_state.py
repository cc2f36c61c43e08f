"""What a session keeps, as the bytes that its client holds."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mynode.base.errors import ProtocolViolationError
from mynode.base.limits import MAX_PREPARED_BYTES, MAX_SESSION_SETTINGS, MAX_SETTING_BYTES
from mynode.base.sql_errors import ProgramLimitExceededError
from mynode.session.settings import Settings
from mynode.session.state import EMPTY_STATE, SessionState, decode_state


def test_it_reads_back() -> None:
    settings = Settings().set("statement_timeout", ("5s",), local=False, position=1)
    settings = settings.set("application_name", ("mine",), local=True, position=1)
    state = SessionState(settings).with_prepared("p", "PREPARE p AS SELECT 1")
    decoded = decode_state(state.encoded())
    assert decoded == SessionState(settings.without_local(), {"p": "PREPARE p AS SELECT 1"})
    assert decoded.settings.milliseconds("statement_timeout") == 5_000


def test_nothing_is_no_bytes() -> None:
    assert EMPTY_STATE.encoded() == b""
    assert decode_state(b"") is EMPTY_STATE


@given(st.binary(max_size=40) | st.recursive(st.none() | st.text() | st.booleans(), st.lists).map(msgpack.packb))
def test_whatever_a_client_sends_is_a_state_or_refused(encoded: bytes) -> None:
    try:
        state = decode_state(encoded)
    except ProtocolViolationError:
        return
    assert decode_state(state.encoded()) == state


@pytest.mark.parametrize(
    "content",
    [
        ({"nosuch": "1"}, {}),
        ({"timezone": "Mars"}, {}),
        ({}, {"p": 1}),
        ({1: "x"}, {}),
        ({},),
        ({}, {"p": "x" * 2**21}),
    ],
)
def test_a_state_of_another_kind_is_refused(content: object) -> None:
    with pytest.raises(ProtocolViolationError):
        decode_state(msgpack.packb(content))


def test_it_is_bounded() -> None:
    state = EMPTY_STATE.with_prepared("a", "x" * (MAX_PREPARED_BYTES - 100))
    with pytest.raises(ProgramLimitExceededError):
        state.with_prepared("b", "x" * 100)
    settings = Settings()
    with pytest.raises(ProgramLimitExceededError):
        settings.set("a.b", ("x" * (MAX_SETTING_BYTES + 1),), local=False, position=1)
    for number in range(MAX_SESSION_SETTINGS):
        settings = settings.set(f"a.b{number}", ("x",), local=False, position=1)
    with pytest.raises(ProgramLimitExceededError):
        settings.set("a.c", ("x",), local=True, position=1)
