"""`mynode cluster`: a whole cluster on this machine, from its directory to the words that say how to use it."""

from __future__ import annotations

import sys
from pathlib import Path

import trio

from mynode.base.ids import NodeId
from mynode.cluster.directory import (
    ClusterPlan,
    check_addresses_free,
    local_members,
    open_cluster_directory,
    write_node_configs,
)
from mynode.cluster.launcher import Launcher
from mynode.cluster.survey import wait_for_leader
from mynode.cluster.terminal import Terminal

DEFAULT_BASE_PORT = 9601
_PATIENCE_S = 20
"""Without a leader for so long after the start, say so once."""


def run_local_cluster(nodes: int, base_port: int, directory: Path) -> None:
    """Run until a signal. Raises `ConfigError`, `DataDirectoryError` or `AddressInUseError` before any node starts."""
    members = local_members(nodes, base_port)
    terminal = Terminal(sys.stdout)
    with open_cluster_directory(directory, members) as plan:
        check_addresses_free(plan.addresses)
        write_node_configs(plan, {"log_format": "console"})
        terminal.say(f"starting {nodes} nodes, data in {directory}")
        trio.run(Launcher(plan, terminal, lambda: _announce_leader(plan, terminal)).run)


async def _announce_leader(plan: ClusterPlan, terminal: Terminal) -> None:
    """Wait for a leader, then say how to connect."""
    leader = None
    with trio.move_on_after(_PATIENCE_S):
        leader = await wait_for_leader(plan.addresses)
    if leader is None:
        terminal.say(f"no leader after {_PATIENCE_S} s; see the nodes' logs above")
        leader = await wait_for_leader(plan.addresses)
    terminal.say(_welcome(plan, leader))


def _welcome(plan: ClusterPlan, leader: NodeId) -> str:
    first = plan.addresses[0]
    everyone = ",".join(str(address) for address in plan.addresses)
    shell = f"{_program()} sql"
    if first.port != DEFAULT_BASE_PORT:
        shell += f" {everyone.replace(',', ' ')}"
    return "\n".join(
        [
            "",
            f"MyNode is ready: {len(plan.members)} nodes, node {leader} leads. Ctrl-C stops them; the data stays.",
            "",
            f"  SQL shell   {shell}",
            f'  Python      mynode.connect("{everyone}")',
            f"  gRPC        grpcurl -plaintext {first} mynode.v1.ClusterService/Status",
            "",
        ]
    )


def _program() -> str:
    """How the person who started this can start `mynode` again."""
    return sys.argv[0] if Path(sys.argv[0]).name == "mynode" else f"{sys.executable} -m mynode"
