"""A seeded workload for the page engine: edits with checkpoints among them, and a dict of what must be there."""

from __future__ import annotations

from random import Random

from mynode.base.disk import Disk
from mynode.storage.nodes import LONG_VALUE_BYTES, Record
from mynode.storage.pages.check import check_pages
from mynode.storage.pages.engine import PageEngine
from mynode.storage.tree import Tree

State = dict[bytes, Record]


def state_of(tree: Tree) -> State:
    return dict(tree.scan(b"", None))


class PageWorkload:
    """Puts, tombstones, removals and long values on few keys, so that nodes split, merge and are rewritten.

    Attributes:
        engine: may be exchanged by `reopen`.
        states: by applied index, what the tree held then; of every batch.
        acknowledged: the index of the last checkpoint that was said to be durable.
    """

    def __init__(self, disk: Disk, seed: int, *, keys: int = 300, cache_bytes: int = 1 << 20) -> None:
        self._disk = disk
        self._keys = keys
        self._cache_bytes = cache_bytes
        self._random = Random(seed)
        self._model: State = {}
        self.states: dict[int, State] = {0: {}}
        self.acknowledged = 0
        self.engine = PageEngine.open(disk, cache_bytes=cache_bytes)

    def reopen(self) -> None:
        """As after a crash or a restart: the engine stands at a checkpoint, and the workload goes on from there."""
        self.engine.close()
        self.engine = PageEngine.open(self._disk, cache_bytes=self._cache_bytes)
        index = self.acknowledged = self.engine.applied_index
        self._model = dict(self.states[index])
        self.states = {earlier: state for earlier, state in self.states.items() if earlier <= index}

    def apply(self, edits: int) -> None:
        """One batch; each edit is an entry of its own."""
        engine, random = self.engine, self._random
        editor, version = engine.tree.edit(), engine.applied_index
        for _ in range(edits):
            version += 1
            key = b"%05d" % random.randrange(self._keys)
            kind = random.random()
            if kind < 0.2:
                assert editor.remove(key) == (self._model.pop(key, None) is not None)
                continue
            value = None if kind < 0.3 else bytes([random.randrange(256)]) * self._length()
            editor.put(key, version, value)
            self._model[key] = (version, value)
        engine.adopt(editor.commit(), version)
        self.states[version] = dict(self._model)

    def _length(self) -> int:
        return self._random.choice((0, 20, 20, 20, 300, LONG_VALUE_BYTES, LONG_VALUE_BYTES + 1, 9_000))

    def checkpoint(self, *, edits_between: int = 0) -> None:
        """Make a checkpoint durable; edits go on between its slices."""
        checkpoint = self.engine.begin_checkpoint()
        if checkpoint is None:
            return
        if edits_between:
            self.apply(edits_between)
        while checkpoint.write_slice():
            if edits_between:
                self.apply(edits_between)
        checkpoint.commit()
        self.acknowledged = checkpoint.applied_index

    def check(self) -> None:
        """The newest tree holds what it must, and keeps its invariants."""
        self.engine.check_invariants()
        tree = self.engine.tree
        assert state_of(tree) == self._model
        assert tree.count == len(self._model)
        expected = [(key, version) for key, (version, value) in sorted(self._model.items()) if value is None]
        assert list(tree.tombstones(b"", None)) == expected


def assert_sound(disk: Disk) -> None:
    """The page file in `disk` passes its check."""
    assert check_pages(disk).problems == []
