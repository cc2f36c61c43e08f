"""The report over all nodes that `mynode status` prints."""

from __future__ import annotations

from dataclasses import dataclass

from mynode.actors.ports import NodeStatus
from mynode.base.errors import MyNodeError


@dataclass(frozen=True, slots=True)
class StatusReport:
    """One address of the client's list: the node's status, or why there is none."""

    address: str
    status: NodeStatus | None
    error: MyNodeError | None
