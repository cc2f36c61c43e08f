"""The client's transports over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from mynode.base.address import Address
from mynode.client.transport import Transport
from mynode.rpc.bridge import open_bridge
from mynode.rpc.channel import GrpcTransport


@asynccontextmanager
async def open_transports(addresses: Sequence[Address]) -> AsyncIterator[Sequence[Transport]]:
    """A transport to each node, usable within the block."""
    async with open_bridge():
        yield [GrpcTransport(address) for address in addresses]
