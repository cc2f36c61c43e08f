"""Garbage collection: a delete's tombstone goes once every view that transactions may still validate has seen it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from mynode.base.ids import Version
from mynode.base.invariant import invariant
from mynode.base.limits import TOMBSTONES_PER_ENTRY
from mynode.mvcc import keyspace
from mynode.mvcc.writeset import Write
from mynode.storage.tree import Tree, TreeEditor


class Tombstones:
    """The tombstones of a tree in the order in which they will go: by version, then by key.

    It is derived from the tree alone, so every node takes out the same ones with the same entry, restarted in between
    or not. Those of the catalog stay (see `keyspace.CATALOG`).

    Invariant (`check_invariants`): it is what the tree that it follows would give it anew.
    """

    __slots__ = ("_versions",)

    def __init__(self, tree: Tree) -> None:
        found = sorted(
            (version, key)
            for key, version in tree.tombstones(b"", keyspace.MACHINE)
            if not key.startswith(keyspace.CATALOG)
        )
        self._versions: OrderedDict[bytes, Version] = OrderedDict((key, version) for version, key in found)

    def __len__(self) -> int:
        return len(self._versions)

    def follow(self, writes: Sequence[Write], version: Version) -> None:
        """Take note of a transaction's writes, or the next part of them, in key order.

        `version` is newer than those of all transactions before.
        """
        versions = self._versions
        for key, value in writes:
            if versions:
                versions.pop(key, None)
            if value is None and not key.startswith(keyspace.CATALOG):
                versions[key] = version

    def collect(self, editor: TreeEditor, watermark: Version) -> None:
        """Take tombstones of versions up to `watermark` out of the tree, `limits.TOMBSTONES_PER_ENTRY` at most."""
        versions = self._versions
        for _ in range(min(TOMBSTONES_PER_ENTRY, len(versions))):
            key, version = next(iter(versions.items()))
            if version > watermark:
                return
            del versions[key]
            editor.remove(key)

    def forget(self, key: bytes) -> None:
        """The key was taken out of the tree, whatever it held."""
        self._versions.pop(key, None)

    def check_invariants(self, tree: Tree) -> None:
        anew = Tombstones(tree)
        invariant(list(self._versions.items()) == list(anew._versions.items()), "the tombstones follow the tree")
