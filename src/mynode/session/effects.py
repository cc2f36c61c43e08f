"""What a `Session`, or the `Lane`, asks of its actor while it works, and the answers it is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mynode.base.ids import Version
from mynode.machine.commands import Command
from mynode.machine.outcomes import Outcome
from mynode.mvcc.view import ReadView
from mynode.session.api import StatementReply, StatementRequest
from mynode.session.lane_api import LaneAnswer


@dataclass(frozen=True, slots=True)
class OpenView:
    """The newest view of this node, no older than `at_least`. Costs no round trip. Answer: a `ReadView`."""

    at_least: Version


@dataclass(frozen=True, slots=True)
class OpenFreshView:
    """A view that holds every write acknowledged anywhere before now (read index). Answer: a `ReadView`."""


@dataclass(frozen=True, slots=True)
class Propose:
    """Put the command in the raft log. Answer: its `Outcome`, once applied here."""

    command: Command


@dataclass(frozen=True, slots=True)
class RunInLane:
    """Run the statement in the hot lane of the leader's node. Answer: a `LaneAnswer`, within a bounded time."""

    request: StatementRequest


@dataclass(frozen=True, slots=True)
class Limit:
    """The statement may take `timeout_ms` from its arrival, if its client did not allow it less. Answer: None."""

    timeout_ms: int


@dataclass(frozen=True, slots=True)
class DoBeside:
    """Call this in a thread, while other tasks run. Answer: None, when it has returned.

    When the wait is cancelled the thread is left alone.
    """

    work: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Pause:
    """Let other tasks run. Answer: None."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Wait a little before trial `attempt` (2, 3, …), longer for later ones, at random. Answer: None."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Emit:
    """Send this to the client, waiting while the client does not read. Answer: None."""

    reply: StatementReply


SessionEffect: TypeAlias = OpenView | OpenFreshView | Propose | RunInLane | Limit | DoBeside | Pause | Backoff | Emit
Answer: TypeAlias = ReadView | Outcome | LaneAnswer | None
