"""log_store: the one actor that touches the raft log's files. All that waits is one append and one fsync."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar, assert_never

import structlog
import trio

from mynode.actors.mailbox import Inbox
from mynode.actors.protocol import (
    AppendPersists,
    CutLog,
    DiskFull,
    FinishInstall,
    LoadDone,
    LogMessage,
    LogStatus,
    LogStatusAsk,
    PersistDone,
    RaftMessage,
)
from mynode.base.errors import DiskFullError, ShuttingDownError
from mynode.base.invariant import invariant
from mynode.base.limits import MAX_LOG_BYTES
from mynode.raft.effects import Load
from mynode.raft.events import Compacted
from mynode.storage.raft_log import RaftLog

T = TypeVar("T")

log = structlog.get_logger(__name__)

FULL_DISK_RETRY_S: Final = 1.0


class RunBlocking(Protocol):
    """Runs a function that blocks on the disk: in a worker thread, or inline over an in-memory disk."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]: ...


async def in_thread(function: Callable[[], T]) -> T:
    return await trio.to_thread.run_sync(function)


class BesideLoop:
    """Runs a function in a thread that is left behind when the wait is cancelled: only for what touches nothing but its
    own. One at a time: more would take the loop's turns away.
    """

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(1)  # of one node: a thread that outlives its event loop keeps its place

    async def __call__(self, function: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(function, abandon_on_cancel=True, limiter=self._limiter)


async def inline(function: Callable[[], T]) -> T:
    return function()


class LogStoreActor:
    """Appends, syncs and reads the raft log. A disk error ends the node: a failed fsync is never tried again.

    A full disk is waited out: nothing was written, so nothing is answered, and loads go on meanwhile.

    Invariant: one append at most is unanswered (`_unwritten`: the disk had no room for it).
    """

    def __init__(
        self,
        log: RaftLog,
        *,
        inbox: Inbox[LogMessage],
        raft: Inbox[RaftMessage],
        run_blocking: RunBlocking = in_thread,
    ) -> None:
        self._log = log
        self._inbox = inbox
        self._raft = raft
        self._run_blocking = run_blocking
        self._unwritten: AppendPersists | None = None
        self._told_full = False
        self._retry_at_s = 0.0

    async def run(self) -> None:
        batch: list[LogMessage] = []
        try:
            while True:
                batch = await self._next_messages()
                await self._handle(batch)
        finally:
            for message in batch + self._inbox.close():
                if isinstance(message, LogStatusAsk) and not message.reply.is_answered:
                    message.reply.answer(ShuttingDownError.of_node())

    async def _next_messages(self) -> list[LogMessage]:
        """What waits; nothing when it is time to try a full disk again."""
        if self._unwritten is None:
            return await self._inbox.drain()
        with trio.move_on_at(self._retry_at_s):
            return await self._inbox.drain()
        return []

    async def _handle(self, batch: list[LogMessage]) -> None:
        """Append first: a load that was asked for before it sees a longer log, no other one."""
        for message in batch:
            if isinstance(message, AppendPersists):
                invariant(self._unwritten is None, "raft sends an append once the one before is answered")
                self._unwritten, self._retry_at_s = message, trio.current_time()
        if self._unwritten is not None and trio.current_time() >= self._retry_at_s:
            await self._append(self._unwritten)
        for message in batch:
            match message:
                case AppendPersists():
                    continue
                case Load():
                    await self._load(message)
                case LogStatusAsk(reply):
                    log = self._log
                    is_full = self._told_full
                    reply.answer(LogStatus(log.first_index, log.last_index, log.size_bytes(), is_full))
                case CutLog():
                    await self._cut(message)
                case FinishInstall():
                    await self._finish_install(message)
                case _:
                    assert_never(message)

    async def _append(self, append: AppendPersists) -> None:
        try:
            await self._run_blocking(lambda: self._log.append(append.persists))
        except DiskFullError as error:
            self._retry_at_s = trio.current_time() + FULL_DISK_RETRY_S
            if not self._told_full:
                log.warning("the disk is full: writes wait for room", reason=str(error))
                await self._tell_full(True)
        else:
            self._unwritten = None
            if self._told_full:
                log.info("the disk has room again")
                await self._tell_full(False)
            await self._raft.send(PersistDone(append.persists[-1].number))

    async def _tell_full(self, is_full: bool) -> None:
        self._told_full = is_full
        await self._raft.send(DiskFull(is_full))

    async def _cut(self, cut: CutLog) -> None:
        first = cut.first_wanted if self._log.size_bytes() <= MAX_LOG_BYTES else cut.first_kept
        before = self._log.first_index
        await self._run_blocking(lambda: self._log.truncate_front(first))
        if self._log.first_index > before:
            await self._raft.send(Compacted(self._log.first_index))

    async def _finish_install(self, install: FinishInstall) -> None:
        """Nothing else can be done before: the state that goes on with this log is certain already."""
        while True:
            try:
                await self._run_blocking(lambda: install.finish(self._log))
            except DiskFullError as error:
                if not self._told_full:
                    log.warning("the disk is full: a snapshot's install waits for room", reason=str(error))
                    await self._tell_full(True)
                await trio.sleep(FULL_DISK_RETRY_S)
            else:
                if self._told_full:
                    await self._tell_full(False)
                install.done.set()
                return

    async def _load(self, load: Load) -> None:
        entries = await self._run_blocking(lambda: self._log.read(load.first, load.last, load.max_bytes))
        await self._raft.send(LoadDone(load.generation, load.first, tuple(entries)))
