"""One open transaction: reads its view and its own writes, and remembers both."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TypeAlias

from mynode.mvcc.readset import ReadSet
from mynode.mvcc.view import ReadView
from mynode.mvcc.writeset import Write, WriteSet

Item: TypeAlias = tuple[bytes, bytes]
"""A key and its value."""

Run: TypeAlias = tuple[list[bytes], list[bytes]]
"""Keys and their values, in parallel lists."""


class _Walk:
    """How far an open scan has come: nothing yet, to `last` (the last key it gave out), or all of its range."""

    __slots__ = ("done", "high", "last", "low", "reverse")

    def __init__(self, low: bytes, high: bytes | None, *, reverse: bool) -> None:
        self.low = low
        self.high = high
        self.reverse = reverse
        self.last: bytes | None = None
        self.done = False

    def record(self, reads: ReadSet) -> None:
        """Add the part of the range that the scan has really walked."""
        if self.done:
            reads.add_range(self.low, self.high)
        elif self.last is None:
            return
        elif self.reverse:
            reads.add_range(self.last, self.high)
        else:
            reads.add_range(self.low, self.last + b"\0")


class Transaction:
    """Reads and writes of one transaction on one view.

    A read of a key that the transaction itself wrote rests on nobody else, so it does not enter the read set. With
    `record_reads` False (a read-only statement, which needs no validation) no read set is kept at all.
    """

    __slots__ = ("_open_walks", "_reads", "record_reads", "view", "writes")

    def __init__(self, view: ReadView, *, record_reads: bool = True) -> None:
        self.view = view
        self.record_reads = record_reads
        self.writes = WriteSet()
        self._reads = ReadSet()
        self._open_walks: dict[_Walk, None] = {}

    @property
    def reads(self) -> ReadSet:
        """What has been read so far, by scans that are still open too."""
        for walk in self._open_walks:
            walk.record(self._reads)
        return self._reads

    def at_present(self) -> Transaction:
        """The transaction as it is now, for reading: without what it writes from here on. What is read counts alike."""
        made = Transaction(self.view, record_reads=self.record_reads)
        made._reads, made._open_walks = self._reads, self._open_walks
        made.writes = self.writes.copy()
        return made

    def get(self, key: bytes) -> bytes | None:
        """The value of `key` as this transaction sees it, None if there is none."""
        if key in self.writes.values:
            return self.writes.values[key]
        if self.record_reads:
            self._reads.add_key(key)
        return self.view.get(key)

    def exists(self, key: bytes) -> bool:
        """Whether there is a value at `key`. If so, another value conflicts with nothing; only that it goes does."""
        if key in self.writes.values:
            return self.writes.values[key] is not None
        is_there = self.view.get(key) is not None
        if self.record_reads:
            (self._reads.add_present if is_there else self._reads.add_key)(key)
        return is_there

    def read_again(self, key: bytes) -> bytes | None:
        """As `get`, for a key that the read set covers already: because it was read, or a range with it."""
        if key in self.writes.values:
            return self.writes.values[key]
        return self.view.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Set `key`.

        Raises:
            ProgramLimitExceededError: the transaction would be over `limits.MAX_TRANSACTION_BYTES`.
        """
        self.writes.put(key, value)

    def delete(self, key: bytes) -> None:
        """Delete `key`, whether it is there or not. Raises as `put` does."""
        self.writes.put(key, None)

    def scan(self, low: bytes, high: bytes | None, *, reverse: bool = False) -> Iterator[Item]:
        """Keys with low <= key < high (None: to the end) and their values, in key order, own writes merged in.

        The scan sees the writes made before its first item, none made while it runs. The range walked enters the read
        set: all of it if the scan runs to its end, else up to the last key it gave out.
        """
        items = self.view.scan(low, high, reverse=reverse)
        if self.writes.values:
            own = self.writes.in_range(low, high)
            if own:
                items = _merge(items, own[::-1] if reverse else own, reverse=reverse)
        if not self.record_reads:
            yield from items
            return
        walk = _Walk(low, high, reverse=reverse)
        self._open_walks[walk] = None
        try:
            for item in items:
                walk.last = item[0]
                yield item
            walk.done = True
        finally:
            del self._open_walks[walk]
            walk.record(self._reads)

    def scan_runs(
        self, low: bytes, high: bytes | None, *, reverse: bool = False, first: int, longest: int
    ) -> Iterator[Run]:
        """As `scan`, in runs, not to be changed; the last one can be empty.

        Args:
            first: items of the first run; each is twice as long as the one before it, up to `longest`. The read set
                grows by runs.
        """
        if self.writes.values and self.writes.in_range(low, high):
            runs = runs_of(self.scan(low, high, reverse=reverse), first, longest)
        else:
            runs = _resized(self.view.scan_leaves(low, high, reverse=reverse), first, longest)
            if self.record_reads:
                runs = self._recorded(runs, _Walk(low, high, reverse=reverse))
        return runs

    def _recorded(self, runs: Iterator[Run], walk: _Walk) -> Iterator[Run]:
        self._open_walks[walk] = None
        try:
            for run in runs:
                if run[0]:
                    walk.last = run[0][-1]
                yield run
            walk.done = True
        finally:
            del self._open_walks[walk]
            walk.record(self._reads)


def runs_of(items: Iterator[Item], size: int, longest: int) -> Iterator[Run]:
    """The items in runs, as `Transaction.scan_runs` has them."""
    while True:
        run = list(islice(items, size))
        yield [key for key, _ in run], [value for _, value in run]
        if len(run) < size:
            return
        size = min(size * 2, longest)


def _resized(leaves: Iterator[Run], size: int, longest: int) -> Iterator[Run]:
    """The same items, cut and joined to runs of these sizes."""
    keys: list[bytes] = []
    values: list[bytes] = []
    for more_keys, more_values in leaves:
        keys, values = keys + more_keys, values + more_values
        start = 0
        while len(keys) - start >= size:
            end = start + size
            yield keys[start:end], values[start:end]
            start, size = end, min(size * 2, longest)
        keys, values = keys[start:], values[start:]
    yield keys, values


def _merge(items: Iterator[Item], own: list[Write], *, reverse: bool) -> Iterator[Item]:
    """`items` with the writes of `own` laid over them, both in the same order; a write of None hides the item."""
    item = next(items, None)
    for own_key, own_value in own:
        while item is not None and (item[0] > own_key if reverse else item[0] < own_key):
            yield item
            item = next(items, None)
        if item is not None and item[0] == own_key:
            item = next(items, None)
        if own_value is not None:
            yield own_key, own_value
    if item is not None:
        yield item
        yield from items
