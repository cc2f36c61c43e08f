"""`Cursor` of PEP 249."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

from mynode.client.result import Result
from mynode.dbapi.errors import InterfaceError, ProgrammingError
from mynode.session.api import Row

if TYPE_CHECKING:
    from mynode.dbapi.connection import Connection

ColumnDescription: TypeAlias = tuple[str, str, None, None, None, None, None]
"""Name and type code; the sizes and `null_ok` are not known."""


class Cursor:
    """Runs statements of its connection and holds the last one's whole result. Made by `Connection.cursor`.

    Attributes:
        arraysize: rows that `fetchmany` returns unless told otherwise.
        description: the columns of the last result; None if the last statement returned no rows.
        rowcount: rows that the last statement returned or changed; -1 where none is meant.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arraysize = 1
        self.description: tuple[ColumnDescription, ...] | None = None
        self.rowcount = -1
        self._rows: list[Row] = []
        self._next = 0
        self._is_closed = False

    # --- statements --------------------------------------------------------------------------------------------------

    def execute(self, operation: str, parameters: Sequence[object] = ()) -> Cursor:
        """Run one statement with a value for each `?`; returns this cursor.

        Raises:
            Error: one of its subclasses, by SQLSTATE.
            KeyboardInterrupt: on Ctrl-C, which cancels the statement.
        """
        self._forget()
        result = self.connection.run(operation, _sequence(parameters))
        self._hold(result)
        return self

    def executemany(self, operation: str, seq_of_parameters: Iterable[Sequence[object]]) -> Cursor:
        """Run the statement once for each item, in order, up to the first that fails. It must not return rows."""
        self._forget()
        affected = 0
        for parameters in seq_of_parameters:
            result = self.connection.run(operation, _sequence(parameters))
            if result.columns:
                raise ProgrammingError("executemany does not return rows", sqlstate="07003", hint="Use execute.")
            affected += max(0, result.rows_affected)
        self.rowcount = affected
        return self

    def setinputsizes(self, sizes: Sequence[object]) -> None:
        """Does nothing, as PEP 249 allows."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing, as PEP 249 allows."""

    # --- results -----------------------------------------------------------------------------------------------------

    def fetchone(self) -> Row | None:
        """The next row, or None after the last."""
        rows = self._take(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """The next `size` rows, fewer at the end."""
        return self._take(self.arraysize if size is None else size)

    def fetchall(self) -> list[Row]:
        """The rows that are left."""
        return self._take(len(self._rows))

    def __iter__(self) -> Cursor:
        return self

    def __next__(self) -> Row:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    # --- the end -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """The cursor is of no use any more. Closing twice is fine."""
        self._rows = []
        self._is_closed = True

    def __enter__(self) -> Cursor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _forget(self) -> None:
        self._check_open()
        self.description = None
        self.rowcount = -1
        self._rows = []
        self._next = 0

    def _hold(self, result: Result) -> None:
        if result.columns:
            self.description = tuple(
                (column.name, column.type_name, None, None, None, None, None) for column in result.columns
            )
            self._rows = result.rows
            self.rowcount = len(result.rows)
        else:
            self.rowcount = result.rows_affected

    def _take(self, count: int) -> list[Row]:
        self._check_open()
        if self.description is None:
            raise ProgrammingError("the last statement returned no rows to fetch", sqlstate="24000")
        rows = self._rows[self._next : self._next + max(0, count)]
        self._next += len(rows)
        return rows

    def _check_open(self) -> None:
        if self._is_closed:
            raise InterfaceError("the cursor is closed", sqlstate="24000")
        self.connection.check_open()


def _sequence(parameters: Sequence[object]) -> Sequence[object]:
    if isinstance(parameters, str | bytes | bytearray) or not isinstance(parameters, Sequence):
        raise ProgrammingError(
            f"parameters must be a sequence of values, not {type(parameters).__name__}",
            sqlstate="07001",
            hint="For one value write a tuple: (value,).",
        )
    return parameters
