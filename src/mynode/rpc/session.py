"""`SqlService.Session`: the multiplexed stream of one client connection."""

from __future__ import annotations

import asyncio

from grpclib.server import Stream

from mynode.actors.ports import ClientConnection
from mynode.base.errors import ShuttingDownError
from mynode.rpc.bridge import in_asyncio, in_trio
from mynode.rpc.direct import buffer_of
from mynode.rpc.generated.mynode.v1 import SessionFrame
from mynode.rpc.protobuf import MessageCodec, ProtoMessage
from mynode.rpc.session_codec import decode_requests, encode_reply, pack_batches
from mynode.session.api import StatementRequest


class SessionCall:
    """Carries frames between one stream and its `ClientConnection`.

    A frame is read where it arrives, in asyncio's callback; a Trio task writes, because a reply arises in Trio. A
    client that does not read blocks only the writer, and behind it the sessions: `replies` is not called meanwhile.

    Invariant: `_unanswered` is the number of statements handed on whose final reply is not yet sent.
    """

    def __init__(self, stream: Stream[SessionFrame, ProtoMessage], connection: ClientConnection) -> None:
        self._stream = stream
        self._connection = connection
        self._codec = MessageCodec()
        self._unanswered = 0
        self._reads_on = True
        self._stop = asyncio.get_running_loop().create_future()

    def stop(self) -> None:
        """Take no more requests; `run` ends when those at work are answered."""
        if not self._stop.done():
            self._stop.set_result(None)

    async def run(self) -> None:
        """Until the client has ended its side and has all its replies, or `stop`.

        Raises:
            ShuttingDownError: the node ended it.
            ProtocolViolationError: the client sent what is no batch of requests.
            NodeBusyError: the client does not read.
        """
        await self._stream.send_initial_metadata()
        reader = buffer_of(self._stream._stream).deliver(self._read, holds_back=False)
        writer = in_trio(self._write)
        try:
            await asyncio.wait({reader, writer, self._stop}, return_when=asyncio.FIRST_COMPLETED)
            self._reads_on = False
            client_ended = reader.done()
            if client_ended:
                reader.result()
            else:
                reader.cancel()
            if self._unanswered:
                await asyncio.wait({writer})
            if writer.done():
                writer.result()
            if not client_ended or self._unanswered:
                raise ShuttingDownError.of_node()
        finally:
            self._connection.close()
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    def _read(self, data: bytes) -> None:
        requests = decode_requests(self._codec.decode(data, SessionFrame).batch)
        self._unanswered += sum(type(request) is StatementRequest for request in requests)
        self._connection.submit(requests)

    async def _write(self) -> None:
        while self._reads_on or self._unanswered:
            replies = await self._connection.replies()
            members = self._connection.take_members()
            if members is not None:
                frame = SessionFrame(members=list(members.addresses), members_index=members.index)
                await in_asyncio(self._stream.send_message(frame))
            elif not replies:
                return
            for batch in pack_batches([encode_reply(reply) for reply in replies]):
                await in_asyncio(self._stream.send_message(SessionFrame(batch=batch)))
            self._unanswered -= sum(reply.is_final for reply in replies)
