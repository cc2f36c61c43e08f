"""Explicit transactions, from BEGIN to their end.

- Its first statement opens a fresh view; all its statements read that one view and the transaction's own writes.
- COMMIT proposes everything as one entry under the COMMIT's own sequence number. A conflict is the client's to see
  (40001): it alone can run the statements again.
- COMMIT of a transaction that wrote nothing proposes nothing and cannot conflict. All its reads are of one state, the
  view's; that state held every transaction acknowledged before the first statement came, and nothing later. So the
  transaction takes its place in the serial order right behind the view's version, which lies between its first
  statement and its end, as strictness wants. Validation would only prove that its place could be even later.
- Until COMMIT nothing has left the session. A client that is gone, a node that stops, a timeout: dropping the object
  is the rollback.
"""

from __future__ import annotations

from typing import Final, assert_never

from mynode.base.sql_errors import (
    ActiveTransactionError,
    FeatureNotSupportedError,
    NoActiveTransactionError,
    SerializationFailureError,
)
from mynode.machine.outcomes import Committed, Conflicted, stored_outcome
from mynode.mvcc.transaction import Transaction
from mynode.relation.counters import NumbersNeeded
from mynode.session.api import Completion, StatementRequest, TransactionStatus
from mynode.session.effects import Backoff, OpenView
from mynode.session.runner import Runner, as_of
from mynode.session.steps import Steps, WriteResult, is_forgotten, open_view, propose
from mynode.session.transaction_block import TransactionBlock
from mynode.sql import ast
from mynode.sql.engine import ParsedStatement

_COMMIT: Final = WriteResult(Completion("COMMIT", -1))
_RUN_AGAIN: Final = "Run the whole transaction again: it may succeed then."


class ExplicitTransactions:
    """Of one session, one at a time."""

    __slots__ = ("_runner", "_standing")

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._standing = runner.standing

    def run(self, request: StatementRequest, parsed: ParsedStatement, block: TransactionBlock) -> Steps[None]:
        block.check_usable()
        block.check_may_run(parsed)
        if (when := as_of(parsed)) is not None:
            raise FeatureNotSupportedError("AS OF SYSTEM TIME inside a transaction is", position=when.position)
        transaction = yield from self._runner.opened(block)
        if parsed.is_read_only:
            yield from self._runner.stream(request, parsed, transaction, block.now)
            return
        while True:
            savepoint = transaction.writes.savepoint()
            try:
                return (yield from self._runner.stream(request, parsed, transaction, block.now))
            except NumbersNeeded as needed:
                transaction.writes.rollback_to(savepoint)
                yield from self._runner.draw_numbers(needed)
            finally:
                transaction.writes.release(savepoint)

    def control(self, request: StatementRequest, control: ast.TransactionControl) -> Steps[None]:
        """The statements about transactions.

        Two of PostgreSQL's warnings are errors here. BEGIN in a transaction: its author expects to begin something
        that a COMMIT ends. COMMIT without one: what it was to commit may have been lost with a connection, and a tag
        COMMIT would say that it is safe. ROLLBACK without one is fine, there is nothing left of any.
        """
        match control:
            case ast.Begin(is_read_only=is_read_only):
                if self._standing.block is not None:
                    self._standing.check_usable()
                    raise ActiveTransactionError("there is already a transaction in progress")
                self._standing.block = TransactionBlock(
                    is_read_only=is_read_only, now=self._runner.now(), settings=self._standing.state.settings
                )
                yield self._runner.done(request, WriteResult(Completion("BEGIN", -1)), request.floor)
            case ast.Commit():
                yield from self._commit(request)
            case ast.Rollback():
                self._standing.end_block()
                yield self._runner.done(request, WriteResult(Completion("ROLLBACK", -1)), request.floor)
            case ast.Savepoint(name=name):
                block = self._standing.block_for("SAVEPOINT")
                block.check_usable()
                yield from self._runner.opened(block)
                block.savepoint(name, self._standing.state.settings)
                yield self._runner.done(request, WriteResult(Completion("SAVEPOINT", -1)), request.floor)
            case ast.RollbackTo(name=name):
                self._standing.use(self._standing.block_for("ROLLBACK TO SAVEPOINT").rollback_to(name))
                yield self._runner.done(request, WriteResult(Completion("ROLLBACK", -1)), request.floor)
            case ast.Release(name=name):
                block = self._standing.block_for("RELEASE SAVEPOINT")
                block.check_usable()
                block.release(name)
                yield self._runner.done(request, WriteResult(Completion("RELEASE", -1)), request.floor)
            case _:
                assert_never(control)

    def _commit(self, request: StatementRequest) -> Steps[None]:
        """Ends the transaction, whatever comes of it: after any error but 40003 (outcome unknown) it is rolled back."""
        block, settings = self._standing.block, self._standing.end_block()
        if block is None:
            if not request.is_retry:
                raise NoActiveTransactionError(
                    "there is no transaction in progress", hint="BEGIN starts one; it may have been lost since."
                )
            yield from self._settle_commit(request)
            return
        if block.status is TransactionStatus.FAILED:
            block.check_not_timed_out()
            yield self._runner.done(request, WriteResult(Completion("ROLLBACK", -1)), request.floor)
            return
        transaction = block.transaction
        if transaction is None or not transaction.writes:
            self._standing.use(settings)
            yield self._runner.done(
                request, _COMMIT, request.floor if transaction is None else transaction.view.version
            )
            return
        # No attempt at this COMMIT is older than the view: the statement that opened the view was answered before.
        floor = max(request.floor, transaction.view.version)
        outcome = yield from propose(self._runner.session_id, request.sequence, floor, transaction, _COMMIT)
        if isinstance(outcome, Conflicted):
            why = "a concurrent change" if outcome.key else "its age: too much has happened since it began"
            raise SerializationFailureError(f"could not serialize the transaction due to {why}", hint=_RUN_AGAIN)
        if is_forgotten(outcome) and not request.is_retry:
            raise SerializationFailureError("the transaction was open for too long to be told apart", hint=_RUN_AGAIN)
        if isinstance(outcome, Committed):
            self._standing.use(settings)
        yield self._runner.final(request, outcome)

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
            outcome = stored_outcome(view, self._runner.session_id, request.sequence, floor=request.floor) or (
                yield from propose(self._runner.session_id, request.sequence, request.floor, Transaction(view), lost)
            )
            if not isinstance(outcome, Conflicted):
                yield self._runner.final(request, outcome)
                return
            attempt += 1  # this node is so far behind that its view is older than what the machine still validates
            yield Backoff(attempt)
            view = yield from open_view(OpenView(request.floor))
