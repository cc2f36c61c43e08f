"""The services as a client sees them that shares no code with ours."""

from __future__ import annotations

import json
import queue
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

import grpc
import msgpack
import pytest
import trio

from mynode.base.address import Address
from mynode.base.errors import NodeBusyError, ShuttingDownError
from mynode.base.limits import DEFAULT_STATEMENT_TIMEOUT_S, MAX_EXECUTE_BYTES
from mynode.raft.membership import ChangeKind, MembershipChange
from mynode.session.api import StatementRequest
from mynode.testing.grpc import IndependentClient, independent_client, make, serving
from mynode.testing.ports import STATUS, ScriptedNode

T = TypeVar("T")

SESSION_ID = bytes(range(16))


class Port:
    """A served scripted node, and a way to run functions of an independent client against it in a thread."""

    def __init__(self, node: ScriptedNode, address: Address) -> None:
        self.node = node
        self.address = address

    async def ask(self, function: Callable[[IndependentClient], T]) -> T:
        def run() -> T:
            with independent_client(self.address) as client:
                return function(client)

        return await trio.to_thread.run_sync(run)

    async def fail(self, function: Callable[[IndependentClient], object]) -> grpc.RpcError:
        with pytest.raises(grpc.RpcError) as caught:
            await self.ask(function)
        return caught.value


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    node = ScriptedNode()
    with trio.fail_after(20):
        async with serving(node) as address:
            yield Port(node, address)


# --- reflection and health -------------------------------------------------------------------------------------------


async def test_reflection_describes_every_service_and_health_says_serving(port: Port) -> None:
    command = [sys.executable, "-m", "mynode.testing.grpc", str(port.address)]
    survey = json.loads((await trio.run_process(command, capture_stdout=True)).stdout)
    assert survey["methods"] == {
        "grpc.health.v1.Health": {
            "Check": ["grpc.health.v1.HealthCheckRequest", "grpc.health.v1.HealthCheckResponse"],
            "Watch": ["grpc.health.v1.HealthCheckRequest", "grpc.health.v1.HealthCheckResponse"],
        },
        "mynode.v1.ClusterService": {
            "Status": ["mynode.v1.StatusRequest", "mynode.v1.StatusResponse"],
            "ListMembers": ["mynode.v1.ListMembersRequest", "mynode.v1.MembersResponse"],
            "AddMember": ["mynode.v1.AddMemberRequest", "mynode.v1.MembersResponse"],
            "PromoteMember": ["mynode.v1.PromoteMemberRequest", "mynode.v1.MembersResponse"],
            "RemoveMember": ["mynode.v1.RemoveMemberRequest", "mynode.v1.MembersResponse"],
            "TransferLeadership": ["mynode.v1.TransferLeadershipRequest", "mynode.v1.TransferLeadershipResponse"],
        },
        "mynode.v1.RaftService": {"Stream": ["mynode.v1.PeerFrame", "mynode.v1.StreamResponse"]},
        "mynode.v1.SqlService": {
            "Execute": ["mynode.v1.ExecuteRequest", "mynode.v1.ExecuteResponse"],
            "Session": ["mynode.v1.SessionFrame", "mynode.v1.SessionFrame"],
        },
    }
    services = ["", "mynode.v1.ClusterService", "mynode.v1.RaftService", "mynode.v1.SqlService"]
    assert survey["serving"] == dict.fromkeys(services, True)
    assert survey["detail"] == ["sqlstate", "position", "hint", "detail", "retryable"]


# --- Execute ---------------------------------------------------------------------------------------------------------


def value_of(value: Any) -> object:
    kind = value.WhichOneof("kind")
    return None if kind == "null" else getattr(value, kind)


async def test_execute_carries_every_type_both_ways(port: Port) -> None:
    def echo(client: IndependentClient) -> Any:
        fields: list[dict[str, object]] = [
            {"null": True},
            {},
            {"boolean": False},
            {"integer": -(2**63)},
            {"float": 2.5},
        ]
        fields += [{"text": ""}, {"text": "något"}, {"blob": b"\0\xff"}]
        return client.execute("ECHO", parameters=[make("Value", **field) for field in fields])

    response = await port.ask(echo)
    [row] = response.rows
    assert [value_of(value) for value in row.values] == [None, None, False, -(2**63), 2.5, "", "något", b"\0\xff"]
    assert [(column.name, column.type) for column in response.columns][:2] == [("p1", "ANY"), ("p2", "ANY")]
    assert (response.command_tag, response.rows_affected, response.version) == ("ECHO 1", 1, 99)
    [connection] = port.node.connections
    assert connection.closed.is_set()


async def test_execute_gives_a_statement_defaults_or_what_the_client_chose(port: Port) -> None:
    def twice(client: IndependentClient) -> None:
        client.method("SqlService", "Execute")(make("ExecuteRequest", sql="ECHO"))
        client.execute("ECHO", timeout_ms=700, session_id=SESSION_ID, sequence=5, is_retry=True, floor=17)

    await port.ask(twice)
    [first], [second] = (connection.requests for connection in port.node.connections)
    assert isinstance(first, StatementRequest)
    assert (first.sequence, first.timeout_ms, first.floor) == (1, DEFAULT_STATEMENT_TIMEOUT_S * 1000, 0)
    assert len(first.session_id) == 16
    assert second == StatementRequest(SESSION_ID, 5, "ECHO", (), 700, True, 17)


async def test_execute_returns_a_large_result_whole_and_refuses_one_over_the_bound(port: Port) -> None:
    response = await port.ask(lambda client: client.execute("ROWS 20000"))
    assert [row.values[0].integer for row in response.rows] == list(range(20_000))
    assert response.command_tag == "ROWS 20000"
    error = await port.fail(lambda client: client.execute(f"ROWS {MAX_EXECUTE_BYTES // 100}"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert dict(error.trailing_metadata())["sqlstate"] == "54000"


@pytest.mark.parametrize(
    ("sqlstate", "code"),
    [
        ("42601", grpc.StatusCode.INVALID_ARGUMENT),
        ("42P01", grpc.StatusCode.NOT_FOUND),
        ("23505", grpc.StatusCode.ALREADY_EXISTS),
        ("40001", grpc.StatusCode.ABORTED),
        ("57P03", grpc.StatusCode.UNAVAILABLE),
        ("40003", grpc.StatusCode.UNKNOWN),
    ],
)
async def test_an_error_carries_code_sqlstate_position_and_hint(
    port: Port, sqlstate: str, code: grpc.StatusCode
) -> None:
    error = await port.fail(lambda client: client.execute(f"FAIL {sqlstate} något gick fel"))
    trailers = dict(error.trailing_metadata())
    assert (error.code(), error.details()) == (code, "något gick fel")
    assert (trailers["sqlstate"], trailers["sql-position"]) == (sqlstate, "8")
    assert trailers["sql-hint"] == "Try n%C3%A5got else."
    assert b"mynode.v1.ErrorDetail" in trailers["grpc-status-details-bin"]


async def test_what_is_wrong_with_a_request_itself_is_said(port: Port) -> None:
    error = await port.fail(lambda client: client.execute("ECHO", session_id=b"short"))
    assert (error.code(), dict(error.trailing_metadata())["sqlstate"]) == (grpc.StatusCode.INVALID_ARGUMENT, "08P01")

    def send_garbage(client: IndependentClient) -> None:
        client.channel.unary_unary("/mynode.v1.SqlService/Execute")(b"\x0a\xff\xff", timeout=10)

    error = await port.fail(send_garbage)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    error = await port.fail(lambda client: client.channel.unary_unary("/mynode.v1.SqlService/Drop")(b"", timeout=10))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_mistake_of_ours_is_internal_and_harms_nobody_else(port: Port) -> None:
    error = await port.fail(lambda client: client.execute("CRASH"))
    assert (error.code(), dict(error.trailing_metadata())["sqlstate"]) == (grpc.StatusCode.INTERNAL, "XX000")
    assert port.node.connections[0].closed.is_set()
    assert (await port.ask(lambda client: client.execute("ECHO"))).command_tag == "ECHO 1"


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (NodeBusyError("too many sessions"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (ShuttingDownError("the node is stopping"), grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_a_refused_connection_is_said(
    port: Port, refusal: NodeBusyError | ShuttingDownError, code: grpc.StatusCode
) -> None:
    port.node.refusal = refusal
    error = await port.fail(lambda client: client.execute("ECHO"))
    assert (error.code(), error.details()) == (code, refusal.message)
    error = await port.fail(lambda client: list(client.method("SqlService", "Session")(iter(()), timeout=10)))
    assert error.code() is code


async def test_a_deadline_reaches_the_statement(port: Port) -> None:
    error = await port.fail(lambda client: client.execute("WAIT", timeout=0.4))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    [connection] = port.node.connections
    await connection.closed.wait()
    [request] = connection.requests
    assert isinstance(request, StatementRequest)
    assert 100 < request.timeout_ms < 400


async def test_cancelling_a_call_cancels_its_statement(port: Port) -> None:
    with independent_client(port.address) as client:
        call = client.method("SqlService", "Execute").future(make("ExecuteRequest", sql="WAIT"))
        while not port.node.connections:
            await trio.lowlevel.checkpoint()
        [connection] = port.node.connections
        await connection.submitted.wait()
        call.cancel()
        await connection.closed.wait()


# --- Status ----------------------------------------------------------------------------------------------------------


async def test_status_says_all_of_it(port: Port) -> None:
    def ask(client: IndependentClient) -> Any:
        return client.method("ClusterService", "Status")(make("StatusRequest"))

    status = await port.ask(ask)
    assert (status.node_id, status.cluster_id, status.version) == (2, "test", STATUS.version)
    assert status.DESCRIPTOR.fields_by_name["role"].enum_type.values_by_number[status.role].name == "ROLE_LEADER"
    assert (status.term, status.leader_id, status.leader_address) == (7, 2, "127.0.0.1:9602")
    assert (status.commit_index, status.applied_index) == (100, 99)
    assert (status.first_log_index, status.last_log_index, status.log_bytes) == (1, 101, 12_345)
    assert (status.tree_records, status.sessions, status.uptime_ms) == (42, 3, 60_000)
    first, second = status.peers
    assert (first.node_id, first.address, first.match_index, first.lag_entries) == (1, "127.0.0.1:9601", 98, 3)
    assert (first.state, first.last_heard_ms) == ("replicate", 50)
    assert (second.address, second.HasField("last_heard_ms")) == ("[::1]:9603", False)


# --- Session ---------------------------------------------------------------------------------------------------------


def session_frames(*batches: list[list[object]]) -> Iterator[Any]:
    return iter([make("SessionFrame", batch=msgpack.packb(batch)) for batch in batches])


def execute_item(sequence: int, sql: str, *parameters: object) -> list[object]:
    return [SESSION_ID, sequence, 1, sql, list(parameters), 1000, False, 0]


async def test_a_session_answers_all_before_it_ends_with_its_client(port: Port) -> None:
    def talk(client: IndependentClient) -> list[Any]:
        frames = session_frames(
            [execute_item(1, "ECHO", 1, None, "två"), execute_item(2, "FAIL 42601 syntax error")],
            [execute_item(3, "ROWS 300")],
        )
        answers = client.method("SqlService", "Session")(frames, timeout=10)
        return [reply for frame in answers for reply in msgpack.unpackb(frame.batch)]

    echo, failed, *parts, end = await port.ask(talk)
    columns = [[f"p{n}", "ANY"] for n in (1, 2, 3)]
    assert echo == [SESSION_ID, 1, columns, [[1, None, "två"]], ["ECHO 1", 1], None, 99, None]
    error = ["42601", "syntax error", 8, "Try något else.", None, False]
    assert failed == [SESSION_ID, 2, None, None, None, error, 0, None]
    assert [len(part[3]) for part in parts] == [256, 44]
    assert end[1:] == [3, None, None, ["ROWS 300", 300], None, 99, None]
    assert port.node.connections[0].closed.is_set()


async def test_a_session_carries_cancel_and_close(port: Port) -> None:
    def talk(client: IndependentClient) -> list[Any]:
        frames = session_frames([execute_item(1, "WAIT")], [[SESSION_ID, 1, 2], [SESSION_ID, 0, 3]])
        answers = client.method("SqlService", "Session")(frames, timeout=10)
        return [reply for frame in answers for reply in msgpack.unpackb(frame.batch)]

    [reply] = await port.ask(talk)
    assert reply[5][0] == "57014"
    assert [type(request).__name__ for request in port.node.connections[0].requests] == [
        "StatementRequest",
        "CancelRequest",
        "CloseRequest",
    ]


async def test_a_malformed_frame_ends_the_session(port: Port) -> None:
    def talk(client: IndependentClient) -> list[Any]:
        return list(client.method("SqlService", "Session")(session_frames([[1, 2, 3]]), timeout=10))

    error = await port.fail(talk)
    assert (error.code(), dict(error.trailing_metadata())["sqlstate"]) == (grpc.StatusCode.INVALID_ARGUMENT, "08P01")
    await port.node.connections[0].closed.wait()


async def test_a_session_ends_when_the_node_closes_it(port: Port) -> None:
    def talk(client: IndependentClient) -> list[Any]:
        frames: queue.Queue[Any] = queue.Queue()
        frames.put(next(session_frames([execute_item(1, "WAIT")])))
        return list(client.method("SqlService", "Session")(iter(frames.get, None), timeout=10))

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def _shut() -> None:
            while not port.node.connections:
                await trio.lowlevel.checkpoint()
            [connection] = port.node.connections
            await connection.submitted.wait()
            connection.shut()

        error = await port.fail(talk)
    assert (error.code(), dict(error.trailing_metadata())["sqlstate"]) == (grpc.StatusCode.UNAVAILABLE, "57P01")


async def test_a_session_whose_client_vanishes_is_closed(port: Port) -> None:
    def talk(client: IndependentClient) -> None:
        frames: queue.Queue[Any] = queue.Queue()
        frames.put(next(session_frames([execute_item(1, "ECHO")])))
        next(client.method("SqlService", "Session")(iter(frames.get, None), timeout=10))
        frames.put(None)

    await port.ask(talk)
    await port.node.connections[0].closed.wait()


# --- operators -------------------------------------------------------------------------------------------------------


async def test_members_are_listed_and_changed(port: Port) -> None:
    listed = await port.ask(lambda client: client.method("ClusterService", "ListMembers")(make("ListMembersRequest")))
    assert [(each.node_id, each.is_voter, each.is_leader, each.HasField("lag_entries")) for each in listed.members] == [
        (1, True, True, True),
        (2, True, False, True),
        (6, False, False, False),
    ]
    assert list(listed.removed) == [3, 4]
    add = make("AddMemberRequest", node_id=7, address="127.0.0.1:9607")
    await port.ask(lambda client: client.method("ClusterService", "AddMember")(add))
    await port.ask(
        lambda client: client.method("ClusterService", "PromoteMember")(make("PromoteMemberRequest", node_id=7))
    )
    await port.ask(
        lambda client: client.method("ClusterService", "RemoveMember")(make("RemoveMemberRequest", node_id=7))
    )
    assert port.node.changes == [
        MembershipChange(ChangeKind.ADD_LEARNER, 7, "127.0.0.1:9607"),
        MembershipChange(ChangeKind.PROMOTE, 7),
        MembershipChange(ChangeKind.REMOVE, 7),
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"node_id": 9, "address": "127.0.0.1:9609"}, "not node 9"),
        ({"node_id": 0, "address": "127.0.0.1:9609"}, "a node's number is from 1 to 65535, not 0"),
        ({"node_id": 7, "address": "nowhere"}, '"nowhere" is not an address'),
    ],
)
async def test_a_change_that_cannot_be_is_refused(port: Port, fields: dict[str, Any], message: str) -> None:
    error = await port.fail(
        lambda client: client.method("ClusterService", "AddMember")(make("AddMemberRequest", **fields))
    )
    assert message in error.details()
