"""The read set: every key and key range that a transaction's answer rests on, absent keys included."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from mynode.base.limits import MAX_READ_SET_BYTES, MAX_READ_SET_ITEMS

KeyRange: TypeAlias = tuple[bytes, bytes | None]
"""low <= key < high; high None means to the end."""

_ITEM_OVERHEAD_BYTES: Final = 10
"""What encoding adds to a key or a range, at most."""


@dataclass(slots=True)
class ReadSet:
    """Keys and ranges, bounded: beyond `limits.MAX_READ_SET_ITEMS` or `_BYTES` neighbours grow together into ranges.

    Coarser ranges may bring a conflict that a precise set would not have had, and never hide one.

    Attributes:
        keys: a dict used as an ordered set, so that encoding does not depend on hash seeds.
        ranges: none of them empty; in the order of reading, they may overlap.
        present: keys of which the answer rests on no more than that there is a value, whatever it is.

    Invariant: everything ever added is covered.
    """

    keys: dict[bytes, None] = field(default_factory=dict)
    ranges: list[KeyRange] = field(default_factory=list)
    present: dict[bytes, None] = field(default_factory=dict)
    _size_bytes: int = field(default=0, init=False, repr=False, compare=False)

    def add_key(self, key: bytes) -> None:
        if key not in self.keys:
            self.keys[key] = None
            self._grow(len(key))

    def add_present(self, key: bytes) -> None:
        if key not in self.present and key not in self.keys:
            self.present[key] = None
            self._grow(len(key))

    def add_range(self, low: bytes, high: bytes | None) -> None:
        """Add low <= key < high; an empty range adds nothing. A range that goes on from the last one extends it."""
        if high is not None and low >= high:
            return
        if self.ranges:
            last_low, last_high = self.ranges[-1]
            if last_low <= low and (last_high is None or low <= last_high):
                further = _further(last_high, high)
                if further != last_high:
                    self.ranges[-1] = (last_low, further)
                    self._grow(0 if further is None else len(further))
                return
        self.ranges.append((low, high))
        self._grow(len(low) + (0 if high is None else len(high)))

    def __len__(self) -> int:
        return len(self.keys) + len(self.ranges) + len(self.present)

    def covers(self, key: bytes, value: bytes | None) -> bool:
        """Whether it would be seen that `key` gets this value, or with None that it is deleted."""
        if key in self.keys or (value is None and key in self.present):
            return True
        return any(low <= key and (high is None or key < high) for low, high in self.ranges)

    def _grow(self, added_bytes: int) -> None:
        self._size_bytes += added_bytes + _ITEM_OVERHEAD_BYTES
        if self._size_bytes > MAX_READ_SET_BYTES or len(self) > MAX_READ_SET_ITEMS:
            self._coarsen()

    def _coarsen(self) -> None:
        """Turn the set into disjoint ranges and join the closest neighbours until half of the bounds is free."""
        ranges = _coalesce([*self.ranges, *((key, key + b"\0") for key in (*self.keys, *self.present))])
        while len(ranges) > 1 and (_size_of(ranges) > MAX_READ_SET_BYTES // 2 or len(ranges) > MAX_READ_SET_ITEMS // 2):
            ranges = _join_closest(ranges)
        self.keys = {}
        self.present = {}
        self.ranges = ranges
        self._size_bytes = _size_of(ranges)


def _size_of(ranges: list[KeyRange]) -> int:
    """Upper bound of the encoded size."""
    return sum(len(low) + len(high or b"") + _ITEM_OVERHEAD_BYTES for low, high in ranges)


def _coalesce(ranges: Iterable[KeyRange]) -> list[KeyRange]:
    """The same keys as disjoint ranges in order, those that touch made one."""
    joined: list[KeyRange] = []
    for low, high in sorted(ranges, key=lambda item: item[0]):
        if joined and (joined[-1][1] is None or low <= joined[-1][1]):
            joined[-1] = (joined[-1][0], _further(joined[-1][1], high))
        else:
            joined.append((low, high))
    return joined


def _further(a: bytes | None, b: bytes | None) -> bytes | None:
    return None if a is None or b is None else max(a, b)


def _join_closest(ranges: list[KeyRange]) -> list[KeyRange]:
    """Close half of the gaps between disjoint ranges in order, first those whose two sides share the longest prefix.

    So keys of one table are joined long before a range spans two tables.
    """
    gaps = range(1, len(ranges))
    shared = {gap: _shared_prefix(ranges[gap - 1][0], ranges[gap][0]) for gap in gaps}
    closed = set(sorted(gaps, key=lambda gap: -shared[gap])[: (len(ranges) + 1) // 2])
    joined = ranges[:1]
    for gap in gaps:
        if gap in closed:
            joined[-1] = (joined[-1][0], ranges[gap][1])
        else:
            joined.append(ranges[gap])
    return joined


def _shared_prefix(a: bytes, b: bytes) -> int:
    """How many bytes two keys begin with in common."""
    return next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
