"""Where each entry of the raft log lies: in memory, about 12 bytes an entry, rebuilt from the segments at start."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import pairwise

from mynode.base.ids import LogIndex, Term
from mynode.base.invariant import invariant
from mynode.storage.raft_log.format import Cut, EntryBlock


@dataclass(slots=True)
class SegmentIndex:
    """One segment and the log's entries in it: `offsets[i]`, `lengths[i]` are of the record of entry `first + i`.

    `size_bytes` is how long the segment is (its last batch's seal included).
    """

    name: str
    sequence: int
    salt: int
    first: LogIndex
    size_bytes: int
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("I"))

    @property
    def end(self) -> LogIndex:
        """The index after the last entry here."""
        return self.first + len(self.offsets)


class LogIndexTable:
    """All segments in order, and the term of every entry as runs of equal terms.

    Invariants:
    - there is at least one segment; each begins with the index where the one before it ends.
    - run k is (from `run_starts[k]`, `run_terms[k]`), both rising; the first run is of the entry before `first_index`,
      so that its term is known, too.
    """

    def __init__(self, segment: SegmentIndex, term_before: Term) -> None:
        self.segments = [segment]
        self._run_starts = [segment.first - 1]
        self._run_terms = [term_before]

    @property
    def first_index(self) -> LogIndex:
        return self.segments[0].first

    @property
    def last_index(self) -> LogIndex:
        return self.segments[-1].end - 1

    @property
    def last_term(self) -> Term:
        return self._run_terms[-1]

    def term_runs(self) -> tuple[tuple[LogIndex, Term], ...]:
        """(index, term) of the entry before `first_index`, then of the first entry of every later run."""
        return tuple(zip(self._run_starts, self._run_terms, strict=True))

    def term_of(self, index: LogIndex) -> Term:
        """The term of an entry from `first_index - 1` to `last_index`."""
        invariant(self.first_index - 1 <= index <= self.last_index, f"entry {index} is in the log")
        return self._run_terms[bisect_right(self._run_starts, index) - 1]

    def apply(self, change: Cut | EntryBlock) -> None:
        if isinstance(change, Cut):
            self._cut(change)
        else:
            self._extend(change)

    def problem_of(self, change: Cut | EntryBlock) -> str | None:
        """Why `change` cannot follow what is here, in words; None if it can."""
        if isinstance(change, Cut):
            if change.first_removed > self.last_index + 1:
                return f"the log is cut at {change.first_removed}, but ends with entry {self.last_index}"
        elif change.first != self.last_index + 1:
            return f"entry {change.first} follows entry {self.last_index}"
        elif change.term_runs[0][1] < self.last_term:
            return f"entry {change.first} is of an older term than the one before it"
        return None

    def _extend(self, block: EntryBlock) -> None:
        newest = self.segments[-1]
        invariant(block.first == newest.end, "entries follow the last one")
        newest.offsets.extend(block.offsets)
        newest.lengths.extend(block.lengths)
        for start, term in block.term_runs:
            if term != self.last_term:
                self._run_starts.append(start)
                self._run_terms.append(term)

    def _cut(self, cut: Cut) -> None:
        first = cut.first_removed
        for segment in reversed(self.segments):
            kept = max(0, first - segment.first)
            if kept > 0:
                del segment.offsets[kept:], segment.lengths[kept:]
                break
            segment.first = first
            del segment.offsets[:], segment.lengths[:]
        keep = bisect_left(self._run_starts, first)
        del self._run_starts[keep:], self._run_terms[keep:]
        if not self._run_starts:
            # The cut goes behind the first segment (entries that truncate_front removed were rewritten before that).
            self._run_starts, self._run_terms = [first - 1], [cut.term_before]

    def add_segment(self, segment: SegmentIndex) -> None:
        invariant(segment.first == self.last_index + 1, "a segment begins where the one before it ends")
        self.segments.append(segment)

    def drop_first_segment(self) -> None:
        invariant(len(self.segments) > 1, "the newest segment stays")
        before = self.segments[1].first - 1
        term = self.term_of(before)
        del self.segments[0]
        run = bisect_right(self._run_starts, before)
        self._run_starts[:run] = [before]
        self._run_terms[:run] = [term]

    def segment_of(self, index: LogIndex) -> SegmentIndex:
        """The segment that holds the entry; where empty segments begin with the same index, the last one does."""
        return self.segments[bisect_right(self.segments, index, key=lambda segment: segment.first) - 1]

    def first_of_tail(self, max_bytes: int) -> LogIndex:
        """The oldest of the newest entries whose records fit `max_bytes`, at least one; `last_index` + 1 if none."""
        first, total = self.last_index + 1, 0
        for segment in reversed(self.segments):
            for length in reversed(segment.lengths):
                total += length
                if total > max_bytes and first <= self.last_index:
                    return first
                first -= 1
        return first

    def check_invariants(self) -> None:
        for earlier, later in pairwise(self.segments):
            invariant(earlier.end == later.first, "segments follow each other without a gap")
            invariant(earlier.sequence + 1 == later.sequence, "segment numbers rise by one")
        for segment in self.segments:
            invariant(len(segment.offsets) == len(segment.lengths), "each entry has an offset and a length")
            ends = [offset + length for offset, length in zip(segment.offsets, segment.lengths, strict=True)]
            invariant(
                all(end <= start for end, start in zip(ends, [*segment.offsets[1:], segment.size_bytes], strict=False)),
                "records do not overlap and lie inside their segment",
            )
        invariant(self._run_starts[0] == self.first_index - 1, "the first run is of the entry before the first")
        for values in (self._run_starts, self._run_terms):
            invariant(all(a < b for a, b in pairwise(values)), "runs of terms rise")
        invariant(self._run_starts[-1] <= self.last_index, "runs of terms end with the log")
