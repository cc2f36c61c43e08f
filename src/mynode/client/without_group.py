"""Keeps errors of a block as they are, where nurseries around the block would hand them on in a group."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


@asynccontextmanager
async def without_group(manager: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """`manager`, except that an error of the block comes out by itself if it is the only one in the group."""
    raised: BaseException | None = None
    try:
        async with manager as value:
            try:
                yield value
            except BaseException as error:
                raised = error
                raise
    except BaseExceptionGroup as group:
        if raised is None or not _only_wraps(group, raised):
            raise
        context = raised.__context__
        try:
            raise raised
        finally:
            raised.__context__ = context  # `raise` made it the group


def _only_wraps(group: BaseExceptionGroup[BaseException], raised: BaseException) -> bool:
    found: BaseException = group
    while found is not raised and isinstance(found, BaseExceptionGroup) and len(found.exceptions) == 1:
        found = found.exceptions[0]
        if found is raised or _is_copy(found, raised):
            return True
    return False


def _is_copy(found: BaseException, raised: BaseException) -> bool:
    """A group that went through a cancelled nursery is a new object."""
    return (
        isinstance(found, BaseExceptionGroup)
        and isinstance(raised, BaseExceptionGroup)
        and (found.message, len(found.exceptions)) == (raised.message, len(raised.exceptions))
    )
