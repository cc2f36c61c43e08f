"""The generated code is that of protos/, and the table of methods says the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mynode.rpc import methods
from mynode.rpc.generated.mynode import v1

ROOT = Path(__file__).parents[3]


def test_generated_code_is_what_protos_say() -> None:
    """Else run `make protos`."""
    checked = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "generate_protos.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_every_method_stands_in_the_table() -> None:
    declared = {
        f"/{service.full_name}/{method.name}": (
            (method.client_streaming, method.server_streaming),
            method.input_type.name,
            method.output_type.name,
        )
        for file in (
            v1.MYNODE_V1_SQL_PROTO_DESCRIPTOR,
            v1.MYNODE_V1_CLUSTER_PROTO_DESCRIPTOR,
            v1.MYNODE_V1_RAFT_PROTO_DESCRIPTOR,
        )
        for service in file.services_by_name.values()
        for method in service.methods
    }
    table = {
        method.route: (method.cardinality.value, method.request.__name__, method.response.__name__)
        for method in vars(methods).values()
        if isinstance(method, methods.Method)
    }
    assert table == declared
