"""What a SQL session takes and gives, free of any transport: the gRPC services, the embedded node and, later, another
wire protocol all speak in these.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from mynode.base.errors import MyNodeError
from mynode.base.ids import LogIndex, SessionId, Version
from mynode.base.remote_errors import error_from_wire
from mynode.sql.result import ColumnInfo as ColumnInfo
from mynode.sql.result import Completion as Completion
from mynode.values.types import Row as Row
from mynode.values.types import Value as Value


@dataclass(frozen=True, slots=True)
class StatementRequest:
    """One statement of one session.

    A session numbers its statements 1, 2, 3 … in `sequence` and sends the next when it has the answer of the last.
    `is_retry` says that the same number was sent before, perhaps to another node: it is then answered from the
    replicated outcome table if it was applied. `timeout_ms` counts from the arrival at the node. `floor` is the newest
    version the client has seen; the statement sees at least that. `state` is what the session has set and prepared,
    for a node that does not know it (`session.state`); None says that the node does.
    """

    session_id: SessionId
    sequence: int
    sql: str
    parameters: Row
    timeout_ms: int
    is_retry: bool
    floor: Version
    state: bytes | None = None


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """The client wants statement `sequence` of the session stopped; answered by that statement's error or result."""

    session_id: SessionId
    sequence: int


@dataclass(frozen=True, slots=True)
class CloseRequest:
    """The client is done with the session. Not answered."""

    session_id: SessionId


SessionRequest: TypeAlias = StatementRequest | CancelRequest | CloseRequest


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """A `MyNodeError` on its way to a client. `retryable`: sending it again, same session and sequence, is safe."""

    sqlstate: str
    message: str
    position: int | None
    hint: str | None
    detail: str | None
    retryable: bool

    @classmethod
    def of(cls, error: MyNodeError, *, retryable: bool | None = None) -> ErrorInfo:
        """`retryable` None: as the error's class says."""
        if retryable is None:
            retryable = error.retryable
        return cls(error.sqlstate, error.message, error.position, error.hint, error.detail, retryable)

    def to_error(self) -> MyNodeError:
        return error_from_wire(self.sqlstate, self.message, position=self.position, hint=self.hint, detail=self.detail)


@dataclass(frozen=True, slots=True)
class KnownMembers:
    """Where clients reach the voters, `host:port`, as of the configuration at `index` of the raft log."""

    index: LogIndex
    addresses: tuple[str, ...]


class TransactionStatus(IntEnum):
    """Whether a session is in an explicit transaction. FAILED: only ROLLBACK, or ROLLBACK TO, gets out of it."""

    IDLE = 0
    OPEN = 1
    FAILED = 2


@dataclass(frozen=True, slots=True)
class StatementReply:
    """A part of a statement's answer.

    The first part with rows carries `columns`; the last part, and only it, carries `completion` or `error`. A small
    result is a single reply with columns, rows and completion. `version` is the state the statement saw or made.
    The last part carries the session's `transaction` status after the statement; None there says that the statement
    never reached its session, which is as it was. It also carries the session's `state` if that has changed.
    """

    session_id: SessionId
    sequence: int
    columns: tuple[ColumnInfo, ...] | None
    rows: tuple[Row, ...] | list[Row]
    completion: Completion | None
    error: ErrorInfo | None
    version: Version
    transaction: TransactionStatus | None = None
    state: bytes | None = None

    @property
    def is_final(self) -> bool:
        return self.completion is not None or self.error is not None
