"""Runs a statement's plan, and says to the client what came of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from random import Random

from mynode.base.errors import MyNodeError
from mynode.base.ids import SessionId, Version
from mynode.machine.outcomes import Committed, Refused
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.relation.counters import Numbers, NumbersNeeded
from mynode.session.api import ColumnInfo, Completion, ErrorInfo, Row, StatementReply, StatementRequest
from mynode.session.effects import Emit, OpenFreshView, Pause
from mynode.session.number_draw import NumberDraw
from mynode.session.preparation import prepare_statement
from mynode.session.standing import Standing
from mynode.session.steps import Steps, WriteResult, decode_result, open_view
from mynode.session.transaction_block import TransactionBlock
from mynode.sql import ast
from mynode.sql.engine import ParsedStatement, PreparedStatement, SqlEngine
from mynode.sql.executor.context import Execution, ExecutionContext


class Runner:
    """What all statements of one session have in common, however they are committed.

    Attributes:
        session_id: the client's name for the session.
        now: the wall clock.
        standing: the session's transaction and state, which a final reply tells of.
    """

    __slots__ = ("_draw", "_engine", "_random", "now", "session_id", "standing")

    def __init__(
        self,
        session_id: SessionId,
        *,
        engine: SqlEngine,
        now: Callable[[], datetime],
        random: Random,
        standing: Standing,
    ) -> None:
        self.session_id = session_id
        self.now = now
        self.standing = standing
        self._engine = engine
        self._random = random
        self._draw = NumberDraw(random)

    # --- what a statement reads --------------------------------------------------------------------------------------

    def opened(self, block: TransactionBlock) -> Steps[Transaction]:
        """The block's transaction, with its view."""
        if block.transaction is None:
            view = yield from open_view(OpenFreshView())
            return block.open(view)
        return block.transaction

    def source(self) -> Steps[ReadView | Transaction]:
        """What a statement reads that writes nothing."""
        block = self.standing.block
        return (yield from (open_view(OpenFreshView()) if block is None else self.opened(block)))

    def draw_numbers(self, needed: NumbersNeeded) -> Steps[Version]:
        """Returns the version from which on the numbers are drawn."""
        return (yield from self._draw.draw(needed, self._engine.numbers))

    # --- running -----------------------------------------------------------------------------------------------------

    def stream(
        self, request: StatementRequest, parsed: ParsedStatement, transaction: Transaction, now: datetime
    ) -> Steps[None]:
        """Run a statement whose transaction is not committed with it, and emit its rows as they come.

        Raises its `SqlError` or, before anything is emitted, `NumbersNeeded`.
        """
        run, prepared = yield from self._started(request, parsed, transaction, now)
        version = transaction.view.version
        columns: tuple[ColumnInfo, ...] | None = prepared.columns or None
        held: list[Row] = []
        while True:
            try:
                batch = next(run)
            except StopIteration as stop:
                completion: Completion = stop.value
                break
            if not batch:
                yield Pause()
                continue
            if held:
                yield Emit(StatementReply(self.session_id, request.sequence, columns, held, None, None, version))
                columns = None
            held = batch
        status = self.standing.transaction_status
        news = self.standing.news()
        yield Emit(
            StatementReply(self.session_id, request.sequence, columns, held, completion, None, version, status, news)
        )

    def collect(
        self, request: StatementRequest, parsed: ParsedStatement, transaction: Transaction, now: datetime
    ) -> Steps[WriteResult]:
        """Run a statement whose rows, if it returns any, must wait until they are committed.

        Raises its `SqlError`, `ProgramLimitExceededError` among them if the rows cannot be kept for a retry, or
        `NumbersNeeded`.
        """
        run, prepared = yield from self._started(request, parsed, transaction, now)
        rows: list[Row] = []
        while True:
            try:
                batch = next(run)
            except StopIteration as stop:
                completion: Completion = stop.value
                result = WriteResult(completion, prepared.columns, rows)
                result.check_size()
                return result
            if batch:
                rows += batch
            else:
                yield Pause()

    def _started(
        self, request: StatementRequest, parsed: ParsedStatement, transaction: Transaction, now: datetime
    ) -> Steps[tuple[Execution, PreparedStatement]]:
        prepared = yield from prepare_statement(self._engine, parsed, transaction, request.parameters)
        numbers = Numbers(self._engine.numbers)
        context = ExecutionContext(transaction, request.parameters, now, self._random, self.now, numbers=numbers)
        return prepared.run(context), prepared

    # --- the final reply ---------------------------------------------------------------------------------------------

    def final(self, request: StatementRequest, outcome: Committed | Refused) -> Emit:
        """The reply that an outcome is; raises the error that it is."""
        if isinstance(outcome, Refused):
            raise outcome.to_error()
        result = decode_result(outcome.result)
        if isinstance(result, MyNodeError):
            raise result
        return self.done(request, result, outcome.version)

    def done(self, request: StatementRequest, result: WriteResult, version: Version) -> Emit:
        """All of the result in one reply: between two of them a cancel could hide that it is committed."""
        status, news = self.standing.transaction_status, self.standing.news()
        columns, rows, completion = result.columns or None, result.rows, result.completion
        return Emit(
            StatementReply(self.session_id, request.sequence, columns, rows, completion, None, version, status, news)
        )

    def error(
        self, request: StatementRequest, error: MyNodeError, *, retryable: bool, version: Version | None = None
    ) -> Emit:
        """A statement of a transaction is never worth sending again: the transaction has failed, or is over."""
        info = ErrorInfo.of(error, retryable=retryable)
        status, news = self.standing.transaction_status, self.standing.news()
        seen = request.floor if version is None else version
        return Emit(StatementReply(self.session_id, request.sequence, None, (), None, info, seen, status, news))


def as_of(parsed: ParsedStatement) -> ast.IntegerLiteral | ast.StringLiteral | None:
    """The AS OF SYSTEM TIME of a query."""
    return parsed.ast.as_of if isinstance(parsed.ast, ast.Query) else None
