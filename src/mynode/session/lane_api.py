"""What sessions and the hot lane say to each other, within a node and between nodes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from mynode.machine.outcomes import Committed, Refused
from mynode.session.api import StatementRequest


@dataclass(frozen=True, slots=True)
class LaneSettled:
    """The statement's outcome. `is_contended`: statements of other sessions, before or beside it, wrote the same."""

    outcome: Committed | Refused
    is_contended: bool


class LaneRefusal(Enum):
    """Why the lane has no outcome: what the session must know to go on by itself."""

    UNFIT = "it is not executed: it is too large for the lane"
    NOT_EXECUTED = "nothing of it was proposed, or what was proposed has lost for good"
    MAYBE_EXECUTED = "it was proposed, and may be applied later"


LaneAnswer: TypeAlias = LaneSettled | LaneRefusal


@dataclass(frozen=True, slots=True)
class LaneRequest:
    """To the leader's node: run this in the lane. `number` is the sender's, to tell answers apart.

    `request.sql` is the statement's `ParsedStatement.text`, `request.floor` a version older than every attempt at it,
    as in `TransactionCommand`.
    """

    number: int
    request: StatementRequest


@dataclass(frozen=True, slots=True)
class LaneResponse:
    """The answer to the `LaneRequest` of that number. It may be lost, as the request may be."""

    number: int
    answer: LaneAnswer


LaneMessage: TypeAlias = LaneRequest | LaneResponse
