"""rpc_front: routes requests to session actors, which it starts and ends. It knows nothing of gRPC."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, assert_never

import trio
from trio_util import AsyncValue

from mynode.actors.connection import FrontConnection
from mynode.actors.mailbox import Inbox
from mynode.actors.protocol import Connection, Disconnect, FrontMessage, Submit
from mynode.actors.sql_session import SqlSessionActor
from mynode.base.errors import NodeBusyError, NoQuorumError, ShuttingDownError
from mynode.base.ids import SessionId
from mynode.base.limits import MAX_SESSIONS, SESSION_INBOX
from mynode.session.api import CancelRequest, CloseRequest, KnownMembers, SessionRequest, StatementRequest


class MakeSession(Protocol):
    """Makes the actor of a new session, not yet running."""

    def __call__(
        self, session_id: SessionId, inbox: Inbox[StatementRequest], connection: Connection
    ) -> SqlSessionActor: ...


@dataclass(frozen=True, slots=True)
class _OpenSession:
    actor: SqlSessionActor
    inbox: Inbox[StatementRequest]


class RpcFrontActor:
    """Owns the open sessions of all connections.

    A session opens with its first statement and ends with `CloseRequest`, or with its connection. Session ids count
    within a connection: the same id on two connections is two sessions, told apart only by the outcome table.

    Requests for a session that is open go to it straight from the connection, a task switch less for most statements.
    Only what opens a session waits for this actor, which can start tasks, and everything behind it waits too.

    Invariants: at most `MAX_SESSIONS` session tasks run. `_waiting` counts the `Submit`s not yet routed; while there
    are any, nothing overtakes them.
    """

    def __init__(
        self,
        *,
        inbox: Inbox[FrontMessage],
        make_session: MakeSession,
        is_ready: Callable[[], bool],
        members: AsyncValue[KnownMembers],
    ) -> None:
        self._inbox = inbox
        self._members = members
        self._followers: set[Connection] = set()
        self._make_session = make_session
        self._is_ready = is_ready
        self._gone: list[Connection] = []
        self._sessions: dict[Connection, dict[SessionId, _OpenSession]] = {}
        self._waiting = 0
        self._running = 0
        self._idle = trio.Event()
        self._draining = False
        self._stopping = False

    @property
    def session_count(self) -> int:
        return self._running

    def connect(self, *, with_members: bool = False) -> FrontConnection:
        """A new client connection; see `SessionPort.connect`.

        Raises:
            ShuttingDownError: the node is stopping.
            NoQuorumError: the node joins the cluster, and may be far behind it.
        """
        if self._draining or self._stopping:
            raise ShuttingDownError.of_node()
        if not self._is_ready():
            raise NoQuorumError("this node does not take part in the cluster yet", hint="Use another node.")
        connection = FrontConnection(self._submit, self._closed)
        if with_members:
            self._followers.add(connection)
            connection.tell(self._members.value)
        return connection

    async def _tell_members(self) -> None:
        async for members in self._members.eventual_values():
            for connection in self._followers:
                connection.tell(members)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell_members)
            while True:
                for message in await self._inbox.drain():
                    match message:
                        case Submit(connection, requests):
                            self._waiting -= 1
                            for request in requests:
                                self._route(connection, request, nursery)
                        case Disconnect():
                            continue
                        case _:
                            assert_never(message)
                self._disconnect_gone()

    async def drain(self) -> None:
        """Take no new work: every session ends once no statement of it runs and no transaction is open.

        Statements that come meanwhile are refused, and go to another node. Returns when no session is left.
        """
        self._draining = True
        for sessions in self._sessions.values():
            for session in sessions.values():
                session.actor.drain()
        await self._all_ended()

    async def stop(self) -> None:
        """Refuse new requests, end what runs, and return when each statement has had its final reply queued."""
        self._stopping = True
        for connection, sessions in self._sessions.items():
            for session in sessions.values():
                for request in session.actor.stop():
                    connection.refuse(request, ShuttingDownError.of_node())
        await self._all_ended()
        for connection in self._sessions:
            connection.shut()

    async def _all_ended(self) -> None:
        while self._running:
            self._idle = trio.Event()
            await self._idle.wait()

    # --- routing -----------------------------------------------------------------------------------------------------

    def _submit(self, connection: Connection, requests: Sequence[SessionRequest]) -> Sequence[SessionRequest]:
        sessions = self._sessions.get(connection, {})
        for position, request in enumerate(requests):
            if self._waiting or request.session_id not in sessions:
                rest = requests[position:]
                if not self._inbox.post(Submit(connection, tuple(rest))):
                    return rest
                self._waiting += 1
                break
            self._route(connection, request)
        return ()

    def _route(self, connection: Connection, request: SessionRequest, nursery: trio.Nursery | None = None) -> None:
        """Hand one request on; with a nursery it may open a session."""
        session = self._sessions.get(connection, {}).get(request.session_id)
        match request:
            case StatementRequest():
                is_leaving = self._draining and (session is None or not session.actor.is_in_transaction)
                if self._stopping or is_leaving:
                    connection.refuse(request, ShuttingDownError.of_node())
                    return
                if session is None and nursery is not None:
                    if self._running >= MAX_SESSIONS:
                        connection.refuse(request, _busy(f"the node has {MAX_SESSIONS} open sessions"))
                        return
                    session = self._open(nursery, connection, request.session_id)
                if session is None or not session.inbox.post(request):
                    connection.refuse(request, _busy("the session has too many statements waiting"))
            case CancelRequest(sequence=sequence):
                if session is not None:
                    session.actor.cancel(sequence)
            case CloseRequest(session_id):
                if session is not None:
                    del self._sessions[connection][session_id]
                    session.actor.stop()
            case _:
                assert_never(request)

    def _open(self, nursery: trio.Nursery, connection: Connection, session_id: SessionId) -> _OpenSession:
        inbox: Inbox[StatementRequest] = Inbox(SESSION_INBOX)
        session = _OpenSession(self._make_session(session_id, inbox, connection), inbox)
        self._sessions.setdefault(connection, {})[session_id] = session
        self._running += 1
        nursery.start_soon(self._run_session, session.actor.run)
        return session

    async def _run_session(self, run: Callable[[], Awaitable[None]]) -> None:
        try:
            await run()
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    def _closed(self, connection: Connection) -> None:
        """A connection ended: never lost, for a full inbox wakes this actor just as well."""
        self._followers.discard(connection)
        self._gone.append(connection)
        self._inbox.post(Disconnect())

    def _disconnect_gone(self) -> None:
        """After all that waited is routed: what a connection submitted before it ended is there, and ends with it."""
        gone, self._gone = self._gone, []
        for connection in gone:
            for session in self._sessions.pop(connection, {}).values():
                session.actor.stop()


def _busy(why: str) -> NodeBusyError:
    return NodeBusyError(why, hint="Close sessions that are not needed, or use another node.")
