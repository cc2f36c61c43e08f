"""A cluster of nodes in one Trio run, over an in-memory network and disks: the real actors, no sockets, no threads.

Meant for Trio's `MockClock(autojump_threshold=0)`: every message takes virtual time, so time moves on.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import TypeVar

import trio
from trio_util import wait_any

from mynode.actors.connection import FrontConnection
from mynode.actors.log_store import RunBlocking, inline
from mynode.actors.ports import Incarnations, NodeIdentity, NodeStatus, PeerMessage
from mynode.actors.sql_session import DEFAULT_TIMEOUTS, Timeouts
from mynode.base.address import Address
from mynode.base.disk_memory import MemoryDisk, Operation
from mynode.base.errors import ConnectionFailedError, DiskError, MyNodeError, WrongIncarnationError
from mynode.base.ids import Incarnation, NodeId
from mynode.base.limits import CHECKPOINT_ENTRIES, MAX_CLOCK_DRIFT_PERCENT, SEGMENT_BYTES
from mynode.client.transport import Transport
from mynode.node import Node, NodeFiles, Surroundings, Timing
from mynode.session.api import KnownMembers, Row, SessionRequest, StatementReply, StatementRequest
from mynode.storage.pages import PageEngine

T = TypeVar("T")

LATENCY_S = 0.001


@dataclass
class MemoryNetwork:
    """Carries peer messages between the nodes of one process; `cut` pairs are lost, in the named direction only.

    A node that is paused neither sends nor takes anything in; what is for it waits, as in the buffers of a kernel.
    """

    nodes: dict[NodeId, Node] = field(default_factory=dict)
    cut: set[tuple[NodeId, NodeId]] = field(default_factory=set)
    _paused: dict[NodeId, trio.Event] = field(default_factory=dict)

    def partition(self, *groups: Sequence[NodeId]) -> None:
        """Let messages through within each group only."""
        group_of = {node: number for number, group in enumerate(groups) for node in group}
        self.cut = {(a, b) for a in group_of for b in group_of if group_of[a] != group_of[b]}

    def heal(self) -> None:
        self.cut = set()

    def pause(self, node: NodeId) -> None:
        """The node's process is stopped in its tracks, as by SIGSTOP."""
        self._paused.setdefault(node, trio.Event())

    def go_on(self, node: NodeId) -> None:
        """It goes on, or is gone: nobody waits for it any more."""
        event = self._paused.pop(node, None)
        if event is not None:
            event.set()

    async def awake(self, node: NodeId) -> None:
        """Wait while the node is paused."""
        while (event := self._paused.get(node)) is not None:
            await event.wait()


@dataclass(slots=True)
class NodeClock:
    """A node's own idea of time: how fast it counts seconds, and how far its calendar is off."""

    network: MemoryNetwork
    node_id: NodeId
    rate: float = 1.0
    offset_s: float = 0.0
    _counted_s: float = 0.0
    """What it had counted when the rate was set, at `_since_s`."""
    _since_s: float = 0.0

    def set_rate(self, rate: float) -> None:
        self._counted_s, self._since_s = self.monotonic(), trio.current_time()
        self.rate = rate

    def monotonic(self) -> float:
        """Goes on while the node is paused."""
        return self._counted_s + self.rate * (trio.current_time() - self._since_s)

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds / self.rate)
        await self.network.awake(self.node_id)

    def now(self) -> datetime:
        return datetime.fromtimestamp(trio.current_time() + self.offset_s, UTC)

    async def run_blocking(self, function: Callable[[], T]) -> T:
        """The disk of a paused process answers nobody."""
        await self.network.awake(self.node_id)
        return function()


@dataclass(frozen=True, slots=True)
class _MemoryStream:
    """A stream to one life of a node."""

    network: MemoryNetwork
    sender: NodeId
    receiver: NodeId
    incarnation: Incarnation
    node: Node

    async def send(self, messages: Sequence[PeerMessage]) -> None:
        await trio.sleep(LATENCY_S)
        await self.network.awake(self.sender)
        await self.network.awake(self.receiver)
        node = self.node
        if self.network.nodes.get(self.receiver) is not node:
            raise ConnectionFailedError(f"node {self.receiver} is down")
        is_cut = (self.sender, self.receiver) in self.network.cut
        if not is_cut and not node.is_known_otherwise(self.sender, self.incarnation):
            node.receive(self.sender, tuple(messages))


@dataclass(frozen=True, slots=True)
class _MemoryTransport:
    network: MemoryNetwork
    sender: NodeId
    incarnation: Incarnation

    @asynccontextmanager
    async def connect(self, peer: NodeId, address: Address, incarnation: Incarnation) -> AsyncIterator[_MemoryStream]:
        await trio.sleep(LATENCY_S)
        await self.network.awake(peer)
        node = self.network.nodes.get(peer)
        if node is None:
            raise ConnectionFailedError(f"node {peer} is down")
        if (self.sender, peer) not in self.network.cut:
            try:
                node.greet(self.sender, Address("memory", self.sender), Incarnations(self.incarnation, incarnation))
            except WrongIncarnationError as error:
                raise ConnectionFailedError(error.message) from error
        yield _MemoryStream(self.network, self.sender, peer, self.incarnation, node)


@dataclass(frozen=True, slots=True)
class _ClientStream:
    """A client's stream to one life of a node; a `mynode.client.transport.TransportStream`."""

    transport: _ClientTransport
    connection: FrontConnection
    ended: trio.Event

    async def send(self, requests: Sequence[SessionRequest]) -> None:
        await trio.sleep(LATENCY_S)
        await self.transport.cluster.network.awake(self.transport.node_id)
        self.connection.submit(requests)

    async def receive(self) -> Sequence[StatementReply | KnownMembers]:
        received: list[StatementReply | KnownMembers] = []

        async def take() -> None:
            replies, members = await self.connection.replies(), self.connection.take_members()
            await self.transport.carried()
            received.extend(replies if members is None else [members, *replies])

        await wait_any(take, self.ended.wait)
        if not received:
            raise ConnectionFailedError("the node is down")
        return received

    async def close(self) -> None:
        await trio.lowlevel.checkpoint()
        self.connection.close()


@dataclass(frozen=True, slots=True)
class _ClientTransport:
    """The way of a client to one node; a `mynode.client.transport.Transport`."""

    cluster: InProcessCluster
    node_id: NodeId

    @property
    def address(self) -> str:
        return self.cluster.address(self.node_id)

    async def connect(self) -> _ClientStream:
        await trio.sleep(LATENCY_S)
        connection = self._node().front.connect(with_members=True)
        return _ClientStream(self, connection, self.cluster.ended(self.node_id))

    async def status(self) -> NodeStatus:
        await self.carried()
        return await self._node().status()

    async def carried(self) -> None:
        """Wait until the node's words reach the client; for ever while it is muted."""
        await trio.sleep(LATENCY_S)
        await self.cluster.network.awake(self.node_id)
        if self.node_id in self.cluster.muted:
            await trio.sleep_forever()

    def _node(self) -> Node:
        node = self.cluster.nodes.get(self.node_id)
        if node is None:
            raise ConnectionFailedError(f"node {self.node_id} is down")
        return node


class InProcessCluster:
    """Nodes 1 to `size`, each startable, stoppable and crashable, and more that join. Disks outlive their node.

    Attributes:
        lease_reads: as of `NodeConfig`; then the nodes' clocks drift as far as leases allow for.
        engines: of each node's present or last life.
        muted: nodes whose words reach no client of `transports`, while theirs reach the node.
        clocks: of each node, through all its lives.
    """

    def __init__(
        self,
        size: int,
        *,
        seed: int,
        nursery: trio.Nursery,
        checkpoint_entries: int = CHECKPOINT_ENTRIES,
        segment_bytes: int = SEGMENT_BYTES,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        run_beside: RunBlocking = inline,
        lease_reads: bool = False,
    ) -> None:
        self.lease_reads = lease_reads
        self.network = MemoryNetwork()
        self.muted: set[NodeId] = set()
        self.clocks: dict[NodeId, NodeClock] = {}
        self.disks = {node: MemoryDisk(seed=seed + node) for node in range(1, size + 1)}
        self._members = {node: Address("memory", node) for node in self.disks}
        self._incarnations: dict[NodeId, Incarnation] = {}
        self._random = Random(seed)
        self._checkpoint_entries = checkpoint_entries
        self._segment_bytes = segment_bytes
        self.engines: dict[NodeId, PageEngine] = {}
        self._nursery = nursery
        self._timeouts = timeouts
        self._run_beside = run_beside
        self._scopes: dict[NodeId, trio.CancelScope] = {}
        self._ended: dict[NodeId, trio.Event] = {}
        self._failing: set[NodeId] = set()
        """Nodes whose next sync fails."""

    @property
    def nodes(self) -> dict[NodeId, Node]:
        """The running nodes."""
        return self.network.nodes

    def transports(self) -> Sequence[Transport]:
        """The ways of a client to all nodes, running or not, for `open_client`."""
        return [self.transport(self.address(node_id)) for node_id in self.disks]

    def transport(self, address: str) -> Transport:
        """The way of a client to the node at `address`."""
        return _ClientTransport(self, Address.parse(address).port)

    def ended(self, node_id: NodeId) -> trio.Event:
        """Set when the node's present life is over."""
        return self._ended[node_id]

    async def join(self, node_id: NodeId) -> Node:
        """Start one more node, which waits to be added at `address`; its later starts are `start`'s."""
        self.disks[node_id] = MemoryDisk(seed=self._random.randrange(2**32))
        return await self.start(node_id)

    def empty(self, node_id: NodeId) -> None:
        """The data directory of the node, which does not run, is emptied; it starts with a new one."""
        self.disks[node_id] = MemoryDisk(seed=self._random.randrange(2**32))
        del self._incarnations[node_id]

    @staticmethod
    def address(node_id: NodeId) -> str:
        return str(Address("memory", node_id))

    async def start(self, node_id: NodeId) -> Node:
        incarnation = self._incarnations.setdefault(node_id, f"{self._random.getrandbits(64):016x}")
        files = NodeFiles.open(self.disks[node_id], incarnation, segment_bytes=self._segment_bytes)
        self.engines[node_id] = files.engine
        clock = self.clocks.setdefault(node_id, NodeClock(self.network, node_id))
        if self.lease_reads:
            clock.set_rate(self._random.uniform(1 - MAX_CLOCK_DRIFT_PERCENT / 100, 1))
        surroundings = Surroundings(
            transport=_MemoryTransport(self.network, node_id, incarnation),
            random=Random(self._random.random()),
            now=clock.now,
            monotonic=clock.monotonic,
            sleep=clock.sleep,
            run_blocking=clock.run_blocking,
            run_beside=self._run_beside,
        )
        node = Node(
            NodeIdentity("test", node_id),
            self._members if node_id in self._members else {},
            files,
            timing=Timing(lease_reads=self.lease_reads),
            surroundings=surroundings,
            checkpoint_entries=self._checkpoint_entries,
            timeouts=self._timeouts,
        )
        self.network.nodes[node_id] = node
        self._ended[node_id] = trio.Event()
        self._scopes[node_id] = trio.CancelScope()
        self._nursery.start_soon(self._run, node_id, node)
        return node

    async def start_all(self) -> None:
        for node_id in self.disks:
            await self.start(node_id)

    async def _run(self, node_id: NodeId, node: Node) -> None:
        """A node whose disk fails as it is to ends; any other error of a node is the test's."""
        with self._scopes[node_id]:
            try:
                await node.run()
            except* DiskError:
                if not self.disks[node_id].is_without_power and node_id not in self._failing:
                    raise
        if self.nodes.get(node_id) is node:
            del self.nodes[node_id]
        self._ended[node_id].set()

    async def kill(self, node_id: NodeId) -> None:
        """The process ends between two instants; its machine and all that is in the cache of its disk stay."""
        self.nodes.pop(node_id, None)
        self.network.go_on(node_id)
        self._scopes[node_id].cancel()
        await self._ended[node_id].wait()

    async def crash(self, node_id: NodeId) -> None:
        """The process ends between two instants; what its disk had not synced is lost."""
        await self.kill(node_id)
        self.disks[node_id].crash()

    async def fail_sync(self, node_id: NodeId, *, within_s: float) -> bool:
        """The node's next sync fails, at which it must end; whether there was one in time.

        What was to be synced may still be in the cache, and is no longer dirty: see `MemoryDisk`.
        """
        self._failing.add(node_id)
        self.disks[node_id].fail(Operation.SYNC)
        with trio.move_on_after(within_s):
            await self._ended[node_id].wait()
        self.disks[node_id].clear_faults()
        self._failing.discard(node_id)
        return self._ended[node_id].is_set()

    async def stop(self, node_id: NodeId) -> None:
        """The process ends as SIGTERM ends it."""
        await self.network.nodes[node_id].stop()
        await self.crash(node_id)

    async def leader(self) -> NodeId:
        """Wait until a majority of the voters run and follow one leader, and say who."""
        while True:
            for leader, node in self.nodes.items():
                voters = node.raft.membership.voters
                followers = [
                    each
                    for each in self.nodes.keys() & voters
                    if (change := self.nodes[each].raft.leader.value) is not None and change.leader == leader
                ]
                if leader in followers and 2 * len(followers) > len(voters):
                    return leader
            await trio.sleep(LATENCY_S)


class SqlClient:
    """One SQL session on one node, for tests: each `execute` sends a statement and waits for its whole answer."""

    def __init__(self, node: Node, *, session_id: bytes | None = None, sequence: int = 0) -> None:
        self.session_id = session_id if session_id is not None else secrets.token_bytes(16)
        self.sequence = sequence
        self.connection: FrontConnection = node.front.connect()

    async def execute(
        self, sql: str, *parameters: bool | int | float | str | bytes | None, timeout_s: float = 10.0
    ) -> list[Row]:
        """The rows; raises the statement's `MyNodeError`."""
        self.sequence += 1
        return await self.retry(sql, *parameters, timeout_s=timeout_s, is_retry=False)

    async def retry(
        self,
        sql: str,
        *parameters: bool | int | float | str | bytes | None,
        timeout_s: float = 10.0,
        is_retry: bool = True,
    ) -> list[Row]:
        """Send the last sequence number again."""
        self.connection.submit(
            [
                StatementRequest(
                    session_id=self.session_id,
                    sequence=self.sequence,
                    sql=sql,
                    parameters=parameters,
                    timeout_ms=round(1000 * timeout_s),
                    is_retry=is_retry,
                    floor=0,
                )
            ]
        )
        rows: list[Row] = []
        while True:
            replies: list[StatementReply] = await self.connection.replies()
            if not replies:
                raise ConnectionFailedError("the connection closed")
            for reply in replies:
                if reply.sequence != self.sequence:
                    continue
                rows.extend(reply.rows)
                if reply.error is not None:
                    error: MyNodeError = reply.error.to_error()
                    raise error
                if reply.completion is not None:
                    return rows
