"""grpcurl itself, where it is installed: by reflection and with -proto."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from mynode.base.address import Address
from mynode.testing.grpc import PROTOS, serving
from mynode.testing.ports import ScriptedNode

pytestmark = pytest.mark.skipif(shutil.which("grpcurl") is None, reason="grpcurl is not installed")

BY_REFLECTION: tuple[str, ...] = ()


def with_protos() -> tuple[str, ...]:
    files = sorted(path.relative_to(PROTOS) for path in Path(PROTOS).rglob("*.proto"))
    return ("-import-path", str(PROTOS), *(word for file in files for word in ("-proto", str(file))))


@pytest.fixture
async def address() -> AsyncIterator[Address]:
    with trio.fail_after(30):
        async with serving(ScriptedNode()) as address:
            yield address


async def grpcurl(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    done = await trio.run_process(
        ["grpcurl", "-plaintext", *arguments], capture_stdout=True, capture_stderr=True, check=False
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def test_list_and_describe(address: Address) -> None:
    _, listed, _ = await grpcurl(str(address), "list")
    assert listed.split() == [
        "grpc.health.v1.Health",
        "mynode.v1.ClusterService",
        "mynode.v1.RaftService",
        "mynode.v1.SqlService",
    ]
    for name in (*listed.split(), "mynode.v1.ExecuteRequest", "mynode.v1.ErrorDetail", "mynode.v1.Value"):
        code, described, error = await grpcurl(str(address), "describe", name)
        assert (code, error) == (0, "")
        assert name.rpartition(".")[2] in described


@pytest.mark.parametrize("source", [BY_REFLECTION, with_protos()], ids=["reflection", "proto"])
async def test_status_and_execute(address: Address, source: tuple[str, ...]) -> None:
    code, output, _ = await grpcurl(*source, str(address), "mynode.v1.ClusterService/Status")
    assert code == 0
    status = json.loads(output)
    assert (status["nodeId"], status["role"], status["term"]) == (2, "ROLE_LEADER", "7")
    assert [peer["lagEntries"] for peer in status["peers"]] == ["3", "101"]

    request = {"sql": "ECHO", "parameters": [{"integer": "5"}, {"text": "två"}, {"null": True}]}
    code, output, _ = await grpcurl(*source, "-d", json.dumps(request), str(address), "mynode.v1.SqlService/Execute")
    assert code == 0
    assert json.loads(output)["rows"] == [{"values": [{"integer": "5"}, {"text": "två"}, {"null": True}]}]


@pytest.mark.parametrize("source", [BY_REFLECTION, with_protos()], ids=["reflection", "proto"])
async def test_an_error_shows_code_message_sqlstate_and_position(address: Address, source: tuple[str, ...]) -> None:
    code, _, error = await grpcurl(
        *source, "-d", '{"sql":"FAIL 42601 syntax error"}', str(address), "mynode.v1.SqlService/Execute"
    )
    assert code != 0
    for part in ("InvalidArgument", "Message: syntax error", '"sqlstate": "42601"', '"position": 8', "Try något else."):
        assert part in error


async def test_a_deadline(address: Address) -> None:
    code, _, error = await grpcurl(
        "-max-time", "0.5", "-d", '{"sql":"WAIT"}', str(address), "mynode.v1.SqlService/Execute"
    )
    assert code != 0
    assert "DeadlineExceeded" in error
