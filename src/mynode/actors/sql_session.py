"""sql_session: one task a SQL session. It drives the sync `Session` and carries out what that asks for."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from random import Random
from typing import Final, assert_never

import structlog
import trio

from mynode.actors.driving import drive
from mynode.actors.log_store import RunBlocking
from mynode.actors.mailbox import Inbox, Reply
from mynode.actors.protocol import Connection, LaneAsk, RouterMessage
from mynode.actors.state_access import StateAccess
from mynode.base.errors import (
    InvariantViolation,
    MyNodeError,
    NoQuorumError,
    OutcomeUnknownError,
    QueryCanceledError,
    ShuttingDownError,
)
from mynode.base.limits import IDLE_IN_TRANSACTION_TIMEOUT_S, LANE_PATIENCE_MS, VIEW_TIMEOUT_S
from mynode.machine.commands import Command
from mynode.machine.outcomes import Conflicted, Outcome
from mynode.mvcc.view import ReadView
from mynode.session.api import ErrorInfo, StatementReply, StatementRequest, TransactionStatus
from mynode.session.effects import (
    Answer,
    Backoff,
    DoBeside,
    Emit,
    Limit,
    OpenFreshView,
    OpenView,
    Pause,
    Propose,
    RunInLane,
    SessionEffect,
)
from mynode.session.lane_api import LaneAnswer, LaneRefusal
from mynode.session.session import Session
from mynode.session.transaction_block import view_too_old

log = structlog.get_logger(__name__)

FIRST_BACKOFF_S: Final = 0.002
LAST_BACKOFF_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Timeouts:
    """What this node ends by itself, in seconds.

    Attributes:
        idle_in_transaction_s: a transaction without a statement for so long, if its session says nothing else.
        statement_s: a statement, if neither its client nor its session says less; 0: none.
        view_s: a transaction or a statement whose view of the data is so old.
    """

    idle_in_transaction_s: float = IDLE_IN_TRANSACTION_TIMEOUT_S
    statement_s: float = 0
    view_s: float = VIEW_TIMEOUT_S


DEFAULT_TIMEOUTS: Final = Timeouts()


class SqlSessionActor:
    """Works on one statement at a time and gives each exactly one final reply, whatever happens to it.

    A transaction left idle for too long is rolled back; one whose client is gone ends with this task. A view held for
    too long is let go, with the transaction or the statement that reads it: it keeps pages from being used again.

    A statement ends early by its deadline, by `cancel` and by the stop of the node. Its wait for an outcome does not
    end by itself then: raft is told to abandon the proposal and says what is known of it.
    """

    def __init__(
        self,
        session: Session,
        *,
        inbox: Inbox[StatementRequest],
        connection: Connection,
        access: StateAccess,
        lane_router: Inbox[RouterMessage],
        random: Random,
        timeouts: Timeouts,
        run_beside: RunBlocking,
    ) -> None:
        self._session = session
        self._inbox = inbox
        self._connection = connection
        self._access = access
        self._lane_router = lane_router
        self._random = random
        self._timeouts = timeouts
        self._run_beside = run_beside
        self._cancelled_by_client = False
        self._draining = False
        self._stopping = False
        self._running: int | None = None
        self._client_ms = 0
        self._limit_ms = inf
        self._scope = trio.CancelScope()
        self._started = 0.0
        self._deadline = inf
        self._view_deadline = inf
        self._current: SessionEffect | None = None

    # --- called by rpc_front ------------------------------------------------------------------------------------------

    def cancel(self, sequence: int) -> None:
        """The client wants statement `sequence` stopped; too late or unknown, it does nothing."""
        if self._running == sequence:
            self._cancelled_by_client = True
            self._scope.cancel()

    @property
    def is_in_transaction(self) -> bool:
        """Whether an explicit transaction is open, failed or not."""
        return self._session.transaction_status is not TransactionStatus.IDLE

    def drain(self) -> None:
        """End as soon as no statement runs and no transaction is open; what waits then is refused."""
        self._draining = True
        if self._is_drained:
            self._refuse_waiting()

    @property
    def _is_drained(self) -> bool:
        return self._draining and self._running is None and not self.is_in_transaction

    def _refuse_waiting(self) -> None:
        for request in self._inbox.close():
            self._connection.refuse(request, ShuttingDownError.of_node())

    def stop(self) -> list[StatementRequest]:
        """End after the running statement, which is told that the node stops. Returns requests nobody started."""
        left = self._inbox.close()
        self._stopping = True
        self._scope.cancel()
        return left

    # --- the loop ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        while True:
            try:
                requests = await self._next_requests()
            except (trio.EndOfChannel, trio.ClosedResourceError):
                return
            for request in requests:
                if self._is_drained:
                    self._connection.refuse(request, ShuttingDownError.of_node())
                else:
                    await self._execute(request)
            if self._is_drained:
                self._refuse_waiting()

    async def _next_requests(self) -> list[StatementRequest]:
        """What waits; nothing after the client left a transaction idle for too long, which is then rolled back."""
        if not self._session.can_time_out:
            return await self._inbox.drain()
        idle_s = self._session.idle_timeout_ms / 1000 or self._timeouts.idle_in_transaction_s
        idle_deadline = trio.current_time() + idle_s
        with trio.CancelScope(deadline=min(idle_deadline, self._view_deadline)):
            return await self._inbox.drain()
        self._session.time_out_transaction(view_is_old=self._view_deadline <= idle_deadline)
        return []

    async def _execute(self, request: StatementRequest) -> None:
        self._running = request.sequence
        self._started = trio.current_time()
        self._client_ms = request.timeout_ms
        self._limit_ms = 1000 * self._timeouts.statement_s or inf
        if not self._session.holds_view:
            self._view_deadline = inf
        steps = self._session.execute(request)
        try:
            with trio.CancelScope() as scope:
                self._scope = scope
                self._set_deadline()
                if self._stopping:
                    scope.cancel()
                await drive(steps, self._perform)
            if scope.cancelled_caught:
                await drive(steps, self._perform, self._why_interrupted(request))
        except Exception as error:
            log.exception("internal error", sql=request.sql[:200])
            failure = InvariantViolation(f"internal error: {type(error).__name__}: {error}")
            info, status = ErrorInfo.of(failure), self._session.transaction_status
            await self._connection.put(
                StatementReply(request.session_id, request.sequence, None, (), None, info, 0, status)
            )
        finally:
            self._running = None
            self._cancelled_by_client = False

    def _set_deadline(self) -> None:
        self._deadline = self._started + min(self._client_ms, self._limit_ms) / 1000
        self._scope.deadline = min(self._deadline, self._view_deadline)

    def _took_view(self, view: ReadView) -> ReadView:
        self._view_deadline = trio.current_time() + self._timeouts.view_s
        self._scope.deadline = min(self._deadline, self._view_deadline)
        return view

    def _why_interrupted(self, request: StatementRequest) -> MyNodeError:
        if isinstance(self._current, RunInLane):
            return OutcomeUnknownError(
                "the write was not confirmed in time and may still be applied",
                hint="Send it again with the same session and sequence number: it is applied once at most.",
            )
        if self._cancelled_by_client:
            return QueryCanceledError("canceling statement due to user request")
        if self._stopping:
            return ShuttingDownError.of_node()
        if self._view_deadline <= self._deadline:
            return view_too_old()
        if self._limit_ms < request.timeout_ms:
            limit = f"{self._limit_ms:g} ms"
            return QueryCanceledError(f"canceling statement due to statement timeout: not done in {limit}")
        waited = f"within {request.timeout_ms / 1000:g} s"
        if isinstance(self._current, OpenFreshView):
            return NoQuorumError(
                f"no quorum: the leader could not be confirmed {waited}",
                hint="The statement was not executed. Check the nodes with `mynode status`, then send it again.",
            )
        return QueryCanceledError(f"canceling statement due to statement timeout: not done {waited}")

    async def _perform(self, effect: SessionEffect) -> Answer:
        self._current = effect
        match effect:
            case OpenFreshView():
                return self._took_view(await self._access.open_fresh_view())
            case OpenView(at_least):
                return self._took_view(await self._access.open_view(at_least))
            case Propose(command):
                return await self._propose(command)
            case RunInLane(request):
                return await self._run_in_lane(request)
            case Emit(reply):
                with trio.CancelScope(shield=reply.is_final):
                    await self._connection.put(reply)
            case Limit(timeout_ms):
                self._limit_ms = timeout_ms
                self._set_deadline()
            case DoBeside(work):
                await self._run_beside(work)
            case Pause():
                await trio.lowlevel.checkpoint()
            case Backoff(attempt):
                longest = min(LAST_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(attempt - 2, 10))
                await trio.sleep(self._random.uniform(0, longest))
            case _:
                assert_never(effect)
        return None

    async def _propose(self, command: Command) -> Outcome:
        """Waits for the outcome. Whatever ends the wait early, raft has the last word on the proposal."""
        statement = self._scope
        self._scope = trio.CancelScope(deadline=self._deadline)
        try:
            settled = await self._access.propose(command, self._scope)
        finally:
            self._scope = statement
        if isinstance(settled, Conflicted) and (self._cancelled_by_client or self._stopping):
            statement.cancel()  # It reached the inner scope only; the statement shall not be tried again.
            await trio.lowlevel.checkpoint_if_cancelled()
        return settled

    async def _run_in_lane(self, request: StatementRequest) -> LaneAnswer:
        reply: Reply[LaneAnswer] = Reply()
        if not self._lane_router.post(LaneAsk(request, reply)):
            return LaneRefusal.NOT_EXECUTED
        with trio.move_on_after(LANE_PATIENCE_MS / 1000):
            return await reply.wait()
        return LaneRefusal.MAYBE_EXECUTED
