"""One SQL session: takes statements, yields what it needs (`session.effects`), is sent the answers.

How a statement runs, and why it is strictly serializable:

- A read opens a fresh view (read index) and answers from it. It proposes nothing and cannot conflict.
- A write starts from the newest local view without a round trip. Its read set and write set are proposed as one
  entry, and applying the entry validates that nothing read has changed since: that proves the view was current. After
  a conflict the statement runs again on a newer view; the client does not see it.
- A write that proposes nothing (no row found, an error) rests on a view that nothing has proved. So a fresh view is
  opened, and only if what was read is unchanged there does the answer stand; otherwise it runs again.
- A statement's session and sequence number travel in its entry. A retry finds the first outcome in the replicated
  outcome table: here before it runs, or when its own entry is applied.
- A retry always proposes, if need be an entry that writes nothing and holds its answer, errors included: an earlier
  attempt that a paused node still holds then meets that answer, and cannot be applied after it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import datetime
from random import Random
from typing import TypeAlias, TypeVar

import msgpack

from mynode.base.errors import FeatureNotSupportedError, MyNodeError, SqlError, error_from_wire
from mynode.base.ids import SessionId, Version
from mynode.base.invariant import invariant
from mynode.machine.commands import TransactionCommand
from mynode.machine.outcomes import Committed, Conflicted, Outcome, Refused, stored_outcome
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.validation import conflict
from mynode.mvcc.view import ReadView
from mynode.session.api import ColumnInfo, Completion, ErrorInfo, Row, StatementReply, StatementRequest
from mynode.session.effects import Answer, Backoff, Emit, OpenFreshView, OpenView, Pause, Propose, SessionEffect
from mynode.sql.engine import ParsedStatement, PreparedStatement, SqlEngine
from mynode.sql.executor.context import ExecutionContext

T = TypeVar("T")
Steps: TypeAlias = Generator[SessionEffect, Answer, T]


class Session:
    """A client's SQL session. Sync, and free of I/O, clock and global random.

    Args:
        engine: the node's SQL engine, with its caches.
        now: the wall clock, for `now()`; read once a statement, before anything is proposed.
        random: for `random()` and generated keys, likewise.

    Invariants: one statement at a time; each statement emits exactly one final reply.
    """

    def __init__(
        self, session_id: SessionId, *, engine: SqlEngine, now: Callable[[], datetime], random: Random
    ) -> None:
        self._id = session_id
        self._engine = engine
        self._now = now
        self._random = random

    def execute(self, request: StatementRequest) -> Steps[None]:
        """The steps of one statement. An error thrown in at a step becomes the statement's final reply."""
        try:
            parsed = self._engine.parse(request.sql)
            if parsed.is_transaction_control:
                raise FeatureNotSupportedError(
                    "explicit transactions are not supported yet",
                    hint="Each statement commits by itself; leave BEGIN, COMMIT and ROLLBACK out.",
                )
            if parsed.is_read_only:
                yield from self._read(request, parsed)
            else:
                yield from self._write(request, parsed)
        except MyNodeError as error:
            yield Emit(StatementReply(self._id, request.sequence, None, (), None, ErrorInfo.of(error), request.floor))

    # --- reads -------------------------------------------------------------------------------------------------------

    def _read(self, request: StatementRequest, parsed: ParsedStatement) -> Steps[None]:
        view = yield from _view(OpenFreshView())
        prepared = self._engine.prepare(parsed, view, request.parameters)
        run = prepared.run(self._context(request, Transaction(view, record_reads=False)))
        columns: tuple[ColumnInfo, ...] | None = prepared.columns
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
                yield Emit(StatementReply(self._id, request.sequence, columns, held, None, None, view.version))
                columns = None
            held = batch
        yield Emit(StatementReply(self._id, request.sequence, columns, held, completion, None, view.version))

    # --- writes ------------------------------------------------------------------------------------------------------

    def _write(self, request: StatementRequest, parsed: ParsedStatement) -> Steps[None]:
        view = yield from _view(OpenView(request.floor))
        floor = request.floor
        if not floor and not request.is_retry:
            # A client's very first statement: it knows no version yet, and no attempt at it can be in this view.
            floor = view.version
        attempt = 1
        while True:
            stored = stored_outcome(view, self._id, request.sequence, floor=floor if request.is_retry else None)
            if stored is not None:
                yield self._final(request, stored)
                return
            transaction = Transaction(view)
            completion: Completion | None = None
            failure: SqlError | None = None
            try:
                completion = yield from self._run(request, parsed, transaction)
            except SqlError as error:
                failure = error
            if not request.is_retry and (failure is not None or not transaction.writes):
                fresh = yield from _view(OpenFreshView())
                if self._still_holds(request, transaction, fresh):
                    if failure is not None:
                        raise failure
                    yield Emit(StatementReply(self._id, request.sequence, None, (), completion, None, fresh.version))
                    return
                view = fresh
                continue
            answer = failure if failure is not None else completion
            outcome = yield from _outcome(self._proposal(request, floor, transaction, answer))
            if isinstance(outcome, Conflicted):
                attempt += 1
                yield Backoff(attempt)
                view = yield from _view(OpenView(request.floor))
                continue
            yield self._final(request, outcome)
            return

    def _run(self, request: StatementRequest, parsed: ParsedStatement, transaction: Transaction) -> Steps[Completion]:
        prepared: PreparedStatement = self._engine.prepare(parsed, transaction, request.parameters)
        run = prepared.run(self._context(request, transaction))
        while True:
            try:
                batch = next(run)
            except StopIteration as stop:
                completion: Completion = stop.value
                return completion
            invariant(not batch, "a write returns no rows")
            yield Pause()

    def _still_holds(self, request: StatementRequest, transaction: Transaction, fresh: ReadView) -> bool:
        """Whether what the transaction read, and the absence of its outcome, are the same in the fresh view."""
        if fresh.version == transaction.view.version:
            return True
        return (
            conflict(fresh.tree, transaction.view.version, transaction.reads) is None
            and stored_outcome(fresh, self._id, request.sequence) is None
        )

    def _proposal(
        self,
        request: StatementRequest,
        floor: Version,
        transaction: Transaction,
        answer: Completion | SqlError | None,
    ) -> Propose:
        """The entry of a statement. One that failed writes nothing but its error into the outcome table."""
        failed = isinstance(answer, SqlError)
        return Propose(
            TransactionCommand(
                session=self._id,
                sequence=request.sequence,
                floor=floor,
                view=transaction.view.version,
                reads=transaction.reads,
                writes=() if failed else transaction.writes.in_order(),
                result=_encode_result(answer),
            )
        )

    def _final(self, request: StatementRequest, outcome: Committed | Refused) -> Emit:
        if isinstance(outcome, Refused):
            raise outcome.to_error()
        completion = _decode_result(outcome.result)
        if isinstance(completion, MyNodeError):
            raise completion
        return Emit(StatementReply(self._id, request.sequence, None, (), completion, None, outcome.version))

    def _context(self, request: StatementRequest, transaction: Transaction) -> ExecutionContext:
        return ExecutionContext(
            transaction=transaction, parameters=request.parameters, now=self._now(), random=self._random
        )


def _view(effect: OpenView | OpenFreshView) -> Steps[ReadView]:
    answer = yield effect
    if not isinstance(answer, ReadView):
        raise AssertionError(f"{effect} was answered with {answer}")
    return answer


def _outcome(effect: Propose) -> Steps[Outcome]:
    answer = yield effect
    if not isinstance(answer, Committed | Conflicted | Refused):
        raise AssertionError(f"a proposal was answered with {answer}")
    return answer


def _encode_result(answer: Completion | SqlError | None) -> bytes:
    """msgpack [tag, rows affected], or [sqlstate, message, position, hint, detail] of an error."""
    match answer:
        case Completion(tag, rows_affected):
            encoded: bytes = msgpack.packb((tag, rows_affected))
        case SqlError():
            encoded = msgpack.packb((answer.sqlstate, answer.message, answer.position, answer.hint, answer.detail))
        case _:
            raise AssertionError("a statement ends with a completion or an error")
    return encoded


def _decode_result(result: bytes) -> Completion | MyNodeError:
    match msgpack.unpackb(result):
        case [tag, rows_affected]:
            return Completion(tag, rows_affected)
        case [sqlstate, message, position, hint, detail]:
            return error_from_wire(sqlstate, message, position=position, hint=hint, detail=detail)
        case other:
            raise AssertionError(f"an outcome of {len(other)} elements")
