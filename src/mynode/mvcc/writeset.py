"""The write set: what a transaction will write, and how much room it takes."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final, TypeAlias

from mynode.base.errors import ProgramLimitExceededError
from mynode.base.invariant import invariant
from mynode.base.limits import MAX_TRANSACTION_BYTES

Write: TypeAlias = tuple[bytes, bytes | None]
"""A key and its new value; None deletes."""

_WRITE_OVERHEAD_BYTES: Final = 10
"""What encoding adds to a key and its value, at most."""


class WriteSet:
    """The last write of each key.

    Attributes:
        values: by key; None is a deletion. Changed by `put` only.
        size_bytes: upper bound of the encoded size, at most `limits.MAX_TRANSACTION_BYTES`.

    Invariants: `size_bytes` is the sum over `values`; the sorted keys, once made, are those of `values`.
    """

    __slots__ = ("_sorted_keys", "size_bytes", "values")

    def __init__(self) -> None:
        self.values: dict[bytes, bytes | None] = {}
        self.size_bytes = 0
        self._sorted_keys: list[bytes] | None = None  # made by the first scan, which most transactions never need

    def __len__(self) -> int:
        return len(self.values)

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
        if self._sorted_keys is not None and key not in self.values:
            insort(self._sorted_keys, key)
        self.values[key] = value

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
        invariant(self._sorted_keys in (None, sorted(self.values)), "the sorted keys are those written")
