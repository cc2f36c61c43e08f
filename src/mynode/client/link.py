"""One open stream to one node, shared by the sessions that are there."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from mynode.actors.ports import NodeStatus
from mynode.base.errors import ConnectionFailedError, MyNodeError
from mynode.base.ids import SessionId
from mynode.base.invariant import invariant
from mynode.base.limits import MAX_APPEND_BYTES, MAX_REQUEST_FRAME_BYTES, MAX_SESSIONS, MAX_TRANSACTION_BYTES
from mynode.client.options import ClientOptions
from mynode.client.transport import TransportStream
from mynode.session.api import (
    CancelRequest,
    CloseRequest,
    KnownMembers,
    SessionRequest,
    StatementReply,
    StatementRequest,
)

FRAME_BYTES: Final = MAX_APPEND_BYTES
"""A frame is closed once it holds about this many bytes of requests."""
CLOSE_TIMEOUT_S: Final = 1.0

invariant(FRAME_BYTES + MAX_TRANSACTION_BYTES < MAX_REQUEST_FRAME_BYTES, "a frame and one more request fit")


class Attempt:
    """One sending of one statement over one link.

    Attributes:
        is_sent: the request is in a frame, so the node may have executed it.
        is_answered: the final reply is here, so nothing of this attempt can follow.
    """

    __slots__ = ("_arrived", "_failure", "_replies", "is_answered", "is_sent", "request", "size")

    def __init__(self, request: StatementRequest, size: int) -> None:
        self.request = request
        self.size = size
        self.is_sent = False
        self.is_answered = False
        self._replies: deque[StatementReply] = deque()
        self._failure: MyNodeError | None = None
        self._arrived = trio.Event()

    @property
    def has_replies(self) -> bool:
        """Replies wait to be taken."""
        return bool(self._replies)

    def deliver(self, reply: StatementReply) -> None:
        self._replies.append(reply)
        self.is_answered = reply.is_final
        self._arrived.set()

    def fail(self, error: MyNodeError) -> None:
        """No more replies will come."""
        self._failure = error
        self._arrived.set()

    async def next_reply(self) -> StatementReply:
        """The next part of the answer; raises the link's error once the parts that came are taken."""
        while not self._replies:
            if self._failure is not None:
                raise self._failure
            if self._arrived.is_set():
                self._arrived = trio.Event()
            await self._arrived.wait()
        return self._replies.popleft()


class Link:
    """Packs the requests that wait into frames, hands each reply to its attempt, and notices a dead node.

    Args:
        probe: asks the node for its status over another way than this stream.
        on_members: takes what the node says of the cluster's members.
        is_exclusive: for one attempt with a large result. The next frame is read only when the replies of the last
            are taken, so that a slow reader holds back the node and not its own memory.

    Invariants:
    - A session has at most one attempt here, and only replies with its sequence number reach it.
    - A session sends a sequence number here again only after the final reply to it. So no reply of the earlier attempt
      can be taken for one of the later; replies of a stream that broke are never read.
    - Each attempt ends once: by its final reply, by the link's failure, or abandoned by its session.
    - What waits to be sent is bounded: an attempt a session, and `MAX_SESSIONS` cancels and closes.
    """

    def __init__(
        self,
        stream: TransportStream,
        *,
        address: str,
        probe: Callable[[], Awaitable[NodeStatus]],
        options: ClientOptions,
        on_members: Callable[[KnownMembers], None] = lambda _: None,
        is_exclusive: bool = False,
    ) -> None:
        self._stream = stream
        self._address = address
        self._probe = probe
        self._options = options
        self._on_members = on_members
        self._is_exclusive = is_exclusive
        self._attempts: dict[SessionId, Attempt] = {}
        self._unsent: dict[SessionId, Attempt] = {}
        self._controls: list[CancelRequest | CloseRequest] = []
        self._work = trio.Event()
        self._owed = trio.Event()
        self._taken = trio.Event()
        self._frames_heard = 0
        self._failure: str | None = None
        self._scope = trio.CancelScope()

    @property
    def is_open(self) -> bool:
        return self._failure is None

    def submit(self, request: StatementRequest, size: int) -> Attempt:
        """Queue a statement of about `size` bytes. Over a broken link, the attempt has failed unsent."""
        attempt = Attempt(request, size)
        if self._failure is not None:
            attempt.fail(ConnectionFailedError(self._failure))
            return attempt
        invariant(request.session_id not in self._attempts, "a session has one attempt at a time")
        self._attempts[request.session_id] = self._unsent[request.session_id] = attempt
        self._work.set()
        self._owed.set()
        return attempt

    def took_reply(self) -> None:
        """Tell an exclusive link that its reader has room again."""
        self._taken.set()

    def release(self, attempt: Attempt) -> None:
        """The session is done with the attempt. If the node is not, it is told to stop, as far as it can be."""
        session_id = attempt.request.session_id
        if self._attempts.get(session_id) is not attempt:
            return
        del self._attempts[session_id]
        if attempt.is_sent:
            self._control(CancelRequest(session_id, attempt.request.sequence))
        else:
            del self._unsent[session_id]

    def cancel(self, attempt: Attempt) -> None:
        """Tell the node to stop the statement; its answer still comes."""
        self._control(CancelRequest(attempt.request.session_id, attempt.request.sequence))

    def close_session(self, session_id: SessionId) -> None:
        """Tell the node that the session is over, if it can be told."""
        self._control(CloseRequest(session_id))

    def fail(self, reason: str) -> None:
        """Break the link: every attempt fails with `ConnectionFailedError(reason)`, and `run` returns."""
        if self._failure is not None:
            return
        self._failure = reason
        for attempt in self._attempts.values():
            attempt.fail(ConnectionFailedError(reason))
        self._attempts.clear()
        self._unsent.clear()
        self._controls.clear()
        self._scope.cancel()

    async def run(self) -> None:
        """Carry frames both ways until the link fails or this is cancelled; then close the stream."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._until_failure, self._send_frames)
                    nursery.start_soon(self._until_failure, self._receive_frames)
                    nursery.start_soon(self._until_failure, self._watch)
        finally:
            self.fail(f"the connection to {self._address} was closed")
            with trio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
                await self._stream.close()

    def check_invariants(self) -> None:
        for session_id, attempt in self._attempts.items():
            invariant(attempt.request.session_id == session_id, "an attempt stands under its session")
            invariant(not attempt.is_answered, "an answered attempt has left")
            invariant(attempt.is_sent != (session_id in self._unsent), "an attempt is sent or waits")
        invariant(self._unsent.keys() <= self._attempts.keys(), "what waits is an attempt")
        invariant(len(self._controls) <= MAX_SESSIONS, "controls are bounded")

    def _control(self, request: CancelRequest | CloseRequest) -> None:
        if self._failure is None and len(self._controls) < MAX_SESSIONS:
            self._controls.append(request)
            self._work.set()

    async def _until_failure(self, loop: Callable[[], Awaitable[None]]) -> None:
        try:
            await loop()
        except MyNodeError as error:
            self.fail(error.message)

    async def _send_frames(self) -> None:
        while True:
            await self._work.wait()
            while frame := self._next_frame():
                await self._stream.send(frame)
            self._work = trio.Event()

    def _next_frame(self) -> list[SessionRequest]:
        """All that waits, up to a frame's size. A cancel goes before its session's next statement."""
        frame: list[SessionRequest] = [*self._controls]
        self._controls.clear()
        size = 0
        sent: list[SessionId] = []
        for session_id, attempt in self._unsent.items():
            attempt.is_sent = True
            frame.append(attempt.request)
            sent.append(session_id)
            size += attempt.size
            if size >= FRAME_BYTES:
                break
        for session_id in sent:
            del self._unsent[session_id]
        return frame

    async def _receive_frames(self) -> None:
        while True:
            replies = await self._stream.receive()
            self._frames_heard += 1
            for reply in replies:
                if isinstance(reply, KnownMembers):
                    self._on_members(reply)
                    continue
                attempt = self._attempts.get(reply.session_id)
                if attempt is None or not attempt.is_sent or attempt.request.sequence != reply.sequence:
                    continue  # late: its statement was abandoned
                attempt.deliver(reply)
                if reply.is_final:
                    del self._attempts[reply.session_id]
                elif self._is_exclusive:
                    await self._reader_has_room(attempt)

    async def _reader_has_room(self, attempt: Attempt) -> None:
        while attempt.has_replies:
            self._taken = trio.Event()
            await self._taken.wait()

    async def _watch(self) -> None:
        """Break the link when the node owes answers and neither sends anything nor says how it is."""
        while True:
            await self._owed.wait()
            heard = self._frames_heard
            await trio.sleep(self._options.probe_after)
            if not self._attempts:
                self._owed = trio.Event()
            elif heard == self._frames_heard:
                with trio.move_on_after(self._options.probe_timeout) as probing:
                    await self._probe()
                if probing.cancelled_caught:
                    raise ConnectionFailedError(f"{self._address} does not answer")
