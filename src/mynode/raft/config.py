"""What a `RaftCore` starts from: its configuration, and what its log store holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mynode.base import limits
from mynode.base.ids import Incarnation, LogIndex, NodeId, Term
from mynode.raft.effects import HardState, Snapshot
from mynode.raft.messages import Entry


@dataclass(frozen=True, slots=True)
class RaftConfig:
    """One node's settings; units and meanings as of the same names in `mynode.base.limits`.

    `voters` and their `addresses` are the members that a cluster begins with: they count until the log or a snapshot
    brings a configuration. A node that joins a running cluster has none; it waits to be added. `incarnation` is this
    node's, or empty.
    """

    node_id: NodeId
    voters: tuple[NodeId, ...]
    addresses: Mapping[NodeId, str] = field(default_factory=dict)
    incarnation: Incarnation = ""
    election_ticks: int = limits.ELECTION_TICKS
    heartbeat_ticks: int = limits.HEARTBEAT_TICKS
    max_append_bytes: int = limits.MAX_APPEND_BYTES
    max_append_entries: int = limits.MAX_APPEND_ENTRIES
    max_inflight_appends: int = limits.MAX_INFLIGHT_APPENDS
    max_uncommitted_bytes: int = limits.MAX_UNCOMMITTED_BYTES
    max_load_bytes: int = limits.MAX_LOAD_BYTES
    log_tail_bytes: int = limits.LOG_TAIL_BYTES
    snapshot_chunk_bytes: int = limits.SNAPSHOT_CHUNK_BYTES
    caught_up_entries: int = limits.CAUGHT_UP_ENTRIES
    follower_patience_ticks: int = limits.FOLLOWER_PATIENCE_TICKS
    promise_ms: int = 0
    """This node gives no vote for so long after it heard a leader, also if it restarts meanwhile; 0: not promised.

    `election_ticks` ticks must take at least so long by its clock.
    """
    lease_reads: bool = False
    """As a leader, answer reads without a heartbeat round while a quorum's promises last; see `lease`."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What the log store holds when the node starts.

    - `first_index`: the log's first entry; 1 for a whole log.
    - `tail`: the newest entries, about `limits.LOG_TAIL_BYTES` of them; at least one unless the log is empty.
    - `term_runs`: the terms of all entries, from the one before `first_index` on: the (index, term) where each run of
      equal terms begins, ascending. So the core knows the term of entries that it does not hold in memory. May be left
      out when the tail is a whole log.
    - `applied_index`: the state machine's state includes everything up to here; delivery goes on after it.
    - `snapshot`: the newest snapshot that can be sent to a follower. The log begins at most one after it and does not
      end before it (what a crash left of a log that a snapshot was to replace has been emptied).
    - `configs`: the log's entries of kind CONFIG that are before the tail.
    """

    hard_state: HardState = field(default_factory=lambda: HardState(0, None))
    first_index: LogIndex = 1
    tail: tuple[Entry, ...] = ()
    term_runs: tuple[tuple[LogIndex, Term], ...] = ()
    applied_index: LogIndex = 0
    snapshot: Snapshot | None = None
    configs: tuple[Entry, ...] = ()


def term_runs(entries: Iterable[Entry]) -> tuple[tuple[LogIndex, Term], ...]:
    """The `Restored.term_runs` of a whole log."""
    runs: list[tuple[LogIndex, Term]] = [(0, 0)]
    runs.extend((entry.index, entry.term) for entry in entries)
    return tuple(run for place, run in enumerate(runs) if place == 0 or run[1] != runs[place - 1][1])


def restored_from(
    hard_state: HardState, entries: Sequence[Entry], *, applied_index: LogIndex = 0, tail_entries: int | None = None
) -> Restored:
    """`Restored` of a log that begins at 1 and is all at hand; only its newest `tail_entries` become the tail."""
    tail = entries if tail_entries is None else entries[max(len(entries) - tail_entries, 0) :]
    return Restored(hard_state=hard_state, term_runs=term_runs(entries), tail=tuple(tail), applied_index=applied_index)
