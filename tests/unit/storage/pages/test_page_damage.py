"""PageEngine with flipped bytes, lost writes and misplaced pages: named by file and offset, or harmless."""

from __future__ import annotations

import pytest

from mynode.base.disk_memory import MemoryDisk
from mynode.base.errors import CorruptionError
from mynode.storage.pages.check import check_pages
from mynode.storage.pages.engine import PageEngine
from mynode.storage.pages.format import FILE_NAME, PAGE_BYTES
from mynode.testing.page_engine import PageWorkload, State, state_of


def small_file() -> tuple[MemoryDisk, PageWorkload]:
    """Two checkpoints, with a root above leaves, long values, tombstones and free pages."""
    disk = MemoryDisk()
    workload = PageWorkload(disk, 3, keys=110)
    for edits in (140, 30, 4):
        workload.apply(edits)
        workload.checkpoint()
    workload.engine.close()
    return disk, workload


def opened(disk: MemoryDisk) -> tuple[int, State] | CorruptionError:
    """Everything in the file."""
    try:
        engine = PageEngine.open(disk)
        return engine.applied_index, state_of(engine.tree)
    except CorruptionError as error:
        return error


def test_the_small_file_is_what_the_tests_need() -> None:
    disk, workload = small_file()
    check = check_pages(disk)
    newest, older = check.checkpoints
    assert (newest.applied_index, older.applied_index) == (workload.acknowledged, workload.acknowledged - 4)
    assert newest.depth == 2
    assert newest.free_pages
    assert newest.waiting_pages
    assert newest.long_values
    assert newest.tombstones
    assert not check.problems


@pytest.mark.parametrize(("mask", "step"), [(0xFF, 1), (0x01, 7), (0x80, 11)])
def test_every_byte_flipped_one_at_a_time(mask: int, step: int) -> None:
    """Found where it lies, or the state is that of a checkpoint. Of padding and uniform values, a sample is enough."""
    disk, workload = small_file()
    older, newest = sorted(workload.states)[-2:]
    data = disk.open(FILE_NAME).read(0, 1 << 30)
    outcomes = dict.fromkeys(("found", "older", "harmless"), 0)
    for offset in range(0, len(data), step):
        if offset % 61 and data[max(0, offset - 8) : offset + 9] in (bytes(17), data[offset : offset + 1] * 17):
            continue  # in the middle of padding, or of a value of equal bytes
        twin = disk.copy()
        twin.flip(FILE_NAME, offset, mask)
        found = opened(twin)
        problems = check_pages(twin).problems
        if isinstance(found, CorruptionError):
            assert problems
            assert {(error.file, error.offset <= offset) for error in (found, *problems)} == {(FILE_NAME, True)}
            outcomes["found"] += 1
        elif found == (older, workload.states[older]):
            assert offset // PAGE_BYTES == 1, "only damage of the newest meta leads to the checkpoint before"
            outcomes["older"] += 1
        else:
            assert found == (newest, workload.states[newest])
            outcomes["harmless"] += 1
    assert all(outcomes.values()), outcomes


def test_a_lost_write_is_found() -> None:
    """The page holds what it held before it was written last: valid by itself, but not what its parent means."""
    disk = MemoryDisk()
    workload = PageWorkload(disk, 5, keys=90)
    versions: dict[int, list[bytes]] = {}
    for _ in range(8):
        workload.apply(20)
        workload.checkpoint()
        data = disk.open(FILE_NAME).read(0, 1 << 30)
        for page in range(2, len(data) // PAGE_BYTES):
            content = data[page * PAGE_BYTES : (page + 1) * PAGE_BYTES]
            if content not in versions.setdefault(page, []):
                versions[page].append(content)
    assert any(len(contents) > 1 for contents in versions.values())
    lost = 0
    for page, contents in versions.items():
        for content in contents[:-1]:
            twin = disk.copy()
            twin.open(FILE_NAME).write(page * PAGE_BYTES, content)
            found = opened(twin)
            if isinstance(found, CorruptionError):
                assert found.offset <= page * PAGE_BYTES
                lost += "a write was lost" in found.message
            else:
                assert found == (workload.acknowledged, workload.states[workload.acknowledged])
    assert lost > 0


def test_a_page_in_the_place_of_another_is_found() -> None:
    disk, workload = small_file()
    data = disk.open(FILE_NAME).read(0, 1 << 30)
    pages = len(data) // PAGE_BYTES
    for page in range(2, pages):
        twin = disk.copy()
        other = 2 + (page + 3) % (pages - 2)
        twin.open(FILE_NAME).write(page * PAGE_BYTES, data[other * PAGE_BYTES : (other + 1) * PAGE_BYTES])
        found = opened(twin)
        if isinstance(found, CorruptionError):
            assert found.offset <= page * PAGE_BYTES
        else:
            assert found == (workload.acknowledged, workload.states[workload.acknowledged])


def test_a_file_cut_short_is_found() -> None:
    disk, workload = small_file()
    size = disk.open(FILE_NAME).size()
    for length in range(0, size, 997):
        twin = disk.copy()
        twin.open(FILE_NAME).truncate(length)
        found = opened(twin)
        if isinstance(found, CorruptionError):
            assert found.file == FILE_NAME
        else:
            assert found == (workload.acknowledged, workload.states[workload.acknowledged])
    twin = disk.copy()
    twin.open(FILE_NAME).truncate(5)
    with pytest.raises(CorruptionError, match=r"tree\.pages at byte 0: the file ends before this page"):
        PageEngine.open(twin)


def test_without_a_valid_meta_nothing_is_guessed() -> None:
    disk, _ = small_file()
    for page in (0, 1):
        disk.flip(FILE_NAME, page * PAGE_BYTES + 20)
    before = disk.open(FILE_NAME).read(0, 1 << 30)
    assert isinstance(opened(disk), CorruptionError)
    check = check_pages(disk)
    assert (len(check.problems), check.checkpoints) == (2, [])
    assert disk.open(FILE_NAME).read(0, 1 << 30) == before


def test_a_damaged_newest_meta_is_noted_and_mended_by_the_next_checkpoint() -> None:
    disk, workload = small_file()
    older, _ = sorted(workload.states)[-2:]
    disk.flip(FILE_NAME, PAGE_BYTES + 20)
    check = check_pages(disk)
    assert check.problems == []
    assert "tree.pages at byte 4096: the page's checksum is wrong: torn by a crash, or damaged" in check.notes[0]
    workload.reopen()
    assert workload.engine.applied_index == older
    assert workload.engine.log_needed_after == older
    workload.apply(5)
    workload.checkpoint()
    assert workload.engine.log_needed_after == older
    check = check_pages(disk)
    assert (check.problems, check.notes) == ([], [])
    workload.check()
