"""Errors that came over the wire, as the classes that the node raised."""

from __future__ import annotations

from mynode.base.errors import CorruptionError, MyNodeError
from mynode.base.sql_errors import SqlError


class RemoteError(MyNodeError):
    """An error that a node sent and this client has no class for; it keeps the node's SQLSTATE."""

    deterministic = False

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str,
        position: int | None = None,
        hint: str | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message, position=position, hint=hint, detail=detail)
        self.sqlstate = sqlstate


def _classes_by_sqlstate() -> dict[str, type[MyNodeError]]:
    found: dict[str, type[MyNodeError]] = {}
    waiting: list[type[MyNodeError]] = [MyNodeError, SqlError]  # named, so that its module's classes are known here
    while waiting:
        cls = waiting.pop()
        waiting.extend(cls.__subclasses__())
        if cls not in (MyNodeError, CorruptionError, RemoteError):
            found.setdefault(cls.sqlstate, cls)
    return found


def error_from_wire(
    sqlstate: str, message: str, *, position: int | None = None, hint: str | None = None, detail: str | None = None
) -> MyNodeError:
    """The error that a node raised, as the same class where this client knows its SQLSTATE."""
    cls = _BY_SQLSTATE.get(sqlstate)
    if cls is None:
        return RemoteError(message, sqlstate=sqlstate, position=position, hint=hint, detail=detail)
    return cls(message, position=position, hint=hint, detail=detail)


_BY_SQLSTATE = _classes_by_sqlstate()
