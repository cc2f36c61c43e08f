"""`async with mynode.trio.connect("host:port,host:port") as client`: the Trio client, over gRPC or a node inside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

from mynode.base.address import parse_addresses
from mynode.base.errors import ConfigError
from mynode.base.limits import DEFAULT_STATEMENT_TIMEOUT_S
from mynode.client.client import Client, open_client
from mynode.client.options import DEFAULT_MAX_SESSIONS, ClientOptions, Spread
from mynode.client.session import Session
from mynode.client.without_group import without_group

__all__ = ["Client", "Session", "connect"]

_EMBEDDED: Final = "file:"


def connect(
    target: str,
    *,
    timeout: float = DEFAULT_STATEMENT_TIMEOUT_S,
    spread: Spread = "one_node",
    max_sessions: int = DEFAULT_MAX_SESSIONS,
) -> AbstractAsyncContextManager[Client]:
    """A client, open within the block.

    Args:
        target: `host:port,host:port` of the nodes, or `file:DIR` for a node inside this process with its data in DIR.
        timeout: seconds for a statement over all its attempts, unless the call says another.
        spread: `one_node`: all statements go to one live node; `round_robin`: they are spread over all.
        max_sessions: statements that run at once; more wait for their turn.

    Raises:
        ConfigError: the target is not understood.
        DataDirectoryError, CorruptionError: DIR cannot be used.
    """
    options = ClientOptions(timeout=timeout, spread=spread, max_sessions=max_sessions)
    return without_group(_embedded(target, options) if target.startswith(_EMBEDDED) else _cluster(target, options))


@asynccontextmanager
async def _cluster(target: str, options: ClientOptions) -> AsyncIterator[Client]:
    from mynode.client.grpc_transport import open_transports, transport_to  # an embedded node needs no gRPC

    async with (
        open_transports(parse_addresses(target)) as transports,
        open_client(transports, options, make_transport=transport_to) as client,
    ):
        yield client


@asynccontextmanager
async def _embedded(target: str, options: ClientOptions) -> AsyncIterator[Client]:
    from mynode.embedded import open_embedded  # a client of a cluster needs no node

    directory = target.removeprefix(_EMBEDDED)
    if not directory:
        raise ConfigError("no directory given", hint="write file:DIR")
    async with open_embedded(Path(directory)) as transport, open_client([transport], options) as client:
        yield client
