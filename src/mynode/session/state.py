"""What a session keeps from one statement to the next besides its transaction: settings and prepared statements.

It lives on the session's node and in its client. A node tells the client the state whenever it has changed, and a
client that comes to another node, or comes back over another connection, sends it along with its next statement. So a
session outlives its node; nothing of it is replicated. What SET changed in a transaction is told at COMMIT.

The client takes the state as bytes: a msgpack array of two maps, settings by name and the texts of PREPARE by the
statement's name. No bytes at all stand for a session that has set nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import msgpack

from mynode.base.errors import ProtocolViolationError
from mynode.base.limits import MAX_PREPARED_BYTES
from mynode.base.sql_errors import (
    DuplicatePreparedStatementError,
    InvalidStatementNameError,
    ProgramLimitExceededError,
    SqlError,
)
from mynode.session.settings import Settings


@dataclass(frozen=True, slots=True)
class SessionState:
    """Immutable; `prepared` has the whole text of each PREPARE, by the name it gives."""

    settings: Settings = field(default_factory=Settings)
    prepared: Mapping[str, str] = field(default_factory=dict)

    def with_prepared(self, name: str, text: str) -> SessionState:
        """Raises `DuplicatePreparedStatementError` or `ProgramLimitExceededError`."""
        if name in self.prepared:
            raise DuplicatePreparedStatementError(f'prepared statement "{name}" already exists')
        prepared = {**self.prepared, name: text}
        if sum(len(key.encode()) + len(value.encode()) + 16 for key, value in prepared.items()) > MAX_PREPARED_BYTES:
            raise ProgramLimitExceededError(
                f"the session's prepared statements have more than {MAX_PREPARED_BYTES:,} bytes",
                hint="DEALLOCATE what is not needed.",
            )
        return replace(self, prepared=prepared)

    def without_prepared(self, name: str | None) -> SessionState:
        """Without one, or any. Raises `InvalidStatementNameError`."""
        if name is None:
            return replace(self, prepared={})
        self.text_of(name)
        return replace(self, prepared={key: text for key, text in self.prepared.items() if key != name})

    def text_of(self, name: str) -> str:
        """The text of the PREPARE. Raises `InvalidStatementNameError`."""
        found = self.prepared.get(name)
        if found is None:
            raise InvalidStatementNameError(f'prepared statement "{name}" does not exist')
        return found

    def encoded(self) -> bytes:
        """Without LOCAL settings: they belong to a transaction."""
        if not self.settings.session and not self.prepared:
            return b""
        encoded: bytes = msgpack.packb((dict(self.settings.session), dict(self.prepared)))
        return encoded


EMPTY_STATE: Final = SessionState()


def decode_state(encoded: bytes) -> SessionState:
    """Takes nothing on trust. Raises `ProtocolViolationError`."""
    if not encoded:
        return EMPTY_STATE
    try:
        match msgpack.unpackb(encoded):
            case [dict() as values, dict() as prepared]:
                settings = Settings()
                for name, value in values.items():
                    settings = settings.set(_text(name), (_text(value),), local=False, position=0)
                state = SessionState(settings)
                for name, text in prepared.items():
                    state = state.with_prepared(_text(name), _text(text))
                return state
    except (ValueError, msgpack.UnpackException, SqlError) as error:
        raise ProtocolViolationError(f"a session's state is none: {error}") from error
    raise ProtocolViolationError("a session's state is not two maps")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ProtocolViolationError("a session's state holds what is no text")
    return value
