"""A gRPC port with scripted ports behind it, and a client for it that shares no code with ours: grpcio, with messages
that protoc itself makes from protos/.

Run as a program, `python -m mynode.testing.grpc HOST:PORT`, it prints what the server's reflection and health services
say. That needs a process of its own, because grpcio's reflection and health messages have the names of grpclib's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import grpc
import trio
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message

from mynode.actors.ports import NodeIdentity
from mynode.base.address import Address
from mynode.testing.ports import ScriptedNode

IDENTITY: Final = NodeIdentity("test", 2)
ANY_PORT: Final = Address("127.0.0.1", 0)
PROTOS: Final = Path(__file__).parents[3] / "protos"


@asynccontextmanager
async def serving(node: ScriptedNode, address: Address = ANY_PORT) -> AsyncIterator[Address]:
    """The scripted node behind a port of its own, inside a bridge; it stops with the context."""
    from mynode.rpc.bridge import open_bridge
    from mynode.rpc.server import serve

    async def start(task_status: trio.TaskStatus[Address]) -> None:
        await serve(
            address=address, sessions=node, cluster=node, peers=node, identity=IDENTITY, task_status=task_status
        )

    async with open_bridge(), trio.open_nursery() as nursery:
        yield await nursery.start(start)
        nursery.cancel_scope.cancel()


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "descriptors"
        sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", f"--descriptor_set_out={target}", *sources]
        subprocess.run(command, check=True)
        files = FileDescriptorSet.FromString(target.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def make(name: str, **fields: object) -> Message:
    """A message of the type `mynode.v1.<name>`."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"mynode.v1.{name}"))(**fields)


class IndependentClient:
    """grpcio's blocking client; for use in a worker thread."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel

    def method(self, service: str, name: str) -> Any:
        """The method as grpcio's callable object."""
        method = _pool().FindServiceByName(f"mynode.v1.{service}").FindMethodByName(name)
        kinds = {
            (False, False): self.channel.unary_unary,
            (True, False): self.channel.stream_unary,
            (True, True): self.channel.stream_stream,
        }
        return kinds[method.client_streaming, method.server_streaming](
            f"/mynode.v1.{service}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )

    def execute(self, sql: str, *, timeout: float = 10, **fields: object) -> Any:
        """`SqlService.Execute`; raises `grpc.RpcError`."""
        return self.method("SqlService", "Execute")(make("ExecuteRequest", sql=sql, **fields), timeout=timeout)


@contextmanager
def independent_client(address: Address) -> Iterator[IndependentClient]:
    """A client of that port."""
    with grpc.insecure_channel(str(address)) as channel:
        yield IndependentClient(channel)


def _survey(address: str) -> dict[str, object]:
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    with grpc.insecure_channel(address) as channel:
        reflection = ProtoReflectionDescriptorDatabase(channel)
        names = sorted(reflection.get_services())
        pool = descriptor_pool.DescriptorPool(reflection)
        health = health_pb2_grpc.HealthStub(channel)
        return {
            "methods": {
                name: {
                    method.name: [method.input_type.full_name, method.output_type.full_name]
                    for method in pool.FindServiceByName(name).methods
                }
                for name in names
            },
            "serving": {
                name: health.Check(health_pb2.HealthCheckRequest(service=name)).status
                == health_pb2.HealthCheckResponse.SERVING
                for name in ("", *(name for name in names if name.startswith("mynode.")))
            },
            "detail": [field.name for field in pool.FindMessageTypeByName("mynode.v1.ErrorDetail").fields],
        }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_survey(sys.argv[1])))
