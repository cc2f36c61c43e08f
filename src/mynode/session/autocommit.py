"""A statement by itself: a transaction of its own.

Why it is strictly serializable:

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
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from mynode.base.errors import MyNodeError, OutcomeUnknownError, SessionForgottenError
from mynode.base.sql_errors import SqlError
from mynode.machine.outcomes import Committed, Conflicted, Outcome, Refused, stored_outcome
from mynode.mvcc.retention import watermark
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.validation import conflict
from mynode.mvcc.view import ReadView
from mynode.relation.counters import NumbersNeeded
from mynode.relation.index_build import IndexTooBigError
from mynode.session.api import StatementRequest
from mynode.session.as_of import view_as_of
from mynode.session.effects import Backoff, OpenFreshView, OpenView
from mynode.session.index_build import IndexBuild
from mynode.session.lane import may_enter
from mynode.session.lane_api import LaneRefusal, LaneSettled
from mynode.session.runner import Runner, as_of
from mynode.session.steps import (
    Steps,
    Write,
    WriteResult,
    encode_result,
    is_forgotten,
    open_view,
    propose,
    run_in_lane,
)
from mynode.session.system_settings import alter_system
from mynode.sql import ast
from mynode.sql.engine import ParsedStatement


class Autocommit:
    """
    `_contended` is the last statement, if others wanted its rows too: it goes to the lane at once the next time.
    `_unfit` is the last one that is not for the lane.
    """

    __slots__ = ("_contended", "_random", "_runner", "_unfit")

    def __init__(self, runner: Runner, random: Random) -> None:
        self._runner = runner
        self._random = random
        self._contended: str | None = None
        self._unfit: str | None = None

    def read(self, request: StatementRequest, parsed: ParsedStatement) -> Steps[None]:
        view = yield from open_view(OpenFreshView())
        now = self._runner.now()
        if (when := as_of(parsed)) is not None:
            view = yield from view_as_of(view, when, now)
        yield from self._runner.stream(request, parsed, Transaction(view, record_reads=False), now)

    def write(self, request: StatementRequest, parsed: ParsedStatement) -> Steps[None]:
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
            yield self._runner.error(request, forgotten, retryable=True, version=newest.version)
            return
        yield self._runner.final(request, outcome)

    def _settle(self, write: Write, view: ReadView) -> Steps[Committed | Refused]:
        """Run the statement until it has an outcome: once by itself, in the lane, by itself as often as needed."""
        text = write.parsed.text
        if isinstance(write.parsed.control, ast.AlterSystem):
            return (yield from alter_system(self._runner.session_id, write, write.parsed.control))
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
            stored = stored_outcome(
                view, self._runner.session_id, request.sequence, floor=write.floor if write.is_retry else None
            )
            if stored is not None:
                return stored
            transaction = Transaction(view)
            answer: WriteResult | SqlError
            try:
                answer = yield from self._runner.collect(request, write.parsed, transaction, self._runner.now())
            except IndexTooBigError as needed:
                yield from IndexBuild(needed, self._random).run()
                view = yield from open_view(OpenView(request.floor))
                continue
            except NumbersNeeded as needed:
                drawn = yield from self._runner.draw_numbers(needed)
                view = yield from open_view(OpenView(max(request.floor, drawn)))
                continue
            except SqlError as error:
                answer = error
            if write.is_retry or not (isinstance(answer, SqlError) or not transaction.writes):
                return (yield from propose(self._runner.session_id, request.sequence, write.floor, transaction, answer))
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
            and stored_outcome(fresh, self._runner.session_id, request.sequence) is None
        )
