"""Who takes part in consensus: voters and learners, and how an operator changes them, one step at a time.

A configuration stands in the log as the payload of an `EntryKind.CONFIG` entry and is used from the moment it is
appended, committed or not (dissertation 4.1). One node is added, promoted or removed at a time, so that any majority
of the old voters and any of the new ones overlap.

| payload       | is                                                             |
|---------------|----------------------------------------------------------------|
| configuration | msgpack [voters, learners, removed]                            |
| voters        | [[node id, address, incarnation], …], ascending by id;         |
|               | learners likewise                                              |
| incarnation   | str, of the node's data directory; empty while it is not known |
| removed       | [node id, …], ascending                                        |

Addresses are opaque to Raft. The number of a removed node is never used again: whatever that node still holds, says or
is told, however late, then concerns nobody who takes part (what RethinkDB #5289 lost updates by).

A member's incarnation is learnt when it is first heard of, and never changes from then on. A node that comes with
another one has lost what it promised: it would vote twice, and deny what it acknowledged. It is kept out by whoever
knows (`mynode.node`), like one that was removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

import msgpack

from mynode.base import limits
from mynode.base.errors import ProtocolViolationError
from mynode.base.ids import Incarnation, LogIndex, NodeId
from mynode.base.invariant import invariant
from mynode.raft.messages import Entry, EntryKind


class ChangeKind(Enum):
    """What an operator can do to the members."""

    ADD_LEARNER = "add a learner"
    """The node gets the log but counts in no quorum: it catches up without endangering availability (4.2.1)."""
    PROMOTE = "make a learner a voter"
    REMOVE = "remove a node"


class ChangeRefusal(Enum):
    """Why a membership change was not done."""

    NOT_LEADER = "this node does not lead"
    CHANGE_RUNNING = "the leader is new, hands over, or another change is not committed yet"
    NOT_CAUGHT_UP = "the learner has not caught up"
    UNHEALTHY = "of the voters after it, too few for a majority were heard of lately"
    MEMBER_ALREADY = "it is a member already"
    NOT_MEMBER = "it is no member"
    NOT_LEARNER = "it is no learner"
    LAST_VOTER = "it is the last voter"
    REMOVED_BEFORE = "a node of this number was removed, and a number is never used again"
    ADDRESS_TAKEN = "another member has this address"
    TOO_MANY = "there are as many members as there may be"
    OVERTAKEN = "another leader's entries took its place"


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """One step from one configuration to the next; `address` is of use for `ADD_LEARNER` only."""

    kind: ChangeKind
    node_id: NodeId
    address: str = ""


@dataclass(frozen=True, slots=True)
class Membership:
    """A configuration: each member's address by its id, ascending. A node is a voter, a learner, removed or unknown.

    `incarnations` has those of the members whose incarnation is known.
    """

    voters: Mapping[NodeId, str] = field(default_factory=dict)
    learners: Mapping[NodeId, str] = field(default_factory=dict)
    removed: frozenset[NodeId] = frozenset()
    incarnations: Mapping[NodeId, Incarnation] = field(default_factory=dict)

    @property
    def members(self) -> Mapping[NodeId, str]:
        return {**self.voters, **self.learners}

    @property
    def quorum(self) -> int:
        """How many voters are a majority."""
        return len(self.voters) // 2 + 1

    def unknown_of(self, heard: Mapping[NodeId, Incarnation]) -> dict[NodeId, Incarnation]:
        """Of these incarnations, those of members whose incarnation is not known yet."""
        members, known = self.members, self.incarnations
        return {node_id: each for node_id, each in heard.items() if node_id in members and node_id not in known}

    def knowing(self, heard: Mapping[NodeId, Incarnation]) -> Membership:
        """The same members, with these incarnations where none is known."""
        return replace(self, incarnations={**self.incarnations, **self.unknown_of(heard)})

    def after(self, change: MembershipChange) -> Membership | ChangeRefusal:
        """The configuration after this change, or why these members do not allow it."""
        node_id, voters, learners, removed = change.node_id, dict(self.voters), dict(self.learners), self.removed
        match change.kind:
            case ChangeKind.ADD_LEARNER:
                if (refusal := self._refusal_to_add(change)) is not None:
                    return refusal
                learners[node_id] = change.address
            case ChangeKind.PROMOTE:
                if node_id not in learners:
                    return ChangeRefusal.NOT_LEARNER if node_id in voters else ChangeRefusal.NOT_MEMBER
                voters[node_id] = learners.pop(node_id)
            case ChangeKind.REMOVE:
                if node_id not in self.members:
                    return ChangeRefusal.NOT_MEMBER
                if list(voters) == [node_id]:
                    return ChangeRefusal.LAST_VOTER
                voters.pop(node_id, None)
                learners.pop(node_id, None)
                removed |= {node_id}
        incarnations = {known: each for known, each in self.incarnations.items() if known not in removed}
        return Membership(_ascending(voters), _ascending(learners), removed, incarnations)

    def _refusal_to_add(self, change: MembershipChange) -> ChangeRefusal | None:
        if change.node_id in self.members:
            return ChangeRefusal.MEMBER_ALREADY
        if change.node_id in self.removed:
            return ChangeRefusal.REMOVED_BEFORE
        if change.address and change.address in self.members.values():
            return ChangeRefusal.ADDRESS_TAKEN
        return ChangeRefusal.TOO_MANY if len(self.members) > limits.MAX_PEERS else None


def _ascending(nodes: Mapping[NodeId, str]) -> dict[NodeId, str]:
    return dict(sorted(nodes.items()))


def encode_membership(membership: Membership) -> bytes:
    def items(nodes: Mapping[NodeId, str]) -> list[tuple[NodeId, str, Incarnation]]:
        return [(node_id, address, membership.incarnations.get(node_id, "")) for node_id, address in nodes.items()]

    encoded: bytes = msgpack.packb([items(membership.voters), items(membership.learners), sorted(membership.removed)])
    return encoded


def decode_membership(payload: bytes) -> Membership:
    """The configuration of a payload; raises `ProtocolViolationError` for what is none."""
    try:
        match msgpack.unpackb(payload):
            case [list(voters), list(learners), list(removed)] if all(type(each) is int for each in removed):
                incarnations: dict[NodeId, Incarnation] = {}
                membership = Membership(
                    _nodes(voters, incarnations), _nodes(learners, incarnations), frozenset(removed), incarnations
                )
            case _:
                raise ProtocolViolationError("a configuration is not three lists of nodes")
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ProtocolViolationError(f"a configuration is malformed: {error}") from error
    if not membership.voters or membership.voters.keys() & membership.learners.keys():
        raise ProtocolViolationError("a configuration has no voter, or a node that is voter and learner")
    if membership.removed & membership.members.keys():
        raise ProtocolViolationError("a configuration has a member that was removed")
    return membership


def _nodes(items: Iterable[object], incarnations: dict[NodeId, Incarnation]) -> dict[NodeId, str]:
    """The addresses; the incarnations are added to those there are."""
    nodes: dict[NodeId, str] = {}
    for item in items:
        match item:
            case [int(node_id), str(address), str(incarnation)] if node_id > 0 and node_id not in nodes:
                nodes[node_id] = address
                if incarnation:
                    incarnations[node_id] = incarnation
            case _:
                raise ProtocolViolationError("a configuration holds an item that is no node")
    return _ascending(nodes)


class Memberships:
    """The configurations that the log and its snapshot hold, by the index they hold from.

    A truncation brings back the one before (pitfalls of others: canonical/raft #323). What is older than the newest
    snapshot is forgotten.

    Invariants: indexes ascend; there is always one, the first of them committed.
    """

    def __init__(self, index: LogIndex, membership: Membership) -> None:
        self._history: list[tuple[LogIndex, Membership]] = [(index, membership)]

    @property
    def newest(self) -> Membership:
        return self._history[-1][1]

    @property
    def newest_index(self) -> LogIndex:
        """The index of the entry that brought the newest one; until it is committed, no other change may begin."""
        return self._history[-1][0]

    def at(self, index: LogIndex) -> Membership:
        """The configuration as of this index, which is not before the newest snapshot."""
        return next(membership for since, membership in reversed(self._history) if since <= index)

    def counting(self, commit: LogIndex) -> list[Membership]:
        """The newest committed one, and all uncommitted ones."""
        first = max(place for place, (since, _) in enumerate(self._history) if since <= commit or place == 0)
        return [membership for _, membership in self._history[first:]]

    def appended(self, entries: Iterable[Entry]) -> bool:
        """Take up what these entries bring; returns whether any did. Raises `ProtocolViolationError`."""
        brought = [(entry.index, decode_membership(entry.payload)) for entry in entries if entry.kind is _CONFIG]
        self._history += brought
        return bool(brought)

    def truncated(self, first: LogIndex) -> bool:
        """The log was cut off at `first`; returns whether that took a configuration back."""
        before = len(self._history)
        while len(self._history) > 1 and self._history[-1][0] >= first:
            self._history.pop()
        return len(self._history) < before

    def forget_before(self, index: LogIndex) -> None:
        """Only the configurations as of `index` and later are asked for from now on."""
        while len(self._history) > 1 and self._history[1][0] <= index:
            del self._history[0]

    def check_invariants(self) -> None:
        indexes = [index for index, _ in self._history]
        invariant(indexes == sorted(set(indexes)), "configurations follow each other")


_CONFIG = EntryKind.CONFIG
