"""The client against nodes that fail as scripted: exactly once, by the deadline, and always answered."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from random import Random

import pytest
import trio
from trio.testing import MockClock

from mynode.base.errors import (
    ClientClosedError,
    ConfigError,
    ConnectionFailedError,
    NodeBusyError,
    NoQuorumError,
    OutcomeUnknownError,
    QueryCanceledError,
)
from mynode.base.sql_errors import DatatypeMismatchError, SqlSyntaxError, UniqueViolationError
from mynode.client.client import Client, open_client
from mynode.client.options import ClientOptions
from mynode.raft.effects import Role
from mynode.session.api import CloseRequest
from mynode.testing.fake_nodes import FakeCluster, Fault


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(3)


def connect(cluster: FakeCluster, options: ClientOptions | None = None) -> AbstractAsyncContextManager[Client]:
    return open_client(cluster.nodes, options, random=Random(1))


async def test_returns_rows_columns_and_tag(cluster: FakeCluster) -> None:
    async with connect(cluster) as client:
        result = await client.execute("SELECT 3")
        assert result.rows == [(1,), (2,), (3,)]
        assert [(column.name, column.type_name) for column in result.columns] == [("n", "INTEGER")]
        assert (result.tag, result.rows_affected) == ("SELECT 3", 3)
        assert (await client.execute("SELECT 250")).rows == [(n,) for n in range(1, 251)]


async def test_a_statement_s_error_is_the_node_s_and_leaves_the_block_alone(cluster: FakeCluster) -> None:
    with pytest.raises(SqlSyntaxError) as caught:
        async with connect(cluster) as client:
            await client.execute("nonsense")
    assert (caught.value.position, caught.value.hint) == (1, "a hint")
    with pytest.raises(UniqueViolationError):
        async with connect(cluster) as client:
            await client.execute("FAIL 23505")


async def test_the_block_s_own_group_is_not_unpacked(cluster: FakeCluster) -> None:
    with pytest.raises(ExceptionGroup, match="mine"):
        async with connect(cluster):
            raise ExceptionGroup("mine", [ValueError("a")])


async def test_what_waits_together_goes_in_one_frame(cluster: FakeCluster) -> None:
    async with connect(cluster) as client, trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(client.execute, f"INSERT {number}")
    assert sorted(cluster.applied) == sorted(f"INSERT {number}" for number in range(50))
    assert len(cluster.nodes[0].frames) == 1
    assert cluster.nodes[0].connections == 1


async def test_sessions_are_used_again_and_bounded(cluster: FakeCluster) -> None:
    async with connect(cluster, ClientOptions(max_sessions=4)) as client, trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(client.execute, f"INSERT {number}")
    requests = cluster.nodes[0].requests
    assert len({request.session_id for request in requests}) == 4
    assert len({(request.session_id, request.sequence) for request in requests}) == len(cluster.applied) == 50


async def test_waiting_for_a_session_ends_at_the_deadline(cluster: FakeCluster, autojump_clock: MockClock) -> None:
    cluster.nodes[0].faults.append(10.0)
    async with connect(cluster, ClientOptions(max_sessions=1)) as client, trio.open_nursery() as nursery:
        nursery.start_soon(client.execute, "INSERT 1")
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(NodeBusyError):
            await client.execute("INSERT 2", timeout=1)
    assert cluster.applied == ["INSERT 1"]


@pytest.mark.parametrize("fault", ["drop before", "drop after", "57P01", "57P03", "53300", "40003"])
async def test_applies_exactly_once_over_a_failure(cluster: FakeCluster, fault: str, autojump_clock: MockClock) -> None:
    cluster.nodes[0].faults.append(fault)
    async with connect(cluster) as client:
        result = await client.execute("INSERT 1")
        await client.execute("INSERT 2")
    assert result.tag == "INSERT 0 1"
    assert cluster.applied == ["INSERT 1", "INSERT 2"]
    first, again = cluster.nodes[0].requests[0], cluster.nodes[1].requests[0]
    assert (first.session_id, first.sequence) == (again.session_id, again.sequence)
    assert not first.is_retry
    assert again.is_retry == (fault in ("drop before", "drop after", "40003")), (
        "a reply that it was not leaves no doubt"
    )
    assert not cluster.nodes[1].requests[1].is_retry


async def test_many_writers_over_many_failures_apply_exactly_once(
    cluster: FakeCluster, autojump_clock: MockClock
) -> None:
    random = Random(7)
    faults: list[Fault] = ["none", "drop before", "drop after", "twice", "57P03", "40003", "none", 0.3, "break midway"]
    for node in cluster.nodes:
        node.faults.extend(random.choices(faults, k=100))

    async def write(first: int) -> None:
        for number in range(first, first + 20):
            await client.execute(f"INSERT {number}", timeout=60)

    async with connect(cluster, ClientOptions(spread="round_robin")) as client, trio.open_nursery() as nursery:
        for worker in range(8):
            nursery.start_soon(write, 20 * worker)
    assert sorted(cluster.applied) == sorted(f"INSERT {number}" for number in range(160))


async def test_a_dead_node_is_passed_over(cluster: FakeCluster) -> None:
    cluster.nodes[0].stop()
    async with connect(cluster) as client:
        await client.execute("INSERT 1")
        await client.execute("INSERT 2")
        assert len(cluster.nodes[1].requests) == 2
        assert not cluster.nodes[1].requests[0].is_retry, "it was never sent before"


async def test_a_node_that_dies_later_is_left_and_stays_left(cluster: FakeCluster) -> None:
    async with connect(cluster) as client:
        await client.execute("INSERT 1")
        cluster.nodes[0].stop()
        await client.execute("INSERT 2")
        cluster.nodes[0].start()
        await client.execute("INSERT 3")
    assert [len(node.requests) for node in cluster.nodes] == [1, 2, 0]


async def test_a_hung_node_is_found_out_by_its_status(cluster: FakeCluster, autojump_clock: MockClock) -> None:
    cluster.nodes[0].is_hung = True
    async with connect(cluster) as client:
        began = trio.current_time()
        await client.execute("INSERT 1", timeout=30)
        assert trio.current_time() - began <= 5
    assert cluster.applied == ["INSERT 1"]


async def test_a_slow_node_that_lives_is_waited_for(cluster: FakeCluster, autojump_clock: MockClock) -> None:
    cluster.nodes[0].faults.append(20.0)
    async with connect(cluster) as client:
        await client.execute("INSERT 1", timeout=30)
    assert cluster.nodes[1].requests == []


async def test_all_nodes_down_fails_at_the_deadline(cluster: FakeCluster, autojump_clock: MockClock) -> None:
    for node in cluster.nodes:
        node.stop()
    async with connect(cluster) as client:
        began = trio.current_time()
        with pytest.raises(ConnectionFailedError, match="refused"):
            await client.execute("INSERT 1", timeout=3)
        assert trio.current_time() - began == pytest.approx(3)


async def test_nodes_that_come_back_are_found(cluster: FakeCluster, autojump_clock: MockClock) -> None:
    for node in cluster.nodes:
        node.stop()

    async def restart() -> None:
        await trio.sleep(5)
        cluster.nodes[2].start()

    async with connect(cluster) as client, trio.open_nursery() as nursery:
        nursery.start_soon(restart)
        await client.execute("INSERT 1", timeout=10)
        assert trio.current_time() < 6
    assert cluster.applied == ["INSERT 1"]


async def test_no_quorum_is_said_at_the_deadline_though_others_are_down(
    cluster: FakeCluster, autojump_clock: MockClock
) -> None:
    cluster.nodes[0].stop()
    cluster.nodes[2].stop()
    cluster.nodes[1].faults.extend(["57P03"] * 1_000)
    async with connect(cluster) as client:
        with pytest.raises(NoQuorumError):
            await client.execute("INSERT 1", timeout=3)
    assert cluster.applied == []
    assert 3 < len(cluster.nodes[1].requests) < 100, "backoff"


@pytest.mark.parametrize("fault", ["lose reply", "ignore"])
async def test_no_answer_is_an_unknown_outcome(cluster: FakeCluster, fault: str, autojump_clock: MockClock) -> None:
    cluster.nodes[0].faults.append(fault)
    async with connect(cluster) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.execute("INSERT 1", timeout=3)
        assert trio.current_time() == pytest.approx(3)
        await client.execute("INSERT 2")
    assert cluster.nodes[0].cancels == [(cluster.nodes[0].requests[0].session_id, 1)]


async def test_an_earlier_attempt_without_outcome_makes_the_whole_unknown(
    cluster: FakeCluster, autojump_clock: MockClock
) -> None:
    cluster.nodes[0].faults.append("drop after")
    for node in cluster.nodes[1:]:
        node.faults.extend(["57P03"] * 1_000)
    cluster.nodes[0].faults.extend(["57014"])
    async with connect(cluster) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.execute("INSERT 1", timeout=3)
        cluster.nodes[0].faults.append("57014")
        for node in cluster.nodes[1:]:
            node.faults.clear()
        with pytest.raises(QueryCanceledError):
            await client.session(node=0).execute("INSERT 2")


async def test_the_node_gets_less_time_than_the_statement(cluster: FakeCluster) -> None:
    async with connect(cluster) as client:
        await client.execute("SELECT 1", timeout=30)
        await client.execute("SELECT 1", timeout=0.1)
    long, short = (request.timeout_ms for request in cluster.nodes[0].requests)
    assert 29_000 < long <= 29_750
    assert 10 < short <= 90


async def test_the_floor_is_the_newest_version_seen(cluster: FakeCluster) -> None:
    async with connect(cluster) as client:
        await client.execute("INSERT 1")
        await client.execute("INSERT 2")
        await client.execute("SELECT 1")
    assert [request.floor for request in cluster.nodes[0].requests] == [0, 1, 2]


async def test_a_retry_keeps_the_floor_of_the_first_attempt(cluster: FakeCluster, autojump_clock: MockClock) -> None:
    cluster.nodes[0].faults.extend([1.0, "57P03"])
    async with connect(cluster) as client, trio.open_nursery() as nursery:
        nursery.start_soon(client.execute, "INSERT 1")
        await trio.testing.wait_all_tasks_blocked()
        for node in cluster.nodes:
            node.faults.extend(["57P03"] * 4)
        assert (await client.execute("INSERT 2")).attempts > 10
    requests = [request for node in cluster.nodes for request in node.requests if request.sql == "INSERT 2"]
    assert {request.floor for request in requests} == {0}


async def test_cancelling_tells_the_node_and_leaves_the_session_usable(
    cluster: FakeCluster, autojump_clock: MockClock
) -> None:
    cluster.nodes[0].faults.append(5.0)
    async with connect(cluster) as client, client.session() as session:
        with trio.move_on_after(1) as scope:
            await session.execute("SELECT 1")
        assert scope.cancelled_caught
        cluster.nodes[0].faults.append(10.0)
        assert (await session.execute("SELECT 2")).rows == [(1,), (2,)], "not the late reply of the first"
        assert cluster.nodes[0].cancels == [(session.id, 1)]


async def test_an_unsent_statement_is_not_sent_once_cancelled(cluster: FakeCluster) -> None:
    async with connect(cluster) as client:
        await client.execute("SELECT 1")
        with trio.CancelScope() as scope:
            scope.cancel()
            await client.execute("INSERT 1")
        await client.execute("SELECT 1")
    assert cluster.applied == []
    assert cluster.nodes[0].cancels == []


async def test_a_late_duplicate_is_ignored(cluster: FakeCluster, autojump_clock: MockClock) -> None:
    cluster.nodes[0].faults.extend(["twice", 5.0])
    async with connect(cluster) as client, client.session() as session:
        assert (await session.execute("INSERT 1")).tag == "INSERT 0 1"
        assert (await session.execute("SELECT 2")).tag == "SELECT 2"


async def test_one_statement_a_session_at_a_time(cluster: FakeCluster) -> None:
    cluster.nodes[0].faults.append("ignore")
    async with connect(cluster) as client, client.session() as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.execute, "SELECT 1")
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await session.execute("SELECT 1")
        nursery.cancel_scope.cancel()


async def test_a_session_tells_its_node_when_it_is_over(cluster: FakeCluster) -> None:
    async with connect(cluster) as client:
        async with client.session(node=2) as session:
            await session.execute("SELECT 1")
            session_id = session.id
        await trio.testing.wait_all_tasks_blocked()
    assert cluster.nodes[2].frames[-1] == [CloseRequest(session_id)]
    assert cluster.nodes[0].frames == []


async def test_a_pinned_session_does_not_leave_its_node(cluster: FakeCluster, autojump_clock: MockClock) -> None:
    async with connect(cluster) as client, client.session(node=1) as session:
        await session.execute("SELECT 1")
        cluster.nodes[1].stop()
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(ConnectionFailedError):
            await session.execute("SELECT 1", timeout=2)
        with pytest.raises(ConfigError):
            client.session(node=3)


async def test_round_robin_spreads_the_sessions(cluster: FakeCluster, autojump_clock: MockClock) -> None:
    for node in cluster.nodes:
        node.faults.extend([1.0] * 100)
    async with connect(cluster, ClientOptions(spread="round_robin")) as client:
        for _ in range(2):
            async with trio.open_nursery() as nursery:
                for number in range(30):
                    nursery.start_soon(client.execute, f"INSERT {number}")
    assert [len(node.requests) for node in cluster.nodes] == [20, 20, 20]


async def test_closing_answers_all_that_waits(cluster: FakeCluster, autojump_clock: MockClock) -> None:
    cluster.nodes[0].faults.extend(["ignore"] * 100)
    answers: list[BaseException] = []

    async def call(client: Client) -> None:
        try:
            await client.execute("INSERT 1")
        except ClientClosedError as error:
            answers.append(error)

    async with trio.open_nursery() as nursery, connect(cluster, ClientOptions(max_sessions=5)) as client:
        for _ in range(10):
            nursery.start_soon(call, client)
        await trio.sleep(1)
    assert len(answers) == 10
    with pytest.raises(ClientClosedError):
        await client.execute("SELECT 1")
    assert all(node.open_streams == 0 for node in cluster.nodes)


async def test_a_bad_parameter_spoils_nobody_s_frame(cluster: FakeCluster) -> None:
    async with connect(cluster) as client, trio.open_nursery() as nursery:
        nursery.start_soon(client.execute, "INSERT 1")
        with pytest.raises(DatatypeMismatchError, match="parameter 2 is a complex"):
            await client.execute("INSERT 2", (1, 2j))
    assert cluster.applied == ["INSERT 1"]


async def test_large_requests_go_in_several_frames(cluster: FakeCluster) -> None:
    async with connect(cluster) as client, trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(client.execute, f"INSERT {number}", (b"x" * 600_000,))
    assert [len(frame) for frame in cluster.nodes[0].frames] == [2] * 5


async def test_status_reports_every_address(cluster: FakeCluster, autojump_clock: MockClock) -> None:
    cluster.nodes[1].stop()
    cluster.nodes[2].is_hung = True
    async with connect(cluster) as client:
        first, second, third = await client.status(timeout=1)
    assert [report.address for report in (first, second, third)] == list(client.addresses)
    assert first.status is not None
    assert first.status.role is Role.LEADER
    assert isinstance(second.error, ConnectionFailedError)
    assert isinstance(third.error, ConnectionFailedError)


async def test_idle_costs_nothing(cluster: FakeCluster, autojump_clock: MockClock) -> None:
    async with connect(cluster) as client:
        await client.execute("SELECT 1")
        await trio.sleep(10)
        with trio.move_on_after(100_000):
            await trio.sleep_forever()
        assert trio.lowlevel.current_statistics().seconds_to_next_deadline == float("inf")
