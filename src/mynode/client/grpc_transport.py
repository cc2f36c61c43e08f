"""The client's transports over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from mynode.base.address import Address
from mynode.client.transport import Transport
from mynode.rpc.bridge import open_bridge
from mynode.rpc.channel import GrpcTransport


def transport_to(address: str) -> Transport:
    """The way to the node at `host:port`, usable within the block of `open_transports`; raises `ConfigError`."""
    return GrpcTransport(Address.parse(address))


@asynccontextmanager
async def open_transports(addresses: Sequence[Address]) -> AsyncIterator[Sequence[Transport]]:
    """A transport to each node, usable within the block."""
    async with open_bridge():
        yield [GrpcTransport(address) for address in addresses]
