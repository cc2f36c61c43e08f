"""The hot lane: statements of many sessions that want the same rows, run one after another on the leader's node.

Optimistic transactions that all change one row commit one a round trip, and all others run for nothing. So a statement
by itself that lost once is sent to the leader's node. What waits there runs as one transaction on the newest view, each
statement on what those before it wrote, and is proposed as one entry: a round trip a batch, however many are in it.
While one batch is on its way the next one gathers. Their serial order is the one in which they ran.

**Exactly once.** The entry names each statement by session and sequence number, and is applied only if none of them has
an outcome yet (`Machine`). So of all attempts at a statement, in batches and by itself, on this and other nodes, the
first in the log counts and every later one writes nothing:

- One whose outcome is stored already is answered from there and takes no part; one that gets its outcome while the
  batch is under way makes the batch a conflict, which runs again without it.
- A conflict is final (`Conflicted`). So what was in conflicting batches only, or in none, was not executed.
- When the outcome of a batch does not come, its statements may be applied later. Their sessions hear so and go on as
  with any retry of a statement: they always propose, so that the late entry then meets an outcome.

Each statement of a batch gets an outcome, also an error or one that writes nothing: it was validated with the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random

import structlog

from mynode.base.errors import MyNodeError
from mynode.base.ids import SessionId
from mynode.base.limits import LANE_STATEMENT_BYTES, LANE_STATEMENT_READS, LANE_TRIES, ROWS_PER_BATCH
from mynode.base.sql_errors import ProgramLimitExceededError, SqlError
from mynode.machine.commands import BatchCommand, Request
from mynode.machine.outcomes import Committed, Conflicted, stored_outcome
from mynode.mvcc.keyspace import ROWS
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.relation.counters import Numbers, NumbersNeeded
from mynode.session.api import Completion, Row, StatementRequest
from mynode.session.effects import OpenView, Pause
from mynode.session.lane_api import LaneAnswer, LaneRefusal, LaneSettled
from mynode.session.steps import Steps, WriteResult, encode_result, open_view, propose_command
from mynode.sql.engine import SqlEngine
from mynode.sql.executor.context import ExecutionContext

log = structlog.get_logger(__name__)

_STATEMENTS_BETWEEN_PAUSES = 16


def may_enter(request: StatementRequest) -> bool:
    """Whether the text and parameters of a statement are no larger than the lane takes, and its number is one."""
    size = len(request.sql) + sum([len(value) for value in request.parameters if isinstance(value, str | bytes)])
    return size <= LANE_STATEMENT_BYTES and request.sequence > 0


class _Batch:
    """Statements that ran on one view, as one transaction.

    Attributes:
        requests: by session, with their results.
        writers: of each key written, the session that wrote it last.
        contended: sessions that wrote what another one wrote, here or in the batch before.
    """

    def __init__(self, view: ReadView, writers_before: dict[bytes, SessionId]) -> None:
        self.transaction = Transaction(view)
        self.requests: dict[SessionId, Request] = {}
        self.writers: dict[bytes, SessionId] = {}
        self.contended: set[SessionId] = set()
        self._writers_before = writers_before

    def add(self, request: StatementRequest, result: bytes, keys: Sequence[bytes]) -> None:
        """`keys` are those that the statement wrote."""
        session = request.session_id
        self.requests[session] = Request(session, request.sequence, request.floor, result)
        for key in keys:
            if self._writers_before.get(key, session) != session:
                self.contended.add(session)
            other = self.writers.get(key, session)
            if other != session:
                self.contended |= {other, session}
            self.writers[key] = session

    def command(self) -> BatchCommand:
        transaction = self.transaction
        requests = tuple(self.requests[session] for session in sorted(self.requests))
        return BatchCommand(transaction.view.version, transaction.reads, transaction.writes.in_order(), requests)


class Lane:
    """Runs batches, one at a time. Sync, and free of I/O and clock, as `Session` is.

    Args: as of `Session`. What `now()` and `random()` give is of the node that has the lane.
    """

    def __init__(self, *, engine: SqlEngine, now: Callable[[], datetime], random: Random) -> None:
        self._engine = engine
        self._now = now
        self._random = random
        self._writers: dict[bytes, SessionId] = {}

    def run(self, requests: Sequence[StatementRequest]) -> Steps[list[LaneAnswer]]:
        """An answer for each request, in order. Of requests of the same session only the first is run.

        At most `limits.LANE_STATEMENTS`, so that what they read and write fits one command.
        """
        waiting: dict[SessionId, StatementRequest] = {}
        for request in requests:
            waiting.setdefault(request.session_id, request)
        settled: dict[SessionId, LaneAnswer] = {}
        yield from self._settle(dict(waiting), settled)
        return [
            settled.get(request.session_id, LaneRefusal.NOT_EXECUTED)
            if waiting[request.session_id] is request
            else LaneRefusal.NOT_EXECUTED
            for request in requests
        ]

    def _settle(self, waiting: dict[SessionId, StatementRequest], settled: dict[SessionId, LaneAnswer]) -> Steps[None]:
        """Put into `settled` what becomes of those that are more than not executed."""
        for _ in range(LANE_TRIES):
            try:
                view = yield from open_view(OpenView(0))
            except MyNodeError:
                return
            batch = yield from self._run_batch(view, waiting, settled)
            if not batch.requests:
                return
            try:
                outcome = yield from propose_command(batch.command())
            except MyNodeError:
                settled |= dict.fromkeys(batch.requests, LaneRefusal.MAYBE_EXECUTED)
                return
            if isinstance(outcome, Committed):
                self._writers = batch.writers
                for session, request in batch.requests.items():
                    committed = Committed(outcome.version, request.result, replayed=False)
                    settled[session] = LaneSettled(committed, session in batch.contended)
            if not isinstance(outcome, Conflicted):
                return

    def _run_batch(
        self,
        view: ReadView,
        waiting: dict[SessionId, StatementRequest],
        settled: dict[SessionId, LaneAnswer],
    ) -> Steps[_Batch]:
        """Run all that waits; what is settled already, or does not belong here, waits no more."""
        batch = _Batch(view, self._writers)
        for number, request in enumerate(list(waiting.values()), start=1):
            session = request.session_id
            stored = stored_outcome(view, session, request.sequence, floor=request.floor)
            if stored is not None:
                settled[session] = LaneSettled(stored, is_contended=False)
                del waiting[session]
            elif not (may_enter(request) and self._run_one(request, batch)):
                settled[session] = LaneRefusal.UNFIT
                del waiting[session]
            if number % _STATEMENTS_BETWEEN_PAUSES == 0:
                yield Pause()
        return batch

    def _run_one(self, request: StatementRequest, batch: _Batch) -> bool:
        """Run a statement and add it to the batch, with its error if that is its answer.

        False, and none of its writes in the batch, if it does not belong here: it is large, or its session had better
        find out by itself what is wrong with it.
        """
        transaction = batch.transaction
        reads, writes = transaction.reads, transaction.writes
        reads_before, bytes_before = len(reads), writes.size_bytes
        savepoint = writes.savepoint()
        try:
            answer: WriteResult | SqlError | None = self._execute(request, transaction)
        except (ProgramLimitExceededError, NumbersNeeded):
            answer = None
        except SqlError as error:
            answer = error
        except Exception:  # One statement's fault is not the others': its session meets it too, and answers for it.
            log.exception("internal error in the lane", sql=request.sql[:200])
            answer = None
        result = b"" if answer is None else encode_result(answer)
        keys = writes.written_since(savepoint)
        is_fit = (
            answer is not None
            and len(transaction.reads) - reads_before <= LANE_STATEMENT_READS
            and writes.size_bytes - bytes_before + len(result) <= LANE_STATEMENT_BYTES
            and all(key >= ROWS for key in keys)
        )
        if not (is_fit and isinstance(answer, WriteResult)):
            writes.rollback_to(savepoint)
            keys = []
        writes.release(savepoint)
        if is_fit:
            batch.add(request, result, keys)
        return is_fit

    def _execute(self, request: StatementRequest, transaction: Transaction) -> WriteResult | None:
        """None: it does more than belongs here, and its writes are not to be used."""
        parsed = self._engine.parse_again(request.sql)
        if parsed.is_read_only or parsed.control is not None:
            return None
        prepared = self._engine.prepare(parsed, transaction, request.parameters)
        context = ExecutionContext(
            transaction,
            request.parameters,
            now=self._now(),
            random=self._random,
            clock=self._now,
            numbers=Numbers(self._engine.numbers),
        )
        run = prepared.run(context)
        rows: list[Row] = []
        while True:
            try:
                batch = next(run)
            except StopIteration as stop:
                completion: Completion = stop.value
                return WriteResult(completion, prepared.columns, rows)
            rows += batch
            if not batch or len(rows) > ROWS_PER_BATCH:
                run.close()
                return None
