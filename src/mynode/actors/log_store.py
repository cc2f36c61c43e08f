"""log_store: the one actor that touches the raft log's files. All that waits is one append and one fsync."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar, assert_never

import structlog
import trio

from mynode.actors.mailbox import Inbox
from mynode.actors.protocol import LoadDone, LogMessage, LogStatus, LogStatusAsk, PersistDone, RaftMessage
from mynode.base.errors import DiskFullError, ShuttingDownError
from mynode.base.invariant import invariant
from mynode.raft.effects import Load, Persist
from mynode.storage.raft_log import RaftLog

T = TypeVar("T")

log = structlog.get_logger(__name__)

FULL_DISK_RETRY_S: Final = 1.0


class RunBlocking(Protocol):
    """Runs a function that blocks on the disk: in a worker thread, or inline over an in-memory disk."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]: ...


async def in_thread(function: Callable[[], T]) -> T:
    return await trio.to_thread.run_sync(function)


async def inline(function: Callable[[], T]) -> T:
    return function()


class LogStoreActor:
    """Appends, syncs and reads the raft log. A disk error ends the node: a failed fsync is never tried again."""

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

    async def run(self) -> None:
        batch: list[LogMessage] = []
        try:
            while True:
                batch = await self._inbox.drain()
                await self._handle(batch)
        finally:
            for message in batch + self._inbox.close():
                if isinstance(message, LogStatusAsk) and not message.reply.is_answered:
                    message.reply.answer(ShuttingDownError("the node is stopping"))

    async def _handle(self, batch: list[LogMessage]) -> None:
        """Persists first, all in one fsync: a load that was asked for before them sees a longer log, no other one."""
        persists = [message for message in batch if isinstance(message, Persist)]
        if persists:
            await self._append(persists)
            self._answer(PersistDone(persists[-1].number))
        for message in batch:
            match message:
                case Persist():
                    continue
                case Load():
                    await self._load(message)
                case LogStatusAsk(reply):
                    log = self._log
                    reply.answer(LogStatus(log.first_index, log.last_index, log.size_bytes()))
                case _:
                    assert_never(message)

    async def _append(self, persists: list[Persist]) -> None:
        """A full disk is waited out: nothing was written, the node answers for nothing, and reads go on."""
        while True:
            try:
                await self._run_blocking(lambda: self._log.append(persists))
            except DiskFullError as error:
                log.warning("the disk is full: writes wait for room", reason=str(error))
                await trio.sleep(FULL_DISK_RETRY_S)
            else:
                return

    async def _load(self, load: Load) -> None:
        entries = await self._run_blocking(lambda: self._log.read(load.first, load.last, load.max_bytes))
        self._answer(LoadDone(load.generation, load.first, tuple(entries)))

    def _answer(self, message: RaftMessage) -> None:
        invariant(self._raft.post(message), "raft's inbox has room for what log_store owes it")
