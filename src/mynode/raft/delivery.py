"""Delivery: committed entries to the state machine, in order, each once, and only when they are durable here."""

from __future__ import annotations

from mynode.base.ids import LogIndex
from mynode.base.invariant import invariant
from mynode.raft.events import EntriesLoaded
from mynode.raft.messages import Entry
from mynode.raft.proposals import Proposals
from mynode.raft.state import NodeState


class Delivery:
    """Follows the commit index. What is older than the log's tail (after a restart) is loaded from the log store.

    Invariants: `delivered_index` <= min(commit, durable_index), and never falls.
    """

    def __init__(self, state: NodeState, proposals: Proposals, applied_index: LogIndex) -> None:
        self._state = state
        self._proposals = proposals
        self.delivered_index: LogIndex = applied_index
        self.paused = False
        self._load_generation: int | None = None

    def entries_loaded(self, event: EntriesLoaded) -> None:
        if event.generation != self._load_generation:
            return
        self._load_generation = None
        invariant(bool(event.entries), "what is not applied yet is not cut off")
        self._deliver(event.entries)

    def deliver(self) -> None:
        """At the end of a step: hand over what is due, at most about max_load_bytes of it."""
        state = self._state
        log = state.log
        due = min(state.commit, log.durable_index)
        first = self.delivered_index + 1
        if self.paused or first > due or self._load_generation is not None or state.installing is not None:
            return
        if first < log.tail_start:
            last = min(due, log.tail_start - 1)
            self._load_generation = state.load(first, last, state.config.max_load_bytes)
            return
        self._deliver(log.entries_from(first, due - first + 1, state.config.max_load_bytes))
        state.effects.more_committed = self.delivered_index < due

    def stop(self) -> None:
        """A snapshot is about to replace the state: what is being loaded is not delivered any more."""
        self._load_generation = None

    def skip_to(self, index: LogIndex) -> None:
        """The state is now that of a snapshot, as of `index`."""
        invariant(index > self.delivered_index, "a snapshot is ahead of the state that it replaces")
        self.delivered_index = index

    def _deliver(self, entries: tuple[Entry, ...]) -> None:
        invariant(entries[0].index == self.delivered_index + 1, "entries are delivered in order")
        self._state.effects.committed.extend(entries)
        self.delivered_index = entries[-1].index
        self._proposals.delivered(entries)

    def check_invariants(self) -> None:
        due = min(self._state.commit, self._state.log.durable_index)
        invariant(self.delivered_index <= due, "only what is committed and durable is delivered")
