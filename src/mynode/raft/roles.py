"""The role transitions of a node, in one table (Figure 4 of the paper, with pre-vote of the dissertation's 9.6)."""

from __future__ import annotations

from enum import Enum
from typing import Final

from mynode.base.invariant import invariant
from mynode.raft.effects import Role


class Cause(Enum):
    """Why a role changes."""

    ELECTION_TIMEOUT = "heard of no leader for an election timeout"
    PRE_VOTES_WON = "a quorum would vote for it"
    VOTES_WON = "a quorum voted for it"
    TOLD_TO_CAMPAIGN = "the leader hands over"
    LEADER_HEARD = "a leader of this term spoke"
    HIGHER_TERM = "saw a higher term"
    REMOVED = "is no voter in the committed configuration"
    QUORUM_LOST = "heard of no quorum for an election timeout"


TRANSITIONS: Final[dict[tuple[Role, Cause], Role]] = {
    (Role.FOLLOWER, Cause.ELECTION_TIMEOUT): Role.PRE_CANDIDATE,
    (Role.FOLLOWER, Cause.TOLD_TO_CAMPAIGN): Role.CANDIDATE,
    (Role.FOLLOWER, Cause.LEADER_HEARD): Role.FOLLOWER,
    (Role.FOLLOWER, Cause.HIGHER_TERM): Role.FOLLOWER,
    (Role.PRE_CANDIDATE, Cause.ELECTION_TIMEOUT): Role.PRE_CANDIDATE,
    (Role.PRE_CANDIDATE, Cause.PRE_VOTES_WON): Role.CANDIDATE,
    (Role.PRE_CANDIDATE, Cause.TOLD_TO_CAMPAIGN): Role.CANDIDATE,
    (Role.PRE_CANDIDATE, Cause.LEADER_HEARD): Role.FOLLOWER,
    (Role.PRE_CANDIDATE, Cause.HIGHER_TERM): Role.FOLLOWER,
    (Role.CANDIDATE, Cause.ELECTION_TIMEOUT): Role.PRE_CANDIDATE,
    (Role.CANDIDATE, Cause.VOTES_WON): Role.LEADER,
    (Role.CANDIDATE, Cause.LEADER_HEARD): Role.FOLLOWER,
    (Role.CANDIDATE, Cause.HIGHER_TERM): Role.FOLLOWER,
    (Role.LEADER, Cause.HIGHER_TERM): Role.FOLLOWER,
    (Role.LEADER, Cause.QUORUM_LOST): Role.FOLLOWER,
    (Role.LEADER, Cause.REMOVED): Role.FOLLOWER,
}


def next_role(role: Role, cause: Cause) -> Role:
    """The role after `cause`; a pair that the table does not hold is our own mistake."""
    invariant((role, cause) in TRANSITIONS, f"a {role.value} does not change when it {cause.value}")
    return TRANSITIONS[role, cause]


def diagram() -> str:
    """The table as a Mermaid state diagram, which stands in docs/architecture/raft.md."""
    lines = [f"    {role.name} --> {after.name}: {cause.value}" for (role, cause), after in TRANSITIONS.items()]
    return "\n".join(["stateDiagram-v2", "    [*] --> FOLLOWER", *lines])
