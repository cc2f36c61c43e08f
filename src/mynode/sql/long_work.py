"""Work on a long text, done in a thread beside the node's loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from mynode.base.errors import InvariantViolation
from mynode.base.sql_errors import SqlError

T = TypeVar("T")


class LongWork(Generic[T]):
    """To be called once, by any thread, and then finished on the loop.

    Args:
        function: touches nothing that changes.
        keep: is given what the function returned, on the loop.
        failed: is called on the loop if the function raised a `SqlError`.
    """

    __slots__ = ("_error", "_failed", "_function", "_keep", "_result")

    def __init__(
        self,
        function: Callable[[], T],
        *,
        keep: Callable[[T], None] = lambda _: None,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._function = function
        self._keep = keep
        self._failed = failed
        self._result: tuple[T] | None = None
        self._error: SqlError | None = None

    def __call__(self) -> None:
        try:
            self._result = (self._function(),)
        except SqlError as error:
            self._error = error

    def finish(self) -> T:
        """What the function returned; raises its `SqlError`."""
        if self._error is not None:
            self._failed()
            raise self._error
        if self._result is None:
            raise InvariantViolation("the work is done before it is finished")
        self._keep(self._result[0])
        return self._result[0]


def done(made: T | LongWork[T]) -> T:
    """What was made, or is made now, for whoever has no loop to care for."""
    if isinstance(made, LongWork):
        made()
        return made.finish()
    return made
