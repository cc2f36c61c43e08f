"""Garbage collection of whole key ranges: what a dropped table or index leaves behind.

One transaction cannot delete the rows of a big table. So who drops it only writes down that all keys with some prefix
are garbage, and the machine takes them out of the tree, a few with each entry that it applies.

| key                          | value                                                       |
|------------------------------|-------------------------------------------------------------|
| 05 prefix                    | empty; its version is the one at which the keys became it   |

They stay until the watermark reaches that version. From then on nobody who can still read, or be validated, has a view
in which the catalog leads to them; and as ids are not used again, nobody writes them any more. (A record that is newer
than the watermark all the same is waited for, so that no conflict is ever forgotten.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from mynode.base.ids import Version
from mynode.base.invariant import invariant
from mynode.base.limits import GARBAGE_PER_ENTRY
from mynode.mvcc import keyspace
from mynode.mvcc.tombstones import Tombstones
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.writeset import Write
from mynode.storage.tree import Tree, TreeEditor

_END: Final = bytes((keyspace.GARBAGE[0] + 1,))


def note_garbage(transaction: Transaction, prefix: bytes) -> None:
    """All keys that begin with the prefix are garbage once the transaction commits; nobody may write one after it."""
    transaction.put(keyspace.GARBAGE + prefix, b"")


class Garbage:
    """The prefixes whose keys are garbage, in the order in which they are collected: by version, then by prefix.

    It is derived from the tree alone, as `Tombstones` is.

    Invariant (`check_invariants`): it is what the tree that it follows would give it anew.
    """

    __slots__ = ("_versions",)

    def __init__(self, tree: Tree) -> None:
        found = sorted(
            (version, key) for key, (version, value) in tree.scan(keyspace.GARBAGE, _END) if value is not None
        )
        self._versions: dict[bytes, Version] = {key: version for version, key in found}

    def __len__(self) -> int:
        return len(self._versions)

    def follow(self, writes: Sequence[Write], version: Version) -> None:
        """Take note of a transaction's writes, in key order, of which `version` is newer than all before."""
        for key, value in writes[bisect_left(writes, (keyspace.GARBAGE,)) :]:
            if key >= _END:
                return
            self._versions.pop(key, None)
            if value is not None:
                self._versions[key] = version

    def collect(self, editor: TreeEditor, tombstones: Tombstones, watermark: Version) -> None:
        """Take garbage of versions up to `watermark` out of the tree, `limits.GARBAGE_PER_ENTRY` keys at most."""
        left = GARBAGE_PER_ENTRY
        while self._versions and left:
            noted = next(iter(self._versions))
            if self._versions[noted] > watermark:
                return
            prefix = noted[len(keyspace.GARBAGE) :]
            key = editor.first_key(prefix)
            left -= 1
            if key is None or not key.startswith(prefix):
                editor.remove(noted)
                del self._versions[noted]
                continue
            record = editor.get(key)
            if record is None or record[0] > watermark:
                return
            editor.remove(key)
            tombstones.forget(key)

    def check_invariants(self, tree: Tree) -> None:
        anew = Garbage(tree)
        invariant(list(self._versions.items()) == list(anew._versions.items()), "the garbage follows the tree")
