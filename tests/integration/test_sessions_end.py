"""Sessions end with their connection, and statements when they are told to, whatever else waits (in virtual time)."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from mynode.actors.connection import REFUSALS
from mynode.actors.protocol import FRONT_INBOX, ApplyEntries, StateMessage
from mynode.base.limits import CONNECTION_OUTBOX_REPLIES
from mynode.session.api import CancelRequest, StatementRequest
from mynode.testing.in_process import InProcessCluster, SqlClient


def select_1(session_id: bytes, sequence: int) -> StatementRequest:
    return StatementRequest(session_id, sequence, "SELECT 1", (), 1000, False, 0)


async def test_a_connection_that_closes_while_the_front_is_flooded_ends_its_sessions(
    autojump_clock: MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(1, seed=1, nursery=nursery)
        node = await cluster.start(1)
        clients = [SqlClient(node) for _ in range(20)]
        for client in clients:
            await client.execute("SELECT 1")
        assert node.front.session_count == 20
        flood = SqlClient(node)
        for _ in range(FRONT_INBOX):
            flood.connection.submit([CancelRequest(flood.session_id, 1)])
        for client in clients:
            client.connection.close()
        await trio.sleep(1)
        assert node.front.session_count == 0
        nursery.cancel_scope.cancel()


async def test_a_connection_that_the_node_closed_opens_nothing(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(1, seed=1, nursery=nursery)
        node = await cluster.start(1)
        rude = SqlClient(node)
        too_many = CONNECTION_OUTBOX_REPLIES + REFUSALS + 100
        rude.connection.submit([select_1(rude.session_id, number) for number in range(1, too_many)])
        await trio.sleep(1)
        assert node.front.session_count == 0
        rude.connection.submit([select_1(b"another session.", 1)])
        await trio.sleep(1)
        assert node.front.session_count == 0
        rude.connection.close()
        nursery.cancel_scope.cancel()


async def test_a_cancel_while_the_outcome_is_on_its_way_ends_a_conflicting_statement(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(1, seed=1, nursery=nursery)
        node = await cluster.start(1)
        await cluster.leader()
        first, second = SqlClient(node), SqlClient(node)
        await first.execute("CREATE TABLE c (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
        await second.execute("SELECT 1")

        inbox = node._state_inbox
        drain, may_apply = inbox.drain, trio.Event()

        async def slow_drain(most: int | None = None) -> list[StateMessage]:
            batch = await drain(most)
            if any(isinstance(message, ApplyEntries) for message in batch):
                await may_apply.wait()
            return batch

        def update(client: SqlClient, sql: str) -> None:
            client.sequence += 1
            request = StatementRequest(client.session_id, client.sequence, sql, (), 5000, False, 0)
            client.connection.submit([request])

        for row in range(20):  # Trio shuffles which of the two proposes first: until it is the other one
            await first.execute("INSERT INTO c VALUES (?, 0)", row)
            may_apply = trio.Event()
            monkeypatch.setattr(inbox, "drain", slow_drain)
            await node.status()  # It wakes state_machine, which drains slowly from now on.
            update(first, f"UPDATE c SET n = 100 WHERE id = {row}")
            update(second, f"UPDATE c SET n = n + 1 WHERE id = {row}")
            await trio.sleep(0.05)
            second.connection.submit([CancelRequest(second.session_id, second.sequence)])
            await trio.sleep(0.05)
            may_apply.set()
            monkeypatch.setattr(inbox, "drain", drain)
            (reply,) = await second.connection.replies()
            (_,) = await first.connection.replies()
            if reply.completion is None:
                break
        assert reply.error is not None
        assert reply.error.sqlstate == "57014"
        assert await SqlClient(node).execute("SELECT n FROM c WHERE id = ?", row) == [(100,)]
        nursery.cancel_scope.cancel()
