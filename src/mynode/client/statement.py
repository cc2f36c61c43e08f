"""One statement, carried to its answer over as many attempts as that takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeVar

import trio

from mynode.base.errors import (
    ConnectionFailedError,
    DiskFullError,
    InvariantViolation,
    MyNodeError,
    NoQuorumError,
    SessionForgottenError,
    ShuttingDownError,
)
from mynode.base.ids import SessionId
from mynode.client.link import Attempt, Link
from mynode.client.nodes import Node, NodeSet
from mynode.client.result import Result
from mynode.client.retry import RetryState
from mynode.session.api import ColumnInfo, Row, StatementReply, StatementRequest, TransactionStatus

T = TypeVar("T")

ANSWER_MARGIN_S: Final = 0.25
"""A node gets this much less time than the statement has (a tenth less, if that is shorter), so that its own, more
telling error is here before the client gives up."""

_NODE_IS_BAD: Final = (ConnectionFailedError, ShuttingDownError, NoQuorumError, DiskFullError)


@dataclass(slots=True)
class Place:
    """Where a session runs its statements.

    Attributes:
        node: index of the node to begin with; None: where the client's other sessions are.
        is_pinned: never leave it.
        is_exclusive: a link of its own for each attempt.
        used: indexes of the nodes that know the session by the shared link.
    """

    node: int | None
    is_pinned: bool = False
    is_exclusive: bool = False
    used: set[int] = field(default_factory=set)


class Statement:
    """Chooses nodes, opens attempts and collects the answer. One task uses it, and calls `release` at the end.

    Attributes:
        node: where the last attempt went; None before, and for `result_from`.
        transaction: the session's status after the last attempt, if its node has said.
        state: what the session has set and prepared, if a node said that this has changed.

    Invariants:
    - Every attempt has the same session and sequence number, and the floor known before the first: it proves to the
      outcome table that the statement is not older than what the table has forgotten. A first attempt refused for
      its old floor was not executed, so the next one may have a newer.
    - All attempts after one that may have been executed say `is_retry`; a reply that it was not leaves no doubt.
    - At most one attempt is open, and none once `release` was called.
    - No attempt follows once a part of the answer was handed out.
    """

    def __init__(
        self,
        nodes: NodeSet,
        place: Place,
        random: Random,
        *,
        session_id: SessionId,
        sequence: int,
        sql: str,
        parameters: Row,
        size: int,
        deadline: float,
        state: bytes = b"",
        state_link: Link | None = None,
    ) -> None:
        self._nodes = nodes
        self._place = place
        self._random = random
        self._session_id = session_id
        self._sequence = sequence
        self._sql = sql
        self._parameters = parameters
        self._size = size
        self._deadline = deadline
        self._known_state = state
        self._state_link = state_link
        self._floor = nodes.floor
        self._retry = RetryState()
        self._attempts = 0
        self._tried: set[int] = set()
        self._link: Link | None = None
        self._attempt: Attempt | None = None
        self.node: Node | None = None
        self.transaction: TransactionStatus | None = None
        self.state: bytes | None = None

    @property
    def link(self) -> Link | None:
        """The link of the last attempt."""
        return self._link

    @property
    def is_answered(self) -> bool:
        """The last attempt has its final reply."""
        return self._attempt is not None and self._attempt.is_answered

    @property
    def is_sent(self) -> bool:
        """The last attempt may have been executed."""
        return self._attempt is not None and self._attempt.is_sent

    async def result_from(self, link: Link) -> Result:
        """The whole result over this link, where the session's transaction is; not tried again.

        Raises:
            ConnectionFailedError: the link broke.
            OutcomeUnknownError: the node says so, of a COMMIT.
            TooSlowError: the deadline passed.
        """
        with self._nodes.call_until(self._deadline):
            self._submit(link)
            return await self._gather()
        raise trio.TooSlowError

    async def settled(self, error: MyNodeError) -> Result:
        """What became of a COMMIT that was sent and ended with `error`: asked of every node until the deadline.

        Raises:
            SerializationFailureError: it is rolled back, for certain.
            OutcomeUnknownError: no node could tell in time.
        """
        self.release()
        self._retry.failed(error, was_sent=True, is_reply=False)
        return await self.result()

    async def result(self) -> Result:
        """The whole result, tried again until the deadline."""
        with self._nodes.call_until(self._deadline):
            return await self._until_answered(self._gather)
        raise self._error_at_end()

    async def first_reply(self) -> StatementReply:
        """The first part of the answer, tried again until the deadline. `next_reply` gives the others."""
        with self._nodes.call_until(self._deadline):
            return await self._until_answered(self._take_reply)
        raise self._error_at_end()

    async def next_reply(self) -> StatementReply:
        """A further part; not tried again."""
        with self._nodes.call_until(self._deadline):
            return await self._take_reply()
        raise self._error_at_end()

    def cancel(self) -> bool:
        """Ask the node to stop; what it answers ends the statement. False if no node works on it now."""
        attempt, link = self._attempt, self._link
        if attempt is None or link is None or not attempt.is_sent or attempt.is_answered:
            return False
        self._retry.is_cancelled = True
        link.cancel(attempt)
        return True

    def release(self) -> None:
        """Be done with the open attempt: its node is told to stop, later replies are ignored."""
        if self._attempt is not None and self._link is not None:
            self._link.release(self._attempt)
            if self._place.is_exclusive:
                self._link.fail("the statement is over")
        self._attempt = self._link = None

    def _error_at_end(self) -> MyNodeError:
        attempt = self._attempt
        is_waiting = attempt is not None and attempt.is_sent and not attempt.is_answered
        return self._retry.at_end(is_waiting=is_waiting)

    async def _until_answered(self, take: Callable[[], Awaitable[T]]) -> T:
        while True:
            node, attempt = await self._begin()
            try:
                answer = await take()
            except MyNodeError as error:
                if isinstance(error, _NODE_IS_BAD):
                    self._nodes.failed(node)
                self.release()
                self._retry.failed(error, was_sent=attempt.is_sent, is_reply=attempt.is_answered)
            else:
                self._arrived_at(node)
                return answer

    async def _begin(self) -> tuple[Node, Attempt]:
        """Open an attempt on the best node not yet tried in this round; after a round, wait a little."""
        while True:
            await trio.lowlevel.checkpoint_if_cancelled()
            node = await self._next_node()
            try:
                link = await (node.exclusive_link() if self._place.is_exclusive else node.link())
            except ConnectionFailedError as error:
                self._nodes.failed(node)
                self._retry.failed(error, was_sent=False, is_reply=False)
                continue
            if not self._place.is_exclusive:
                self._place.used.add(node.index)
            self.node = node
            return node, self._submit(link)

    def _submit(self, link: Link) -> Attempt:
        self._link = link
        self._attempts += 1
        self.transaction = None
        state = self._known_state if self._known_state and link is not self._state_link else None
        self._attempt = attempt = link.submit(self._request(state), self._size + len(state or b""))
        return attempt

    async def _next_node(self) -> Node:
        while (node := self._untried_node()) is None:
            self._tried.clear()
            await trio.sleep(self._retry.backoff_s(self._random))
        self._tried.add(node.index)
        return node

    def _untried_node(self) -> Node | None:
        nodes, start = self._nodes, self._place.node
        if start is not None and self._place.is_pinned:
            return None if self._tried else nodes.configured[start]
        return nodes.choose(nodes.home if start is None else start, self._tried)

    def _arrived_at(self, node: Node) -> None:
        node.trust()
        if self._place.node is None:
            self._nodes.home = node.index
        else:
            self._place.node = node.index

    def _request(self, state: bytes | None) -> StatementRequest:
        left = self._deadline - trio.current_time()
        timeout_ms = max(1, int(1_000 * (left - min(ANSWER_MARGIN_S, left / 10))))
        return StatementRequest(
            self._session_id,
            self._sequence,
            self._sql,
            self._parameters,
            timeout_ms,
            self._retry.is_unresolved,
            self._floor,
            state,
        )

    async def _take_reply(self) -> StatementReply:
        if self._attempt is None or self._link is None:
            raise InvariantViolation("no attempt is open")
        reply = await self._attempt.next_reply()
        self._link.took_reply()
        self.transaction = reply.transaction
        if reply.state is not None:
            self.state = reply.state
        if reply.error is not None:
            error = reply.error.to_error()
            error.retryable = reply.error.retryable
            if isinstance(error, SessionForgottenError) and not self._retry.is_unresolved:
                self._nodes.saw(reply.version)
                self._floor = self._nodes.floor
            raise error
        self._nodes.saw(reply.version)
        return reply

    async def _gather(self) -> Result:
        reply = await self._take_reply()
        columns: tuple[ColumnInfo, ...] = reply.columns or ()
        rows: list[Row] = list(reply.rows)
        while reply.completion is None:
            reply = await self._take_reply()
            rows.extend(reply.rows)
        completion = reply.completion
        return Result(columns, rows, completion.tag, completion.rows_affected, reply.version, self._attempts)
