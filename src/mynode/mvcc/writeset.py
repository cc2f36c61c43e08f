"""The write set: what a transaction will write, and how much room it takes."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final, TypeAlias

from mynode.base.invariant import invariant
from mynode.base.limits import MAX_TRANSACTION_BYTES
from mynode.base.sql_errors import ProgramLimitExceededError

Write: TypeAlias = tuple[bytes, bytes | None]
"""A key and its new value; None deletes."""

_WRITE_OVERHEAD_BYTES: Final = 10
"""What encoding adds to a key and its value, at most."""

_Before: TypeAlias = tuple[bytes | None, ...]
"""What was to be written at a key before a savepoint's first write of it, alone in the tuple; empty: nothing."""


class WriteSet:
    """The last write of each key.

    Attributes:
        values: by key; None is a deletion. Changed by `put` only.
        size_bytes: upper bound of the encoded size, at most `limits.MAX_TRANSACTION_BYTES`.

    Savepoints nest: 0 is the oldest. Each remembers what the keys that were written since were before.

    Invariants: `size_bytes` is the sum over `values`; the sorted keys, once made, are those of `values`.
    """

    __slots__ = ("_sorted_keys", "_undo", "size_bytes", "values")

    def __init__(self) -> None:
        self.values: dict[bytes, bytes | None] = {}
        self.size_bytes = 0
        self._sorted_keys: list[bytes] | None = None  # made by the first scan, which most transactions never need
        self._undo: list[dict[bytes, _Before]] = []

    def __len__(self) -> int:
        return len(self.values)

    def copy(self) -> WriteSet:
        """The same writes, without the savepoints."""
        made = WriteSet()
        made.values, made.size_bytes = dict(self.values), self.size_bytes
        return made

    def put(self, key: bytes, value: bytes | None) -> None:
        """Set or, with None, delete `key`.

        Raises:
            ProgramLimitExceededError: the transaction would be over `limits.MAX_TRANSACTION_BYTES`.
        """
        if key in self.values:
            added_bytes = len(value or b"") - len(self.values[key] or b"")
        else:
            added_bytes = len(key) + len(value or b"") + _WRITE_OVERHEAD_BYTES
        if self.size_bytes + added_bytes > MAX_TRANSACTION_BYTES:
            raise ProgramLimitExceededError(
                f"the transaction writes more than {MAX_TRANSACTION_BYTES} bytes", hint="Split it into smaller ones."
            )
        self.size_bytes += added_bytes
        if self._undo and key not in self._undo[-1]:
            self._undo[-1][key] = (self.values[key],) if key in self.values else ()
        if self._sorted_keys is not None and key not in self.values:
            insort(self._sorted_keys, key)
        self.values[key] = value

    @property
    def savepoints(self) -> int:
        """How many there are now."""
        return len(self._undo)

    def savepoint(self) -> int:
        """Remember this state, inside of the savepoints that there are; returns the new one's number, from 0."""
        self._undo.append({})
        return len(self._undo) - 1

    def written_since(self, savepoint: int) -> list[bytes]:
        """The keys written since the newest savepoint, which `savepoint` is, in the order of their first writes."""
        return list(self._undo[savepoint])

    def rollback_to(self, savepoint: int) -> None:
        """Undo every write since the savepoint, which stays; those inside of it are gone."""
        for undo in reversed(self._undo[savepoint:]):
            for key, before in undo.items():
                self._restore(key, before)
        self._undo[savepoint:] = [{}]

    def release(self, savepoint: int) -> None:
        """Forget the savepoint and those inside of it; the writes stay."""
        released = self._undo[savepoint:]
        del self._undo[savepoint:]
        if self._undo:
            outer = self._undo[-1]
            for undo in released:
                for key, before in undo.items():
                    outer.setdefault(key, before)

    def _restore(self, key: bytes, before: _Before) -> None:
        self.size_bytes += sum(len(value or b"") for value in before) - len(self.values[key] or b"")
        if before:
            self.values[key] = before[0]
        else:
            self.size_bytes -= len(key) + _WRITE_OVERHEAD_BYTES
            del self.values[key]
            self._sorted_keys = None

    def in_range(self, low: bytes, high: bytes | None) -> list[Write]:
        """The writes with low <= key < high (None: to the end) as they are now, in key order."""
        keys = self._sorted_keys
        if keys is None:
            keys = self._sorted_keys = sorted(self.values)
        end = len(keys) if high is None else bisect_left(keys, high)
        return [(key, self.values[key]) for key in keys[bisect_left(keys, low) : end]]

    def in_order(self) -> tuple[Write, ...]:
        """All writes in key order, as a command carries them."""
        return tuple(sorted(self.values.items()))

    def check_invariants(self) -> None:
        size_bytes = sum(len(key) + len(value or b"") + _WRITE_OVERHEAD_BYTES for key, value in self.values.items())
        invariant(self.size_bytes == size_bytes, "the size of a write set is the sum of its writes")
        invariant(all(undo.keys() <= self.values.keys() for undo in self._undo), "what can be undone was written")
        invariant(self._sorted_keys in (None, sorted(self.values)), "the sorted keys are those written")
