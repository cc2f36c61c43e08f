"""What the replicated state machine stands on: the newest tree, together with the raft index it stands at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mynode.base.ids import LogIndex, Term
from mynode.base.invariant import invariant
from mynode.storage.tree import Tree


@dataclass(frozen=True, slots=True)
class Applied:
    """Where in the log a tree stands: it holds the effect of the entries up to `index`, the last one of `term`.

    `membership` is the encoded configuration as of `index`. A raft log begins with one, so it is empty at index 0 only.
    """

    index: LogIndex
    term: Term
    membership: bytes

    def then(self, index: LogIndex, term: Term, membership: bytes | None) -> Applied:
        """After more entries; `membership` None: they brought no configuration."""
        invariant(index >= self.index, "the applied index never goes back")
        return Applied(index, term, self.membership if membership is None else membership)


NOTHING_APPLIED = Applied(0, 0, b"")


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

    def adopt(self, tree: Tree, applied_index: LogIndex, term: Term = 0, membership: bytes | None = None) -> None:
        """Make `tree` the newest state; see `Applied` for the rest, which changes in the same step."""
        ...


class MemoryEngine:
    """An engine that forgets everything when the process ends: the raft log rebuilds it."""

    __slots__ = ("_applied", "_tree")

    def __init__(self) -> None:
        self._tree = Tree.empty()
        self._applied = NOTHING_APPLIED

    @property
    def tree(self) -> Tree:
        return self._tree

    @property
    def applied_index(self) -> LogIndex:
        return self._applied.index

    def adopt(self, tree: Tree, applied_index: LogIndex, term: Term = 0, membership: bytes | None = None) -> None:
        self._applied = self._applied.then(applied_index, term, membership)
        self._tree = tree
