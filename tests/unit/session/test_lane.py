"""The hot lane, batch by batch, on one state machine."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import CapturingLogger

from mynode.base.errors import MyNodeError, OutcomeUnknownError, QueryCanceledError
from mynode.base.limits import LANE_STATEMENT_BYTES, LANE_STATEMENT_READS, LANE_TRIES
from mynode.base.sql_errors import DivisionByZeroError, UniqueViolationError
from mynode.machine.commands import BatchCommand, Command
from mynode.machine.machine import Machine
from mynode.machine.outcomes import Committed, Outcome, Refused
from mynode.session import lane
from mynode.session.api import Completion, Row
from mynode.session.effects import Backoff, Emit
from mynode.session.lane_api import LaneAnswer, LaneRefusal, LaneSettled
from mynode.session.steps import WriteResult, decode_result
from mynode.sql.engine import ParsedStatement, PreparedStatement, SqlEngine
from mynode.storage.engine import MemoryEngine
from mynode.testing.sql_sessions import LocalSession, SessionDatabase

UPDATED = WriteResult(Completion("UPDATE 1", 1))
ADD = "UPDATE t SET value = value + 1 WHERE id = ?"


class Database(SessionDatabase):
    """Applies `before` in front of the next command, as another node's proposal may come first."""

    def __init__(self, machine: Machine | None = None) -> None:
        super().__init__(machine=machine)
        self.before: list[tuple[LocalSession, str]] = []
        session = self.session()
        session.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)")
        session.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
        self.proposals = 0

    def apply(self, command: Command) -> Outcome:
        if self.before:
            (session, sql), later = self.before[0], self.before[1:]
            self.before = []
            session.execute(sql)
            self.before = later
        return super().apply(command)


@pytest.fixture
def database() -> Database:
    return Database()


def run(database: Database, *statements: tuple[LocalSession, str, int]) -> list[LaneAnswer]:
    requests = [session.request(sql, number) for session, sql, number in statements]
    for request in requests:
        assert request.floor == 0
    return database.run_lane(requests)


def result(answer: LaneAnswer) -> WriteResult | MyNodeError:
    assert isinstance(answer, LaneSettled)
    assert isinstance(answer.outcome, Committed)
    return decode_result(answer.outcome.result)


def values(database: Database) -> list[Row]:
    return database.session().execute("SELECT id, value FROM t ORDER BY id")


def test_a_batch_is_one_entry_and_each_statement_sees_those_before_it(database: Database) -> None:
    sessions = [database.session() for _ in range(5)]
    double = "UPDATE t SET value = value * 2 WHERE id = ?"
    answers = run(database, *((session, ADD, 1) for session in sessions[:4]), (sessions[4], double, 1))
    assert [result(answer) for answer in answers] == [UPDATED] * 5
    assert database.proposals == 1
    assert values(database) == [(1, 28), (2, 20)]
    assert [session.execute(ADD, 1, is_retry=True) for session in sessions] == [[]] * 5
    assert values(database) == [(1, 28), (2, 20)], "each is answered from the outcome table"


def test_contended_is_who_wrote_what_another_one_did(database: Database) -> None:
    a, b, c = (database.session() for _ in range(3))

    def contended(*statements: tuple[LocalSession, str, int]) -> list[bool]:
        return [isinstance(answer, LaneSettled) and answer.is_contended for answer in run(database, *statements)]

    assert contended((a, ADD, 1), (b, ADD, 1), (c, ADD, 2)) == [True, True, False]
    assert contended((a, ADD, 1)) == [True], "b wrote it in the batch before"
    assert contended((a, ADD, 1)) == [False]
    assert contended((c, ADD, 3)) == [False]


def test_an_error_of_one_statement_is_its_answer_and_leaves_the_others_alone(database: Database) -> None:
    a, b, c = (database.session() for _ in range(3))
    failing = "UPDATE t SET value = value / (id - 2) WHERE id <= ?"
    answers = run(database, (a, ADD, 1), (b, failing, 2), (c, "INSERT INTO t VALUES (?, 0)", 1))
    assert result(answers[0]) == UPDATED
    assert isinstance(result(answers[1]), DivisionByZeroError)
    assert isinstance(result(answers[2]), UniqueViolationError)
    assert values(database) == [(1, 11), (2, 20)]
    with pytest.raises(DivisionByZeroError):
        b.execute(failing, 2, is_retry=True)


def test_a_batch_that_lost_runs_again_on_what_won(database: Database) -> None:
    a, b = database.session(), database.session()
    outside = database.session()
    database.before = [(outside, "UPDATE t SET value = 0 WHERE id = 1")]
    answers = run(database, (a, ADD, 1), (b, ADD, 1))
    assert [result(answer) for answer in answers] == [UPDATED] * 2
    assert values(database) == [(1, 2), (2, 20)]


def test_a_statement_that_got_its_outcome_meanwhile_is_not_run_again(database: Database) -> None:
    a, b = database.session(), database.session()
    elsewhere = database.session(session_id=a.id)
    database.before = [(elsewhere, ADD.replace("?", "2"))]
    answers = run(database, (a, ADD, 1), (b, ADD, 1))
    assert [result(answer) for answer in answers] == [UPDATED] * 2
    assert values(database) == [(1, 11), (2, 21)], "of the two attempts of one number the first counts"


def test_a_batch_that_loses_again_and_again_goes_back(database: Database) -> None:
    outside = database.session()
    database.before = [(outside, "UPDATE t SET value = value + 100 WHERE id = 1")] * LANE_TRIES
    assert run(database, (database.session(), ADD, 1)) == [LaneRefusal.NOT_EXECUTED]
    assert values(database) == [(1, 10 + 100 * LANE_TRIES), (2, 20)]


def test_without_an_outcome_a_statement_may_be_executed(database: Database) -> None:
    a, b = database.session(), database.session()
    database.loses_outcomes = True
    too_large = (b, f"UPDATE t SET value = 0 WHERE id = ? AND '{'x' * LANE_STATEMENT_BYTES}' <> ''", 1)
    assert run(database, (a, ADD, 1), too_large) == [LaneRefusal.MAYBE_EXECUTED, LaneRefusal.UNFIT]
    (held,) = database.held
    assert isinstance(held, BatchCommand)
    database.loses_outcomes = False
    assert a.execute(ADD, 1, is_retry=True) == []
    database.apply(held)
    assert values(database) == [(1, 11), (2, 20)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT value FROM t WHERE id = ?",
        "COMMIT",
        "CREATE TABLE u (id INTEGER PRIMARY KEY)",
        "DROP TABLE t",
        f"UPDATE t SET value = 0 WHERE id IN ({', '.join(map(str, range(2 * LANE_STATEMENT_READS)))})",
    ],
)
def test_what_does_not_belong_there_leaves_nothing(database: Database, sql: str) -> None:
    database.session().execute("CREATE TABLE other (id INTEGER PRIMARY KEY)")
    before = values(database)
    session, parameters = database.session(), [1] * sql.count("?")
    request = session.request(sql, *parameters)
    answers = database.run_lane([request, database.session().request(ADD, 2)])
    assert answers[0] is LaneRefusal.UNFIT
    assert isinstance(answers[1], LaneSettled)
    assert values(database) == [before[0], (2, 21)]


def test_a_fault_of_ours_in_one_statement_is_logged_and_costs_the_others_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = SqlEngine.prepare

    def fails_for_one(self: SqlEngine, parsed: ParsedStatement, *arguments: Any) -> PreparedStatement:
        if parsed.text == "DELETE FROM t":
            raise ZeroDivisionError
        return prepare(self, parsed, *arguments)

    monkeypatch.setattr(SqlEngine, "prepare", fails_for_one)
    requests = [database.session().request("DELETE FROM t"), database.session().request(ADD, 2)]
    logger = CapturingLogger()
    monkeypatch.setattr(lane, "log", logger)
    answers = database.run_lane(requests)
    assert answers[0] is LaneRefusal.UNFIT
    assert result(answers[1]) == UPDATED
    assert [call.kwargs["sql"] for call in logger.calls] == ["DELETE FROM t"]
    assert values(database) == [(1, 10), (2, 21)]


def test_of_two_requests_of_one_session_the_first_runs(database: Database) -> None:
    session = database.session()
    first = session.request(ADD, 1)
    answers = database.run_lane([first, session.request(ADD, 1, is_retry=True)])
    assert isinstance(answers[0], LaneSettled)
    assert answers[1] is LaneRefusal.NOT_EXECUTED
    assert values(database)[0] == (1, 11)


def test_a_forgotten_session_is_told_so() -> None:
    database = Database(Machine(MemoryEngine(), max_outcomes=2))
    for _ in range(3):
        database.session().execute(ADD, 1)
    (answer,) = run(database, (database.session(), ADD, 1))
    assert isinstance(answer, LaneSettled)
    assert isinstance(answer.outcome, Refused)
    assert answer.outcome.sqlstate == OutcomeUnknownError.sqlstate
    assert values(database)[0] == (1, 13)


# --- the session's side ----------------------------------------------------------------------------------------------


def lose_once(database: Database, session: LocalSession) -> None:
    """Let the session's next proposal conflict."""
    database.before = [(database.session(), ADD.replace("?", "1"))]


def test_a_statement_that_lost_goes_to_the_lane(database: Database) -> None:
    session = database.session()
    lose_once(database, session)
    answer = session.answer(ADD, 1)
    assert (answer.tag, answer.error) == ("UPDATE 1", None)
    assert answer.version == database.machine.applied
    assert values(database)[0] == (1, 12)


def test_an_execute_that_lost_goes_to_the_lane(database: Database) -> None:
    session = database.session()
    session.execute("PREPARE add (INTEGER) AS UPDATE t SET value = value + $1 WHERE id = 1")
    lose_once(database, session)
    before = database.proposals
    assert session.answer("EXECUTE add (5)").tag == "UPDATE 1"
    assert database.proposals == before + 3, "its own, the other's, the lane's"
    assert values(database)[0] == (1, 16)


def test_an_error_from_the_lane_is_the_statements(database: Database) -> None:
    session = database.session()
    database.before = [(database.session(), "INSERT INTO t VALUES (3, 30)")]
    answer = session.answer("INSERT INTO t VALUES (3, 31)")
    assert isinstance(answer.error, UniqueViolationError)


@pytest.mark.parametrize("refusal", list(LaneRefusal))
def test_a_session_that_the_lane_refuses_goes_on_by_itself(database: Database, refusal: LaneRefusal) -> None:
    session = database.session()
    database.lane_refuses = refusal
    lose_once(database, session)
    assert session.answer(ADD, 1).tag == "UPDATE 1"
    assert values(database)[0] == (1, 12)


def test_after_an_unknown_end_in_the_lane_an_answer_that_writes_nothing_is_proposed(database: Database) -> None:
    """Else the lane's entry, coming late, would execute what the client was told had found no row."""
    session = database.session()
    database.lane_refuses = LaneRefusal.MAYBE_EXECUTED
    database.before = [(database.session(), "DELETE FROM t WHERE id = 1")]
    before = database.proposals
    assert session.answer(ADD, 1).tag == "UPDATE 0"
    assert database.proposals == before + 3, "the first try, the other session's and the answer"
    assert session.answer(ADD, 1, is_retry=True).tag == "UPDATE 0"


def unknown_after(database: Database, session: LocalSession, interrupt: MyNodeError | None = None) -> MyNodeError:
    """The error of a statement that first loses, then may have been executed by the lane, and goes on alone.

    Before that, others commit; instead of it, with `interrupt`, the statement is ended.
    """
    database.lane_refuses = LaneRefusal.MAYBE_EXECUTED
    lose_once(database, session)
    steps = session.session.execute(session.request(ADD, 1))
    effect = next(steps)
    while not isinstance(effect, Backoff):
        effect = steps.send(database.perform(effect))
    for _ in range(3):
        database.session().execute(ADD, 1)
    effect = steps.send(None) if interrupt is None else steps.throw(interrupt)
    while not isinstance(effect, Emit):
        effect = steps.send(database.perform(effect))
    assert effect.reply.error is not None
    return effect.reply.error.to_error()


def test_after_an_unknown_end_in_the_lane_no_error_says_that_it_was_not_executed(database: Database) -> None:
    error = unknown_after(database, database.session(), QueryCanceledError("canceled"))
    assert isinstance(error, OutcomeUnknownError)


def test_a_first_statement_that_the_lane_may_have_executed_is_never_called_forgotten() -> None:
    """`SessionForgottenError` invites the client to send it again as new."""
    database = Database(Machine(MemoryEngine(), max_outcomes=2))
    assert isinstance(unknown_after(database, database.session()), OutcomeUnknownError)
