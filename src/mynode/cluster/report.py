"""`mynode status`: how every node is, as a table or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import fields

import trio
from rich.table import Table

from mynode.actors.ports import NodeStatus, PeerStatus
from mynode.base.exit_codes import EXIT_DONE, EXIT_UNREACHABLE
from mynode.base.ids import NodeId
from mynode.client.status import StatusReport
from mynode.raft.effects import Role
from mynode.shell.tables import make_console, plain_table
from mynode.trio import connect

_COLUMNS = ("address", "node", "role", "term", "leader", "commit", "applied", "lag", "log", "records", "sessions", "up")


def show_status(addresses: str, *, as_json: bool) -> int:
    """Ask all nodes and print what they say; the exit code: 3 if none answered."""
    reports = trio.run(_ask, addresses)
    if as_json:
        sys.stdout.write(status_json(reports) + "\n")
    else:
        make_console(sys.stdout).print(status_table(reports))
    return EXIT_DONE if any(report.status is not None for report in reports) else EXIT_UNREACHABLE


async def _ask(addresses: str) -> list[StatusReport]:
    async with connect(addresses) as client:
        return await client.status()


def status_table(reports: Sequence[StatusReport]) -> Table:
    """One row an address; a node that does not answer has only its address and `unreachable`."""
    lags = _lags(reports)
    rows = []
    for report in reports:
        status = report.status
        if status is None:
            rows.append([report.address, "", "unreachable", *[""] * (len(_COLUMNS) - 3)])
        else:
            rows.append(_row(report.address, status, lags.get(status.node_id)))
    return plain_table(_COLUMNS, rows)


def _row(address: str, status: NodeStatus, lag: int | None) -> list[str]:
    return [
        address,
        str(status.node_id),
        status.role.value,
        str(status.term),
        str(status.leader_id) if status.leader_id else "none",
        str(status.commit_index),
        str(status.applied_index),
        "" if lag is None else str(lag),
        _size(status.log_bytes) + (", disk full" if status.disk_full else ""),
        str(status.tree_records),
        str(status.sessions),
        _duration(status.uptime_ms),
    ]


def _lags(reports: Sequence[StatusReport]) -> dict[NodeId, int]:
    """Entries each node misses, in the words of the leader of the newest term."""
    statuses = [report.status for report in reports if report.status is not None]
    leaders = [status for status in statuses if status.role is Role.LEADER]
    if not leaders:
        return {}
    leader = max(leaders, key=lambda status: status.term)
    return {leader.node_id: 0, **{peer.node_id: peer.lag_entries for peer in leader.peers}}


def status_json(reports: Sequence[StatusReport]) -> str:
    """One line: an array with an object a node; one that does not answer has `error` and nothing else."""
    return json.dumps([_fields(report) for report in reports], default=_json_value)


def _fields(report: StatusReport) -> dict[str, object]:
    if report.status is None:
        return {"address": report.address, "error": None if report.error is None else report.error.message}
    return {"address": report.address, **_by_name(report.status)}


def _by_name(value: NodeStatus | PeerStatus) -> dict[str, object]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _json_value(value: object) -> object:
    match value:
        case Role():
            return value.value
        case PeerStatus():
            return _by_name(value)
        case _:
            return str(value)


def _size(count: int) -> str:
    """Bytes with a unit, three digits or so."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _duration(milliseconds: int) -> str:
    seconds = milliseconds // 1000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
