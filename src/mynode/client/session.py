"""A logical SQL session: it numbers its statements and has a place among the nodes.

A statement by itself may be tried again anywhere. A transaction lives in one session of one node, behind one link, and
nothing of it is proposed before its COMMIT. So:

- Its statements go over that link and are never sent twice. When the link breaks, or an answer does not come, the
  transaction is lost, which means rolled back: the node drops it with the session.
- A COMMIT that was sent and not answered may have been proposed, and may be applied at any time to come. It alone is
  asked of other nodes, under its own session and sequence number. The question makes an entry that writes nothing and
  says "rolled back" (`mynode.session.explicit`); of the entries with that number the log's first one decides. So the
  answer is final, committed or rolled back. A COMMIT that was never sent is certainly rolled back.
- Whenever it is not certain what the node still holds under this session's id, the session goes on under a new id. A
  transaction left behind can then touch no later statement, even if the node never hears that it is over.

What SET and PREPARE leave behind lives on the session's node, and here as the bytes that the node last told. They go
along with the first statement to another node, or over another link: the session goes on there as it was. Only what SET
changes in a transaction is lost with its node, even if its COMMIT turns out to have been applied.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from types import TracebackType

import trio

from mynode.base.errors import (
    ConnectionFailedError,
    NoQuorumError,
    OutcomeUnknownError,
    QueryCanceledError,
    ShuttingDownError,
)
from mynode.base.ids import SessionId
from mynode.base.sql_errors import InFailedTransactionError, SerializationFailureError
from mynode.client.link import Link
from mynode.client.nodes import Node, NodeSet
from mynode.client.parameters import checked
from mynode.client.result import Result
from mynode.client.rows import RowStream
from mynode.client.statement import Place, Statement
from mynode.client.transaction_words import end_of, may_leave_something
from mynode.session.api import TransactionStatus


class Session:
    """Stays on the node that answered last, and moves when that node fails.

    One statement at a time; a second meanwhile raises `trio.BusyResourceError`. `close` it, or use it as an async
    context manager.

    Invariants: each statement has a sequence number of its own, whatever becomes of it; no transaction is open under
    the session's id at any node but the one behind `_link`, and none at all while that is None.
    """

    def __init__(self, nodes: NodeSet, place: Place, random: Random) -> None:
        self.id: SessionId = random.randbytes(16)
        self._sequence = 0
        self._nodes = nodes
        self._place = place
        self._random = random
        self._newest: Statement | None = None
        self._is_busy = False
        self._status = TransactionStatus.IDLE
        self._node: Node | None = None
        self._link: Link | None = None
        self._state = b""
        self._state_link: Link | None = None

    @property
    def transaction_status(self) -> TransactionStatus:
        """Whether a transaction is open; FAILED also when it was lost and has not been rolled back yet."""
        return self._status

    @property
    def has_state(self) -> bool:
        """Whether something is set or prepared in the session."""
        return bool(self._state)

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Tell the nodes that know the session that it is over, with all that it holds; does not wait."""
        self._status = TransactionStatus.IDLE
        self._state = b""
        self._renew()

    async def execute(
        self,
        sql: str,
        parameters: Sequence[object] = (),
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Result:
        """Run one statement and return its whole result; see `Client.execute`."""
        return await self.execute_until(self._nodes.deadline(timeout), sql, parameters)

    async def execute_until(self, deadline: float, sql: str, parameters: Sequence[object]) -> Result:
        """As `execute`, with the deadline as a time of Trio's clock."""
        if self._status is not TransactionStatus.IDLE and self._link is None:
            return self._after_loss(sql)
        statement = self._statement(deadline, sql, parameters)
        self._is_busy = True
        try:
            if self._link is None:
                return await statement.result()
            return await self._result_in_transaction(statement, self._link, sql)
        finally:
            self._follow(statement, sql)
            statement.release()
            self._is_busy = False

    def cancel(self) -> bool:
        """Ask the node to stop the running statement, whose call then ends as the node says: cancelled, or done.

        Returns False if no node works on a statement now.
        """
        return self._is_busy and self._newest is not None and self._newest.cancel()

    # --- transactions ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[Session]:
        """BEGIN, and at the end COMMIT; if the block raises, all is rolled back.

        Raises, at the end:
            SerializationFailureError: rolled back, as a concurrent transaction changed what this one read, or the node
                was lost. Run the whole block again.
            OutcomeUnknownError: no answer came in time, it may have been committed.
            InFailedTransactionError: rolled back, as the block had swallowed the error of a statement.
        """
        await self.begin(read_only=read_only)
        try:
            yield self
            await self.commit()
        finally:
            self.abandon()

    async def begin(self, *, read_only: bool = False) -> Result:
        return await self.execute("BEGIN READ ONLY" if read_only else "BEGIN")

    async def commit(self) -> Result:
        """COMMIT; the errors are those of `transaction`."""
        result = await self.execute("COMMIT")
        if result.tag != "COMMIT":
            raise InFailedTransactionError("the transaction was rolled back, because a statement in it had failed")
        return result

    async def rollback(self) -> Result:
        return await self.execute("ROLLBACK")

    def abandon(self) -> None:
        """Roll an open transaction back without waiting: the node drops it with its session, and this one goes on."""
        if self._status is not TransactionStatus.IDLE:
            self._status = TransactionStatus.IDLE
            self._renew()

    async def _result_in_transaction(self, statement: Statement, link: Link, sql: str) -> Result:
        end = end_of(sql)
        try:
            return await statement.result_from(link)
        except OutcomeUnknownError as error:
            return await statement.settled(error)
        except (NoQuorumError, ShuttingDownError):
            self._suspect()
            raise
        except ConnectionFailedError as error:
            self._suspect()
            if end == "COMMIT" and statement.is_sent:
                return await statement.settled(error)
            if end == "ROLLBACK":
                return self._rolled_back()
            raise _lost() from error
        except trio.TooSlowError:
            if end == "COMMIT" and statement.is_sent:
                raise OutcomeUnknownError("no answer came in time: the transaction may have been committed") from None
            raise QueryCanceledError("no answer came in time, the transaction is rolled back") from None

    def _suspect(self) -> None:
        """The next transaction had better begin elsewhere."""
        if self._node is not None:
            self._node.suspect()

    def _after_loss(self, sql: str) -> Result:
        """Answer a statement of a transaction that no node holds any more."""
        end = end_of(sql)
        if end is None:
            raise InFailedTransactionError(
                "the transaction was rolled back: no answer came to a statement in it",
                hint="ROLLBACK ends it here too.",
            )
        self._status = TransactionStatus.IDLE
        if end == "COMMIT":
            raise _lost()
        return self._rolled_back()

    def _rolled_back(self) -> Result:
        return Result((), [], "ROLLBACK", -1, self._nodes.floor)

    def _follow(self, statement: Statement, sql: str) -> None:
        """Learn from a statement that ended, however it did, what its session holds now, and where."""
        if statement.is_answered:
            self._state_link = statement.link
            if statement.state is not None:
                self._state = statement.state
        was_idle = self._status is TransactionStatus.IDLE
        if statement.transaction is not None:
            self._status = statement.transaction
            if was_idle:
                self._node, self._link = statement.node, statement.link
            if self._status is TransactionStatus.IDLE:
                self._node = self._link = None
        elif not statement.is_answered and not (was_idle and not may_leave_something(sql)):
            is_over = was_idle or end_of(sql) is not None
            self._status = TransactionStatus.IDLE if is_over else TransactionStatus.FAILED
            self._renew()

    def _renew(self) -> None:
        """Go on under a new id, and tell the nodes that the old one is over."""
        for index in self._place.used:
            self._nodes.close_session(index, self.id)
        self._place.used.clear()
        self._node = self._link = self._state_link = None
        self.id = self._random.randbytes(16)
        self._sequence = 0

    @asynccontextmanager
    async def stream_until(self, deadline: float, sql: str, parameters: Sequence[object]) -> AsyncIterator[RowStream]:
        """The result in batches; `Client.stream` says more."""
        statement = self._statement(deadline, sql, parameters)
        self._is_busy = True
        try:
            yield RowStream(statement, await statement.first_reply())
        finally:
            statement.release()
            self._is_busy = False

    def _statement(self, deadline: float, sql: str, parameters: Sequence[object]) -> Statement:
        if self._is_busy:
            raise trio.BusyResourceError("another statement of this session is running")
        row, size = checked(sql, parameters)
        self._sequence += 1
        self._newest = Statement(
            self._nodes,
            self._place,
            self._random,
            session_id=self.id,
            sequence=self._sequence,
            sql=sql,
            parameters=row,
            size=size,
            deadline=deadline,
            state=self._state,
            state_link=self._state_link,
        )
        return self._newest


def _lost() -> SerializationFailureError:
    return SerializationFailureError(
        "the transaction was rolled back: the connection to its node was lost", hint="Run the whole transaction again."
    )
