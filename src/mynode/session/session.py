"""One SQL session: takes statements, yields what it needs (`session.effects`), is sent the answers.

How a statement by itself runs, and why it is strictly serializable, is told in `session.autocommit`; how an explicit
transaction runs, in `session.explicit`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from random import Random

from mynode.base.errors import MyNodeError
from mynode.base.ids import SessionId
from mynode.base.sql_errors import IdleInTransactionTimeoutError, SnapshotTooOldError
from mynode.session.api import StatementRequest, TransactionStatus
from mynode.session.autocommit import Autocommit
from mynode.session.effects import Limit
from mynode.session.explicit import ExplicitTransactions
from mynode.session.preparation import parse_text, resolve_call
from mynode.session.runner import Runner
from mynode.session.standing import Standing
from mynode.session.state import EMPTY_STATE
from mynode.session.state_control import StateControl
from mynode.session.steps import Steps
from mynode.session.transaction_block import view_too_old
from mynode.sql import ast
from mynode.sql.engine import ParsedStatement, SqlEngine


class Session:
    """A client's SQL session. Sync, and free of I/O, clock and global random.

    Args:
        engine: the node's SQL engine, with its caches.
        now: the wall clock, for `now()`; read once a statement, before anything is proposed.
        random: for `random()` and generated keys, likewise.

    Invariants: one statement at a time; each statement emits exactly one final reply; in a transaction block that has
    failed no statement runs until a rollback.
    """

    def __init__(
        self, session_id: SessionId, *, engine: SqlEngine, now: Callable[[], datetime], random: Random
    ) -> None:
        self._engine = engine
        self._standing = Standing()
        runner = Runner(session_id, engine=engine, now=now, random=random, standing=self._standing)
        self._runner = runner
        self._autocommit = Autocommit(runner, random)
        self._explicit = ExplicitTransactions(runner)
        self._state_control = StateControl(runner, self._autocommit, engine)

    @property
    def transaction_status(self) -> TransactionStatus:
        return self._standing.transaction_status

    @property
    def can_time_out(self) -> bool:
        """Whether `time_out_transaction` would let go of anything."""
        block = self._standing.block
        return block is not None and block.can_time_out

    @property
    def idle_timeout_ms(self) -> int:
        """How long the client may leave a transaction idle; 0: as the node says."""
        return self._standing.state.settings.milliseconds("idle_in_transaction_session_timeout")

    @property
    def holds_view(self) -> bool:
        """Whether a transaction is open that has its view of the data."""
        block = self._standing.block
        return block is not None and block.transaction is not None

    def time_out_transaction(self, *, view_is_old: bool = False) -> None:
        """Between two statements: a transaction was idle, or open, for too long. Its client hears so later."""
        block = self._standing.block
        if block is not None:
            block.time_out(
                view_too_old()
                if view_is_old
                else IdleInTransactionTimeoutError(
                    "the transaction was rolled back: it was idle for too long", hint="ROLLBACK, then begin it again."
                )
            )

    def execute(self, request: StatementRequest) -> Steps[None]:
        """The steps of one statement. An error thrown in at a step becomes the statement's final reply."""
        standing = self._standing
        was_in_block = standing.block is not None
        try:
            if request.state is not None:
                standing.restore(request.state)
            if standing.state is not EMPTY_STATE and (
                limit_ms := standing.state.settings.milliseconds("statement_timeout")
            ):
                yield Limit(limit_ms)
            parsed = yield from parse_text(self._engine, request.sql)
            if isinstance(parsed.control, ast.Execute):
                parsed = yield from resolve_call(self._engine, parsed, standing.state.text_of(parsed.control.name))
            yield from self._run(request, parsed)
        except BaseException as error:
            block = standing.block
            if block is not None:
                block.fail()
            if not isinstance(error, MyNodeError):
                raise
            if isinstance(error, SnapshotTooOldError):
                error.__traceback__ = None  # Its frames hold the view, while the client may not take the reply.
                if block is not None:
                    block.time_out(error)
            yield self._runner.error(request, error, retryable=error.retryable and not was_in_block)

    def _run(self, request: StatementRequest, parsed: ParsedStatement) -> Steps[None]:
        control, block = parsed.control, self._standing.block
        if control is not None:
            if isinstance(control, ast.TransactionControl):
                return self._explicit.control(request, control)
            return self._state_control.run(request, parsed, control)
        if block is not None:
            return self._explicit.run(request, parsed, block)
        if parsed.is_read_only:
            return self._autocommit.read(request, parsed)
        return self._autocommit.write(request, parsed)
