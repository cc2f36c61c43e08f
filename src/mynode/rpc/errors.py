"""Typed errors on their way through gRPC: a status code, the SQLSTATE and the rest in trailing metadata and details.

| trailing metadata | is                                                                    |
|-------------------|-----------------------------------------------------------------------|
| sqlstate          | five characters                                                       |
| sql-position      | 1-based character offset in the SQL text, where there is one          |
| sql-hint          | what to do about it, percent-encoded as grpc-message is               |
| sql-detail        | the values concerned, percent-encoded                                 |
| sql-retryable     | `true` or `false`                                                     |

The status's details hold the same as a `mynode.v1.ErrorDetail`, which grpcurl prints.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

import structlog
from grpclib.const import Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.metadata import decode_grpc_message, encode_grpc_message
from grpclib.server import Stream

from mynode.base.errors import InvariantViolation, MyNodeError
from mynode.base.remote_errors import error_from_wire
from mynode.rpc.generated.mynode.v1 import ErrorDetail
from mynode.rpc.methods import Method
from mynode.rpc.protobuf import ProtoMessage
from mynode.session.api import ErrorInfo

Request = TypeVar("Request", bound=ProtoMessage)
Response = TypeVar("Response", bound=ProtoMessage)

log = structlog.get_logger(__name__)

_STATUS_BY_SQLSTATE: Final[Mapping[str, Status]] = {
    "08P01": Status.INVALID_ARGUMENT,
    "23502": Status.INVALID_ARGUMENT,
    "23505": Status.ALREADY_EXISTS,
    "40001": Status.ABORTED,
    "40003": Status.UNKNOWN,
    "42701": Status.ALREADY_EXISTS,
    "42704": Status.NOT_FOUND,
    "42P01": Status.NOT_FOUND,
    "42P07": Status.ALREADY_EXISTS,
    "53100": Status.RESOURCE_EXHAUSTED,
    "53300": Status.RESOURCE_EXHAUSTED,
    "55000": Status.FAILED_PRECONDITION,
    "55006": Status.FAILED_PRECONDITION,
    "57014": Status.DEADLINE_EXCEEDED,
    "57P01": Status.UNAVAILABLE,
    "57P03": Status.UNAVAILABLE,
    "MN001": Status.FAILED_PRECONDITION,
    "MN002": Status.FAILED_PRECONDITION,
    "MN003": Status.FAILED_PRECONDITION,
    "XX001": Status.DATA_LOSS,
}
_STATUS_BY_CLASS: Final[Mapping[str, Status]] = {
    "07": Status.INVALID_ARGUMENT,
    "08": Status.UNAVAILABLE,
    "0A": Status.UNIMPLEMENTED,
    "21": Status.INVALID_ARGUMENT,
    "22": Status.INVALID_ARGUMENT,
    "23": Status.FAILED_PRECONDITION,
    "25": Status.FAILED_PRECONDITION,
    "2B": Status.FAILED_PRECONDITION,
    "26": Status.NOT_FOUND,
    "3B": Status.NOT_FOUND,
    "3F": Status.NOT_FOUND,
    "40": Status.ABORTED,
    "42": Status.INVALID_ARGUMENT,
    "53": Status.RESOURCE_EXHAUSTED,
    "54": Status.INVALID_ARGUMENT,
    "55": Status.FAILED_PRECONDITION,
    "57": Status.UNAVAILABLE,
    "72": Status.ABORTED,
}
"""By the first two characters, for the SQLSTATEs not named above; INTERNAL for the rest."""


def status_of(sqlstate: str) -> Status:
    """The gRPC status code that fits an error of that SQLSTATE."""
    return _STATUS_BY_SQLSTATE.get(sqlstate) or _STATUS_BY_CLASS.get(sqlstate[:2], Status.INTERNAL)


def trailers_of(error: ErrorInfo) -> dict[str, str]:
    """What of an error stands in the trailing metadata; see the module's table."""
    trailers = {"sqlstate": error.sqlstate, "sql-retryable": "true" if error.retryable else "false"}
    if error.position is not None:
        trailers["sql-position"] = str(error.position)
    if error.hint:
        trailers["sql-hint"] = encode_grpc_message(error.hint)
    if error.detail:
        trailers["sql-detail"] = encode_grpc_message(error.detail)
    return trailers


def error_of(failure: GRPCError, trailers: Mapping[str, str | bytes]) -> MyNodeError | None:
    """What a node said with a failed call; None if it was no node of ours, or nothing of the kind."""

    def text(name: str) -> str | None:
        value = trailers.get(name)
        return decode_grpc_message(value) if isinstance(value, str) else None

    sqlstate = text("sqlstate")
    if sqlstate is None:
        return None
    return error_from_wire(sqlstate, failure.message or "", hint=text("sql-hint"), detail=text("sql-detail"))


def handler(
    method: Method[Request, Response], answer: Callable[[Stream[Request, ProtoMessage]], Awaitable[None]]
) -> Handler:
    """`answer` as grpclib's handler of `method`; its typed errors become statuses, and any other one INTERNAL."""

    async def handle(stream: Stream[Request, ProtoMessage]) -> None:
        try:
            await answer(stream)
        except MyNodeError as error:
            await _fail(stream, ErrorInfo.of(error))
        except GRPCError:
            raise
        except NotImplementedError as error:
            raise GRPCError(Status.UNIMPLEMENTED, f"{error}") from error  # grpclib reads no compressed messages
        except Exception as error:
            log.exception("internal error", method=method.route)
            failure = InvariantViolation(f"internal error: {type(error).__name__}: {error}")
            await _fail(stream, ErrorInfo.of(failure))

    return Handler(handle, method.cardinality, method.request, method.response)


async def _fail(stream: Stream[Request, ProtoMessage], error: ErrorInfo) -> None:
    await stream.send_trailing_metadata(
        status=status_of(error.sqlstate),
        status_message=error.message,
        status_details=ErrorDetail(
            sqlstate=error.sqlstate,
            position=error.position or 0,
            hint=error.hint or "",
            detail=error.detail or "",
            retryable=error.retryable,
        ),
        metadata=trailers_of(error),
    )
