"""A client's connection between the services (rpc/, embedded) and rpc_front: requests in, replies out, both bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

import trio

from mynode.base.errors import MyNodeError, NodeBusyError
from mynode.base.limits import CONNECTION_OUTBOX_REPLIES
from mynode.session.api import ErrorInfo, KnownMembers, SessionRequest, StatementReply, StatementRequest

REFUSALS: Final = 1_024
"""Refusals that may wait for a client that does not read; beyond it the connection is closed."""

Route: TypeAlias = "Callable[[FrontConnection, Sequence[SessionRequest]], Sequence[SessionRequest]]"


class FrontConnection:
    """Carries the requests of one gRPC stream (or call) to rpc_front and its sessions' replies back.

    Sessions wait in `put` while the client does not read, so a slow client costs a bounded amount of memory.

    Args:
        route: hands requests to their sessions, and returns those that the node has no room for.
        on_close: called once, when the client is gone, or is sent away.
    """

    def __init__(self, route: Route, on_close: Callable[[FrontConnection], None]) -> None:
        self._route = route
        self._on_close = on_close
        self._replies, self._outbox = trio.open_memory_channel[StatementReply | None](CONNECTION_OUTBOX_REPLIES)
        self._refused: list[StatementReply] = []
        self._members: KnownMembers | None = None
        self._closed = False

    # --- the transport's side ----------------------------------------------------------------------------------------

    def submit(self, requests: Sequence[SessionRequest]) -> None:
        """Hand a frame of requests to the node. Never waits: what the node has no room for is refused.

        On a closed connection it does nothing: nobody would hear the answer.
        """
        if self._closed:
            return
        for request in self._route(self, requests):
            self.refuse(
                request,
                NodeBusyError("the node has too many requests waiting", hint="Send the statement again later."),
            )

    async def replies(self) -> list[StatementReply]:
        """Wait for a reply, then take all that wait; empty once the connection is closed, or if there are members."""
        batch: list[StatementReply | None] = []
        try:
            if not self._refused:
                batch.append(await self._outbox.receive())
            while True:
                batch.append(self._outbox.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
            refused, self._refused = self._refused, []
            return [reply for reply in batch if reply is not None] + refused

    def take_members(self) -> KnownMembers | None:
        """What `tell` left, once."""
        members, self._members = self._members, None
        return members

    def close(self) -> None:
        """The client is gone: its sessions close and their running statements are cancelled."""
        if not self._closed:
            self.shut()
            self._on_close(self)

    # --- the node's side ---------------------------------------------------------------------------------------------

    async def put(self, reply: StatementReply) -> None:
        """Queue a reply, waiting while the client does not read. Dropped when the client is gone."""
        try:
            await self._replies.send(reply)
        except trio.ClosedResourceError:
            return

    def tell(self, members: KnownMembers) -> None:
        """The client shall hear of these; of the newest only, if it does not read."""
        self._members = members
        with suppress(trio.WouldBlock, trio.ClosedResourceError):  # what waits already wakes the reader just as well
            self._replies.send_nowait(None)

    def refuse(self, request: SessionRequest, error: MyNodeError) -> None:
        """Answer a statement that no session will work on."""
        if not isinstance(request, StatementRequest):
            return
        reply = StatementReply(request.session_id, request.sequence, None, (), None, ErrorInfo.of(error), 0)
        try:
            self._replies.send_nowait(reply)
        except trio.WouldBlock:
            self._refused.append(reply)
            if len(self._refused) > REFUSALS:
                self.close()
        except trio.ClosedResourceError:
            return

    def shut(self) -> None:
        """No more replies will come; what waits can still be read."""
        self._closed = True
        self._replies.close()
