"""The three services of protos/, each a table of methods over a port of the node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import structlog
import trio
from grpclib.const import Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream

from mynode.actors.ports import ClusterPort, Incarnations, NodeIdentity, PeerPort, SessionPort
from mynode.base.address import Address
from mynode.base.errors import ConfigError, ProtocolViolationError, ShuttingDownError
from mynode.base.limits import MAX_NODE_ID
from mynode.raft.membership import ChangeKind, MembershipChange
from mynode.rpc.bridge import in_trio
from mynode.rpc.direct import buffer_of
from mynode.rpc.errors import handler
from mynode.rpc.execute import execute
from mynode.rpc.generated.mynode import v1
from mynode.rpc.methods import (
    ADD_MEMBER,
    EXECUTE,
    LIST_MEMBERS,
    PEER_STREAM,
    PROMOTE_MEMBER,
    REMOVE_MEMBER,
    SESSION,
    STATUS,
    TRANSFER_LEADERSHIP,
)
from mynode.rpc.peer_codec import decode_peer_messages
from mynode.rpc.protobuf import MessageCodec, ProtoMessage
from mynode.rpc.session import SessionCall
from mynode.rpc.status import members_to_message, status_to_message

Request = TypeVar("Request", bound=ProtoMessage)

log = structlog.get_logger(__name__)


class SqlService:
    """`mynode.v1.SqlService`. Knows its open calls, so that they can come to a good end when the node stops."""

    def __init__(self, sessions: SessionPort) -> None:
        self._sessions = sessions
        self._calls: set[SessionCall] = set()
        self._open = 0
        self._idle = trio.Event()
        self._stopping = False

    def __mapping__(self) -> dict[str, Handler]:
        return {
            EXECUTE.route: handler(EXECUTE, self._execute),
            SESSION.route: handler(SESSION, self._session),
        }

    async def stop(self) -> None:
        """Trio's side: refuse new calls, and wait until the statements at work have their replies sent."""
        self._stopping = True
        for call in self._calls:
            call.stop()
        while self._open:
            self._idle = trio.Event()
            await self._idle.wait()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self._stopping:
            raise ShuttingDownError.of_node()
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            if not self._open:
                self._idle.set()

    async def _execute(self, stream: Stream[v1.ExecuteRequest, ProtoMessage]) -> None:
        with self._counted():
            await execute(stream, self._sessions)

    async def _session(self, stream: Stream[v1.SessionFrame, ProtoMessage]) -> None:
        with self._counted():
            call = SessionCall(stream, self._sessions.connect(with_members=True))
            self._calls.add(call)
            try:
                await call.run()
            finally:
                self._calls.discard(call)


class ClusterService:
    """`mynode.v1.ClusterService`."""

    def __init__(self, cluster: ClusterPort) -> None:
        self._cluster = cluster

    def __mapping__(self) -> dict[str, Handler]:
        return {
            STATUS.route: handler(STATUS, self._status),
            TRANSFER_LEADERSHIP.route: handler(TRANSFER_LEADERSHIP, self._transfer_leadership),
            LIST_MEMBERS.route: handler(LIST_MEMBERS, self._list_members),
            ADD_MEMBER.route: handler(ADD_MEMBER, self._add_member),
            PROMOTE_MEMBER.route: handler(PROMOTE_MEMBER, self._promote_member),
            REMOVE_MEMBER.route: handler(REMOVE_MEMBER, self._remove_member),
        }

    async def _status(self, stream: Stream[v1.StatusRequest, ProtoMessage]) -> None:
        await stream.recv_message()
        await stream.send_message(status_to_message(await in_trio(self._cluster.status)))

    async def _transfer_leadership(self, stream: Stream[v1.TransferLeadershipRequest, ProtoMessage]) -> None:
        request = await _request(stream)
        leader = await in_trio(self._cluster.transfer_leadership, request.node_id or None)
        await stream.send_message(v1.TransferLeadershipResponse(leader_id=leader))

    async def _list_members(self, stream: Stream[v1.ListMembersRequest, ProtoMessage]) -> None:
        await _request(stream)
        await self._send_members(stream)

    async def _add_member(self, stream: Stream[v1.AddMemberRequest, ProtoMessage]) -> None:
        request = await _request(stream)
        address = str(Address.parse(request.address))
        if not 1 <= request.node_id <= MAX_NODE_ID:
            raise ConfigError(f"a node's number is from 1 to {MAX_NODE_ID}, not {request.node_id}")
        await self._change(MembershipChange(ChangeKind.ADD_LEARNER, request.node_id, address))
        await self._send_members(stream)

    async def _promote_member(self, stream: Stream[v1.PromoteMemberRequest, ProtoMessage]) -> None:
        request = await _request(stream)
        await self._change(MembershipChange(ChangeKind.PROMOTE, request.node_id))
        await self._send_members(stream)

    async def _remove_member(self, stream: Stream[v1.RemoveMemberRequest, ProtoMessage]) -> None:
        request = await _request(stream)
        await self._change(MembershipChange(ChangeKind.REMOVE, request.node_id))
        await self._send_members(stream)

    async def _change(self, change: MembershipChange) -> None:
        await in_trio(self._cluster.change_members, change)

    async def _send_members(self, stream: Stream[Request, ProtoMessage]) -> None:
        await stream.send_message(members_to_message(await in_trio(self._cluster.members)))


async def _request(stream: Stream[Request, ProtoMessage]) -> Request:
    """The one message of a unary call."""
    request = await stream.recv_message()
    if request is None:
        raise ProtocolViolationError("the call ended without a message")
    return request


class RaftService:
    """`mynode.v1.RaftService`: what other nodes send to this one."""

    def __init__(self, peers: PeerPort, identity: NodeIdentity) -> None:
        self._peers = peers
        self._codec = MessageCodec()
        self._identity = identity

    def __mapping__(self) -> dict[str, Handler]:
        return {PEER_STREAM.route: handler(PEER_STREAM, self._stream)}

    async def _stream(self, stream: Stream[v1.PeerFrame, ProtoMessage]) -> None:
        hello = await stream.recv_message()
        if hello is None:
            raise ProtocolViolationError("the stream ended without a frame")
        self._check(hello)
        address = Address.parse(hello.address) if hello.address else None
        self._peers.greet(hello.sender, address, Incarnations(hello.sender_incarnation, hello.receiver_incarnation))
        await stream.send_initial_metadata()
        await buffer_of(stream._stream).deliver(partial(self._receive, hello), holds_back=False)
        await stream.send_message(v1.StreamResponse())

    def _receive(self, hello: v1.PeerFrame, data: bytes) -> None:
        frame = self._codec.decode(data, v1.PeerFrame)
        self._check(frame)
        # What was not known when the stream began may be known by now.
        if not self._peers.is_known_otherwise(frame.sender, hello.sender_incarnation):
            self._peers.receive(frame.sender, decode_peer_messages(frame.batch))

    def _check(self, frame: v1.PeerFrame) -> None:
        """Refuse what is not meant for this node: one that was moved or renamed must not take part in an election."""
        me = self._identity
        if frame.cluster_id == me.cluster_id and frame.receiver == me.node_id != frame.sender:
            return
        message = (
            f'a frame from node {frame.sender} to node {frame.receiver} of cluster "{frame.cluster_id}" '
            f'came to node {me.node_id} of cluster "{me.cluster_id}"'
        )
        log.warning("peer refused", reason=message)
        raise GRPCError(Status.FAILED_PRECONDITION, message)
