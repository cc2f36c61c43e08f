"""A read view: the state as of one raft index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mynode.base.ids import Version
from mynode.storage.tree import Tree


@dataclass(frozen=True, slots=True)
class ReadView:
    """An immutable state, open for reading for as long as somebody holds it. Deleted keys do not show."""

    version: Version
    """The raft index of the last entry applied to it."""
    tree: Tree

    def get(self, key: bytes) -> bytes | None:
        """The value of `key`, None if there is none."""
        record = self.tree.get(key)
        return None if record is None else record[1]

    def scan(self, low: bytes, high: bytes | None, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Keys with low <= key < high (None: to the end) and their values, in key order."""
        for keys, values in self.scan_leaves(low, high, reverse=reverse):
            yield from zip(keys, values, strict=True)

    def scan_leaves(
        self, low: bytes, high: bytes | None, *, reverse: bool = False
    ) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """The same as `scan`, a leaf at a time: parallel lists, perhaps empty, not to be changed."""
        for keys, records in self.tree.scan_leaves(low, high, reverse=reverse):
            values = [value for _, value in records if value is not None]
            if len(values) < len(keys):
                yield [key for key, (_, value) in zip(keys, records, strict=True) if value is not None], values
            else:
                yield keys, values

    def newest_in(self, low: bytes, high: bytes | None) -> Version:
        """The newest version in the range, deletions included; 0 if nothing was ever there."""
        return self.tree.newest_in(low, high)

    def newest_exceeds(self, low: bytes, high: bytes | None, version: Version) -> bool:
        """Whether `newest_in` of the range is newer than `version`; looks at little more than what settles it."""
        return self.tree.newest_exceeds(low, high, version)
