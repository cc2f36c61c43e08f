"""The tree against a dict, whatever is put, removed and committed in whatever order; old trees stay what they were."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from mynode.storage.tree import Record, Tree

KEYS = 3_000
numbers = st.integers(0, KEYS - 1)


@dataclass(frozen=True)
class Run:
    """Keys start, start + step, … `count` of them, all put or all removed."""

    start: int
    step: int
    count: int
    kind: str

    def touched(self) -> list[bytes]:
        return [b"%04d" % ((self.start + at * self.step) % KEYS) for at in range(self.count)]


runs = st.builds(
    Run, numbers, st.sampled_from([1, -1, 7, 131]), st.integers(1, 500), st.sampled_from(["put", "bury", "remove"])
)
batches = st.lists(st.lists(runs, min_size=1, max_size=4), min_size=1, max_size=8)
bounds = st.tuples(numbers, st.none() | numbers)


def apply(tree: Tree, model: dict[bytes, Record], batch: list[Run], version: int) -> Tree:
    editor = tree.edit()
    for run in batch:
        for key in run.touched():
            if run.kind == "remove":
                assert editor.remove(key) == (model.pop(key, None) is not None)
            else:
                version += 1
                value = None if run.kind == "bury" else b"%d" % version
                editor.put(key, version, value)
                model[key] = (version, value)
    return editor.commit()


def compare(tree: Tree, model: dict[bytes, Record], low_number: int, high_number: int | None) -> None:
    low, high = b"%04d" % low_number, None if high_number is None else b"%04d" % high_number
    inside = sorted((key, record) for key, record in model.items() if low <= key and (high is None or key < high))
    newest = max((version for _, (version, _) in inside), default=0)
    assert list(tree.scan(low, high)) == inside
    assert list(tree.scan(low, high, reverse=True)) == inside[::-1]
    assert tree.newest_in(low, high) == newest
    assert not tree.newest_exceeds(low, high, newest)
    assert not inside or tree.newest_exceeds(low, high, newest - 1)
    assert tree.get(low) == model.get(low)


@settings(max_examples=60, deadline=None)
@given(batches, st.lists(bounds, min_size=1, max_size=6))
def test_the_tree_is_a_sorted_map(batches: list[list[Run]], ranges: list[tuple[int, int | None]]) -> None:
    tree, model = Tree.empty(), dict[bytes, Record]()
    history = [(tree, dict(model))]
    for version, batch in enumerate(batches):
        tree = apply(tree, model, batch, version * 100_000)
        history.append((tree, dict(model)))
    for old_tree, old_model in history:
        old_tree.check_invariants()
        assert dict(old_tree.scan(b"", None)) == old_model
        for low, high in ranges:
            compare(old_tree, old_model, low, high)
