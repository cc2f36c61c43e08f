"""Checks a statement before it joins others in a frame: one that cannot be encoded must not spoil theirs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from mynode.base.limits import MAX_PARAMETERS, MAX_STATEMENT_BYTES, MAX_TRANSACTION_BYTES
from mynode.base.sql_errors import (
    CharacterNotInRepertoireError,
    DatatypeMismatchError,
    NumericOutOfRangeError,
    ProgramLimitExceededError,
)
from mynode.session.api import Row, Value
from mynode.values.datetimes import in_utc
from mynode.values.numeric import as_numeric

_BYTES_PER_NUMBER = 9
_BYTES_PER_UUID = 18


def checked(sql: str, parameters: Sequence[object]) -> tuple[Row, int]:
    """The parameters as SQL values, and about how many bytes the request takes.

    Raises `DatatypeMismatchError`, `NumericOutOfRangeError`, `DatetimeOverflowError`, `CharacterNotInRepertoireError`,
    `ProgramLimitExceededError`.
    """
    size = _text_bytes(sql, "the statement")
    if size > MAX_STATEMENT_BYTES:
        raise ProgramLimitExceededError(f"the statement has {size} bytes, {MAX_STATEMENT_BYTES} is the most")
    if len(parameters) > MAX_PARAMETERS:
        raise ProgramLimitExceededError(f"{len(parameters)} parameters, {MAX_PARAMETERS} is the most")
    values = []
    for number, parameter in enumerate(parameters, 1):
        value, value_bytes = _checked_value(parameter, number)
        values.append(value)
        size += value_bytes
    if size > MAX_TRANSACTION_BYTES:
        raise ProgramLimitExceededError(
            f"the statement and its parameters have {size} bytes, {MAX_TRANSACTION_BYTES} is the most"
        )
    return tuple(values), size


def _checked_value(parameter: object, number: int) -> tuple[Value, int]:
    match parameter:
        case None | bool() | float():
            return parameter, _BYTES_PER_NUMBER
        case int():
            if not -(2**63) <= parameter < 2**63:
                raise NumericOutOfRangeError(f"parameter {number} is out of range for type INTEGER")
            return parameter, _BYTES_PER_NUMBER
        case str():
            return parameter, _text_bytes(parameter, f"parameter {number}")
        case bytes():
            return parameter, len(parameter)
        case bytearray() | memoryview():
            return bytes(parameter), len(parameter)
        case Decimal():
            numeric = as_numeric(parameter)
            return numeric, len(numeric.as_tuple().digits) + _BYTES_PER_NUMBER
        case datetime() if parameter.tzinfo is not None:
            return in_utc(parameter), _BYTES_PER_NUMBER
        case date() | UUID():
            return parameter, _BYTES_PER_UUID
        case _:
            raise DatatypeMismatchError(
                f"parameter {number} is a {type(parameter).__name__}",
                hint="A parameter is None, a bool, int, float, Decimal, str, bytes, date, datetime or UUID.",
            )


def _text_bytes(text: str, what: str) -> int:
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise CharacterNotInRepertoireError(f"{what} is not valid Unicode text: {error.reason}") from error
