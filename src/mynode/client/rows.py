"""A large result, taken in batches while the node makes it."""

from __future__ import annotations

from mynode.base.ids import Version
from mynode.client.statement import Statement
from mynode.session.api import ColumnInfo, Row, StatementReply


class RowStream:
    """`async for batch in rows`: each batch is a list of rows, as the node sent it, never empty.

    Attributes:
        columns: known from the beginning.
        tag, rows_affected, version: as in `Result`; set once the last batch was taken (`tag` is "" before).
    """

    def __init__(self, statement: Statement, first: StatementReply) -> None:
        self.columns: tuple[ColumnInfo, ...] = first.columns or ()
        self.tag = ""
        self.rows_affected = -1
        self.version: Version = first.version
        self._statement = statement
        self._reply: StatementReply | None = first

    def __aiter__(self) -> RowStream:
        return self

    async def __anext__(self) -> list[Row]:
        """The next batch. Raises the statement's error; rows already handed out make it final."""
        while not self.tag:
            reply = self._reply or await self._statement.next_reply()
            self._reply = None
            if reply.completion is not None:
                self.tag = reply.completion.tag
                self.rows_affected = reply.completion.rows_affected
                self.version = reply.version
            if reply.rows:
                return list(reply.rows)
        raise StopAsyncIteration
