"""What the replicated state machine stands on: the newest tree, together with the raft index it stands at."""

from __future__ import annotations

from typing import Protocol

from mynode.base.ids import LogIndex
from mynode.base.invariant import invariant
from mynode.storage.tree import Tree


class Engine(Protocol):
    """Holds the newest state and takes the next one in one step, so that index and tree never disagree.

    `MemoryEngine` starts empty; `mynode.storage.pages.PageEngine` starts with the tree and index of its last
    checkpoint, and adds `begin_checkpoint`, which makes durable what `adopt` took last. A tree is adopted after the one
    it was made from, so that the page file knows what each replaced.
    """

    @property
    def tree(self) -> Tree:
        """The newest tree; as it is immutable, whoever holds it may go on reading while new ones are adopted."""
        ...

    @property
    def applied_index(self) -> LogIndex:
        """The last entry whose effect is in `tree`; 0 if none."""
        ...

    def adopt(self, tree: Tree, applied_index: LogIndex) -> None:
        """Make `tree` the newest state; `applied_index` is the last entry it holds and never goes back."""
        ...


class MemoryEngine:
    """An engine that forgets everything when the process ends: the raft log rebuilds it."""

    __slots__ = ("_applied_index", "_tree")

    def __init__(self) -> None:
        self._tree = Tree.empty()
        self._applied_index: LogIndex = 0

    @property
    def tree(self) -> Tree:
        return self._tree

    @property
    def applied_index(self) -> LogIndex:
        return self._applied_index

    def adopt(self, tree: Tree, applied_index: LogIndex) -> None:
        invariant(applied_index >= self._applied_index, "the applied index never goes back")
        self._tree = tree
        self._applied_index = applied_index
