"""A logical SQL session: it numbers its statements and has a place among the nodes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from types import TracebackType

import trio

from mynode.base.ids import SessionId
from mynode.client.nodes import NodeSet
from mynode.client.parameters import checked
from mynode.client.result import Result
from mynode.client.rows import RowStream
from mynode.client.statement import Place, Statement


class Session:
    """Stays on the node that answered last, and moves when that node fails.

    One statement at a time; a second meanwhile raises `trio.BusyResourceError`. `close` it, or use it as an async
    context manager.

    Invariants: each statement has a sequence number of its own, whatever becomes of it.
    """

    def __init__(self, nodes: NodeSet, place: Place, random: Random) -> None:
        self.id: SessionId = os.urandom(16)
        self._sequence = 0
        self._nodes = nodes
        self._place = place
        self._random = random
        self._is_busy = False

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Tell the nodes that know the session that it is over; does not wait."""
        for index in self._place.used:
            self._nodes.nodes[index].close_session(self.id)
        self._place.used.clear()

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
        statement = self._statement(deadline, sql, parameters)
        self._is_busy = True
        try:
            return await statement.result()
        finally:
            statement.release()
            self._is_busy = False

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
        return Statement(
            self._nodes,
            self._place,
            self._random,
            session_id=self.id,
            sequence=self._sequence,
            sql=sql,
            parameters=row,
            size=size,
            deadline=deadline,
        )
