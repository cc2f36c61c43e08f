"""A cluster of the imagination for tests of clients: nodes that answer from one shared store, and fail as scripted.

The store understands a made-up language, one word and a number:

| statement        | does                                                                          |
|------------------|-------------------------------------------------------------------------------|
| `INSERT …`       | is applied: its text joins `FakeCluster.applied`, once a session and sequence |
| `SELECT n`       | returns n rows (1,), (2,) … in parts of `ROWS_PER_PART`                       |
| `FAIL sqlstate`  | that error                                                                    |
| anything else    | SQLSTATE 42601                                                                |
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import trio

from mynode.actors.ports import NodeStatus
from mynode.base.address import Address
from mynode.base.errors import ConnectionFailedError
from mynode.base.ids import SessionId
from mynode.raft.effects import Role
from mynode.session.api import (
    CancelRequest,
    ColumnInfo,
    Completion,
    ErrorInfo,
    KnownMembers,
    Row,
    SessionRequest,
    StatementReply,
    StatementRequest,
)

ROWS_PER_PART: Final = 100

Fault: TypeAlias = str | float
"""What befalls one statement at a node: "drop before", "drop after" (the stream breaks before or after it is applied),
"lose reply" (it is applied, its reply never leaves), "ignore" (nothing happens at all), "twice" (the final reply comes
again a second later), "break midway" (the stream breaks after the first part), "none"; a number: the reply takes that
many seconds. Any other text is the SQLSTATE of an error."""


@dataclass
class FakeCluster:
    """
    Attributes:
        applied: the texts of the statements applied, in order.
        version: of the store; one more with each applied statement.
        on_statement: called with each statement that arrives at any node.
    """

    size: int
    applied: list[str] = field(default_factory=list)
    version: int = 0
    outcomes: dict[SessionId, StatementReply] = field(default_factory=dict)
    on_statement: Callable[[StatementRequest], None] = lambda _: None

    def __post_init__(self) -> None:
        self.nodes = tuple(FakeNode(self, f"node{number}:9601") for number in range(1, self.size + 1))

    def execute(self, request: StatementRequest) -> list[StatementReply]:
        """The whole answer, in parts."""
        verb, _, rest = request.sql.partition(" ")
        if verb == "SELECT":
            return self._select(request, int(rest))
        if verb == "INSERT":
            return [self._insert(request)]
        sqlstate = rest if verb == "FAIL" else "42601"
        return [self.refusal(request, sqlstate)]

    def refusal(self, request: StatementRequest, sqlstate: str) -> StatementReply:
        """The reply with that error, retryable where the taxonomy says so."""
        error = ErrorInfo(sqlstate, f"as scripted: {sqlstate}", 1 if sqlstate == "42601" else None, None, None, False)
        error = ErrorInfo(sqlstate, error.message, error.position, "a hint", None, error.to_error().retryable)
        return StatementReply(request.session_id, request.sequence, None, (), None, error, 0)

    def _insert(self, request: StatementRequest) -> StatementReply:
        stored = self.outcomes.get(request.session_id)
        if stored is not None and stored.sequence == request.sequence:
            return stored
        self.applied.append(request.sql)
        self.version += 1
        reply = StatementReply(
            request.session_id, request.sequence, None, (), Completion("INSERT 0 1", 1), None, self.version
        )
        self.outcomes[request.session_id] = reply
        return reply

    def _select(self, request: StatementRequest, count: int) -> list[StatementReply]:
        rows: list[Row] = [(number,) for number in range(1, count + 1)]
        columns: tuple[ColumnInfo, ...] | None = (ColumnInfo("n", "INTEGER"),)
        replies = []
        for first in range(0, max(count, 1), ROWS_PER_PART):
            part = rows[first : first + ROWS_PER_PART]
            completion = Completion(f"SELECT {count}", count) if first + ROWS_PER_PART >= count else None
            replies.append(
                StatementReply(request.session_id, request.sequence, columns, part, completion, None, self.version)
            )
            columns = None
        return replies


class FakeNode:
    """One node of the cluster, and the client's transport to it.

    Attributes:
        is_up: connections are accepted; `stop` and `start` set it.
        is_hung: accepts connections and frames, and says nothing, like a stopped process.
        faults: taken one by one by the statements that arrive; "none" once there are no more.
        frames, requests: all that arrived.
        cancels: the statements (session, sequence) that were to be cancelled.
    """

    def __init__(self, cluster: FakeCluster, address: str) -> None:
        self.cluster = cluster
        self._address = address
        self.is_up = True
        self.is_hung = False
        self.faults: deque[Fault] = deque()
        self.frames: list[list[SessionRequest]] = []
        self.connections = 0
        self._streams: list[FakeStream] = []

    @property
    def address(self) -> str:
        return self._address

    @property
    def requests(self) -> list[StatementRequest]:
        return [request for frame in self.frames for request in frame if isinstance(request, StatementRequest)]

    @property
    def cancels(self) -> list[tuple[SessionId, int]]:
        return [
            (request.session_id, request.sequence)
            for frame in self.frames
            for request in frame
            if isinstance(request, CancelRequest)
        ]

    @property
    def open_streams(self) -> int:
        return sum(not stream.is_broken for stream in self._streams)

    def stop(self) -> None:
        """Refuse connections and break those there are."""
        self.is_up = False
        for stream in self._streams:
            stream.break_off()

    def start(self) -> None:
        self.is_up = True

    def tell(self, members: KnownMembers) -> None:
        """Say that to every client."""
        for stream in self._streams:
            stream.tell(members)

    async def connect(self) -> FakeStream:
        await trio.lowlevel.checkpoint()
        if not self.is_up:
            raise ConnectionFailedError(f"{self.address} refused the connection")
        return self.open_stream()

    def open_stream(self) -> FakeStream:
        self.connections += 1
        self._streams = [stream for stream in self._streams if not stream.is_broken]
        self._streams.append(FakeStream(self))
        return self._streams[-1]

    async def status(self) -> NodeStatus:
        if self.is_hung:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        if not self.is_up:
            raise ConnectionFailedError(f"{self.address} refused the connection")
        number = self.cluster.nodes.index(self) + 1
        applied = self.cluster.version
        role = Role.LEADER if number == 1 else Role.FOLLOWER
        leader = Address("node1", 9601)
        return NodeStatus(number, "fake", "0", role, 1, 1, leader, applied, applied, 1, applied, 0, 0, 0, 0, peers=())


class FakeStream:
    """A stream to a `FakeNode`: what it will say, with the time from which it says it."""

    def __init__(self, node: FakeNode) -> None:
        self._node = node
        self._due: list[tuple[float, StatementReply | KnownMembers]] = []
        self._changed = trio.Event()
        self.is_broken = False

    async def send(self, requests: Sequence[SessionRequest]) -> None:
        await trio.lowlevel.checkpoint()
        self._check()
        self.take(requests)

    def take(self, requests: Sequence[SessionRequest]) -> None:
        """A frame arrives."""
        self._node.frames.append(list(requests))
        for request in requests:
            if isinstance(request, StatementRequest) and not self._node.is_hung and not self.is_broken:
                self._execute(request, self._node.faults.popleft() if self._node.faults else "none")
        self._changed.set()

    def tell(self, members: KnownMembers) -> None:
        self._due.append((trio.current_time(), members))
        self._changed.set()

    async def receive(self) -> list[StatementReply | KnownMembers]:
        await trio.lowlevel.checkpoint()
        while True:
            now = trio.current_time()
            ready = [reply for due, reply in self._due if due <= now]
            if ready:
                self._due = [item for item in self._due if item[0] > now]
                return ready
            self._check()
            self._changed = trio.Event()
            with trio.move_on_at(min((due for due, _ in self._due), default=float("inf"))):
                await self._changed.wait()

    async def close(self) -> None:
        await trio.lowlevel.checkpoint()
        self.break_off()

    def break_off(self) -> None:
        """What is due still arrives; then the stream is at its end."""
        self.is_broken = True
        self._changed.set()

    def _check(self) -> None:
        if self.is_broken:
            raise ConnectionFailedError(f"the connection to {self._node.address} broke")

    def _execute(self, request: StatementRequest, fault: Fault) -> None:
        now = trio.current_time()
        cluster = self._node.cluster
        cluster.on_statement(request)
        match fault:
            case "none":
                self._due += [(now, reply) for reply in cluster.execute(request)]
            case "drop before":
                self.break_off()
            case "drop after":
                cluster.execute(request)
                self.break_off()
            case "lose reply":
                cluster.execute(request)
            case "ignore":
                return
            case "twice":
                replies = cluster.execute(request)
                self._due += [*((now, reply) for reply in replies), (now + 1, replies[-1])]
            case "break midway":
                self._due.append((now, cluster.execute(request)[0]))
                self.break_off()
            case float() | int():
                self._due += [(now + fault, reply) for reply in cluster.execute(request)]
            case str():
                self._due.append((now, cluster.refusal(request, fault)))
