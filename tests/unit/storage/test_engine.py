from __future__ import annotations

import pytest

from mynode.base.errors import InvariantViolation
from mynode.storage.engine import Engine, MemoryEngine


def test_a_memory_engine_holds_the_tree_and_index_it_adopted_last() -> None:
    engine: Engine = MemoryEngine()
    assert (engine.applied_index, engine.tree.count) == (0, 0)
    editor = engine.tree.edit()
    editor.put(b"k", 7, b"v")
    tree = editor.commit()
    engine.adopt(tree, 7)
    assert engine.tree is tree
    assert engine.applied_index == 7


def test_the_applied_index_never_goes_back() -> None:
    engine = MemoryEngine()
    engine.adopt(engine.tree, 7)
    with pytest.raises(InvariantViolation):
        engine.adopt(engine.tree, 6)
