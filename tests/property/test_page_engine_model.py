"""The page engine against a dict: edits, checkpoints cut in slices, restarts, power losses and views in any order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mynode.base.disk_memory import MemoryDisk
from mynode.base.errors import DiskFullError
from mynode.storage.nodes import LONG_VALUE_BYTES, Record
from mynode.storage.pages.checkpoint import PageCheckpoint
from mynode.storage.pages.engine import PageEngine
from mynode.storage.tree import Tree
from mynode.testing.page_engine import assert_sound, state_of

CACHE_BYTES = 30_000
"""A few nodes only, so that they come and go."""

keys = st.integers(0, 400).map(lambda number: b"%03d" % number)
starts = st.integers(0, 400)
values = st.one_of(
    st.none(),
    st.binary(max_size=3),
    st.sampled_from([b"l" * LONG_VALUE_BYTES, b"m" * (LONG_VALUE_BYTES + 1), b"n" * 9_000]),
)


class PageEngineMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.disk = MemoryDisk(1)
        self.engine = PageEngine.open(self.disk, cache_bytes=CACHE_BYTES)
        self.model: dict[bytes, Record] = {}
        self.states: dict[int, dict[bytes, Record]] = {0: {}}
        self.acknowledged = 0
        self.checkpoint: PageCheckpoint | None = None
        self.views: list[tuple[Tree, dict[bytes, Record]]] = []

    @rule(edits=st.dictionaries(keys, values, min_size=1, max_size=20))
    def put(self, edits: dict[bytes, bytes | None]) -> None:
        index = self.engine.applied_index + 1
        editor = self.engine.tree.edit()
        for key, value in edits.items():
            editor.put(key, index, value)
            self.model[key] = (index, value)
        self._adopt(editor.commit(), index)

    @rule(start=starts, count=st.integers(1, 300), value=values)
    def put_many(self, start: int, count: int, value: bytes | None) -> None:
        self.put({b"%03d" % ((start + at) % 400): value for at in range(count)})

    @rule(start=starts, count=st.integers(1, 300), step=st.sampled_from([1, 2, 7]))
    def remove_many(self, start: int, count: int, step: int) -> None:
        index = self.engine.applied_index + 1
        editor = self.engine.tree.edit()
        for at in range(count):
            key = b"%03d" % ((start + at * step) % 400)
            assert editor.remove(key) == (self.model.pop(key, None) is not None)
        self._adopt(editor.commit(), index)

    def _adopt(self, tree: Tree, index: int) -> None:
        self.engine.adopt(tree, index)
        self.states[index] = dict(self.model)

    @rule()
    def begin_checkpoint(self) -> None:
        if self.checkpoint is None:
            self.checkpoint = self.engine.begin_checkpoint()

    @precondition(lambda self: self.checkpoint)
    @rule()
    def write_slice(self) -> None:
        assert self.checkpoint is not None
        self.checkpoint.write_slice()

    @precondition(lambda self: self.checkpoint)
    @rule()
    def commit(self) -> None:
        assert self.checkpoint is not None
        self.checkpoint.commit()
        self.acknowledged = self.checkpoint.applied_index
        self.checkpoint = None
        assert_sound(self.disk)

    @precondition(lambda self: self.checkpoint)
    @rule(room=st.integers(0, 100_000))
    def commit_on_a_full_disk(self, room: int) -> None:
        assert self.checkpoint is not None
        self.disk.capacity_bytes = self.disk.open(self.disk.list()[0]).size() + room
        try:
            self.checkpoint.commit()
            self.acknowledged = self.checkpoint.applied_index
        except DiskFullError:
            assert self.engine.durable_index == self.acknowledged
        self.disk.capacity_bytes = None
        self.checkpoint = None

    @rule()
    def open_view(self) -> None:
        self.views.append((self.engine.tree, dict(self.model)))

    @precondition(lambda self: self.views)
    @rule(data=st.data())
    def close_view(self, data: st.DataObject) -> None:
        tree, state = self.views.pop(data.draw(st.integers(0, len(self.views) - 1)))
        assert state_of(tree) == state

    @rule(power_loss=st.booleans())
    def restart(self, power_loss: bool) -> None:
        self.views.clear()
        self.checkpoint = None
        self.engine.close()
        if power_loss:
            self.disk.crash()
        self.engine = PageEngine.open(self.disk, cache_bytes=CACHE_BYTES)
        index = self.engine.applied_index
        assert index == self.acknowledged
        self.model = dict(self.states[index])
        self.states = {earlier: state for earlier, state in self.states.items() if earlier <= index}
        assert_sound(self.disk)

    @rule(low=keys, high=st.none() | keys, key=keys)
    def read(self, low: bytes, high: bytes | None, key: bytes) -> None:
        tree = self.engine.tree
        inside = sorted(
            (key, record) for key, record in self.model.items() if low <= key and (high is None or key < high)
        )
        assert list(tree.scan(low, high)) == inside
        assert list(tree.scan(low, high, reverse=True)) == inside[::-1]
        assert tree.newest_in(low, high) == max((record[0] for _, record in inside), default=0)
        assert tree.get(key) == self.model.get(key)
        assert list(tree.tombstones(low, high)) == [(key, record[0]) for key, record in inside if record[1] is None]

    @invariant()
    def sizes_hold(self) -> None:
        assert self.engine.tree.count == len(self.model)
        assert self.engine.status().cache_bytes <= CACHE_BYTES

    def teardown(self) -> None:
        self.engine.check_invariants()
        assert state_of(self.engine.tree) == self.model


TestPageEngine = PageEngineMachine.TestCase
TestPageEngine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
