"""What operators do to a running cluster: find its leader, and ask it."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import trio

from mynode.actors.ports import NodeStatus
from mynode.base.address import Address, parse_addresses
from mynode.base.errors import ConnectionFailedError, MyNodeError, NoQuorumError, NotLeaderError, ShuttingDownError
from mynode.base.exit_codes import EXIT_DONE, EXIT_FAILED
from mynode.base.ids import NodeId
from mynode.rpc.bridge import open_bridge
from mynode.rpc.operator import ask_status, ask_transfer

T = TypeVar("T")

PATIENCE_S: Final = 15.0
"""How long a leader is looked for."""
_PAUSE_S: Final = 0.2


async def ask_leader(addresses: Sequence[Address], ask: Callable[[Address], Awaitable[T]]) -> T:
    """`ask` whoever leads; again, if it led no more. For use inside `open_bridge`.

    Raises:
        ConnectionFailedError: none of the nodes can be reached.
        NoQuorumError: those that can be know no leader.
        MyNodeError: what the leader says.
    """
    found: MyNodeError | None = None
    with trio.move_on_after(PATIENCE_S):
        while True:
            try:
                return await ask(await find_leader(addresses))
            except (NotLeaderError, NoQuorumError, ConnectionFailedError, ShuttingDownError) as error:
                found = error
            await trio.sleep(_PAUSE_S)
    raise found or NoQuorumError("no leader was found in time")


async def find_leader(addresses: Sequence[Address]) -> Address:
    """The leader of the newest term that the nodes know; one that is in none of `addresses`, too.

    Raises:
        ConnectionFailedError: none of the nodes can be reached.
        NoQuorumError: those that can be know no leader.
    """
    statuses: list[NodeStatus] = []
    failures: list[MyNodeError] = []

    async def look(address: Address) -> None:
        try:
            statuses.append(await ask_status(address))
        except MyNodeError as error:
            failures.append(error)

    async with trio.open_nursery() as nursery:
        for address in addresses:
            nursery.start_soon(look, address)
    known = [(status.term, status.leader_address) for status in statuses if status.leader_address is not None]
    if known:
        return max(known, key=lambda each: each[0])[1]
    if statuses:
        raise NoQuorumError("the nodes know no leader", hint="Look at `mynode status`.")
    raise ConnectionFailedError(f"no node can be reached: {failures[0].message}", hint="Is the cluster running?")


def transfer_leader(addresses: str, to: NodeId) -> int:
    """`mynode transfer-leader`; the exit code: 1 if another node leads afterwards."""
    leader = trio.run(_transfer, parse_addresses(addresses), to)
    sys.stdout.write(f"node {leader} leads\n")
    return EXIT_DONE if leader == to else EXIT_FAILED


async def _transfer(addresses: Sequence[Address], to: NodeId) -> NodeId:
    async with open_bridge():
        return await ask_leader(addresses, lambda leader: ask_transfer(leader, to))
