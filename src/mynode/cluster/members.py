"""`mynode members`: who takes part, and how that is changed while the cluster works."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import trio

from mynode.actors.ports import Members, MemberStatus
from mynode.base.address import Address, parse_addresses
from mynode.base.errors import (
    ConfigError,
    ConnectionFailedError,
    NotYetError,
    OperationRefusedError,
    OutcomeUnknownError,
)
from mynode.base.exit_codes import EXIT_DONE
from mynode.base.ids import NodeId
from mynode.cluster.operations import ask_leader
from mynode.raft.membership import ChangeKind, MembershipChange
from mynode.rpc.bridge import open_bridge
from mynode.rpc.operator import ask_change, ask_members, ask_status
from mynode.shell.tables import make_console, plain_table

_POLL_INTERVAL_S: Final = 0.25
_WORDS_INTERVAL_S: Final = 1.0
_COLUMNS: Final = ("node", "address", "role", "lag")


def list_members(addresses: str, *, as_json: bool) -> int:
    """Print the members, as the leader knows them; the exit code."""
    members = trio.run(_list, parse_addresses(addresses))
    if as_json:
        sys.stdout.write(members_json(members) + "\n")
    else:
        make_console(sys.stdout).print(plain_table(_COLUMNS, [_row(member) for member in members.members]))
    return EXIT_DONE


def members_json(members: Members) -> str:
    """One line: an array with an object a member."""
    return json.dumps([asdict(member) for member in members.members])


def _row(member: MemberStatus) -> list[str]:
    role = "leader" if member.is_leader else "voter" if member.is_voter else "learner"
    return [str(member.node_id), member.address, role, "" if member.lag_entries is None else str(member.lag_entries)]


def add_member(addresses: str, node: str, *, timeout_s: float) -> int:
    """Add the node that `node` names, as `6=host:port`, and wait until it votes; the exit code."""
    number, equals, where = node.partition("=")
    if not (equals and number.isascii() and number.isdigit()):
        raise ConfigError(f'"{node}" is no node', hint="Write NUMBER=HOST:PORT, as 6=127.0.0.1:9606.")
    trio.run(_add, parse_addresses(addresses), int(number), Address.parse(where), timeout_s)
    sys.stdout.write(f"node {number} is a voter\n")
    return EXIT_DONE


def remove_member(addresses: str, node_id: NodeId) -> int:
    """Remove the node, which stops then; the exit code."""
    trio.run(_remove, parse_addresses(addresses), node_id)
    sys.stdout.write(f"node {node_id} is removed\n")
    return EXIT_DONE


async def _list(addresses: Sequence[Address]) -> Members:
    async with open_bridge():
        return await ask_leader(addresses, ask_members)


async def _add(addresses: Sequence[Address], node_id: NodeId, where: Address, timeout_s: float) -> None:
    async with open_bridge():
        cluster = await ask_leader(addresses, ask_members)
        await _check_new_node(cluster, node_id, where)
        member = _member(cluster, node_id)
        if member is not None and (member.is_voter or member.address != str(where)):
            raise OperationRefusedError(f"node {node_id} is a member already, at {member.address}")
        with trio.move_on_after(timeout_s):
            if member is None:
                await _change(addresses, MembershipChange(ChangeKind.ADD_LEARNER, node_id, str(where)))
                _say(f"node {node_id} is added, and catches up")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_show_progress, addresses, node_id)
                await _change(addresses, MembershipChange(ChangeKind.PROMOTE, node_id))
                nursery.cancel_scope.cancel()
            return
        raise OperationRefusedError(
            f"node {node_id} did not catch up within {timeout_s:g} s; it stays a learner",
            hint="The same command goes on with it.",
        )


async def _check_new_node(cluster: Members, node_id: NodeId, where: Address) -> None:
    """The node runs, and is who it shall be: a wrong address would be found out only when it is needed."""
    try:
        status = await ask_status(where)
    except ConnectionFailedError as error:
        raise OperationRefusedError(
            f"node {node_id} does not answer: {error.message}", hint="Start it first, with `join` in its configuration."
        ) from error
    if (status.node_id, status.cluster_id) != (node_id, cluster.cluster_id):
        raise OperationRefusedError(
            f'at {where} is node {status.node_id} of cluster "{status.cluster_id}", '
            f'not node {node_id} of cluster "{cluster.cluster_id}"'
        )


async def _remove(addresses: Sequence[Address], node_id: NodeId) -> None:
    async with open_bridge():
        await _change(addresses, MembershipChange(ChangeKind.REMOVE, node_id))


async def _change(addresses: Sequence[Address], change: MembershipChange) -> None:
    """Ask the leader until it has done it. An answer that got lost is looked up in the list of the members."""
    while True:
        try:
            await ask_leader(addresses, lambda leader: ask_change(leader, change))
        except NotYetError:
            await trio.sleep(_POLL_INTERVAL_S)
        except (OutcomeUnknownError, OperationRefusedError):
            if not _is_done(await ask_leader(addresses, ask_members), change):
                raise
            return
        else:
            return


def _is_done(cluster: Members, change: MembershipChange) -> bool:
    member = _member(cluster, change.node_id)
    match change.kind:
        case ChangeKind.ADD_LEARNER:
            return member is not None and member.address == change.address
        case ChangeKind.PROMOTE:
            return member is not None and member.is_voter
        case ChangeKind.REMOVE:
            return change.node_id in cluster.removed


async def _show_progress(addresses: Sequence[Address], node_id: NodeId) -> None:
    while True:
        await trio.sleep(_WORDS_INTERVAL_S)
        member = _member(await ask_leader(addresses, ask_members), node_id)
        if member is not None and member.lag_entries:
            _say(f"node {node_id} lacks {member.lag_entries:,} entries")


def _member(cluster: Members, node_id: NodeId) -> MemberStatus | None:
    return next((member for member in cluster.members if member.node_id == node_id), None)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
