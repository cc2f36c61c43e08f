"""A node's ports without a node behind them, for tests of the transport."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import trio

from mynode.actors.ports import Incarnations, Members, MemberStatus, NodeStatus, PeerMessage, PeerStatus
from mynode.base.address import Address
from mynode.base.errors import MyNodeError, OperationRefusedError, QueryCanceledError, WrongIncarnationError
from mynode.base.ids import Incarnation, NodeId
from mynode.base.limits import CONNECTION_OUTBOX_REPLIES, ROWS_PER_BATCH
from mynode.base.remote_errors import error_from_wire
from mynode.raft.effects import Role
from mynode.raft.membership import MembershipChange
from mynode.session.api import (
    CancelRequest,
    CloseRequest,
    ColumnInfo,
    Completion,
    ErrorInfo,
    KnownMembers,
    Row,
    SessionRequest,
    StatementReply,
    StatementRequest,
)

MEMBERS = Members(
    members=(
        MemberStatus(1, "127.0.0.1:9601", is_voter=True, is_leader=True, lag_entries=0),
        MemberStatus(2, "127.0.0.1:9602", is_voter=True, is_leader=False, lag_entries=7),
        MemberStatus(6, "127.0.0.1:9606", is_voter=False, is_leader=False, lag_entries=None),
    ),
    removed=(3, 4),
    cluster_id="test",
)

STATUS = NodeStatus(
    node_id=2,
    cluster_id="test",
    version="0.1.0",
    role=Role.LEADER,
    term=7,
    leader_id=2,
    leader_address=Address("127.0.0.1", 9602),
    commit_index=100,
    applied_index=99,
    first_log_index=1,
    last_log_index=101,
    log_bytes=12_345,
    tree_records=42,
    sessions=3,
    uptime_ms=60_000,
    peers=(
        PeerStatus(1, Address("127.0.0.1", 9601), 98, 3, "replicate", 50),
        PeerStatus(3, Address("::1", 9603), 0, 101, "probe", None),
    ),
)


class ScriptedConnection:
    """Answers statements by their text.

    | sql            | answer                                                       |
    |----------------|--------------------------------------------------------------|
    | `ECHO`         | the parameters as one row                                    |
    | `ROWS n`       | n rows of an integer and a text of 100 characters            |
    | `WAIT`         | nothing, until it is cancelled                               |
    | `FAIL c m`     | an error of SQLSTATE c with message m, position 8 and a hint |
    | `CRASH`        | raises out of `submit`                                       |
    """

    def __init__(self) -> None:
        self.requests: list[SessionRequest] = []
        self.replies_taken = 0
        self.closed = trio.Event()
        self.submitted = trio.Event()
        self._answers: deque[Iterator[StatementReply]] = deque()
        self._waiting: list[StatementRequest] = []
        self._wake = trio.Event()
        self._shut = False

    def submit(self, requests: Sequence[SessionRequest]) -> None:
        for request in requests:
            self.requests.append(request)
            match request:
                case StatementRequest(sql="WAIT"):
                    self._waiting.append(request)
                case StatementRequest():
                    self._answers.append(_answer(request))
                case CancelRequest():
                    for waiting in self._waiting:
                        self._answers.append(iter([_failed(waiting, QueryCanceledError("canceled"))]))
                    self._waiting.clear()
                case CloseRequest():
                    pass
        self.submitted.set()
        self._wake.set()

    async def replies(self) -> list[StatementReply]:
        while not self._answers:
            if self._shut:
                return []
            self._wake = trio.Event()
            await self._wake.wait()
        await trio.lowlevel.checkpoint()
        batch: list[StatementReply] = []
        while self._answers and len(batch) < CONNECTION_OUTBOX_REPLIES:
            reply = next(self._answers[0], None)
            if reply is None:
                self._answers.popleft()
            else:
                batch.append(reply)
        self.replies_taken += len(batch)
        return batch or await self.replies()

    def take_members(self) -> KnownMembers | None:
        return None

    def shut(self) -> None:
        """As a node that stops: no more replies will come."""
        self._shut = True
        self._wake.set()

    def close(self) -> None:
        self.closed.set()
        self.shut()


def _answer(request: StatementRequest) -> Iterator[StatementReply]:
    word, _, rest = request.sql.partition(" ")
    match word:
        case "ECHO":
            columns = tuple(ColumnInfo(f"p{place}", "ANY") for place, _ in enumerate(request.parameters, 1))
            yield _part(request, columns, [request.parameters], Completion("ECHO 1", 1))
        case "ROWS":
            count = int(rest)
            for start in range(0, count, ROWS_PER_BATCH):
                rows: list[Row] = [(n, "x" * 100) for n in range(start, min(start + ROWS_PER_BATCH, count))]
                yield _part(request, (ColumnInfo("id", "INTEGER"), ColumnInfo("t", "TEXT")), rows, None)
            yield _part(request, None, (), Completion(f"ROWS {count}", count))
        case "FAIL":
            sqlstate, _, message = rest.partition(" ")
            yield _failed(request, error_from_wire(sqlstate, message, position=8, hint="Try något else."))
        case "CRASH":
            raise RuntimeError("crashed as told")
        case _:
            yield _failed(request, error_from_wire("42601", f'syntax error at or near "{word}"', position=1))


def _part(
    request: StatementRequest,
    columns: tuple[ColumnInfo, ...] | None,
    rows: Sequence[Row],
    completion: Completion | None,
) -> StatementReply:
    return StatementReply(request.session_id, request.sequence, columns, list(rows), completion, None, 99)


def _failed(request: StatementRequest, error: MyNodeError) -> StatementReply:
    return StatementReply(request.session_id, request.sequence, None, (), None, ErrorInfo.of(error), 0)


class ScriptedNode:
    """All three ports. `refusal` is raised by `connect`, if set."""

    def __init__(self) -> None:
        self.connections: list[ScriptedConnection] = []
        self.received: list[tuple[NodeId, tuple[PeerMessage, ...]]] = []
        self.refusal: MyNodeError | None = None
        self.changes: list[MembershipChange] = []
        self.greeted: list[tuple[NodeId, Address | None]] = []
        self.known_incarnation: Incarnation = ""
        self.on_receive: Callable[[], None] = lambda: None

    def connect(self, *, with_members: bool = False) -> ScriptedConnection:
        if self.refusal is not None:
            raise self.refusal
        self.connections.append(ScriptedConnection())
        return self.connections[-1]

    async def status(self) -> NodeStatus:
        await trio.lowlevel.checkpoint()
        return STATUS

    async def transfer_leadership(self, to: NodeId | None) -> NodeId:
        """Node 2 takes over when asked for, and nobody else."""
        await trio.lowlevel.checkpoint()
        if to == 2:
            return 2
        raise OperationRefusedError(f"node {to} cannot lead")

    async def members(self) -> Members:
        await trio.lowlevel.checkpoint()
        return MEMBERS

    async def change_members(self, change: MembershipChange) -> None:
        """Takes up what it is asked, and refuses for node 9."""
        await trio.lowlevel.checkpoint()
        self.changes.append(change)
        if change.node_id == 9:
            raise OperationRefusedError("not node 9")

    def greet(self, sender: NodeId, address: Address | None, hello: Incarnations) -> None:
        """Refuses who is not `known_incarnation`, if that is set."""
        if self.is_known_otherwise(sender, hello.sender):
            raise WrongIncarnationError(f"not the node {sender} that is known")
        self.greeted.append((sender, address))

    def is_known_otherwise(self, peer: NodeId, incarnation: Incarnation) -> bool:
        return self.known_incarnation not in ("", incarnation)

    def receive(self, sender: NodeId, messages: tuple[PeerMessage, ...]) -> None:
        self.received.append((sender, messages))
        self.on_receive()
