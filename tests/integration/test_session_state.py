"""What SET and PREPARE leave behind goes with the client to another node, and with nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
import trio
from trio.testing import MockClock

from mynode.base.errors import QueryCanceledError
from mynode.base.sql_errors import (
    FeatureNotSupportedError,
    IdleInTransactionTimeoutError,
    InvalidStatementNameError,
    SerializationFailureError,
)
from mynode.client.client import Client, open_client
from mynode.client.options import ClientOptions
from mynode.client.session import Session
from mynode.testing.in_process import InProcessCluster


@asynccontextmanager
async def running(size: int) -> AsyncIterator[tuple[InProcessCluster, Client]]:
    """A cluster with an empty table t (id), and a client that begins at node 1."""
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(size, seed=1, nursery=nursery)
        await cluster.start_all()
        await cluster.leader()
        async with open_client(cluster.transports(), ClientOptions(), random=Random(1)) as client:
            await client.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
            yield cluster, client
        nursery.cancel_scope.cancel()


async def shown(session: Session, name: str) -> object:
    return (await session.execute(f"SHOW {name}")).rows[0][0]


async def test_a_session_goes_on_at_another_node_as_it_was(autojump_clock: MockClock) -> None:
    async with running(3) as (cluster, client), client.session() as session:
        await session.execute("SET application_name = 'mine'")
        await session.execute("PREPARE add AS INSERT INTO t VALUES ($1)")
        await session.execute("EXECUTE add(1)")
        await cluster.crash(1)
        await session.execute("EXECUTE add(2)")
        assert await shown(session, "application_name") == "mine"
        await session.execute("DEALLOCATE add")
        await session.execute("RESET ALL")
        await cluster.start(1)
        await cluster.crash(2)
        assert await shown(session, "application_name") == ""
        with pytest.raises(InvalidStatementNameError):
            await session.execute("EXECUTE add(3)")
        assert (await session.execute("SELECT id FROM t")).rows == [(1,), (2,)]


async def test_what_a_lost_transaction_set_is_lost(autojump_clock: MockClock) -> None:
    async with running(3) as (cluster, client), client.session() as session:
        await session.execute("SET application_name = 'before'")
        await session.begin()
        await session.execute("SET application_name = 'within'")
        await session.execute("PREPARE one AS SELECT 1")
        assert await shown(session, "application_name") == "within"
        await cluster.crash(1)
        with pytest.raises(SerializationFailureError):
            await session.execute("SELECT 1")
        await session.rollback()
        assert await shown(session, "application_name") == "before"
        assert (await session.execute("EXECUTE one")).rows == [(1,)]


async def test_a_set_without_an_answer_has_not_happened(autojump_clock: MockClock) -> None:
    async with running(1) as (_, client), client.session() as session:
        await session.execute("SET application_name = 'before'")
        with trio.move_on_after(0.0011):
            await session.execute("SET application_name = 'given up'")
        assert await shown(session, "application_name") == "before"


async def test_a_pooled_session_keeps_no_settings(autojump_clock: MockClock) -> None:
    async with running(1) as (_, client):
        for sql in ("SET application_name = 'x'", "PREPARE p AS SELECT 1"):
            with pytest.raises(FeatureNotSupportedError, match=r"ends with Client\.execute"):
                await client.execute(sql)
        async with client.transaction() as transaction:
            await transaction.execute("SET application_name = 'x'")
        assert (await client.execute("SHOW application_name")).rows == [("",)]
        with pytest.raises(InvalidStatementNameError):
            await client.execute("EXECUTE p")


async def test_statement_timeout_counts_at_the_node(autojump_clock: MockClock) -> None:
    async with running(3) as (cluster, client), client.session(node=0) as session:
        await session.execute("SET statement_timeout = 300")
        cluster.network.partition([1], [2, 3])
        before = trio.current_time()
        with pytest.raises(QueryCanceledError, match="statement timeout"):
            await session.execute("SELECT * FROM t")
        assert trio.current_time() - before < 0.5
        cluster.network.heal()
        await trio.sleep(5)
        await session.execute("RESET statement_timeout")
        await session.execute("SELECT * FROM t")


async def test_a_session_may_be_less_patient_with_idle_transactions(autojump_clock: MockClock) -> None:
    async with running(1) as (_, client), client.session() as session:
        await session.execute("SET idle_in_transaction_session_timeout = '2s'")
        await session.begin()
        await trio.sleep(1)
        await session.execute("SELECT 1")
        await trio.sleep(3)
        with pytest.raises(IdleInTransactionTimeoutError):
            await session.execute("SELECT 1")
        await session.rollback()
