"""`SqlService.Execute`: one statement and its whole result in one typed message."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Final, assert_never
from uuid import UUID

from grpclib.server import Stream

from mynode.actors.ports import ClientConnection, SessionPort
from mynode.base.errors import ProtocolViolationError, ShuttingDownError
from mynode.base.limits import DEFAULT_STATEMENT_TIMEOUT_S, MAX_EXECUTE_BYTES, MAX_PARAMETERS
from mynode.base.sql_errors import FeatureNotSupportedError, ProgramLimitExceededError
from mynode.rpc.bridge import in_trio
from mynode.rpc.generated.mynode.v1 import Column, ExecuteRequest, ExecuteResponse
from mynode.rpc.generated.mynode.v1 import Value as ProtoValue
from mynode.rpc.protobuf import FIXED64, VARINT, Encoded, ProtoMessage, delimited, field_tag, varint
from mynode.rpc.session_codec import SESSION_ID_BYTES
from mynode.session.api import Row, StatementRequest, TransactionStatus, Value
from mynode.values.text import format_text

DEADLINE_MARGIN_MS: Final = 50
"""A statement ends this long before its call's deadline, so that its own error still reaches the client."""


async def execute(stream: Stream[ExecuteRequest, ProtoMessage], sessions: SessionPort) -> None:
    """Answer one call. When the call is cancelled, or its deadline passes, the statement is cancelled."""
    message = await stream.recv_message()
    if message is None:
        raise ProtocolViolationError("the call ended without a request")
    request = _statement(message, None if stream.deadline is None else stream.deadline.time_remaining())
    connection = sessions.connect()
    try:
        connection.submit([request])
        response = await in_trio(_collect, connection)
    finally:
        connection.close()
    await stream.send_message(response)


def _statement(message: ExecuteRequest, remaining_s: float | None) -> StatementRequest:
    if len(message.parameters) > MAX_PARAMETERS:
        raise ProtocolViolationError(f"{len(message.parameters)} parameters, {MAX_PARAMETERS} is the most")
    session_id = message.session_id
    if session_id and len(session_id) != SESSION_ID_BYTES:
        raise ProtocolViolationError(f"session_id has {len(session_id)} bytes, not {SESSION_ID_BYTES}")
    timeout_ms = message.timeout_ms or DEFAULT_STATEMENT_TIMEOUT_S * 1000
    if remaining_s is not None:
        remaining_ms = int(1000 * remaining_s)
        timeout_ms = min(timeout_ms, max(1, remaining_ms - min(DEADLINE_MARGIN_MS, remaining_ms // 10)))
    return StatementRequest(
        session_id or os.urandom(SESSION_ID_BYTES),
        message.sequence or 1,
        message.sql,
        tuple(map(_python_value, message.parameters)),
        timeout_ms,
        message.is_retry,
        message.floor,
    )


def _python_value(value: ProtoValue) -> Value:
    for field in (value.boolean, value.integer, value.float, value.text, value.blob):
        if field is not None:
            return field
    return None


async def _collect(connection: ClientConnection) -> Encoded:
    """All replies to the connection's one statement as one message."""
    columns: list[Column] = []
    rows = bytearray()
    while replies := await connection.replies():
        for reply in replies:
            if reply.error is not None:
                raise reply.error.to_error()
            if reply.state is not None:
                raise FeatureNotSupportedError("what SET and PREPARE do ends with this call", hint="Use a session.")
            columns.extend(Column(name=column.name, type=column.type_name) for column in reply.columns or ())
            rows += encode_rows(reply.rows)
            if len(rows) > MAX_EXECUTE_BYTES:
                raise ProgramLimitExceededError(
                    f"the result is over {MAX_EXECUTE_BYTES} bytes, the most that fits one message",
                    hint="Use LIMIT, or a client that streams.",
                )
            if reply.transaction is TransactionStatus.OPEN:
                raise FeatureNotSupportedError(
                    "a transaction needs a session, a call is one statement", hint="Use the stream Session."
                )
            if reply.completion is not None:
                head = ExecuteResponse(
                    columns=columns,
                    command_tag=reply.completion.tag,
                    rows_affected=reply.completion.rows_affected,
                    version=reply.version,
                )
                return Encoded(head.SerializeToString() + rows)
    raise ShuttingDownError.of_node()


_ROWS_FIELD: Final = 2
_VALUES_FIELD: Final = 1
_NULL: Final = bytes((field_tag(1, VARINT), 1))
_FALSE: Final = bytes((field_tag(2, VARINT), 0))
_TRUE: Final = bytes((field_tag(2, VARINT), 1))
_INTEGER_TAG: Final = bytes((field_tag(3, VARINT),))
_FLOAT: Final = struct.Struct("<Bd")
_FLOAT_TAG: Final = field_tag(4, FIXED64)
_TEXT_FIELD: Final = 5
_BLOB_FIELD: Final = 6


def encode_rows(rows: Iterable[Row]) -> bytes:
    """Rows as the field `ExecuteResponse.rows`, each `Row{repeated Value values}`.

    By hand, because betterproto2 takes ten times as long, and all sessions of the node wait meanwhile.
    """
    return b"".join(
        delimited(_ROWS_FIELD, b"".join(delimited(_VALUES_FIELD, _encode_value(value)) for value in row))
        for row in rows
    )


def _encode_value(value: Value) -> bytes:
    match value:
        case None:
            return _NULL
        case True:
            return _TRUE
        case False:
            return _FALSE
        case int():
            return _INTEGER_TAG + varint(value)
        case float():
            return _FLOAT.pack(_FLOAT_TAG, value)
        case str():
            return delimited(_TEXT_FIELD, value.encode())
        case bytes():
            return delimited(_BLOB_FIELD, value)
        case Decimal() | date() | UUID():
            return delimited(_TEXT_FIELD, format_text(value).encode())
        case _:
            assert_never(value)
