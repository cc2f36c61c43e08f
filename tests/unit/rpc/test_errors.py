"""Every typed error has a gRPC status code that fits it."""

from __future__ import annotations

import pytest
from grpclib.const import Status
from grpclib.metadata import encode_metadata

from mynode.base import errors
from mynode.base.errors import MyNodeError
from mynode.rpc.errors import status_of, trailers_of
from mynode.session.api import ErrorInfo


def _sqlstates() -> set[str]:
    return {
        value.sqlstate for value in vars(errors).values() if isinstance(value, type) and issubclass(value, MyNodeError)
    }


@pytest.mark.parametrize(
    ("sqlstate", "status"),
    [
        ("08001", Status.UNAVAILABLE),
        ("08P01", Status.INVALID_ARGUMENT),
        ("0A000", Status.UNIMPLEMENTED),
        ("22012", Status.INVALID_ARGUMENT),
        ("23505", Status.ALREADY_EXISTS),
        ("40001", Status.ABORTED),
        ("40003", Status.UNKNOWN),
        ("42601", Status.INVALID_ARGUMENT),
        ("42703", Status.INVALID_ARGUMENT),
        ("42P01", Status.NOT_FOUND),
        ("42P07", Status.ALREADY_EXISTS),
        ("53300", Status.RESOURCE_EXHAUSTED),
        ("54000", Status.INVALID_ARGUMENT),
        ("57014", Status.DEADLINE_EXCEEDED),
        ("57P01", Status.UNAVAILABLE),
        ("57P03", Status.UNAVAILABLE),
        ("58030", Status.INTERNAL),
        ("XX000", Status.INTERNAL),
        ("XX001", Status.DATA_LOSS),
    ],
)
def test_status(sqlstate: str, status: Status) -> None:
    assert status_of(sqlstate) is status


def test_only_our_own_mistakes_are_internal() -> None:
    internal = {sqlstate for sqlstate in _sqlstates() if status_of(sqlstate) is Status.INTERNAL}
    assert {sqlstate[:2] for sqlstate in internal} <= {"XX", "F0", "58"}


def test_trailers_are_valid_metadata_whatever_the_text() -> None:
    error = ErrorInfo("42601", "", 8, "Något\r\nannat: 100 %", "", True)
    trailers = trailers_of(error)
    assert dict(encode_metadata(trailers)) == {
        "sqlstate": "42601",
        "sql-retryable": "true",
        "sql-position": "8",
        "sql-hint": "N%C3%A5got%0D%0Aannat: 100 %25",
    }
