"""asyncio inside Trio, and the four ways across. Everything runs in one thread.

| from    | to      | by                                                        | costs about                     |
|---------|---------|-----------------------------------------------------------|---------------------------------|
| Trio    | asyncio | `in_asyncio`: await a coroutine of grpclib                | nothing if it need not wait     |
| asyncio | Trio    | `in_trio`: a Trio task whose end asyncio awaits           | 45 µs: once a call or stream    |
| asyncio | Trio    | `Crossing`: a queue, taken whole                          | 5 µs a wake                     |
| either  | either  | a plain call: `send_nowait`, `set_result`, `Event.set`    | nothing                         |

A callback of asyncio's loop costs about 12 µs under trio-asyncio, so that an asyncio task for each message is what to
avoid here.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar, TypeVarTuple

import grpclib.utils
import structlog
import trio
import trio_asyncio

from mynode.base.invariant import invariant

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = structlog.get_logger(__name__)

# trio-asyncio puts its own `current_task` into asyncio, which from Python 3.12 on is the only one that knows its loop;
# grpclib keeps the one that it found when it was imported, perhaps before.
grpclib.utils._current_task = asyncio.current_task


@asynccontextmanager
async def open_bridge() -> AsyncIterator[None]:
    """Host asyncio's loop in this Trio task, for it and all tasks below. Inside another bridge it does nothing."""
    if trio_asyncio.current_loop.get() is not None:
        yield
        return
    async with trio_asyncio.open_loop() as loop:
        # By default trio-asyncio ends the whole program for whatever asyncio only reports, such as a connection that
        # breaks while it is accepted.
        loop.set_exception_handler(_report)
        # After each read trio-asyncio waits until asyncio's callbacks have run, so that callbacks which remove their
        # reader later are not called twice. Transports remove theirs at once; for them it is a wait of 30 µs a frame.
        loop.synchronize = trio.lowlevel.checkpoint_if_cancelled
        yield


def _report(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.error("asyncio reports", what=context.get("message"), exc_info=context.get("exception"))


async def in_asyncio(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await asyncio's `coroutine` from a Trio task.

    It starts in place, and becomes an asyncio task only when it has to wait: most sends never do. So it must not ask
    for `asyncio.current_task()`; what does, goes through `await_in_asyncio`. Cancelling the Trio task cancels it
    where it waits.
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    return await await_in_asyncio(_continue(coroutine, waits_for))


async def await_in_asyncio(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await asyncio's `coroutine` from a Trio task, as an asyncio task from its start."""
    result: T = await trio_asyncio.run_aio_coroutine(coroutine)
    return result


async def _continue(coroutine: Coroutine[Any, Any, T], waits_for: object) -> T:
    return await _rest(coroutine, waits_for)


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, T], waits_for: object) -> Generator[object, Any, T]:
    """What is left of a coroutine whose first step yielded `waits_for`."""
    while True:
        try:
            try:
                value = yield waits_for
            except BaseException as error:
                waits_for = coroutine.throw(error)
            else:
                waits_for = coroutine.send(value)
        except StopIteration as done:
            result: T = done.value
            return result


def in_trio(function: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> asyncio.Future[T]:
    """Start a Trio task from asyncio; the future is its result. Cancelling the future cancels the task."""
    future: asyncio.Future[T] = trio_asyncio.run_trio(function, *args)
    return future


class Crossing(Generic[T]):
    """A queue from asyncio to one Trio task, which takes all that waits at each wake.

    It has no bound of its own: whoever puts items in knows from `on_taken` when it may put in more.

    Invariants: at most one task takes; after `close` nothing is added, and what waits is still taken before the end
    shows.
    """

    def __init__(self, on_taken: Callable[[], None]) -> None:
        self._items: list[T] = []
        self._on_taken = on_taken
        self._taker: trio.lowlevel.Task | None = None
        self._end: Exception | None = None
        self._closed = False

    def put(self, item: T) -> None:
        """asyncio's side. After `close` the item is dropped."""
        if not self._closed:
            self._items.append(item)
            self._wake()

    async def take(self) -> list[T]:
        """Trio's side. Waits for an item, then takes all; an empty list, or the error given to `close`, at the end."""
        if not self._items and not self._closed:
            invariant(self._taker is None, "one task takes from a crossing")
            self._taker = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        else:
            await trio.lowlevel.checkpoint()
        items, self._items = self._items, []
        if items:
            self._on_taken()
        elif self._end is not None:
            raise self._end
        return items

    def close(self, error: Exception | None = None) -> None:
        """Either side: nothing more will come. The first `close` counts."""
        if not self._closed:
            self._closed = True
            self._end = error
            self._wake()

    def _wake(self) -> None:
        if self._taker is not None:
            trio.lowlevel.reschedule(self._taker)
            self._taker = None

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._taker = None
        return trio.lowlevel.Abort.SUCCEEDED
