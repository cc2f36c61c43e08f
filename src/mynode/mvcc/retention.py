"""How much of the past is kept: replicated state that ALTER SYSTEM changes.

The tree holds one record of it among the machine's own, once it was ever changed:

| key   | value                                                                                           |
|-------|-------------------------------------------------------------------------------------------------|
| f0 05 | entries, floor: 8 bytes big endian each                                                         |

The watermark at an index of the log is the oldest version that can be read, or validated against, there. It follows
from the index and this record only. So whoever has a view has its watermark, and all nodes have the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mynode.base.ids import LogIndex, Version
from mynode.base.limits import RETENTION_ENTRIES
from mynode.mvcc import keyspace
from mynode.mvcc.view import ReadView
from mynode.storage.tree import TreeEditor, TreeReader

_KEY: Final = keyspace.MACHINE + b"\x05"
_NUMBER_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Retention:
    """
    Attributes:
        entries: how many entries of the log the watermark is behind the newest, at most.
        floor: the watermark when this was set: what was older may be gone, and a larger number does not bring it back.
    """

    entries: int = RETENTION_ENTRIES
    floor: Version = 0

    def watermark(self, index: LogIndex) -> Version:
        return max(self.floor, index - self.entries)

    def changed(self, index: LogIndex, entries: int) -> Retention:
        """The entry at `index` sets another number. The watermark never goes back."""
        return Retention(entries, self.watermark(index))


_DEFAULT: Final = Retention()


def retention_of(tree: TreeReader, default: Retention = _DEFAULT) -> Retention:
    """The tree's; `default` if it was never changed."""
    record = tree.get(_KEY)
    if record is None or record[1] is None:
        return default
    numbers = record[1]
    return Retention(int.from_bytes(numbers[:_NUMBER_BYTES], "big"), int.from_bytes(numbers[_NUMBER_BYTES:], "big"))


def put_retention(editor: TreeEditor, version: Version, retention: Retention) -> None:
    numbers = (retention.entries, retention.floor)
    editor.put(_KEY, version, b"".join(number.to_bytes(_NUMBER_BYTES, "big") for number in numbers))


def watermark(view: ReadView) -> Version:
    """The oldest version that can be read from the view, as far as it is not `history.horizon` that says so."""
    return retention_of(view.tree).watermark(view.version)
