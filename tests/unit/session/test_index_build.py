"""CREATE INDEX on a big table: built in steps, with writers in between, half-built indexes, retries."""

from __future__ import annotations

from random import Random

import pytest

from mynode.base.errors import MyNodeError, OutcomeUnknownError
from mynode.base.sql_errors import (
    DuplicateTableError,
    SerializationFailureError,
    UndefinedObjectError,
    UniqueViolationError,
)
from mynode.machine.commands import TransactionCommand
from mynode.relation.catalog import Catalog
from mynode.relation.index_build import IndexTooBigError
from mynode.relation.index_check import check_indexes
from mynode.relation.schema import Index
from mynode.session.effects import Emit, Propose
from mynode.testing.sql_sessions import LocalSession, SessionDatabase

ROWS = 100
BATCH = 8


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mynode.relation.index_build.ROWS_INDEXED_AT_ONCE", 20)
    monkeypatch.setattr("mynode.session.index_build.INDEX_BATCH_ROWS", BATCH)


@pytest.fixture
def database() -> SessionDatabase:
    database = SessionDatabase()
    session = database.session()
    session.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER)")
    values = ", ".join(f"({number}, {number % 7}, {number})" for number in range(ROWS))
    session.execute(f"INSERT INTO t VALUES {values}")
    database.proposals = 0
    return database


def indexes(database: SessionDatabase) -> tuple[Index, ...]:
    return Catalog.load(database.machine.view()).tables["t"].indexes


class Statement:
    """A statement that is run a proposal at a time."""

    def __init__(self, database: SessionDatabase, session: LocalSession, sql: str, *, is_retry: bool = False) -> None:
        self.error: MyNodeError | None = None
        self.tag: str | None = None
        self._database = database
        self._steps = session.session.execute(session.request(sql, is_retry=is_retry))
        self._effect = next(self._steps)

    @property
    def is_done(self) -> bool:
        return self.tag is not None or self.error is not None

    def propose(self) -> TransactionCommand | None:
        """Go on to the next proposal, which is not made yet; None: the statement is done."""
        while not self.is_done:
            effect = self._effect
            if isinstance(effect, Propose):
                return effect.command
            if isinstance(effect, Emit) and effect.reply.is_final:
                self.tag = effect.reply.completion.tag if effect.reply.completion else None
                self.error = effect.reply.error.to_error() if effect.reply.error else None
            else:
                self._effect = self._steps.send(self._database.perform(effect))
        return None

    def lose(self) -> None:
        """The outcome of the next proposal is lost."""
        self.propose()
        self._effect = self._steps.throw(OutcomeUnknownError("the answer is lost"))

    def step(self) -> None:
        """Go on until the next proposal is applied, or the statement is done."""
        if self.propose() is not None:
            self._effect = self._steps.send(self._database.perform(self._effect))

    def finish(self) -> None:
        while not self.is_done:
            self.step()


def test_it_is_built_in_batches(database: SessionDatabase) -> None:
    session = database.session()
    assert session.answer("CREATE INDEX i ON t (a)").tag == "CREATE INDEX"
    assert database.proposals >= ROWS // BATCH
    (index,) = indexes(database)
    assert index.is_ready
    assert check_indexes(database.machine.view()) == []
    plan = session.execute("EXPLAIN SELECT * FROM t WHERE a = 3")
    assert plan[0] == ("Index Scan using i on t",)
    assert len(session.execute("SELECT * FROM t WHERE a = 3")) == len(range(3, ROWS, 7))


def test_nobody_reads_it_before_it_is_ready(database: SessionDatabase) -> None:
    statement = Statement(database, database.session(), "CREATE INDEX i ON t (a)")
    statement.step()
    while not statement.is_done:
        if not indexes(database)[0].is_ready:
            assert database.session().execute("EXPLAIN SELECT * FROM t WHERE a = 3")[0] == ("Seq Scan on t",)
            assert len(database.session().execute("SELECT * FROM t WHERE a = 3")) == len(range(3, ROWS, 7))
        statement.step()
    assert statement.tag == "CREATE INDEX"


def test_a_writer_that_planned_before_conflicts(database: SessionDatabase) -> None:
    early = database.session()
    early.execute("BEGIN")
    early.execute("INSERT INTO t VALUES (1000, 1, 1)")
    statement = Statement(database, database.session(), "CREATE INDEX i ON t (a)")
    statement.step()
    assert not indexes(database)[0].is_ready
    with pytest.raises(SerializationFailureError):
        early.execute("COMMIT")
    statement.finish()
    assert check_indexes(database.machine.view()) == []


@pytest.mark.parametrize("unique", ["", "UNIQUE "])
@pytest.mark.parametrize("seed", range(20))
def test_writers_go_on_meanwhile(database: SessionDatabase, seed: int, unique: str) -> None:
    random = Random(seed)
    statement = Statement(database, database.session(), f"CREATE {unique}INDEX i ON t (b, a)")
    writer = database.session()
    steps = 0
    while not statement.is_done:
        if random.random() < 0.5:
            statement.propose()  # what is written now is not in the view of the step
        else:
            statement.step()
        steps += 1
        assert steps < 500
        for _ in range(random.choice((0, 0, 0, 1, 2))):
            number = random.randrange(ROWS * 2)
            writer.execute(
                random.choice(
                    [
                        f"INSERT INTO t SELECT {number}, 1, {number + ROWS * 2 + steps * 1000}"
                        f" WHERE NOT EXISTS (SELECT 1 FROM t WHERE id = {number})",
                        f"DELETE FROM t WHERE id = {number}",
                        f"UPDATE t SET a = a + 1 WHERE id BETWEEN {number} AND {number + 5}",
                        f"UPDATE t SET b = b + {ROWS * 1_000_000 * steps} WHERE id = {number}",
                        f"UPDATE t SET id = id + {ROWS * 10 * steps} WHERE id = {number}",
                    ]
                )
            )
            assert check_indexes(database.machine.view()) == []
    assert statement.tag == "CREATE INDEX", statement.error
    assert check_indexes(database.machine.view()) == []
    assert indexes(database)[0].is_ready


def test_a_row_that_changes_all_the_time_holds_up_nothing(database: SessionDatabase) -> None:
    statement = Statement(database, database.session(), "CREATE INDEX i ON t (a)")
    writer = database.session()
    steps = 0
    while not statement.is_done:
        if statement.propose() is not None:
            writer.execute("UPDATE t SET b = b + 1 WHERE id = 50")  # between a batch's view and its proposal
        statement.step()
        steps += 1
        assert steps < 60
    assert statement.tag == "CREATE INDEX"
    assert check_indexes(database.machine.view()) == []


def test_values_that_are_there_twice(database: SessionDatabase) -> None:
    database.session().execute("INSERT INTO t VALUES (1000, 0, 70)")
    answer = database.session().answer("CREATE UNIQUE INDEX i ON t (b)")
    assert isinstance(answer.error, UniqueViolationError)
    assert answer.error.message == 'could not create unique index "i"'
    assert answer.error.detail == "Key (b)=(70) is duplicated."
    assert indexes(database) == ()


def test_values_that_are_no_longer_there_twice(database: SessionDatabase) -> None:
    writer = database.session()
    writer.execute("INSERT INTO t VALUES (1000, 0, 1)")
    statement = Statement(database, database.session(), "CREATE UNIQUE INDEX i ON t (b)")
    for _ in range(4):
        statement.step()
    writer.execute("UPDATE t SET b = -1 WHERE id = 1000")  # the entry of 1 stays, which is that of another row
    assert check_indexes(database.machine.view()) == []
    statement.finish()
    assert statement.tag == "CREATE INDEX"
    assert check_indexes(database.machine.view()) == []


def test_a_retry_goes_on_after_the_node_died(database: SessionDatabase) -> None:
    session = database.session()
    first = Statement(database, session, "CREATE INDEX i ON t (a)")
    for _ in range(5):
        first.step()
    assert not indexes(database)[0].is_ready
    assert check_indexes(database.machine.view()) == []
    elsewhere = database.session(session_id=session.id)
    elsewhere.sequence = session.sequence
    database.proposals = 0
    answer = elsewhere.answer("CREATE INDEX i ON t (a)", is_retry=True)
    assert answer.tag == "CREATE INDEX"
    assert database.proposals < ROWS // BATCH - 1  # it did not begin again
    first.finish()  # the node was only paused
    assert first.tag == "CREATE INDEX"
    assert len(indexes(database)) == 1
    assert check_indexes(database.machine.view()) == []


def test_two_who_want_the_same_index_build_it_together(database: SessionDatabase) -> None:
    both = [Statement(database, database.session(), "CREATE INDEX i ON t (a)") for _ in range(2)]
    while not all(one.is_done for one in both):
        for one in both:
            one.step()
    assert sorted([one.tag or "" for one in both]) == ["", "CREATE INDEX"]
    assert [type(one.error) for one in both if one.error] == [DuplicateTableError]
    assert len(indexes(database)) == 1
    assert check_indexes(database.machine.view()) == []


def test_a_half_built_index_can_be_dropped(database: SessionDatabase) -> None:
    left = Statement(database, database.session(), "CREATE UNIQUE INDEX i ON t (b)")
    for _ in range(5):
        left.step()
    with pytest.raises(DuplicateTableError):
        database.session().execute("CREATE INDEX i ON t (a)")
    database.session().execute("DROP INDEX i")
    left.finish()
    assert isinstance(left.error, UndefinedObjectError)
    assert indexes(database) == ()


def test_a_step_whose_outcome_is_lost_is_taken_again(database: SessionDatabase) -> None:
    statement = Statement(database, database.session(), "CREATE INDEX i ON t (a)")
    statement.step()
    for is_applied_later in (True, False):
        command = statement.propose()
        statement.lose()
        statement.step()
        if is_applied_later and command is not None:
            database.apply(command)
        assert check_indexes(database.machine.view()) == []
    statement.finish()
    assert statement.tag == "CREATE INDEX"
    assert check_indexes(database.machine.view()) == []


def test_in_a_transaction_only_small_tables(database: SessionDatabase) -> None:
    session = database.session()
    session.execute("BEGIN")
    answer = session.answer("CREATE INDEX i ON t (a)")
    assert answer.error is not None
    assert answer.error.sqlstate == IndexTooBigError.sqlstate == "25001"
    session.execute("ROLLBACK")
    session.execute("CREATE TABLE small (a INTEGER)")
    session.execute("BEGIN")
    session.execute("INSERT INTO small VALUES (1), (2), (2)")
    session.execute("CREATE INDEX s ON small (a)")
    assert session.execute("EXPLAIN SELECT * FROM small WHERE a = 2")[0] == ("Index Scan using s on small",)
    assert session.execute("SELECT count(*) FROM small WHERE a = 2") == [(2,)]
    session.execute("INSERT INTO small VALUES (2)")
    session.execute("COMMIT")
    assert check_indexes(database.machine.view()) == []
    assert session.execute("SELECT count(*) FROM small WHERE a = 2") == [(3,)]
