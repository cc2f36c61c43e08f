"""Outcomes of commands, and the replicated table that makes a retried command return its first one.

The table lives in the tree, keyspace `MACHINE`:

| key                 | value                                                                                  |
|---------------------|----------------------------------------------------------------------------------------|
| f0 01               | the horizon, 8 bytes big endian: the newest version of any outcome ever evicted        |
| f0 02 session       | msgpack [sequence, result] of the session's last committed command; the record's       |
|                     | version is the commit's                                                                |
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgpack

from mynode.base.errors import MyNodeError, OutcomeUnknownError, ProtocolViolationError
from mynode.base.ids import SessionId, Version
from mynode.base.invariant import invariant
from mynode.base.remote_errors import error_from_wire
from mynode.mvcc import keyspace
from mynode.mvcc.view import ReadView
from mynode.storage.tree import Tree, TreeEditor, TreeReader

_HORIZON_KEY: Final = keyspace.MACHINE + b"\x01"
_SESSIONS: Final = keyspace.MACHINE + b"\x02"
_SESSIONS_END: Final = keyspace.MACHINE + b"\x03"


@dataclass(frozen=True, slots=True)
class Committed:
    """The transaction is committed as `version`. `replayed`: by an earlier, identical request; nothing written now."""

    version: Version
    result: bytes
    replayed: bool


@dataclass(frozen=True, slots=True)
class Conflicted:
    """A serialization failure; nothing was written, and the same sequence may be tried again on a newer view.

    `key` was read (or begins a range that was read) and has changed since; empty if the view was below the watermark.
    Of a batch it may be the `outcome_key` of a session whose request is not new.

    It is final: the same command never commits, should its entry come a second time. What has changed stays changed,
    until the watermark passes the view; an outcome stays, until `floor` says that it is forgotten.
    """

    key: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """An error that every node reaches alike; nothing was written, and trying again will not help."""

    sqlstate: str
    message: str

    @classmethod
    def of(cls, error: MyNodeError) -> Refused:
        return cls(error.sqlstate, error.message)

    def to_error(self) -> MyNodeError:
        return error_from_wire(self.sqlstate, self.message)


Outcome: TypeAlias = Committed | Conflicted | Refused

_SUPERSEDED: Final = Refused.of(
    ProtocolViolationError("the session has since committed a statement with a higher sequence number")
)
_FORGOTTEN: Final = Refused.of(
    OutcomeUnknownError("the statement may have been applied so long ago that its outcome is forgotten")
)


def outcome_key(session: SessionId) -> bytes:
    """Where the session's last outcome is kept."""
    return _SESSIONS + session


def stored_outcome(
    view: ReadView, session: SessionId, sequence: int, *, floor: Version | None = None
) -> Committed | Refused | None:
    """What became of a session's command as of `view`, for a retry: None if nothing is stored that answers it.

    With `floor` (see `OutcomeTable`), a command that may have been applied and forgotten is refused here as it would be
    if it were proposed. Whoever is about to answer a retry without a proposal asks for that: an error such as a
    violated key may come from the forgotten first attempt.
    """
    if floor is not None and floor < _horizon(view.tree) and view.tree.get(outcome_key(session)) is None:
        return _FORGOTTEN
    return _look_up(view.tree, session, sequence)


def _horizon(tree: TreeReader) -> Version:
    record = tree.get(_HORIZON_KEY)
    return 0 if record is None or record[1] is None else int.from_bytes(record[1], "big")


def _look_up(tree: TreeReader, session: SessionId, sequence: int) -> Committed | Refused | None:
    record = tree.get(outcome_key(session))
    if record is None or record[1] is None:
        return None
    last_sequence, result = msgpack.unpackb(record[1])
    if sequence > last_sequence:
        return None
    return _SUPERSEDED if sequence < last_sequence else Committed(record[0], result, replayed=True)


class OutcomeTable:
    """The last outcome of each of the `capacity` sessions that committed last; the rest is evicted, oldest first.

    **Exactly once, in bounded memory.** A command whose session has no outcome here is either new, or a retry of one
    whose outcome was evicted. In the second case its first attempt was applied at some version v <= horizon, and as
    `floor` existed before the statement was first sent, floor < v. So `floor >= horizon` proves that it is new, and
    anything else is refused as "outcome unknown". A client learns the current version with every answer; a node that
    opens a session for a client that knows none takes its own applied index, before it first proposes. So only a
    client that heard nothing while `capacity` other sessions committed can be refused, and as long as nothing was ever
    evicted (horizon 0), a floor of 0 will do.

    The requests of one batch have the same version: of these the lowest session counts as the oldest. The horizon may
    then be the version of some that are still here, which does no harm: `floor` is asked only of those that are not.

    Invariants (`check_invariants`): `_last_used` holds the sessions of the tree in the order of their versions, at most
    `capacity`; the horizon is above none of them; both are what the tree would give anew.
    """

    __slots__ = ("_capacity", "_last_used", "horizon")

    def __init__(self, tree: Tree, capacity: int) -> None:
        self._capacity = capacity
        found = sorted((version, key[len(_SESSIONS) :]) for key, (version, _) in tree.scan(_SESSIONS, _SESSIONS_END))
        self._last_used: OrderedDict[SessionId, Version] = OrderedDict((session, version) for version, session in found)
        self.horizon = _horizon(tree)

    def __len__(self) -> int:
        return len(self._last_used)

    def find(self, tree: TreeReader, session: SessionId, sequence: int, floor: Version) -> Committed | Refused | None:
        """The outcome of an earlier attempt, or why there can be no other; None if the command is certainly new."""
        if session in self._last_used:
            return _look_up(tree, session, sequence)
        return _FORGOTTEN if floor < self.horizon else None

    def store(self, editor: TreeEditor, session: SessionId, sequence: int, version: Version, result: bytes) -> None:
        """Keep the outcome of a request that commits as `version`: newer than all before, or the same for the next
        higher session of the batch."""
        editor.put(outcome_key(session), version, msgpack.packb([sequence, result]))
        last_used = self._last_used
        last_used[session] = version
        last_used.move_to_end(session)
        if len(last_used) > self._capacity:
            self._evict(editor, version)

    def _evict(self, editor: TreeEditor, version: Version) -> None:
        while len(self._last_used) > self._capacity:
            session, self.horizon = self._last_used.popitem(last=False)
            editor.remove(outcome_key(session))
        editor.put(_HORIZON_KEY, version, self.horizon.to_bytes(8, "big"))

    def check_invariants(self, tree: Tree) -> None:
        anew = OutcomeTable(tree, self._capacity)
        invariant(list(self._last_used.items()) == list(anew._last_used.items()), "the outcome table follows the tree")
        invariant(self.horizon == anew.horizon, "the horizon follows the tree")
        invariant(len(self) <= self._capacity, "the outcome table is bounded")
        invariant(all(self.horizon <= version for version in self._last_used.values()), "the oldest are evicted first")
