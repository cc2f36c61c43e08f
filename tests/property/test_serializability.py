"""Random transactions of several sessions, interleaved, against the same transactions run one after another on a dict.

Strict serializability, checked: the committed transactions have an order that explains everything each of them saw,
that of their versions, and in it none comes before another that had ended before its first statement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from mynode.base.sql_errors import SerializationFailureError
from mynode.session.api import Row, TransactionStatus
from mynode.testing.sql_sessions import SessionDatabase, StatementAnswer

State = dict[int, int]
Step = tuple[str, int]
"""What to do, and the number it does it with."""
Seen = tuple[str, list[Row]]
"""A statement's tag and rows."""

SESSIONS = 3
KEYS = 5
SQL = {
    "begin": "BEGIN",
    "commit": "COMMIT",
    "rollback": "ROLLBACK",
    "savepoint": "SAVEPOINT a",
    "rollback to": "ROLLBACK TO a",
    "get": "SELECT id, value FROM t WHERE id = ?",
    "range": "SELECT id, value FROM t WHERE id >= ? ORDER BY id",
    "match": "SELECT id, value FROM t WHERE value % 3 = ? ORDER BY id",
    "insert": "INSERT INTO t VALUES (?, 0)",
    "add": "UPDATE t SET value = value + 1 WHERE id = ?",
    "add to match": "UPDATE t SET value = value + 1 WHERE value % 3 = ?",
    "delete": "DELETE FROM t WHERE id = ?",
}
CONTROL = ("begin", "commit", "rollback", "savepoint", "rollback to")
DATA = tuple(word for word in SQL if word not in CONTROL)
WORDS = (*CONTROL, *4 * ("commit",), *DATA, *3 * ("get", "range", "add"), "add to match")

numbers = st.integers(0, KEYS - 1)
words = st.sampled_from(WORDS)
schedules = st.lists(st.tuples(st.integers(0, SESSIONS - 1), words, numbers), min_size=20, max_size=80)


@dataclass
class Ran:
    """A transaction that is running or has committed.

    Attributes:
        after: the newest version acknowledged before its first statement.
        version: where it stands in the serial order: it is or, if it wrote nothing, comes right after that version.
    """

    after: int
    steps: list[Step] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    version: int = 0
    wrote: bool = False


class Concurrently:
    """Runs a schedule and keeps what committed."""

    def __init__(self, seed: int) -> None:
        self.database = SessionDatabase(random=Random(seed))
        self.database.session().execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)")
        self.database.session().execute("INSERT INTO t VALUES (0, 0), (2, 0), (3, 1)")
        self.sessions = [self.database.session() for _ in range(SESSIONS)]
        self.open: dict[int, Ran] = {}
        self.committed: list[Ran] = []
        self.conflicts = 0

    def step(self, number: int, word: str, argument: int) -> None:
        """Run a statement, or what makes more sense in its place."""
        session = self.sessions[number]
        before = self.database.machine.applied
        status = session.session.transaction_status
        was_open = status is not TransactionStatus.IDLE
        if word in CONTROL and not was_open:
            word = "begin"
        elif word == "begin" and was_open:
            word = "add"
        elif word == "rollback to" and "savepoint" not in [word for word, _ in self.open.get(number, Ran(0)).steps]:
            word = "range"
        if status is TransactionStatus.FAILED and word != "rollback to":
            word = "rollback"
        answer = session.answer(SQL[word], *((argument,) if word not in CONTROL else ()))
        self.conflicts += isinstance(answer.error, SerializationFailureError)
        if not was_open:
            if word not in CONTROL and answer.error is None:
                ran = Ran(before, [(word, argument)], [_seen(answer)])
                self._commit(ran, answer, before)
            return
        if answer.status is TransactionStatus.IDLE:
            ran = self.open.pop(number, Ran(before))
            if answer.tag == "COMMIT":
                self._commit(ran, answer, before)
        elif answer.error is None:
            ran = self.open.setdefault(number, Ran(before))
            ran.steps.append((word, argument))
            ran.seen.append(_seen(answer))

    def _commit(self, ran: Ran, answer: StatementAnswer, before: int) -> None:
        if ran.steps:
            ran.version = answer.version
            ran.wrote = self.database.machine.applied > before
            self.committed.append(ran)


def _seen(answer: StatementAnswer) -> Seen:
    return (answer.tag, answer.rows)


def run_alone(state: State, steps: list[Step]) -> tuple[State, list[Seen]]:
    """What a transaction makes of a state, and sees, when nobody else is there."""
    now = dict(state)
    kept: list[State] = []
    seen: list[Seen] = []
    for word, number in steps:
        rows: list[Row] = []
        tag = word.upper()
        match word:
            case "savepoint":
                kept.append(dict(now))
            case "rollback to":
                now = dict(kept[-1])
                tag = "ROLLBACK"
            case "get" | "range" | "match":
                rows = [(key, now[key]) for key in sorted(now) if _fits(word, key, now[key], number)]
                tag = f"SELECT {len(rows)}"
            case "insert":
                assert number not in now, "this INSERT would have failed"
                now[number] = 0
                tag = "INSERT 0 1"
            case "add" | "add to match":
                keys = [key for key in now if _fits("get" if word == "add" else "match", key, now[key], number)]
                now |= {key: now[key] + 1 for key in keys}
                tag = f"UPDATE {len(keys)}"
            case "delete":
                tag = f"DELETE {int(now.pop(number, None) is not None)}"
        seen.append((tag, rows))
    return now, seen


def _fits(word: str, key: int, value: int, number: int) -> bool:
    return {"get": key == number, "range": key >= number, "match": value % 3 == number}[word]


@given(schedules, st.integers(0, 99))
@settings(max_examples=200, deadline=None)
def test_what_committed_could_have_run_one_after_another(schedule: list[tuple[int, str, int]], seed: int) -> None:
    run = Concurrently(seed)
    for number, word, argument in schedule:
        run.step(number, word, argument)
    for number in range(SESSIONS):
        run.step(number, "commit", 0)
    state: State = {0: 0, 2: 0, 3: 1}
    for ran in sorted(run.committed, key=lambda ran: (ran.version, not ran.wrote)):
        assert ran.version >= ran.after
        after, seen = run_alone(state, ran.steps)
        assert ran.seen == seen
        if ran.wrote:
            state = after
        assert state == after
    rows = run.database.session().execute("SELECT id, value FROM t ORDER BY id")
    assert rows == sorted(state.items())


def test_the_schedules_are_worth_it() -> None:
    """Random interleavings of this kind have commits and conflicts."""
    random = Random(1)
    conflicts = commits = 0
    for seed in range(30):
        run = Concurrently(seed)
        for _ in range(100):
            run.step(random.randrange(SESSIONS), random.choice(WORDS), random.randrange(KEYS))
        conflicts += run.conflicts
        commits += sum(ran.wrote and len(ran.steps) > 1 for ran in run.committed)
    assert conflicts > 20
    assert commits > 20
