"""The raft log as the core sees it: the newest entries in memory, and of all older ones only their terms.

The log store holds every entry; this class follows what it was told to hold (`take_unpersisted`) and what it has
made durable (`persisted`). A term changes only with a leader, so the terms of a whole log are a few runs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from typing import Final

from mynode.base.ids import LogIndex, Term
from mynode.base.invariant import invariant
from mynode.raft.config import Restored, term_runs
from mynode.raft.messages import Entry

ENTRY_OVERHEAD_BYTES: Final = 200
"""What an entry costs in memory beside its payload: the object, its integers and its slots in lists, measured."""


def take(entries: Sequence[Entry], offset: int, max_entries: int, max_bytes: int) -> tuple[Entry, ...]:
    """Entries from `offset` on, within both bounds; at least one, if there is one."""
    chunk = entries[offset : offset + max_entries]
    size = 0
    for count, entry in enumerate(chunk):
        size += len(entry.payload)
        if size > max_bytes and count:
            return tuple(chunk[:count])
    return tuple(chunk)


class Log:
    """The log's tail, its terms, and how much of it is durable.

    Invariants:
        - base_index <= durable_index <= last_index;
        - the tail's entries follow each other from `tail_start` to `last_index`; all older entries are durable;
        - terms do not decrease with the index;
        - everything before `_unhanded` was handed to the log store.
    """

    def __init__(self, restored: Restored, max_tail_bytes: int) -> None:
        self.base_index: LogIndex = restored.first_index - 1
        self.last_index: LogIndex = restored.tail[-1].index if restored.tail else self.base_index
        self.durable_index: LogIndex = self.last_index
        self.tail_start: LogIndex = self.last_index - len(restored.tail) + 1
        self._tail: list[Entry] = list(restored.tail)
        self._tail_bytes = _memory_bytes(self._tail)
        self._max_tail_bytes = max_tail_bytes
        is_whole = self.tail_start == 1
        invariant(is_whole or bool(restored.term_runs), "the terms of entries that are not in memory are restored")
        runs = restored.term_runs or term_runs(restored.tail)
        self._run_starts: list[LogIndex] = [index for index, _ in runs]
        self._run_terms: list[Term] = [term for _, term in runs]
        self._unhanded: LogIndex = self.last_index + 1
        self._handed: deque[tuple[int, LogIndex]] = deque()
        self.check_invariants()

    # --- reading -----------------------------------------------------------------------------------------------------

    @property
    def last_term(self) -> Term:
        return self._run_terms[-1]

    def term_at(self, index: LogIndex) -> Term:
        """The term of the entry at `index`, which is base_index to last_index."""
        if index >= self._run_starts[-1]:
            return self._run_terms[-1]
        run = bisect_right(self._run_starts, index)
        invariant(run > 0, "the term of what was cut off is not known")
        return self._run_terms[run - 1]

    def holds(self, index: LogIndex, term: Term) -> bool:
        """Whether the entry at `index` is of `term` (then all before it are equal too: Log Matching, Figure 3)."""
        return self.base_index <= index <= self.last_index and self.term_at(index) == term

    def newest_of_term_at_most(self, index: LogIndex, term: Term) -> LogIndex:
        """The newest index up to `index` whose entry's term is at most `term`; base_index if there is none."""
        run = bisect_right(self._run_starts, index) - 1
        while run > 0 and self._run_terms[run] > term:
            index = self._run_starts[run] - 1
            run -= 1
        return index

    def entries_from(self, first: LogIndex, max_entries: int, max_bytes: int) -> tuple[Entry, ...]:
        """Entries of the tail from `first`, which is at least `tail_start`, within both bounds."""
        return take(self._tail, first - self.tail_start, max_entries, max_bytes)

    # --- writing -----------------------------------------------------------------------------------------------------

    def append(self, entries: Sequence[Entry]) -> None:
        """Put entries, at least one, after the last one."""
        invariant(entries[0].index == self.last_index + 1, "an append continues the log")
        self._tail.extend(entries)
        self._tail_bytes += _memory_bytes(entries)
        self.last_index = entries[-1].index
        if entries[-1].term != self._run_terms[-1]:
            for entry in entries:
                if entry.term != self._run_terms[-1]:
                    self._run_starts.append(entry.index)
                    self._run_terms.append(entry.term)

    def truncate(self, first: LogIndex) -> list[Entry]:
        """Cut off everything from `first` on; an append follows in the same step.

        Returns the entries removed, save those that a restart left out of memory.
        """
        invariant(self.base_index < first <= self.last_index, "a truncation is inside the log")
        keep = max(first - self.tail_start, 0)
        removed = self._tail[keep:]
        del self._tail[keep:]
        self._tail_bytes -= _memory_bytes(removed)
        self.tail_start = min(self.tail_start, first)
        while self._run_starts[-1] >= first:
            self._run_starts.pop()
            self._run_terms.pop()
        self.last_index = first - 1
        self.durable_index = min(self.durable_index, first - 1)
        self._unhanded = min(self._unhanded, first)
        # What an earlier persist made durable from `first` on is no longer part of this log.
        self._handed = deque((number, min(last, first - 1)) for number, last in self._handed)
        return removed

    def trim(self, commit: LogIndex) -> None:
        """Once the tail is a quarter over its bound, forget its oldest entries: what is durable and committed.

        What may yet be truncated stays, so that `truncate` can say what it removed.
        """
        if self._tail_bytes <= self._max_tail_bytes + self._max_tail_bytes // 4:
            return
        count = 0
        settled = min(self.durable_index, commit) - self.tail_start + 1
        while count < settled and self._tail_bytes > self._max_tail_bytes:
            self._tail_bytes -= len(self._tail[count].payload) + ENTRY_OVERHEAD_BYTES
            count += 1
        del self._tail[:count]
        self.tail_start += count

    def compact(self, first_index: LogIndex) -> None:
        """The log store has cut off what is before `first_index`; all of it is durable, committed and in a snapshot."""
        base = first_index - 1
        invariant(base <= self.durable_index, "only what is durable is cut off")
        if base <= self.base_index:
            return
        forgotten = max(first_index - self.tail_start, 0)
        self._tail_bytes -= _memory_bytes(self._tail[:forgotten])
        del self._tail[:forgotten]
        self.tail_start += forgotten
        term = self.term_at(base)
        passed = bisect_right(self._run_starts, base)
        self._run_starts[:passed] = [base]
        self._run_terms[:passed] = [term]
        self.base_index = base

    def replace(self, base_index: LogIndex, base_term: Term) -> None:
        """A snapshot took the log's place: it is empty, and goes on after (`base_index`, `base_term`)."""
        self._tail = []
        self._tail_bytes = 0
        self._handed.clear()
        self._run_starts, self._run_terms = [base_index], [base_term]
        self.base_index = self.last_index = self.durable_index = base_index
        self.tail_start = self._unhanded = base_index + 1

    # --- durability --------------------------------------------------------------------------------------------------

    @property
    def has_unpersisted(self) -> bool:
        return self._unhanded <= self.last_index

    def take_unpersisted(self, number: int) -> tuple[Entry, ...]:
        """The entries that persist `number` shall make durable: all that were not handed out yet."""
        entries = tuple(self._tail[self._unhanded - self.tail_start :]) if self.has_unpersisted else ()
        self._unhanded = self.last_index + 1
        self._handed.append((number, self.last_index))
        return entries

    def persisted(self, number: int) -> None:
        """Persist `number`, and all before it, is durable."""
        while self._handed and self._handed[0][0] <= number:
            self.durable_index = max(self.durable_index, self._handed.popleft()[1])

    def check_invariants(self) -> None:
        invariant(self.base_index <= self.durable_index <= self.last_index, "durable is inside the log")
        invariant(self.tail_start + len(self._tail) == self.last_index + 1, "the tail ends at the last index")
        invariant(self.tail_start - 1 <= self.durable_index, "what is not in memory is durable")
        invariant(self.tail_start <= self._unhanded <= self.last_index + 1, "what is to be persisted is in memory")
        for offset, entry in enumerate(self._tail):
            invariant(entry.index == self.tail_start + offset, "entries follow each other")
            invariant(entry.term == self.term_at(entry.index), "the terms' runs agree with the entries")
        invariant(self._run_starts[0] == self.base_index, "the first run is of the entry before the log")
        invariant(self._run_terms == sorted(set(self._run_terms)), "terms rise from run to run")
        invariant(self._run_starts == sorted(set(self._run_starts)), "runs follow each other")
        invariant(self._tail_bytes == _memory_bytes(self._tail), "the tail's bytes are counted")


def _memory_bytes(entries: Sequence[Entry]) -> int:
    return sum([len(entry.payload) for entry in entries]) + ENTRY_OVERHEAD_BYTES * len(entries)
