"""One SQL session: takes statements, yields what it needs (`session.effects`), is sent the answers.

How a statement by itself runs, and why it is strictly serializable:

- A read opens a fresh view (read index) and answers from it. It proposes nothing and cannot conflict.
- A write starts from the newest local view without a round trip. Its read set and write set are proposed as one
  entry, and applying the entry validates that nothing read has changed since: that proves the view was current. After
  a conflict the statement runs again on a newer view; the client does not see it. First the hot lane of the leader's
  node runs it (`session.lane`), then, if that has no outcome for it, this session does.
- A write that proposes nothing (no row found, an error) rests on a view that nothing has proved. So a fresh view is
  opened, and only if what was read is unchanged there does the answer stand; otherwise it runs again.
- A statement's session and sequence number travel in its entry. A retry finds the first outcome in the replicated
  outcome table: here before it runs, or when its own entry is applied.
- A retry always proposes, if need be an entry that writes nothing and holds its answer, errors included: an earlier
  attempt that a paused node still holds then meets that answer, and cannot be applied after it was given. The same
  goes for what this session runs after the lane did not say what became of the statement.

How an explicit transaction runs:

- Its first statement opens a fresh view; all its statements read that one view and the transaction's own writes.
- COMMIT proposes everything as one entry under the COMMIT's own sequence number. A conflict is the client's to see
  (40001): it alone can run the statements again.
- COMMIT of a transaction that wrote nothing proposes nothing and cannot conflict. All its reads are of one state, the
  view's; that state held every transaction acknowledged before the first statement came, and nothing later. So the
  transaction takes its place in the serial order right behind the view's version, which lies between its first
  statement and its end, as strictness wants. Validation would only prove that its place could be even later.
- What SET changes is undone with the transaction; what PREPARE prepares stays.
- Until COMMIT nothing has left this session. A client that is gone, a node that stops, a timeout: dropping the object
  is the rollback.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Final, assert_never

from mynode.base.errors import (
    InvariantViolation,
    MyNodeError,
    OutcomeUnknownError,
    ProtocolViolationError,
    SessionForgottenError,
)
from mynode.base.ids import SessionId, Version
from mynode.base.sql_errors import (
    ActiveTransactionError,
    FeatureNotSupportedError,
    IdleInTransactionTimeoutError,
    NoActiveTransactionError,
    SerializationFailureError,
    SnapshotTooOldError,
    SqlError,
)
from mynode.machine.outcomes import Committed, Conflicted, Outcome, Refused, stored_outcome
from mynode.mvcc.retention import watermark
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.validation import conflict
from mynode.mvcc.view import ReadView
from mynode.relation.counters import Numbers, NumbersNeeded
from mynode.relation.index_build import IndexTooBigError
from mynode.session.api import (
    ColumnInfo,
    Completion,
    ErrorInfo,
    Row,
    StatementReply,
    StatementRequest,
    TransactionStatus,
)
from mynode.session.as_of import view_as_of
from mynode.session.effects import Backoff, Emit, Limit, OpenFreshView, OpenView, Pause
from mynode.session.index_build import IndexBuild
from mynode.session.lane import may_enter
from mynode.session.lane_api import LaneRefusal, LaneSettled
from mynode.session.number_draw import NumberDraw
from mynode.session.settings import Settings, shown, shows_system
from mynode.session.state import EMPTY_STATE, decode_state
from mynode.session.steps import (
    Steps,
    Write,
    WriteResult,
    decode_result,
    encode_result,
    is_forgotten,
    open_view,
    propose,
    run_in_lane,
)
from mynode.session.system_settings import alter_system, system_settings
from mynode.session.transaction_block import TransactionBlock, view_too_old
from mynode.sql import ast
from mynode.sql.engine import ParsedStatement, PreparedStatement, SqlEngine
from mynode.sql.executor.context import Execution, ExecutionContext

_COMMIT: Final = WriteResult(Completion("COMMIT", -1))
_RUN_AGAIN: Final = "Run the whole transaction again: it may succeed then."


class Session:
    """A client's SQL session. Sync, and free of I/O, clock and global random.

    Args:
        engine: the node's SQL engine, with its caches.
        now: the wall clock, for `now()`; read once a statement, before anything is proposed.
        random: for `random()` and generated keys, likewise.

    `_contended` is the last statement by itself, if others wanted its rows too: it goes to the lane at once the next
    time. `_unfit` is the last one that is not for the lane.

    Invariants: one statement at a time; each statement emits exactly one final reply; in a transaction block that has
    failed no statement runs until a rollback.
    """

    def __init__(
        self, session_id: SessionId, *, engine: SqlEngine, now: Callable[[], datetime], random: Random
    ) -> None:
        self._id = session_id
        self._engine = engine
        self._now = now
        self._random = random
        self._draw = NumberDraw(random)
        self._block: TransactionBlock | None = None
        self._state = EMPTY_STATE
        self._told_state = EMPTY_STATE
        self._contended: str | None = None
        self._unfit: str | None = None

    @property
    def transaction_status(self) -> TransactionStatus:
        return TransactionStatus.IDLE if self._block is None else self._block.status

    @property
    def can_time_out(self) -> bool:
        """Whether `time_out_transaction` would let go of anything."""
        return self._block is not None and self._block.can_time_out

    @property
    def idle_timeout_ms(self) -> int:
        """How long the client may leave a transaction idle; 0: as the node says."""
        return self._state.settings.milliseconds("idle_in_transaction_session_timeout")

    @property
    def holds_view(self) -> bool:
        """Whether a transaction is open that has its view of the data."""
        return self._block is not None and self._block.transaction is not None

    def time_out_transaction(self, *, view_is_old: bool = False) -> None:
        """Between two statements: a transaction was idle, or open, for too long. Its client hears so later."""
        if self._block is not None:
            self._block.time_out(
                view_too_old()
                if view_is_old
                else IdleInTransactionTimeoutError(
                    "the transaction was rolled back: it was idle for too long", hint="ROLLBACK, then begin it again."
                )
            )

    def execute(self, request: StatementRequest) -> Steps[None]:
        """The steps of one statement. An error thrown in at a step becomes the statement's final reply."""
        was_in_block = self._block is not None
        try:
            if request.state is not None:
                self._restore(request.state)
            if self._state is not EMPTY_STATE and (limit_ms := self._state.settings.milliseconds("statement_timeout")):
                yield Limit(limit_ms)
            parsed = self._engine.parse(request.sql)
            if isinstance(parsed.control, ast.Execute):
                parsed = self._engine.called(parsed, self._state.text_of(parsed.control.name))
            if parsed.control is not None:
                yield from self._control(request, parsed, parsed.control)
            elif self._block is not None:
                yield from self._in_block(request, parsed, self._block)
            elif parsed.is_read_only:
                yield from self._read(request, parsed)
            else:
                yield from self._write(request, parsed)
        except BaseException as error:
            if self._block is not None:
                self._block.fail()
            if not isinstance(error, MyNodeError):
                raise
            if isinstance(error, SnapshotTooOldError):
                error.__traceback__ = None  # Its frames hold the view, while the client may not take the reply.
                if self._block is not None:
                    self._block.time_out(error)
            yield self._error(request, error, retryable=error.retryable and not was_in_block)

    # --- a statement by itself ---------------------------------------------------------------------------------------

    def _read(self, request: StatementRequest, parsed: ParsedStatement) -> Steps[None]:
        view = yield from open_view(OpenFreshView())
        now = self._now()
        if (when := _as_of(parsed)) is not None:
            view = yield from view_as_of(view, when, now)
        yield from self._stream(request, parsed, Transaction(view, record_reads=False), now)

    def _write(self, request: StatementRequest, parsed: ParsedStatement) -> Steps[None]:
        view = yield from open_view(OpenView(request.floor))
        floor = request.floor
        if not floor and not request.is_retry:
            # A client's very first statement: it knows no version yet, and no attempt at it can be in this view.
            floor = view.version
        write = Write(request, parsed, floor, is_retry=request.is_retry)
        outcome = yield from self._settle(write, view)
        if is_forgotten(outcome) and not write.is_retry:
            newest = yield from open_view(OpenView(request.floor))
            forgotten = SessionForgottenError("the session was idle for so long that the cluster has forgotten it")
            yield self._error(request, forgotten, retryable=True, version=newest.version)
            return
        yield self._final(request, outcome)

    def _settle(self, write: Write, view: ReadView) -> Steps[Committed | Refused]:
        """Run the statement until it has an outcome: once by itself, in the lane, by itself as often as needed."""
        text = write.parsed.text
        if isinstance(write.parsed.control, ast.AlterSystem):
            return (yield from alter_system(self._id, write, write.parsed.control))
        if text != self._contended:
            outcome = yield from self._attempt(write, view)
            if not isinstance(outcome, Conflicted):
                return outcome
        request = replace(write.request, sql=text, floor=write.floor)
        if text != self._unfit and may_enter(request):
            answer = yield from run_in_lane(request)
            self._contended = text if isinstance(answer, LaneSettled) and answer.is_contended else None
            if isinstance(answer, LaneSettled):
                return answer.outcome
            if answer is LaneRefusal.MAYBE_EXECUTED:
                write.is_retry = True
                try:
                    return (yield from self._repeat(write))
                except MyNodeError as error:
                    raise OutcomeUnknownError(
                        f"the statement was not confirmed and may still be applied: {error.message}", hint=error.hint
                    ) from error
            if answer is LaneRefusal.UNFIT:
                self._unfit = text
        return (yield from self._repeat(write))

    def _repeat(self, write: Write) -> Steps[Committed | Refused]:
        attempt = 1
        while True:
            attempt += 1
            yield Backoff(attempt)
            view = yield from open_view(OpenView(write.request.floor))
            outcome = yield from self._attempt(write, view)
            if not isinstance(outcome, Conflicted):
                return outcome

    def _attempt(self, write: Write, view: ReadView) -> Steps[Outcome]:
        """Run the statement on `view`; on a newer one, if its answer proposes nothing and the view turns out stale."""
        request = write.request
        while True:
            stored = stored_outcome(view, self._id, request.sequence, floor=write.floor if write.is_retry else None)
            if stored is not None:
                return stored
            transaction = Transaction(view)
            answer: WriteResult | SqlError
            try:
                answer = yield from self._run(request, write.parsed, transaction, self._now())
            except IndexTooBigError as needed:
                yield from IndexBuild(needed, self._random).run()
                view = yield from open_view(OpenView(request.floor))
                continue
            except NumbersNeeded as needed:
                drawn = yield from self._draw.draw(needed, self._engine.numbers)
                view = yield from open_view(OpenView(max(request.floor, drawn)))
                continue
            except SqlError as error:
                answer = error
            if write.is_retry or not (isinstance(answer, SqlError) or not transaction.writes):
                return (yield from propose(self._id, request.sequence, write.floor, transaction, answer))
            view = yield from open_view(OpenFreshView())
            if self._still_holds(request, transaction, view):
                if isinstance(answer, SqlError):
                    raise answer
                return Committed(view.version, encode_result(answer), replayed=False)

    def _still_holds(self, request: StatementRequest, transaction: Transaction, fresh: ReadView) -> bool:
        """Whether what the transaction read, and the absence of its outcome, are the same in the fresh view.

        Of a view older than the watermark nobody can tell: tombstones that would show a change may be gone.
        """
        if fresh.version == transaction.view.version:
            return True
        return (
            transaction.view.version >= watermark(fresh)
            and conflict(fresh.tree, transaction.view.version, transaction.reads) is None
            and stored_outcome(fresh, self._id, request.sequence) is None
        )

    # --- transactions ------------------------------------------------------------------------------------------------

    def _in_block(self, request: StatementRequest, parsed: ParsedStatement, block: TransactionBlock) -> Steps[None]:
        block.check_usable()
        block.check_may_run(parsed)
        if (when := _as_of(parsed)) is not None:
            raise FeatureNotSupportedError("AS OF SYSTEM TIME inside a transaction is", position=when.position)
        transaction = yield from self._opened(block)
        if parsed.is_read_only:
            yield from self._stream(request, parsed, transaction, block.now)
            return
        while True:
            savepoint = transaction.writes.savepoint()
            try:
                return (yield from self._stream(request, parsed, transaction, block.now))
            except NumbersNeeded as needed:
                transaction.writes.rollback_to(savepoint)
                yield from self._draw.draw(needed, self._engine.numbers)
            finally:
                transaction.writes.release(savepoint)

    def _opened(self, block: TransactionBlock) -> Steps[Transaction]:
        if block.transaction is None:
            view = yield from open_view(OpenFreshView())
            return block.open(view)
        return block.transaction

    def _control(
        self, request: StatementRequest, parsed: ParsedStatement, control: ast.TransactionControl | ast.SessionControl
    ) -> Steps[None]:
        """The statements about transactions and the session.

        Two of PostgreSQL's warnings are errors here. BEGIN in a transaction: its author expects to begin something
        that a COMMIT ends. COMMIT without one: what it was to commit may have been lost with a connection, and a tag
        COMMIT would say that it is safe. ROLLBACK without one is fine, there is nothing left of any.
        """
        match control:
            case ast.Begin(is_read_only=is_read_only):
                if self._block is not None:
                    self._block.check_usable()
                    raise ActiveTransactionError("there is already a transaction in progress")
                self._block = TransactionBlock(
                    is_read_only=is_read_only, now=self._now(), settings=self._state.settings
                )
                yield self._done(request, WriteResult(Completion("BEGIN", -1)), request.floor)
            case ast.Commit():
                yield from self._commit(request)
            case ast.Rollback():
                self._end_block()
                yield self._done(request, WriteResult(Completion("ROLLBACK", -1)), request.floor)
            case ast.Savepoint(name=name):
                block = self._block_for("SAVEPOINT")
                block.check_usable()
                yield from self._opened(block)
                block.savepoint(name, self._state.settings)
                yield self._done(request, WriteResult(Completion("SAVEPOINT", -1)), request.floor)
            case ast.RollbackTo(name=name):
                self._use(self._block_for("ROLLBACK TO SAVEPOINT").rollback_to(name))
                yield self._done(request, WriteResult(Completion("ROLLBACK", -1)), request.floor)
            case ast.Release(name=name):
                block = self._block_for("RELEASE SAVEPOINT")
                block.check_usable()
                block.release(name)
                yield self._done(request, WriteResult(Completion("RELEASE", -1)), request.floor)
            case ast.Prepare() | ast.Execute() | ast.Deallocate() | ast.SetVariable() | ast.AlterSystem() | ast.Show():
                if self._block is not None:
                    self._block.check_usable()
                yield from self._session_control(request, parsed, control)
            case _:
                assert_never(control)

    def _end_block(self) -> Settings:
        """No transaction is open; the settings are those from before it. Returns those that a COMMIT keeps."""
        settings = self._state.settings.without_local()
        if self._block is not None:
            self._use(self._block.settings)
            self._block = None
        return settings

    def _block_for(self, command: str) -> TransactionBlock:
        if self._block is None:
            raise NoActiveTransactionError(f"{command} can only be used in transaction blocks")
        return self._block

    def _commit(self, request: StatementRequest) -> Steps[None]:
        """Ends the transaction, whatever comes of it: after any error but 40003 (outcome unknown) it is rolled back."""
        block, settings = self._block, self._end_block()
        if block is None:
            if not request.is_retry:
                raise NoActiveTransactionError(
                    "there is no transaction in progress", hint="BEGIN starts one; it may have been lost since."
                )
            yield from self._settle_commit(request)
            return
        if block.status is TransactionStatus.FAILED:
            block.check_not_timed_out()
            yield self._done(request, WriteResult(Completion("ROLLBACK", -1)), request.floor)
            return
        transaction = block.transaction
        if transaction is None or not transaction.writes:
            self._use(settings)
            yield self._done(request, _COMMIT, request.floor if transaction is None else transaction.view.version)
            return
        # No attempt at this COMMIT is older than the view: the statement that opened the view was answered before.
        floor = max(request.floor, transaction.view.version)
        outcome = yield from propose(self._id, request.sequence, floor, transaction, _COMMIT)
        if isinstance(outcome, Conflicted):
            why = "a concurrent change" if outcome.key else "its age: too much has happened since it began"
            raise SerializationFailureError(f"could not serialize the transaction due to {why}", hint=_RUN_AGAIN)
        if is_forgotten(outcome) and not request.is_retry:
            raise SerializationFailureError("the transaction was open for too long to be told apart", hint=_RUN_AGAIN)
        if isinstance(outcome, Committed):
            self._use(settings)
        yield self._final(request, outcome)

    def _settle_commit(self, request: StatementRequest) -> Steps[None]:
        """Decide what became of a COMMIT whose answer was lost with the node, or the connection, of its transaction.

        What the transaction wrote died with its session: it cannot be proposed again. But the COMMIT's own entry may
        still be on its way, held by a paused node, in the log of a leader without a quorum, or in the retries of a
        follower. "Not in the outcome table" is therefore no answer: the entry may be applied a second later, and a
        client that was told to run its transaction again would have it twice. Waiting does not help either, there is
        no time after which an entry cannot come.

        So the retry puts an entry of its own in the log, with the same session and sequence, which writes nothing and
        has "rolled back" as its result. The outcome table lets only the first of the two be applied, and the log
        decides, once and alike on all nodes, which that is:

        - The COMMIT's entry comes first: this one meets its outcome and returns it. The transaction is committed.
        - This one comes first: "rolled back" is the stored outcome, and the COMMIT's entry, should it ever come, meets
          it and writes nothing. The client may run the transaction again at once.
        - This one is not confirmed in time: unknown still (40003), and the same question can be asked again anywhere.
        """
        view = yield from open_view(OpenView(request.floor))
        lost = SerializationFailureError(
            "the transaction was rolled back: the node that held it was lost before COMMIT", hint=_RUN_AGAIN
        )
        attempt = 1
        while True:
            outcome = stored_outcome(view, self._id, request.sequence, floor=request.floor) or (
                yield from propose(self._id, request.sequence, request.floor, Transaction(view), lost)
            )
            if not isinstance(outcome, Conflicted):
                yield self._final(request, outcome)
                return
            attempt += 1  # this node is so far behind that its view is older than what the machine still validates
            yield Backoff(attempt)
            view = yield from open_view(OpenView(request.floor))

    # --- the session's state -----------------------------------------------------------------------------------------

    def _session_control(
        self, request: StatementRequest, parsed: ParsedStatement, control: ast.SessionControl
    ) -> Steps[None]:
        match control:
            case ast.Prepare(name=name):
                state = self._state.with_prepared(name, parsed.text)
                self._engine.check_prepared(parsed, (yield from self._source()))
                self._state = state
                yield self._done(request, WriteResult(Completion("PREPARE", -1)), request.floor)
            case ast.Execute():
                raise InvariantViolation("EXECUTE was resolved to its statement")
            case ast.Deallocate(name=name):
                self._state = self._state.without_prepared(name)
                tag = "DEALLOCATE ALL" if name is None else "DEALLOCATE"
                yield self._done(request, WriteResult(Completion(tag, -1)), request.floor)
            case ast.SetVariable():
                self._set(control)
                yield self._done(
                    request, WriteResult(Completion("RESET" if control.values is None else "SET", -1)), request.floor
                )
            case ast.AlterSystem():
                if self._block is not None:
                    raise ActiveTransactionError("ALTER SYSTEM cannot run inside a transaction block")
                yield from self._write(request, parsed)
            case ast.Show():
                is_read_only = self._block is not None and self._block.is_read_only
                system = system_settings((yield from self._source())) if shows_system(control) else {}
                columns, rows = shown(control, self._state.settings, system, is_read_only=is_read_only)
                yield self._done(request, WriteResult(Completion("SHOW", len(rows)), columns, rows), request.floor)
            case _:
                assert_never(control)

    def _source(self) -> Steps[ReadView | Transaction]:
        """What a statement reads that writes nothing."""
        return (yield from (open_view(OpenFreshView()) if self._block is None else self._opened(self._block)))

    def _set(self, control: ast.SetVariable) -> None:
        if control.local:
            self._block_for("SET LOCAL")
        if control.name is None:
            self._use(Settings())
        else:
            settings = self._state.settings
            self._use(settings.set(control.name, control.values, local=control.local, position=control.position))

    def _use(self, settings: Settings) -> None:
        if settings is not self._state.settings:
            self._state = replace(self._state, settings=settings)

    def _restore(self, encoded: bytes) -> None:
        """The client comes from another node, or over another connection."""
        if self._block is not None:
            raise ProtocolViolationError("a session's state came in its transaction")
        self._state = self._told_state = decode_state(encoded)

    def _news(self) -> bytes | None:
        """The state as the client shall keep it, if it does not know. What a transaction sets it hears after COMMIT."""
        if self._state is self._told_state:
            return None
        state = self._state if self._block is None else replace(self._state, settings=self._block.settings)
        encoded = state.encoded()
        is_news = encoded != self._told_state.encoded()
        self._told_state = state
        return encoded if is_news else None

    # --- running a statement -----------------------------------------------------------------------------------------

    def _stream(
        self, request: StatementRequest, parsed: ParsedStatement, transaction: Transaction, now: datetime
    ) -> Steps[None]:
        """Run a statement whose transaction is not committed with it, and emit its rows as they come.

        Raises its `SqlError` or, before anything is emitted, `NumbersNeeded`.
        """
        run, prepared = self._started(request, parsed, transaction, now)
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
                yield Emit(StatementReply(self._id, request.sequence, columns, held, None, None, version))
                columns = None
            held = batch
        status = self.transaction_status
        news = self._news()
        yield Emit(StatementReply(self._id, request.sequence, columns, held, completion, None, version, status, news))

    def _run(
        self, request: StatementRequest, parsed: ParsedStatement, transaction: Transaction, now: datetime
    ) -> Steps[WriteResult]:
        """Run a statement whose rows, if it returns any, must wait until they are committed.

        Raises its `SqlError`, `ProgramLimitExceededError` among them if the rows cannot be kept for a retry, or
        `NumbersNeeded`.
        """
        run, prepared = self._started(request, parsed, transaction, now)
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
    ) -> tuple[Execution, PreparedStatement]:
        prepared = self._engine.prepare(parsed, transaction, request.parameters)
        numbers = Numbers(self._engine.numbers)
        context = ExecutionContext(transaction, request.parameters, now, self._random, self._now, numbers=numbers)
        return prepared.run(context), prepared

    # --- the final reply ---------------------------------------------------------------------------------------------

    def _final(self, request: StatementRequest, outcome: Committed | Refused) -> Emit:
        """The reply that an outcome is; raises the error that it is."""
        if isinstance(outcome, Refused):
            raise outcome.to_error()
        result = decode_result(outcome.result)
        if isinstance(result, MyNodeError):
            raise result
        return self._done(request, result, outcome.version)

    def _done(self, request: StatementRequest, result: WriteResult, version: Version) -> Emit:
        """All of the result in one reply: between two of them a cancel could hide that it is committed."""
        status, news = self.transaction_status, self._news()
        columns, rows, completion = result.columns or None, result.rows, result.completion
        return Emit(StatementReply(self._id, request.sequence, columns, rows, completion, None, version, status, news))

    def _error(
        self, request: StatementRequest, error: MyNodeError, *, retryable: bool, version: Version | None = None
    ) -> Emit:
        """A statement of a transaction is never worth sending again: the transaction has failed, or is over."""
        info = ErrorInfo.of(error, retryable=retryable)
        status, news = self.transaction_status, self._news()
        seen = request.floor if version is None else version
        return Emit(StatementReply(self._id, request.sequence, None, (), None, info, seen, status, news))


def _as_of(parsed: ParsedStatement) -> ast.IntegerLiteral | ast.StringLiteral | None:
    return parsed.ast.as_of if isinstance(parsed.ast, ast.Query) else None
