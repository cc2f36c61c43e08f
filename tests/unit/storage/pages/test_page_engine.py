"""PageEngine when nothing fails: restarts, read views, what a checkpoint writes, the cache."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mynode.base.disk_memory import MemoryDisk
from mynode.base.disk_real import RealDisk
from mynode.base.errors import InvariantViolation
from mynode.storage.engine import Engine
from mynode.storage.nodes import Inner
from mynode.storage.pages.engine import PageEngine
from mynode.storage.pages.format import FILE_NAME
from mynode.storage.tree import Tree
from mynode.testing.page_engine import PageWorkload, State, assert_sound, state_of


def fill(engine: PageEngine, first: int, count: int, value: bytes = b"v" * 40) -> None:
    editor = engine.tree.edit()
    for number in range(first, first + count):
        editor.put(b"%08d" % number, engine.applied_index + 1, value)
    engine.adopt(editor.commit(), engine.applied_index + 1)


def test_a_new_engine_is_empty_and_so_is_one_that_was_opened_again() -> None:
    disk = MemoryDisk()
    engine: Engine = PageEngine.open(disk)
    assert (engine.applied_index, engine.tree.count) == (0, 0)
    assert PageEngine.open(disk).tree.count == 0
    assert_sound(disk)


def test_what_was_checkpointed_is_there_after_a_restart_and_nothing_else() -> None:
    disk = MemoryDisk()
    engine = PageEngine.open(disk)
    fill(engine, 0, 1_000)
    engine.checkpoint()
    fill(engine, 1_000, 1_000)
    assert (engine.applied_index, engine.durable_index) == (2, 1)
    engine.close()
    again = PageEngine.open(disk)
    assert (again.applied_index, again.tree.count) == (1, 1_000)
    again.tree.check_invariants()
    assert [key for key, _ in again.tree.scan(b"", None)] == [b"%08d" % number for number in range(1_000)]


def test_it_works_on_a_real_disk(tmp_path: Path) -> None:
    disk = RealDisk(tmp_path)
    workload = PageWorkload(disk, 1)
    for _ in range(5):
        workload.apply(100)
        workload.checkpoint(edits_between=1)
    workload.check()
    workload.reopen()
    workload.check()
    assert_sound(disk)


def test_a_checkpoint_of_an_unchanged_tree_moves_the_index_alone() -> None:
    disk = MemoryDisk()
    engine = PageEngine.open(disk)
    fill(engine, 0, 3_000)
    engine.checkpoint()
    engine.adopt(engine.tree.edit().commit(), 7)
    checkpoint = engine.begin_checkpoint()
    assert checkpoint is not None
    assert not checkpoint.write_slice()
    checkpoint.commit()
    assert checkpoint.pages_written == 1, "the free list"
    assert PageEngine.open(disk).applied_index == 7


def test_a_checkpoint_writes_what_is_dirty_and_no_more() -> None:
    engine = PageEngine.open(MemoryDisk())
    fill(engine, 0, 20_000)
    engine.checkpoint()
    for count in (1, 5):
        fill(engine, 5_000, count)
        checkpoint = engine.begin_checkpoint()
        assert checkpoint is not None
        checkpoint.commit()
        assert checkpoint.pages_written <= 2 + 2 + 2 + 2, "a path and a free list"


def test_slices_are_short() -> None:
    engine = PageEngine.open(MemoryDisk())
    fill(engine, 0, 30_000)
    checkpoint = engine.begin_checkpoint()
    assert checkpoint is not None
    slices, before = 0, 0
    while checkpoint.write_slice():
        assert checkpoint.pages_written - before < 80
        slices, before = slices + 1, checkpoint.pages_written
    assert slices >= 9
    checkpoint.commit()


def test_the_file_does_not_grow_while_the_data_does_not() -> None:
    disk = MemoryDisk()
    engine = PageEngine.open(disk)
    fill(engine, 0, 10_000)
    engine.checkpoint()
    sizes = []
    for start in range(0, 100_000, 1_000):
        fill(engine, start % 10_000, 1_000, b"w" * 40)
        engine.checkpoint()
        sizes.append(disk.open(FILE_NAME).size())
    assert sizes[-1] == sizes[10], "pages are used again"
    assert_sound(disk)


def test_old_views_stay_what_they_were_during_many_checkpoints() -> None:
    disk = MemoryDisk()
    workload = PageWorkload(disk, 4, cache_bytes=40_000)
    views: list[tuple[Tree, State]] = []
    for turn in range(60):
        workload.apply(20)
        workload.checkpoint(edits_between=turn % 3)
        if turn % 4 == 0:
            views.append((workload.engine.tree, workload.states[workload.engine.applied_index]))
        if turn % 10 == 9:
            for tree, state in views:
                assert state_of(tree) == state
            del views[::2]
    workload.engine.check_invariants()
    assert_sound(disk)


def test_the_pages_of_a_view_come_back_when_it_is_let_go() -> None:
    disk = MemoryDisk()
    engine = PageEngine.open(disk)
    fill(engine, 0, 10_000)
    engine.checkpoint()

    def rewrite(times: int) -> int:
        for _ in range(times):
            fill(engine, 0, 10_000, b"w" * 40)
            engine.checkpoint()
        return engine.status().waiting_pages

    without_view = rewrite(5)
    view = engine.tree
    with_view = rewrite(5)
    assert with_view >= without_view + 3 * 150
    assert view.get(b"%08d" % 77) == (6, b"w" * 40)
    del view
    assert rewrite(3) <= without_view + 20


def test_an_edit_across_the_beginning_of_a_checkpoint_is_a_mistake() -> None:
    engine = PageEngine.open(MemoryDisk())
    fill(engine, 0, 10)
    editor = engine.tree.edit()
    editor.put(b"k", 2, b"v")
    assert engine.begin_checkpoint() is not None
    with pytest.raises(InvariantViolation, match="in the middle of an edit"):
        engine.adopt(editor.commit(), 2)


def test_a_tree_that_was_not_made_from_the_newest_one_is_not_adopted() -> None:
    engine = PageEngine.open(MemoryDisk())
    editor = engine.tree.edit()
    fill(engine, 0, 10)
    with pytest.raises(InvariantViolation, match="the one it was made from"):
        engine.adopt(editor.commit(), 2)
    with pytest.raises(InvariantViolation, match="never goes back"):
        engine.adopt(engine.tree, 0)


def test_the_log_may_go_up_to_the_older_checkpoint() -> None:
    disk = MemoryDisk()
    engine = PageEngine.open(disk)
    found = []
    for number in range(3):
        fill(engine, number, 1)
        engine.checkpoint()
        found.append(engine.log_needed_after)
    assert found == [0, 1, 2]
    assert PageEngine.open(disk).log_needed_after == 2


def test_tombstones_are_found_without_reading_what_has_none() -> None:
    disk = MemoryDisk()
    engine = PageEngine.open(disk)
    fill(engine, 0, 20_000)
    editor = engine.tree.edit()
    for number in (3, 4, 10_000, 19_999):
        editor.put(b"%08d" % number, 2, None)
    engine.adopt(editor.commit(), 2)
    engine.checkpoint()
    again = PageEngine.open(disk)
    found = [(b"%08d" % number, 2) for number in (3, 4, 10_000, 19_999)]
    assert list(again.tree.tombstones(b"", None)) == found
    assert again.status().cache_misses <= 3 * 2
    assert list(again.tree.tombstones(b"%08d" % 4, b"%08d" % 10_000)) == found[1:2]


def test_the_cache_keeps_its_bound_with_twenty_times_the_data() -> None:
    cache_bytes = 400_000
    disk = MemoryDisk()
    engine = PageEngine.open(disk, cache_bytes=cache_bytes)
    for start in range(0, 60_000, 3_000):
        fill(engine, start, 3_000, b"x" * 100)
        engine.checkpoint()
    assert disk.open(FILE_NAME).size() > 20 * cache_bytes
    engine.close()
    gc.collect()
    tracemalloc.start()
    try:
        engine = PageEngine.open(disk, cache_bytes=cache_bytes)
        before = tracemalloc.get_traced_memory()[0]
        assert sum(1 for _ in engine.tree.scan(b"", None)) == 60_000
        for number in range(0, 60_000, 7):
            assert engine.tree.get(b"%08d" % number)
        assert engine.status().cache_bytes <= cache_bytes
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before <= 1.1 * cache_bytes
    finally:
        tracemalloc.stop()
    engine.check_invariants()


def test_what_is_used_often_stays_in_the_cache() -> None:
    disk = MemoryDisk()
    engine = PageEngine.open(disk)
    fill(engine, 0, 60_000)
    engine.checkpoint()
    engine = PageEngine.open(disk, cache_bytes=2_000_000)
    root = engine.tree.root
    assert isinstance(root, Inner)
    for number in range(0, 60_000, 64):
        before = engine.status().cache_misses
        engine.tree.get(b"%08d" % number)
        assert engine.status().cache_misses - before <= 2
        for hot in range(100, 1_000, 300):
            engine.tree.get(b"%08d" % hot)
    leaves = 60_000 // 48
    assert engine.status().cache_misses < leaves + 60, "each cold leaf once, the hot ones and the inner nodes hardly"


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hasty_threads")
def test_edits_and_reads_go_on_while_a_thread_writes_the_checkpoint() -> None:
    disk = MemoryDisk()
    workload = PageWorkload(disk, 8, keys=3_000, cache_bytes=100_000)
    workload.apply(4_000)
    with ThreadPoolExecutor(1) as executor:
        for _ in range(6):
            workload.apply(500)
            checkpoint = workload.engine.begin_checkpoint()
            assert checkpoint is not None
            index = checkpoint.applied_index
            before = workload.engine.tree
            done = executor.submit(checkpoint.commit)
            while not done.done():
                workload.apply(3)
                assert state_of(before) == workload.states[index]
            done.result()
    workload.check()
    assert_sound(disk)
    workload.reopen()
    assert workload.engine.applied_index == index
    workload.check()
