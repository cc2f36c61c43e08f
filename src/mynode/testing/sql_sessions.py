"""SQL sessions on one state machine, without Trio and without a cluster: each statement runs to its answer in one call.

Sessions interleave statement by statement, as the caller wants. What a cluster adds can be played: views that are old,
proposals whose outcome is lost and which are applied later or never.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Final, TypeVar, assert_never

from mynode.base.errors import InvariantViolation, MyNodeError, OutcomeUnknownError
from mynode.base.ids import SessionId
from mynode.base.invariant import invariant
from mynode.machine.commands import Command, encode_command
from mynode.machine.machine import Machine
from mynode.machine.outcomes import Outcome
from mynode.mvcc.view import ReadView
from mynode.raft.messages import Entry, EntryKind
from mynode.session.api import ColumnInfo, Row, StatementReply, StatementRequest, TransactionStatus, Value
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
from mynode.session.lane import Lane
from mynode.session.lane_api import LaneAnswer, LaneRefusal
from mynode.session.session import Session
from mynode.session.steps import Steps
from mynode.sql.engine import SqlEngine
from mynode.storage.engine import MemoryEngine

T = TypeVar("T")

NOW: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class SessionDatabase:
    """A state machine whose entries commit at once.

    Args:
        random: if given, views without a read index are old ones at random.

    Attributes:
        loses_outcomes: a proposal's session is told that its outcome is unknown, and the command waits in `held`.
        proposals: how many were made.
        lane_refuses: what sessions hear from the lane instead of an outcome.
    """

    def __init__(self, *, random: Random | None = None, machine: Machine | None = None) -> None:
        self.engine = SqlEngine()
        self.machine = machine or Machine(MemoryEngine())
        self.loses_outcomes = False
        self.held: list[Command] = []
        self.proposals = 0
        self._random = random
        self._views = [self.machine.view()]
        self._sessions = 0
        self.lane = Lane(engine=self.engine, now=lambda: NOW, random=Random(0))
        self.lane_refuses: LaneRefusal | None = None

    def session(self, *, session_id: SessionId | None = None) -> LocalSession:
        """A new session; with the id of another one, it is the same client on another node."""
        self._sessions += 1
        return LocalSession(self, session_id or self._sessions.to_bytes(16, "big"), Random(self._sessions))

    def apply(self, command: Command) -> Outcome:
        entry = Entry(1, self.machine.applied + 1, EntryKind.COMMAND, b"p" * 12, encode_command(command))
        (outcome,) = self.machine.apply([entry])
        self._views.append(self.machine.view())
        if outcome is None:
            raise InvariantViolation("a command has an outcome")
        return outcome

    def perform(self, effect: SessionEffect) -> Answer:
        match effect:
            case OpenFreshView():
                return self.machine.view()
            case OpenView(at_least):
                return self._view(at_least)
            case Propose(command):
                self.proposals += 1
                if self.loses_outcomes:
                    self.held.append(command)
                    raise OutcomeUnknownError("the answer is lost")
                return self.apply(command)
            case RunInLane(request):
                return self.lane_refuses or self.run_lane([request])[0]
            case DoBeside(work):
                work()
                return None
            case Limit() | Pause() | Backoff() | Emit():
                return None
            case _:
                assert_never(effect)

    def run_lane(self, requests: Sequence[StatementRequest]) -> list[LaneAnswer]:
        """Run a batch, and whatever it takes, to its end."""
        return _driven(self.lane.run(requests), self.perform)

    def _view(self, at_least: int) -> ReadView:
        if self._random is None:
            return self.machine.view()
        return self._random.choice([view for view in self._views[-4:] if view.version >= at_least] or self._views[-1:])


@dataclass(slots=True)
class StatementAnswer:
    """All that a statement answered. `error` is None when it succeeded."""

    columns: tuple[ColumnInfo, ...] = ()
    rows: list[Row] = field(default_factory=list)
    tag: str = ""
    error: MyNodeError | None = None
    retryable: bool = False
    status: TransactionStatus | None = None
    version: int = 0


class LocalSession:
    """One client's session; it numbers its statements."""

    def __init__(self, database: SessionDatabase, session_id: SessionId, random: Random) -> None:
        self.id = session_id
        self.sequence = 0
        self._database = database
        self.session = Session(session_id, engine=database.engine, now=lambda: NOW, random=random)

    def request(self, sql: str, *parameters: Value, is_retry: bool = False) -> StatementRequest:
        """The next statement; `is_retry`: the last one again."""
        self.sequence += not is_retry
        return StatementRequest(self.id, self.sequence, sql, parameters, 1000, is_retry, 0)

    def execute(self, sql: str, *parameters: Value, is_retry: bool = False) -> list[Row]:
        """The rows; raises the statement's error."""
        answer = self.answer(sql, *parameters, is_retry=is_retry)
        if answer.error is not None:
            raise answer.error
        return answer.rows

    def answer(self, sql: str, *parameters: Value, is_retry: bool = False) -> StatementAnswer:
        """Run a statement to its final reply, and check that there is just one."""
        answer = StatementAnswer()
        for reply in self.replies(self.session.execute(self.request(sql, *parameters, is_retry=is_retry))):
            invariant(answer.status is None, "nothing follows the final reply")
            answer.columns = reply.columns or answer.columns
            answer.rows += reply.rows
            answer.version = reply.version
            if reply.completion is not None:
                answer.tag = reply.completion.tag
            if reply.error is not None:
                answer.error, answer.retryable = reply.error.to_error(), reply.error.retryable
            answer.status = reply.transaction
            invariant((answer.status is None) != reply.is_final, "the final reply has the transaction's status")
        invariant(answer.status is not None, "a statement ends with a final reply")
        return answer

    def replies(self, steps: Steps[None]) -> list[StatementReply]:
        replies: list[StatementReply] = []

        def perform(effect: SessionEffect) -> Answer:
            if isinstance(effect, Emit):
                replies.append(effect.reply)
            return self._database.perform(effect)

        _driven(steps, perform)
        return replies


def _driven(steps: Steps[T], perform: Callable[[SessionEffect], Answer]) -> T:
    """`mynode.actors.driving.drive`, without waits."""
    answer: Answer = None
    error: MyNodeError | None = None
    while True:
        try:
            effect = steps.send(answer) if error is None else steps.throw(error)
        except StopIteration as stop:
            result: T = stop.value
            return result
        answer, error = None, None
        try:
            answer = perform(effect)
        except MyNodeError as failure:
            error = failure
