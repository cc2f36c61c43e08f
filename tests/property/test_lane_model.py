"""Statements of several sessions in random batches of the lane and by themselves, while outcomes are lost and entries
come late, or twice: what was acknowledged is there once, in the order of the versions; nothing is there twice."""

from __future__ import annotations

from random import Random

from hypothesis import event, given, settings
from hypothesis import strategies as st

from mynode.base.errors import OutcomeUnknownError
from mynode.session.api import StatementRequest
from mynode.session.lane_api import LaneRefusal, LaneSettled
from mynode.testing.sql_sessions import LocalSession, SessionDatabase

SESSIONS = 4
BLIND = "INSERT INTO marks VALUES (?)"
"""It reads nothing that changes, so that nothing but the outcome table keeps it from being applied twice."""
ORDERED = "UPDATE texts SET marks = marks || ? WHERE id = 1"
NOTHING = "UPDATE texts SET marks = ? WHERE id = 2"
"""Finds no row until one is there."""


class Client:
    """A session with a statement whose outcome it may not know."""

    def __init__(self, session: LocalSession) -> None:
        self.session = session
        self.sql = ""
        self.mark = ""
        self.is_uncertain = False

    def request(self, sql: str, mark: str) -> StatementRequest:
        """A new statement, or the one that is uncertain once more."""
        if not self.is_uncertain:
            self.sql, self.mark = sql, mark
        return self.session.request(self.sql, self.mark, is_retry=self.is_uncertain)


class Model:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.database = SessionDatabase(random=self.random)
        session = self.database.session()
        session.execute("CREATE TABLE marks (mark TEXT)")
        session.execute("CREATE TABLE texts (id INTEGER PRIMARY KEY, marks TEXT NOT NULL)")
        session.execute("INSERT INTO texts VALUES (1, '')")
        self.clients = [Client(self.database.session()) for _ in range(SESSIONS)]
        self.acknowledged: list[tuple[int, str, str]] = []
        self.kinds = self.random.choice(((BLIND,), (BLIND, BLIND, BLIND, ORDERED), (BLIND, ORDERED, NOTHING)))
        self.number = 0

    def step(self, word: str) -> None:
        self.database.loses_outcomes = self.random.random() < 0.3
        if word == "late":
            if self.database.held:
                self.database.apply(self.random.choice(self.database.held))
        elif word == "alone":
            client = self.random.choice(self.clients)
            request = self.request(client)
            answer = client.session.answer(request.sql, *request.parameters, is_retry=client.is_uncertain)
            client.is_uncertain = isinstance(answer.error, OutcomeUnknownError)
            assert client.is_uncertain or answer.error is None
            if not client.is_uncertain:
                self.acknowledged.append((answer.version, client.sql, client.mark))
        else:
            clients = self.random.sample(self.clients, self.random.randint(1, SESSIONS))
            self.batch(clients)

    def request(self, client: Client) -> StatementRequest:
        self.number += 1
        mark = f"{self.number} "
        request = client.request(self.random.choice(self.kinds), mark)
        client.session.sequence -= not client.is_uncertain
        return request

    def batch(self, clients: list[Client]) -> None:
        requests = [self.request(client) for client in clients]
        for client, request, answer in zip(clients, requests, self.database.run_lane(requests), strict=True):
            client.session.sequence = request.sequence
            if isinstance(answer, LaneSettled):
                self.acknowledged.append((answer.outcome.version, client.sql, client.mark))
                client.is_uncertain = False
            elif answer is LaneRefusal.MAYBE_EXECUTED:
                client.is_uncertain = True

    def check(self) -> None:
        self.database.loses_outcomes = False
        for client in self.clients:
            if client.is_uncertain:
                answer = client.session.answer(client.sql, client.mark, is_retry=True)
                assert answer.error is None
                self.acknowledged.append((answer.version, client.sql, client.mark))
        for command in self.random.sample(self.database.held, len(self.database.held)):
            self.database.apply(command)
        reader = self.database.session()
        blind = sorted(mark for (mark,) in reader.execute("SELECT mark FROM marks") if isinstance(mark, str))
        assert blind == sorted(mark for _, sql, mark in self.acknowledged if sql == BLIND)
        ((text,),) = reader.execute("SELECT marks FROM texts")
        assert isinstance(text, str)
        ordered = [f"{mark} " for mark in text.split()]
        versions = {mark: version for version, sql, mark in self.acknowledged if sql == ORDERED}
        assert sorted(ordered) == sorted(versions)
        assert [versions[mark] for mark in ordered] == sorted(versions.values())


@given(st.lists(st.sampled_from(("alone", "batch", "batch", "late")), min_size=5, max_size=40), st.integers(0, 10_000))
@settings(max_examples=200, deadline=None)
def test_each_statement_counts_once(words: list[str], seed: int) -> None:
    model = Model(seed)
    for word in words:
        model.step(word)
    event(f"more than 3 lost outcomes: {len(model.database.held) > 3}")
    model.check()
