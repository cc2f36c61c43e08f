"""The Trio client: statements from any number of tasks, over one stream to a node, to whichever node lives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random, SystemRandom
from typing import Final, TypeVar

import trio

from mynode.base.errors import (
    ConfigError,
    ConnectionFailedError,
    InvariantViolation,
    NodeBusyError,
    NoQuorumError,
    ShuttingDownError,
)
from mynode.base.sql_errors import FeatureNotSupportedError, SerializationFailureError
from mynode.client.nodes import MakeTransport, NodeSet
from mynode.client.options import ClientOptions
from mynode.client.result import Result
from mynode.client.rows import RowStream
from mynode.client.session import Session
from mynode.client.statement import Place
from mynode.client.status import StatusReport
from mynode.client.transport import Transport
from mynode.client.without_group import without_group
from mynode.session.api import TransactionStatus

T = TypeVar("T")

STATUS_TIMEOUT_S: Final = 2.0
FIRST_PAUSE_S: Final = 0.01
LONGEST_PAUSE_S: Final = 0.5
"""A transaction that lost is run again after a random time up to this; it grows from the first."""

_WORTH_ANOTHER_RUN: Final = (
    *(SerializationFailureError, ConnectionFailedError),
    *(NoQuorumError, NodeBusyError, ShuttingDownError),
)


class Client:
    """Made by `open_client`; any Trio task of its run may use it, many at a time.

    Invariants:
    - Every call is answered once: by its result, its error, or `ClientClosedError`.
    - Sessions in use and idle are at most `ClientOptions.max_sessions`; no session is in use twice.
    """

    def __init__(self, nodes: NodeSet, random: Random) -> None:
        self._nodes = nodes
        self._random = random
        self._idle: list[Session] = []
        self._made = 0
        self._returned = trio.lowlevel.ParkingLot()
        self._next_start = 0
        self._streams = trio.Semaphore(nodes.options.max_streams)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The configured nodes, in the order that `session(node=…)` counts from 0."""
        return tuple(node.transport.address for node in self._nodes.configured)

    @property
    def known_addresses(self) -> tuple[str, ...]:
        """The configured nodes, and the members that the cluster named beside them."""
        return tuple(node.transport.address for node in self._nodes.nodes)

    async def execute(
        self,
        sql: str,
        parameters: Sequence[object] = (),
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Result:
        """Run one statement, which commits by itself, and return its whole result.

        Args:
            parameters: values for `?` or `$1`, …: None, bool, int, float, str, bytes.
            timeout: seconds for all attempts together; None is the client's default.

        Raises:
            SqlError: the statement's text, types or data are wrong (its subclasses say how).
            NoQuorumError, NodeBusyError, …: not executed, and no node could in time.
            ConnectionFailedError: not executed; no node was reached.
            OutcomeUnknownError: no answer came in time, and it may have been executed.
            ClientClosedError: the client is closed.
        """
        deadline = self._nodes.deadline(timeout)
        session = self._idle.pop() if self._idle else await self._leased(deadline)
        try:
            result = await session.execute_until(deadline, sql, parameters)
            if session.transaction_status is not TransactionStatus.IDLE:
                raise FeatureNotSupportedError(
                    "each statement of Client.execute commits by itself", hint="Use Client.transaction, or a session."
                )
            if session.has_state:
                raise FeatureNotSupportedError(
                    "what SET and PREPARE do ends with Client.execute", hint="Use a session: Client.session()."
                )
            return result
        finally:
            self._return(session)

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[Session]:
        """A transaction in a session of the client's; see `Session.transaction`."""
        session = self._idle.pop() if self._idle else await self._leased(self._nodes.deadline(None))
        try:
            async with session.transaction(read_only=read_only):
                yield session
        finally:
            self._return(session)

    async def in_transaction(
        self,
        work: Callable[[Session], Awaitable[T]],
        *,
        read_only: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> T:
        """Run `work` in a transaction and return what it returns; run all of it again while it is certainly rolled back
        for no reason of its own: a conflict, a lost node, no quorum.

        What `work` does besides its statements happens again, too. After `timeout` seconds it is not started anew.

        Raises:
            SerializationFailureError, NoQuorumError, …: why it was rolled back the last time.
            OutcomeUnknownError: it may have been committed, so it is not run again.
        """
        deadline = self._nodes.deadline(timeout)
        longest_s = FIRST_PAUSE_S
        while True:
            try:
                async with self.transaction(read_only=read_only) as session:
                    return await work(session)
            except _WORTH_ANOTHER_RUN:
                pause_s = self._random.uniform(0, longest_s)
                if trio.current_time() + pause_s >= deadline:
                    raise
                await trio.sleep(pause_s)
                longest_s = min(2 * longest_s, LONGEST_PAUSE_S)

    @asynccontextmanager
    async def stream(
        self,
        sql: str,
        parameters: Sequence[object] = (),
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> AsyncIterator[RowStream]:
        """Run one statement and take its result in batches, over a connection of its own.

        Until the first batch is here, failures are retried as in `execute`; afterwards they are final, since rows were
        handed out. `timeout` bounds the statement up to its last batch. Leaving early stops the statement.
        """
        deadline = self._nodes.deadline(timeout)
        async with self._streams:
            session = Session(self._nodes, Place(self._start(), is_exclusive=True), self._random)
            async with session.stream_until(deadline, sql, parameters) as rows:
                yield rows

    def session(self, *, node: int | None = None) -> Session:
        """A session of one's own; `node` pins it to the node of that index in `addresses`, live or not."""
        if node is None:
            return Session(self._nodes, Place(self._start()), self._random)
        if not 0 <= node < len(self._nodes.configured):
            raise ConfigError(f"there is no node {node}, the client knows {len(self._nodes.configured)}")
        return Session(self._nodes, Place(node, is_pinned=True), self._random)

    async def reach(self) -> str:
        """Connect to the first node that can be reached, and return its address.

        Raises:
            ConnectionFailedError: every node was tried once.
            ClientClosedError: the client is closed.
        """
        with self._nodes.call_until(float("inf")):
            return await self._nodes.reach()
        raise InvariantViolation("there is no deadline")

    async def status(
        self,
        *,
        timeout: float = STATUS_TIMEOUT_S,  # noqa: ASYNC109
    ) -> list[StatusReport]:
        """Every configured node's status, or why there is none, in the order of `addresses`."""
        reports: dict[int, StatusReport] = {}

        async def ask(index: int) -> None:
            reports[index] = await self._nodes.configured[index].report(timeout)

        async with trio.open_nursery() as nursery:
            for index in range(len(self._nodes.configured)):
                nursery.start_soon(ask, index)
        return [reports[index] for index in sorted(reports)]

    def _start(self) -> int | None:
        """Where the next session begins."""
        if self._nodes.options.spread == "one_node":
            return None
        usable = self._nodes.usable
        self._next_start += 1
        return usable[(self._next_start - 1) % len(usable)].index

    def _return(self, session: Session) -> None:
        """The session goes back to the idle ones, and takes no transaction and no settings with it."""
        session.abandon()
        if session.has_state:
            session.close()
        self._idle.append(session)
        self._returned.unpark()

    async def _leased(self, deadline: float) -> Session:
        """An idle session, or a new one, or the next that returns; raises `NodeBusyError` at the deadline."""
        with self._nodes.call_until(deadline):
            while not self._idle:
                if self._made < self._nodes.options.max_sessions:
                    self._made += 1
                    return Session(self._nodes, Place(self._start()), self._random)
                await self._returned.park()
            return self._idle.pop()
        raise NodeBusyError(f"all {self._made} sessions of this client are busy", hint="Raise max_sessions.")


def open_client(
    transports: Sequence[Transport],
    options: ClientOptions | None = None,
    *,
    random: Random | None = None,
    make_transport: MakeTransport | None = None,
) -> AbstractAsyncContextManager[Client]:
    """A client of the nodes behind `transports`, closed at the end of the block.

    Nothing is connected before the first statement. Errors of the block come out as they are, not in a group.

    Args:
        random: it also names the sessions, so that only a simulation brings one of its own.
        make_transport: the way to a member that the cluster names; None: the client keeps to `transports`.
    """
    return without_group(_open_client(transports, options or ClientOptions(), random or SystemRandom(), make_transport))


@asynccontextmanager
async def _open_client(
    transports: Sequence[Transport], options: ClientOptions, random: Random, make_transport: MakeTransport | None
) -> AsyncIterator[Client]:
    async with trio.open_nursery() as nursery:
        nodes = NodeSet(transports, options, nursery, make_transport)
        try:
            yield Client(nodes, random)
        finally:
            nodes.close()
            nursery.cancel_scope.cancel()
