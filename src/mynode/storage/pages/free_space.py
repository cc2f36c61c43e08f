"""Which pages are free: runs of pages to take, neighbours made one as they come back."""

from __future__ import annotations

from collections.abc import Iterable

from mynode.base.invariant import invariant
from mynode.storage.pages.format import Extent


class FreeSpace:
    """The free pages below `end`; whoever needs more than there is in a row gets pages from `end` on.

    Invariants (`check_invariants`): extents do not overlap or touch, all lie below `end`; the three indexes agree.
    """

    def __init__(self, extents: Iterable[Extent], end: int) -> None:
        self.end = end
        self.pages = 0
        """How many are free."""
        self._length_at: dict[int, int] = {}
        self._start_before: dict[int, int] = {}
        self._starts_by_length: dict[int, dict[int, None]] = {}
        for extent in extents:
            self.release(extent)

    def __len__(self) -> int:
        return len(self._length_at)

    def extents(self) -> list[Extent]:
        """All of them, in the order of the file."""
        return sorted(self._length_at.items())

    def allocate(self, pages: int) -> int:
        """The first of `pages` pages in a row, which are then no longer free: the tightest fit."""
        length = pages if pages in self._starts_by_length else self._shortest_over(pages)
        if length is None:
            start = self.end
            self.end += pages
            return start
        start = next(iter(self._starts_by_length[length]))
        self._take_out(start, length)
        if length > pages:
            self._put_in(start + pages, length - pages)
        return start

    def _shortest_over(self, pages: int) -> int | None:
        return min((length for length in self._starts_by_length if length > pages), default=None)

    def release(self, extent: Extent) -> None:
        """These pages are free again."""
        start, length = extent
        before = self._start_before.get(start)
        if before is not None:
            before_length = start - before
            self._take_out(before, before_length)
            start, length = before, length + before_length
        after_length = self._length_at.get(start + length)
        if after_length is not None:
            self._take_out(start + length, after_length)
            length += after_length
        self._put_in(start, length)

    def _put_in(self, start: int, length: int) -> None:
        self._length_at[start] = length
        self._start_before[start + length] = start
        self._starts_by_length.setdefault(length, {})[start] = None
        self.pages += length

    def _take_out(self, start: int, length: int) -> None:
        del self._length_at[start], self._start_before[start + length]
        starts = self._starts_by_length[length]
        del starts[start]
        if not starts:
            del self._starts_by_length[length]
        self.pages -= length

    def check_invariants(self) -> None:
        extents = self.extents()
        ends = [start + length for start, length in extents]
        invariant(
            all(end < start for end, (start, _) in zip(ends, extents[1:], strict=False)), "free extents stand apart"
        )
        invariant(not ends or ends[-1] <= self.end, "free pages lie below the end")
        invariant(self._start_before == {start + length: start for start, length in extents}, "ends lead to starts")
        by_length = {(length, start) for length, starts in self._starts_by_length.items() for start in starts}
        invariant(by_length == {(length, start) for start, length in extents}, "lengths lead to starts")
        invariant(self.pages == sum(length for _, length in extents), "free pages are counted")
