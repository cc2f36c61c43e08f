"""`Client.stream`: large results in batches, with the memory of one frame."""

from __future__ import annotations

from random import Random

import pytest
import trio
from trio.testing import MockClock

from mynode.base.errors import ConnectionFailedError, OutcomeUnknownError
from mynode.base.sql_errors import SqlSyntaxError
from mynode.client.client import open_client
from mynode.client.options import ClientOptions
from mynode.session.api import Row
from mynode.testing.fake_nodes import ROWS_PER_PART, FakeCluster


async def test_gives_batches_and_then_the_tag() -> None:
    cluster = FakeCluster(2)
    rows: list[Row] = []
    async with open_client(cluster.nodes) as client, client.stream("SELECT 1050") as stream:
        assert [column.name for column in stream.columns] == ["n"]
        async for batch in stream:
            assert 0 < len(batch) <= ROWS_PER_PART
            assert stream.tag == "" or len(batch) == 50
            rows += batch
        assert (stream.tag, stream.rows_affected) == ("SELECT 1050", 1050)
    assert rows == [(n,) for n in range(1, 1051)]


async def test_statements_run_beside_a_stream_that_is_not_read() -> None:
    cluster = FakeCluster(1)
    async with open_client(cluster.nodes) as client, client.stream("SELECT 1000") as stream:
        async for _ in stream:
            await client.execute("INSERT 1")
    assert len(cluster.applied) == 10


async def test_a_failure_before_the_first_batch_is_retried() -> None:
    cluster = FakeCluster(2)
    cluster.nodes[0].faults.extend(["drop before"])
    async with open_client(cluster.nodes) as client, client.stream("SELECT 5") as stream:
        assert [batch async for batch in stream] == [[(n,) for n in range(1, 6)]]


async def test_a_failure_after_a_batch_is_final() -> None:
    cluster = FakeCluster(2)
    cluster.nodes[0].faults.extend(["break midway"])
    async with open_client(cluster.nodes) as client, client.stream("SELECT 300") as stream:
        assert len(await anext(stream)) == ROWS_PER_PART
        with pytest.raises(ConnectionFailedError):
            await anext(stream)
    assert cluster.nodes[1].frames == []


async def test_an_error_comes_on_entering() -> None:
    cluster = FakeCluster(1)
    with pytest.raises(SqlSyntaxError):
        async with open_client(cluster.nodes) as client, client.stream("what"):
            raise AssertionError("not entered")


async def test_leaving_early_ends_the_connection() -> None:
    cluster = FakeCluster(1)
    async with open_client(cluster.nodes) as client:
        async with client.stream("SELECT 1000"):
            assert cluster.nodes[0].open_streams == 1
        await trio.testing.wait_all_tasks_blocked()
        assert cluster.nodes[0].open_streams == 0


async def test_the_deadline_holds_for_the_whole(autojump_clock: MockClock) -> None:
    cluster = FakeCluster(1)
    cluster.nodes[0].faults.append("ignore")
    async with open_client(cluster.nodes) as client:
        with pytest.raises(OutcomeUnknownError):
            async with client.stream("SELECT 1", timeout=2):
                raise AssertionError("not entered")
        assert trio.current_time() == pytest.approx(2)


async def test_streams_are_bounded(autojump_clock: MockClock) -> None:
    cluster = FakeCluster(1)
    cluster.nodes[0].faults.extend([1.0] * 20)

    async def read() -> None:
        async with client.stream("SELECT 1") as stream:
            assert [batch async for batch in stream] == [[(1,)]]

    async with open_client(cluster.nodes, ClientOptions(max_streams=2), random=Random(1)) as client:
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(read)
            await trio.sleep(0.5)
            assert cluster.nodes[0].open_streams == 2
        assert trio.current_time() == pytest.approx(5)
