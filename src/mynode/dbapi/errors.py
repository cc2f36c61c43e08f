"""The exceptions of PEP 249, and which of them a `MyNodeError` is.

| SQLSTATE            | exception           |
|---------------------|---------------------|
| 08003               | `InterfaceError`    |
| 0A…                 | `NotSupportedError` |
| 07…, 21…, 25…, 26…, | `ProgrammingError`  |
| 3B…, 42…            |                     |
| 22…                 | `DataError`         |
| 23…                 | `IntegrityError`    |
| XX…                 | `InternalError`     |
| 08, 25P03, 40, 53,  | `OperationalError`  |
| 54, 55, 57, 58, F0  |                     |
| others              | `DatabaseError`     |
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mynode.base.errors import MyNodeError


class Warning(Exception):  # noqa: A001
    """Never raised; PEP 249 wants it."""


class Error(Exception):
    """Base of all errors here.

    Attributes:
        sqlstate: PostgreSQL's five-character code.
        position: 1-based character offset in the SQL text, or None.
        hint: what to do about it, or None.
        detail: the values concerned, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str,
        position: int | None = None,
        hint: str | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.position = position
        self.hint = hint
        self.detail = detail


class InterfaceError(Error):
    """The connection or cursor is used wrongly: it is closed."""


class DatabaseError(Error):
    """An error of the database."""


class DataError(DatabaseError):
    """A value is out of range, a division by zero, and the like."""


class OperationalError(DatabaseError):
    """Not the program's fault: no node, no quorum, a timeout. After `sqlstate` 40003 it may have been executed."""


class IntegrityError(DatabaseError):
    """A constraint does not hold."""


class InternalError(DatabaseError):
    """A mistake of the database's own."""


class ProgrammingError(DatabaseError):
    """The SQL is wrong, a table is missing, or a method is called where it has no meaning."""


class NotSupportedError(DatabaseError):
    """The database does not have this."""


_BY_SQLSTATE: Final[dict[str, type[Error]]] = {"08003": InterfaceError, "25P03": OperationalError}
_BY_SQLSTATE_CLASS: Final[dict[str, type[Error]]] = {
    "0A": NotSupportedError,
    **dict.fromkeys(("07", "21", "25", "26", "2B", "3B", "42"), ProgrammingError),
    "22": DataError,
    "23": IntegrityError,
    "XX": InternalError,
    **dict.fromkeys(("08", "40", "53", "54", "55", "57", "58", "72", "F0"), OperationalError),
}


def dbapi_error(error: MyNodeError) -> Error:
    """The PEP 249 exception that says the same."""
    cls = _BY_SQLSTATE.get(error.sqlstate) or _BY_SQLSTATE_CLASS.get(error.sqlstate[:2], DatabaseError)
    return cls(error.message, sqlstate=error.sqlstate, position=error.position, hint=error.hint, detail=error.detail)


@contextmanager
def translated_errors() -> Iterator[None]:
    """A `MyNodeError` of the block comes out as its PEP 249 exception."""
    try:
        yield
    except MyNodeError as error:
        raise dbapi_error(error) from error
