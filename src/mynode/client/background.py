"""A SQL session for callers without Trio: the client runs in a thread of its own, the callers block."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError, Future, wait
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import cache
from typing import Final, Generic, TypeVar

import trio

from mynode.base.errors import ClientClosedError, InvariantViolation, MyNodeError
from mynode.client.client import Client
from mynode.client.result import Result
from mynode.client.session import Session
from mynode.client.transaction_words import is_control
from mynode.session.api import TransactionStatus

T = TypeVar("T")

CANCEL_TIMEOUT_S: Final = 2.0
"""How long an interrupted caller waits until its statement has ended."""


@dataclass(slots=True, eq=False)
class _Call(Generic[T]):
    """Work on its way from a caller's thread to the loop; `answer` is set once."""

    work: Callable[[Session], Awaitable[T]]
    answer: Future[T] = field(default_factory=Future)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    async def run(self, session: Session) -> None:
        try:
            with self.scope:
                self.answer.set_result(await self.work(session))
        except Exception as error:  # whatever it is, the caller's thread raises it
            self.answer.set_exception(error)
        finally:
            self.refuse()

    def refuse(self) -> None:
        """Answer that the connection is closed, if there is no answer yet."""
        if not self.answer.done():
            self.answer.set_exception(ClientClosedError("the connection was closed while the statement waited"))


class BackgroundSession:
    """One session of one client, with its Trio loop in one thread, from construction until `close`.

    Any thread may call; calls wait for each other. The thread is no daemon, so that a node inside it stops cleanly; it
    is told to stop when the main thread ends.

    Args:
        connect: makes the client, in the loop's thread. What it raises, the constructor raises, and
            `ConnectionFailedError` when no node can be reached.

    Invariants: every call is answered once, also when the loop ends under it.
    """

    def __init__(self, connect: Callable[[], AbstractAsyncContextManager[Client]]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._scope = trio.CancelScope()
        self._session: Session | None = None
        self._nursery: trio.Nursery | None = None
        self._context = copy_context()
        self._failure: BaseException | None = None
        self._token: Future[trio.lowlevel.TrioToken] = Future()
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="mynode-client", daemon=False)
        _stop_with_main_thread().add(self)
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            self.close()
            raise

    @property
    def transaction_status(self) -> TransactionStatus:
        return TransactionStatus.IDLE if self._session is None else self._session.transaction_status

    def execute(self, sql: str, parameters: Sequence[object], *, begins: bool = False) -> Result:
        """`Session.execute`, in a transaction that is begun if need be if `begins`.

        Ctrl-C cancels the statement and raises `KeyboardInterrupt`.
        """

        async def work(session: Session) -> Result:
            if begins and session.transaction_status is TransactionStatus.IDLE and not is_control(sql):
                await session.begin()
            return await session.execute(sql, parameters)

        return self._call(work)

    def commit(self) -> None:
        """`Session.commit`, if a transaction is open."""

        async def work(session: Session) -> None:
            if session.transaction_status is not TransactionStatus.IDLE:
                await session.commit()

        self._call(work)

    def rollback(self) -> None:
        """`Session.rollback`, if a transaction is open."""

        async def work(session: Session) -> None:
            if session.transaction_status is not TransactionStatus.IDLE:
                await session.rollback()

        self._call(work)

    def close(self) -> None:
        """Cancel what runs, stop the loop and wait for its thread. Closing twice is fine."""
        self.stop()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def stop(self) -> None:
        """Tell the loop to end, without waiting; for finalizers, which may run in any thread."""
        with suppress(trio.RunFinishedError, CancelledError):
            self._token.result().run_sync_soon(self._scope.cancel)

    # --- the caller's thread -----------------------------------------------------------------------------------------

    def _call(self, work: Callable[[Session], Awaitable[T]]) -> T:
        call = _Call(work)
        token = self._token.result()
        with self._lock:
            try:  # one block: Ctrl-C may come as soon as the call is on its way
                token.run_sync_soon(self._begin, call)
                return call.answer.result()
            except trio.RunFinishedError:
                error = self._error_when_ended()
                raise error from error.__cause__
            except KeyboardInterrupt:
                with suppress(trio.RunFinishedError):
                    token.run_sync_soon(call.scope.cancel)
                    wait([call.answer], CANCEL_TIMEOUT_S)
                raise

    def _error_when_ended(self) -> MyNodeError:
        failure = self._failure
        while isinstance(failure, BaseExceptionGroup):
            failure = failure.exceptions[0]
        if isinstance(failure, MyNodeError):
            return failure
        if failure is None:
            return ClientClosedError("the connection is closed")
        error = InvariantViolation(f"the connection's loop ended: {failure!r}")
        error.__cause__ = failure
        return error

    # --- the loop's thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:  # the callers' threads raise it
            self._failure = error
        finally:
            self._token.cancel()  # of no effect once it is set
            if not self._started.done():
                self._started.set_exception(self._error_when_ended())

    async def _serve(self) -> None:
        self._token.set_result(trio.lowlevel.current_trio_token())
        with self._scope:
            async with self._connect() as client:
                await client.reach()
                async with client.session() as self._session, trio.open_nursery() as nursery:
                    self._nursery = nursery
                    self._context = copy_context()
                    self._started.set_result(None)
                    try:
                        await trio.sleep_forever()
                    finally:
                        self._nursery = None

    def _begin(self, call: _Call[T]) -> None:
        if self._nursery is None or self._session is None:
            call.refuse()
        else:
            # Called by Trio itself, outside any task: without the client's context its links would find no event loop.
            self._context.run(self._nursery.start_soon, call.run, self._session)


@cache
def _stop_with_main_thread() -> weakref.WeakSet[BackgroundSession]:
    """The sessions to stop once the main thread has ended: the interpreter waits for their threads then.

    `atexit` would be too late: its functions run after that wait.
    """
    sessions: weakref.WeakSet[BackgroundSession] = weakref.WeakSet()

    def stop_all() -> None:
        threading.main_thread().join()
        for session in list(sessions):
            session.stop()

    threading.Thread(target=stop_all, name="mynode-stop", daemon=True).start()
    return sessions
