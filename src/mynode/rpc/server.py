"""The node's one gRPC port: our services, reflection and health, from listening to a good end."""

from __future__ import annotations

import errno
import socket
from typing import Final

import structlog
import trio
from google.protobuf import descriptor_pool
from grpclib._typing import IServable
from grpclib.health.check import ServiceStatus
from grpclib.health.service import Health
from grpclib.reflection.service import ServerReflection

from mynode.actors.ports import ClusterPort, NodeIdentity, PeerPort, SessionPort
from mynode.base.address import Address
from mynode.base.errors import AddressInUseError, ConfigError
from mynode.rpc.bridge import in_asyncio
from mynode.rpc.generated.mynode import v1
from mynode.rpc.http2 import BoundedServer
from mynode.rpc.protobuf import ErrorDetailCodec, MessageCodec
from mynode.rpc.services import ClusterService, RaftService, SqlService

log = structlog.get_logger(__name__)

STOP_TIMEOUT_S: Final = 2.0
"""How long a stopping port waits for replies to be sent."""
FLUSH_TIMEOUT_S: Final = 0.5
"""How long it then waits for its clients to take the last bytes."""


async def serve(
    *,
    address: Address,
    sessions: SessionPort,
    cluster: ClusterPort,
    peers: PeerPort,
    identity: NodeIdentity,
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve gRPC at `address` until cancelled, inside `open_bridge`. Starts with the bound address (port 0: any).

    Cancelled, it refuses new calls, sends the replies of the statements at work (within `STOP_TIMEOUT_S`), and
    closes its connections.

    Raises:
        AddressInUseError: another process listens there.
        ConfigError: the address is not one of this machine.
    """
    sql = SqlService(sessions)
    services: list[IServable] = [sql, ClusterService(cluster), RaftService(peers, identity)]
    healthy = ServiceStatus()
    healthy.set(True)
    register_descriptors()
    server = BoundedServer(
        ServerReflection.extend([*services, Health({service: [healthy] for service in services})]),
        codec=MessageCodec(),
        status_details_codec=ErrorDetailCodec(),
    )
    bound = await _listen(server, address)
    try:
        log.info("listening", address=str(bound))
        task_status.started(bound)
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            healthy.set(False)
            server.stop_listening()
            with trio.move_on_after(STOP_TIMEOUT_S):
                await sql.stop()
            await in_asyncio(server.stop(FLUSH_TIMEOUT_S))


async def _listen(server: BoundedServer, address: Address) -> Address:
    try:
        bound: tuple[str, int] = await in_asyncio(server.listen(address.host, address.port))
    except socket.gaierror as error:
        raise ConfigError(f"cannot listen on {address}: {error.strerror}") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise AddressInUseError(
                f"cannot listen on {address}: the port is in use", hint="Is another node running there?"
            ) from error
        raise ConfigError(f"cannot listen on {address}: {error.strerror}") from error
    return Address(*bound)


def register_descriptors() -> None:
    """Put our messages' descriptors where reflection and the health service's stand: protobuf's default pool.

    betterproto2 keeps them in a pool of its own, and reflection looks into one pool only.
    """
    pool = descriptor_pool.Default()
    for file in (
        v1.MYNODE_V1_ERRORS_PROTO_DESCRIPTOR,
        v1.MYNODE_V1_SQL_PROTO_DESCRIPTOR,
        v1.MYNODE_V1_CLUSTER_PROTO_DESCRIPTOR,
        v1.MYNODE_V1_RAFT_PROTO_DESCRIPTOR,
    ):
        pool.AddSerializedFile(file.serialized_pb)
