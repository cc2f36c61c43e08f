"""Streams to the other nodes of the cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from mynode.actors.ports import NodeIdentity, PeerMessage, PeerStream
from mynode.base.address import Address
from mynode.base.ids import Incarnation, NodeId
from mynode.rpc.call import StreamCall, open_call
from mynode.rpc.generated.mynode.v1 import PeerFrame, StreamResponse
from mynode.rpc.methods import PEER_STREAM
from mynode.rpc.peer_codec import encode_peer_messages
from mynode.rpc.session_codec import MAX_REQUEST_BYTES, pack_batches


class GrpcPeerTransport:
    """Opens a stream to each other node; a `PeerTransport`.

    Args:
        here: where the other nodes can reach this one.
        incarnation: of this node's data directory.
    """

    def __init__(self, identity: NodeIdentity, here: Address, incarnation: Incarnation) -> None:
        self._identity = identity
        self._here = str(here)
        self._incarnation = incarnation

    @asynccontextmanager
    async def connect(self, peer: NodeId, address: Address, incarnation: Incarnation) -> AsyncIterator[PeerStream]:
        """See `PeerTransport.connect`."""
        me = self._identity
        hello = PeerFrame(
            sender=me.node_id,
            receiver=peer,
            cluster_id=me.cluster_id,
            address=self._here,
            sender_incarnation=self._incarnation,
            receiver_incarnation=incarnation,
        )
        async with open_call(address, PEER_STREAM, hello=hello) as call:
            yield _GrpcPeerStream(call, hello)


class _GrpcPeerStream:
    def __init__(self, call: StreamCall[PeerFrame, StreamResponse], hello: PeerFrame) -> None:
        self._call = call
        self._hello = hello

    async def send(self, messages: Sequence[PeerMessage]) -> None:
        """See `PeerStream.send`. Messages that together fit no frame go in several."""
        hello = self._hello
        for batch in pack_batches(encode_peer_messages(messages), MAX_REQUEST_BYTES):
            await self._call.send(
                PeerFrame(sender=hello.sender, receiver=hello.receiver, cluster_id=hello.cluster_id, batch=batch)
            )
