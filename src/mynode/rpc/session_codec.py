"""What a `SessionFrame.batch` holds: a msgpack array of requests from the client, or of replies from the node.

| item    | array                                                                                         |
|---------|-----------------------------------------------------------------------------------------------|
| execute | [session_id, sequence, 1, sql, parameters, timeout_ms, is_retry, floor], then, if not nil,    |
|         | state                                                                                         |
| cancel  | [session_id, sequence, 2]                                                                     |
| close   | [session_id, 0, 3]                                                                            |
| reply   | [session_id, sequence, columns or nil, rows or nil, completion or nil, error or nil, version, |
|         | transaction or nil], then, if not nil, state                                                  |

| part        | is                                                                                    |
|-------------|---------------------------------------------------------------------------------------|
| session_id  | bin, 16 bytes                                                                         |
| parameters  | array of values                                                                       |
| value       | nil, bool, int (64 bits, signed), float (64 bits), str, bin or ext (`values.packing`) |
| columns     | array of [name, type_name]                                                            |
| rows        | array of arrays of values                                                             |
| completion  | [tag, rows_affected]                                                                  |
| error       | [sqlstate, message, position or nil, hint or nil, detail or nil, retryable]           |
| transaction | of the session, after the statement: 0 none, 1 open, 2 failed                         |
| state       | bin, what the session has set and prepared; a client only hands it back               |

A reply is its statement's last when it has a completion or an error. Decoding takes nothing on trust: what is not as
above raises `ProtocolViolationError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, TypeGuard, assert_never

import msgpack

from mynode.base.errors import ProtocolViolationError
from mynode.base.limits import (
    MAX_PARAMETERS,
    MAX_REPLY_FRAME_BYTES,
    MAX_REQUEST_FRAME_BYTES,
    MAX_SESSION_STATE_BYTES,
    PLAN_CACHE_ENTRIES,
)
from mynode.base.sql_errors import InvalidParameterValueError, NumericOutOfRangeError, ProgramLimitExceededError
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
)
from mynode.values.packing import EXTENSION_TYPES, pack_value, unpack_value

SESSION_ID_BYTES: Final = 16
FRAME_OVERHEAD_BYTES: Final = 64
"""What protobuf and the array's header add to the items of a frame, and room to spare."""
MAX_REQUEST_BYTES: Final = MAX_REQUEST_FRAME_BYTES - FRAME_OVERHEAD_BYTES
"""One encoded request: a larger one fits no frame."""

_PARTS_WITH_STATE: Final = 9
_EXECUTE: Final = 1
_CANCEL: Final = 2
_CLOSE: Final = 3

_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1
_UINT64_MAX: Final = 2**64 - 1
_VALUE_TYPES: Final = frozenset({type(None), bool, int, float, str, bytes}) | EXTENSION_TYPES
_TRANSACTION_STATUS: Final[dict[object, TransactionStatus]] = {status.value: status for status in TransactionStatus}


# --- requests --------------------------------------------------------------------------------------------------------


def encode_request(request: SessionRequest) -> bytes:
    """One request as an item of a batch.

    Raises:
        InvalidParameterValueError: a text is no valid Unicode, or a parameter is of a type that SQL has not.
        NumericOutOfRangeError: an integer has more than 64 bits.
        ProgramLimitExceededError: the request fits no frame.
    """
    match request:
        case StatementRequest():
            item: list[object] = [
                *(request.session_id, request.sequence, _EXECUTE, request.sql, request.parameters),
                *(request.timeout_ms, request.is_retry, request.floor),
            ]
            if request.state is not None:
                item.append(request.state)
        case CancelRequest(session_id, sequence):
            item = [session_id, sequence, _CANCEL]
        case CloseRequest(session_id):
            item = [session_id, 0, _CLOSE]
        case _:
            assert_never(request)
    try:
        encoded: bytes = msgpack.packb(item, default=pack_value)
    except UnicodeEncodeError as error:
        raise InvalidParameterValueError("text holds a character that UTF-8 cannot express") from error
    except OverflowError as error:
        raise NumericOutOfRangeError("integer out of range: it needs more than 64 bits") from error
    except (TypeError, ValueError) as error:
        raise InvalidParameterValueError(f"a parameter cannot be sent: {error}") from error
    if len(encoded) > MAX_REQUEST_BYTES:
        raise ProgramLimitExceededError(
            f"the request has {len(encoded)} bytes, {MAX_REQUEST_BYTES} is the most",
            hint="Send the rows in several statements.",
        )
    return encoded


def decode_requests(batch: bytes) -> list[SessionRequest]:
    """The requests of one frame, in order; raises `ProtocolViolationError`."""
    return [_request(item) for item in _unpack_items(batch)]


def _request(item: tuple[object, ...]) -> SessionRequest:
    # Tests of exact types, not class patterns: this runs for each statement, and a `match` takes twice as long.
    item, state = _without_state(item)
    if len(item) == 8:
        session_id, sequence, kind, sql, parameters, timeout_ms, is_retry, floor = item
        if (
            kind == _EXECUTE
            and _is_session_id(session_id)
            and type(sql) is str
            and type(parameters) is tuple
            and type(is_retry) is bool
            and type(sequence) is type(timeout_ms) is type(floor) is int
            and 0 <= sequence <= _INT64_MAX
            and 0 <= timeout_ms <= _INT64_MAX
            and 0 <= floor <= _INT64_MAX
        ):
            if parameters:
                _check_parameters(parameters)
            return StatementRequest(session_id, sequence, sql, parameters, timeout_ms, is_retry, floor, state)
    elif len(item) == 3:
        session_id, sequence, kind = item
        if _is_session_id(session_id) and type(sequence) is int and 0 <= sequence <= _INT64_MAX:
            if kind == _CANCEL:
                return CancelRequest(session_id, sequence)
            if kind == _CLOSE:
                return CloseRequest(session_id)
    raise ProtocolViolationError("a session frame holds an item that is no request")


def _without_state(item: tuple[object, ...]) -> tuple[tuple[object, ...], bytes | None]:
    """The eight parts that a statement or reply always has, and the session's state if it is there."""
    if len(item) != _PARTS_WITH_STATE:
        return item, None
    *parts, state = item
    if type(state) is not bytes or len(state) > MAX_SESSION_STATE_BYTES:
        raise ProtocolViolationError("a session's state is no bytes, or too long")
    return tuple(parts), state


def _is_session_id(value: object) -> TypeGuard[bytes]:
    return type(value) is bytes and len(value) == SESSION_ID_BYTES


def _check_parameters(parameters: tuple[object, ...]) -> None:
    if len(parameters) > MAX_PARAMETERS:
        raise ProtocolViolationError(f"{len(parameters)} parameters, {MAX_PARAMETERS} is the most")
    if not _VALUE_TYPES.issuperset(map(type, parameters)):
        raise ProtocolViolationError("a parameter is no SQL value")
    for value in parameters:
        if type(value) is int and not _INT64_MIN <= value <= _INT64_MAX:
            raise ProtocolViolationError("an integer parameter has more than 64 bits")


# --- replies ---------------------------------------------------------------------------------------------------------


def encode_reply(reply: StatementReply) -> bytes:
    """One reply as an item of a batch."""
    columns, completion, error = reply.columns, reply.completion, reply.error
    parts = (
        reply.session_id,
        reply.sequence,
        None if columns is None else [(column.name, column.type_name) for column in columns],
        reply.rows or None,
        None if completion is None else (completion.tag, completion.rows_affected),
        None
        if error is None
        else (error.sqlstate, error.message, error.position, error.hint, error.detail, error.retryable),
        reply.version,
        reply.transaction,
    )
    encoded: bytes = msgpack.packb(parts if reply.state is None else (*parts, reply.state), default=pack_value)
    return encoded


def decode_replies(batch: bytes) -> list[StatementReply]:
    """The replies of one frame, in order; raises `ProtocolViolationError`."""
    return [_reply(item) for item in _unpack_items(batch)]


def _reply(item: tuple[object, ...]) -> StatementReply:
    item, state = _without_state(item)
    if len(item) == 8:
        session_id, sequence, columns, rows, completion, error, version, transaction = item
        if (
            _is_session_id(session_id)
            and type(sequence) is type(version) is int
            and (rows is None or type(rows) is tuple)
            and (transaction is None or (type(transaction) is int and transaction in _TRANSACTION_STATUS))
        ):
            return StatementReply(
                session_id,
                sequence,
                None if columns is None else _columns(columns),
                rows or (),
                None if completion is None else _completion(completion),
                None if error is None else _error(error),
                version,
                None if transaction is None else _TRANSACTION_STATUS[transaction],
                state,
            )
    raise ProtocolViolationError("a session frame holds an item that is no reply")


def _columns(items: object) -> tuple[ColumnInfo, ...]:
    try:
        return _cached_columns(items)
    except TypeError as error:  # unhashable: a map
        raise ProtocolViolationError("a reply's columns are no array of pairs") from error


@lru_cache(maxsize=PLAN_CACHE_ENTRIES)
def _cached_columns(items: object) -> tuple[ColumnInfo, ...]:
    """A client sends few different statements: their columns are made once and shared."""
    if type(items) is not tuple:
        raise ProtocolViolationError("a reply's columns are no array")
    columns = []
    for item in items:
        match item:
            case (str(name), str(type_name)):
                columns.append(ColumnInfo(name, type_name))
            case _:
                raise ProtocolViolationError("a reply names a column that is none")
    return tuple(columns)


def _completion(item: object) -> Completion:
    if type(item) is tuple and len(item) == 2:
        tag, rows_affected = item
        if type(tag) is str and type(rows_affected) is int:
            return Completion(tag, rows_affected)
    raise ProtocolViolationError("a reply's completion is none")


def _error(item: object) -> ErrorInfo:
    match item:
        case (
            str(sqlstate),
            str(message),
            None | int() as position,
            None | str() as hint,
            None | str() as detail,
            bool(retryable),
        ):
            return ErrorInfo(sqlstate, message, position, hint, detail, retryable)
        case _:
            raise ProtocolViolationError("a reply's error is none")


# --- batches ---------------------------------------------------------------------------------------------------------


def pack_batches(items: Sequence[bytes], most_bytes: int = MAX_REPLY_FRAME_BYTES) -> Iterator[bytes]:
    """Encoded items, in order, as batches of at most `most_bytes`; an item larger than that goes alone."""
    start, size = 0, 0
    for place, item in enumerate(items):
        if size + len(item) > most_bytes and place > start:
            yield _array_header(place - start) + b"".join(items[start:place])
            start, size = place, 0
        size += len(item)
    if start < len(items):
        yield _array_header(len(items) - start) + b"".join(items[start:])


def _array_header(count: int) -> bytes:
    if count < 16:
        return bytes((0x90 | count,))
    return b"\xdd" + count.to_bytes(4, "big")


def _unpack_items(batch: bytes) -> tuple[tuple[object, ...], ...]:
    try:
        items = msgpack.unpackb(batch, use_list=False, ext_hook=unpack_value)
    except (ValueError, msgpack.UnpackException) as error:
        raise ProtocolViolationError(f"a session frame is no msgpack: {error}") from error
    if type(items) is not tuple or not all(type(item) is tuple for item in items):
        raise ProtocolViolationError("a session frame holds no array of arrays")
    return items
