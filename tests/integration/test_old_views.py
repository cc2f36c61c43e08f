"""Views of the data that are held for too long, on a cluster of real actors in virtual time: they end, and let go."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import ref

import pytest
import trio
from trio.testing import MockClock

from mynode.actors.sql_session import Timeouts
from mynode.base.errors import QueryCanceledError
from mynode.base.sql_errors import SnapshotTooOldError
from mynode.session.api import StatementRequest, TransactionStatus
from mynode.storage.nodes import Epoch
from mynode.testing.in_process import InProcessCluster, SqlClient

VIEW_S = 20
ROWS = 40_000
"""More than a connection's queue takes of them."""


@asynccontextmanager
async def opened(*, size: int = 1, statement_s: float = 0) -> AsyncIterator[tuple[InProcessCluster, SqlClient]]:
    async with trio.open_nursery() as nursery:
        timeouts = Timeouts(statement_s=statement_s, view_s=VIEW_S)
        cluster = InProcessCluster(size, seed=1, nursery=nursery, timeouts=timeouts)
        await cluster.start_all()
        client = SqlClient(cluster.nodes[await cluster.leader()])
        await client.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)")
        await client.execute("INSERT INTO t VALUES (0, 0)")
        yield cluster, client
        nursery.cancel_scope.cancel()


def is_held(epoch: ref[Epoch]) -> bool:
    """Whether there are views of that epoch, so that what has been replaced since cannot be written to."""
    gc.collect()
    return epoch() is not None


def newest_epoch(cluster: InProcessCluster) -> ref[Epoch]:
    return ref(cluster.engines[1].tree.epoch)


async def test_a_transaction_with_an_old_view_ends_and_lets_go_of_it(autojump_clock: MockClock) -> None:
    async with opened() as (cluster, writer):
        reader = SqlClient(cluster.nodes[1])
        epoch = newest_epoch(cluster)
        await reader.execute("BEGIN")
        for second in range(VIEW_S - 1):
            assert await reader.execute("SELECT value FROM t WHERE id = 0") == [(0,)]
            await writer.execute("UPDATE t SET value = ? WHERE id = 0", second)
            cluster.engines[1].checkpoint()
            await trio.sleep(1)
            assert is_held(epoch)
        await trio.sleep(2)
        assert not is_held(epoch)
        for sql in ("SELECT value FROM t WHERE id = 0", "COMMIT"):
            with pytest.raises(SnapshotTooOldError):
                await reader.execute(sql)
        await reader.execute("ROLLBACK")
        assert await reader.execute("SELECT value FROM t WHERE id = 0") == [(VIEW_S - 2,)]


async def test_a_query_whose_client_does_not_read_ends_and_lets_go_of_its_view(autojump_clock: MockClock) -> None:
    async with opened() as (cluster, writer):
        for first in range(1, ROWS, 5_000):
            places = ", ".join(f"({row}, 0)" for row in range(first, first + 5_000))
            await writer.execute(f"INSERT INTO t VALUES {places}")
        reader = SqlClient(cluster.nodes[1])
        epoch = newest_epoch(cluster)
        request = StatementRequest(reader.session_id, 1, "SELECT * FROM t", (), 1_000_000, is_retry=False, floor=0)
        reader.connection.submit([request])
        try:
            await trio.sleep(VIEW_S - 1)
            cluster.engines[1].checkpoint()
            await writer.execute("UPDATE t SET value = 1 WHERE id = 0")
            assert is_held(epoch)
            await trio.sleep(2)
            assert not is_held(epoch), "nobody has read the error yet"
            last = None
            while last is None:
                last = next((reply for reply in await reader.connection.replies() if reply.is_final), None)
        finally:
            reader.connection.close()
        assert last.error is not None
        assert last.error.sqlstate == SnapshotTooOldError.sqlstate
        assert last.transaction is TransactionStatus.IDLE


async def test_the_node_limits_statements_unless_their_session_does(autojump_clock: MockClock) -> None:
    async with opened(size=3, statement_s=0.5) as (cluster, _):
        client = SqlClient(cluster.nodes[1])
        for sql, limit_s in (("RESET statement_timeout", 0.5), ("SET statement_timeout = 300", 0.3)):
            await client.execute(sql)
            cluster.network.partition([1], [2, 3])
            started = trio.current_time()
            with pytest.raises(QueryCanceledError, match="statement timeout"):
                await client.execute("SELECT * FROM t", timeout_s=100)
            assert trio.current_time() - started == pytest.approx(limit_s, abs=0.05)
            cluster.network.heal()
            await trio.sleep(5)
