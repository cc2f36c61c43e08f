"""How actors speak: `Inbox`, a bounded memory channel drained whole, and `Reply`, the one-shot answer to an ask."""

from __future__ import annotations

from typing import Generic, TypeVar

import trio

from mynode.base.errors import MyNodeError
from mynode.base.invariant import invariant

T = TypeVar("T")


class Inbox(Generic[T]):
    """An actor's bounded queue of messages.

    Senders either `post` (never waits; False when full) or `send` (waits for room). The owner drains all that waits
    at each wake, so that what arrived meanwhile is worked on as one batch: one append, one fsync, one frame.
    """

    def __init__(self, capacity: int) -> None:
        self._sender, self._receiver = trio.open_memory_channel[T](capacity)
        self._capacity = capacity

    def __len__(self) -> int:
        return self._receiver.statistics().current_buffer_used

    @property
    def capacity(self) -> int:
        return self._capacity

    def post(self, message: T, *, leave: int = 0) -> bool:
        """Leave a message; False when the inbox has no more than `leave` places left, or its owner has gone."""
        if leave and len(self) >= self._capacity - leave:
            return False
        try:
            self._sender.send_nowait(message)
        except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        return True

    async def send(self, message: T) -> None:
        """Leave a message, waiting for room. Only along the DAG of `protocol.py`, so that no cycle can wait.

        Raises:
            trio.BrokenResourceError: the owner has gone.
        """
        await self._sender.send(message)

    async def drain(self, most: int | None = None) -> list[T]:
        """Wait for a message, then take all (or `most`) that wait, in order."""
        batch = [await self._receiver.receive()]
        receive_nowait = self._receiver.receive_nowait
        room = self._capacity if most is None else most - 1
        try:
            for _ in range(room):
                batch.append(receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return batch
        return batch

    def clear(self) -> list[T]:
        """Take what waits, without waiting."""
        left: list[T] = []
        try:
            while True:
                left.append(self._receiver.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
            return left

    def close(self) -> list[T]:
        """Refuse further messages and give back those nobody will work on, so that their asks can be answered."""
        left = self.clear()
        self._receiver.close()
        self._sender.close()
        return left


class Reply(Generic[T]):
    """The one answer to an ask: a one-shot channel that always has room, so that answering never waits.

    Built on Trio's own parking rather than on a memory channel of one slot, which costs half as much again.

    Invariants: answered at most once; at most one task waits. An answer that nobody waits for any more is dropped.
    """

    __slots__ = ("_answer", "_task", "abandoned")

    def __init__(self) -> None:
        self._answer: T | MyNodeError | None = None
        self._task: trio.lowlevel.Task | None = None
        self.abandoned = False

    @property
    def is_answered(self) -> bool:
        return self._answer is not None

    def answer(self, value: T | MyNodeError) -> None:
        """Give the answer: a value, or the error that `wait` raises."""
        invariant(self._answer is None, "an ask is answered once")
        self._answer = value
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None

    async def arrived(self) -> None:
        """Wait until there is an answer. Cancelled, it marks the ask as abandoned."""
        if self._answer is None:
            invariant(self._task is None, "one task waits for an answer")
            self._task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)

    async def wait(self) -> T:
        """The answer, or its error raised. Cancelled, it marks the ask as abandoned."""
        await self.arrived()
        answer = self._answer
        if isinstance(answer, MyNodeError):
            raise answer
        if answer is None:
            raise AssertionError("woken without an answer")
        return answer

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._task = None
        self.abandoned = True
        return trio.lowlevel.Abort.SUCCEEDED
