"""RaftLog with flipped bytes and missing files: damage is told by file and offset, and never gives wrong entries."""

from __future__ import annotations

import pytest

from mynode.base.disk_memory import MemoryDisk
from mynode.base.errors import CorruptionError
from mynode.raft.effects import HardState
from mynode.storage.raft_log import RaftLog
from mynode.storage.raft_log.format import HEADER_BYTES, SEAL_BYTES
from mynode.testing.raft_log import all_entries, make_entries, persist

SEGMENT_BYTES = 450
BATCHES = ((1, 5), (6, 1), (7, 6), (13, 1), (14, 3), (17, 2))


def small_log() -> MemoryDisk:
    """Three segments; the newest holds more than one batch."""
    disk = MemoryDisk()
    log = RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)
    for first, count in BATCHES:
        log.append([persist(make_entries(first, count, 1), term=1, voted_for=2)])
    log.close()
    return disk


def opened(disk: MemoryDisk) -> RaftLog | CorruptionError:
    try:
        return RaftLog.open(disk, segment_bytes=SEGMENT_BYTES)
    except CorruptionError as error:
        return error


ALL = make_entries(1, 18, 1)


def files(disk: MemoryDisk) -> dict[str, bytes]:
    return {name: disk.open(name).read(0, 1 << 30) for name in disk.list()}


def written(disk: MemoryDisk) -> dict[str, bytes]:
    """The files without the zeros that they reserve."""
    return {name: data.rstrip(b"\0") for name, data in files(disk).items()}


def put(disk: MemoryDisk, name: str, data: bytes) -> None:
    file = disk.create(name)
    file.write(0, data)
    file.sync()


def test_the_small_log_is_what_the_tests_need() -> None:
    disk = small_log()
    assert len(disk.list()) == 3
    assert all_entries(RaftLog.open(disk)) == ALL


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_byte_flipped_one_at_a_time(mask: int) -> None:
    """Every flip is found, or lies in a seal or in the reserve and harms nothing: the log then holds what it held."""
    disk = small_log()
    reserve = sum(map(len, files(disk).values())) - sum(map(len, written(disk).values()))
    assert reserve > 0
    harmless = 0
    for name, data in files(disk).items():
        for offset in range(len(data)):
            twin = disk.copy()
            twin.flip(name, offset, mask)
            before = files(twin)
            log = opened(twin)
            if isinstance(log, CorruptionError):
                assert (log.file, log.offset <= offset) == (name, True)
                assert files(twin) == before, "damage is left as it was found"
            else:
                assert (all_entries(log), log.hard_state) == (ALL, HardState(1, 2))
                harmless += 1
    assert harmless == len(BATCHES) * SEAL_BYTES + reserve


def without_newest_seal(disk: MemoryDisk) -> None:
    """As after a power loss before the kernel wrote the newest seal."""
    name = disk.list()[-1]
    newest = disk.open(name)
    newest.write(len(written(disk)[name]) - SEAL_BYTES, bytes(SEAL_BYTES))
    newest.sync()


def test_without_its_seal_a_flip_in_the_very_last_batch_passes_for_a_torn_tail() -> None:
    """The one case of the format's table that cannot be told; the batches before it are still protected."""
    disk = small_log()
    without_newest_seal(disk)
    name = disk.list()[-1]
    taken_for_torn = 0
    for offset in range(len(files(disk)[name])):
        twin = disk.copy()
        twin.flip(name, offset, 0x10)
        log = opened(twin)
        if isinstance(log, CorruptionError):
            assert log.offset <= offset
            continue
        held = all_entries(log)
        taken_for_torn += held == ALL[:16]
        assert held in (ALL, ALL[:16])
    assert taken_for_torn > 0


def test_the_newest_seal_comes_back_at_the_next_start() -> None:
    disk = small_log()
    before = files(disk)
    without_newest_seal(disk)
    RaftLog.open(disk).close()
    assert files(disk) == before


def test_a_file_cut_anywhere_in_its_last_batch_is_a_torn_tail() -> None:
    disk = small_log()
    name = disk.list()[-1]
    data = written(disk)[name]
    lengths = set()
    for size in range(HEADER_BYTES, len(data) + 1):
        twin = disk.copy()
        twin.open(name).truncate(size)
        log = RaftLog.open(twin, segment_bytes=SEGMENT_BYTES)
        held = all_entries(log)
        assert held == ALL[: len(held)]
        lengths.add(len(held))
        log.append([persist(make_entries(len(held) + 1, 2, 5), term=5)])
        assert all_entries(RaftLog.open(twin, segment_bytes=SEGMENT_BYTES)) == held + make_entries(len(held) + 1, 2, 5)
    assert len(lengths) > 1


def test_a_segment_that_is_cut_and_not_the_newest_is_damaged() -> None:
    disk = small_log()
    name = disk.list()[0]
    for size in range(len(files(disk)[name]) - SEAL_BYTES):
        twin = disk.copy()
        twin.open(name).truncate(size)
        with pytest.raises(CorruptionError) as caught:
            RaftLog.open(twin)
        if size < HEADER_BYTES:
            assert (caught.value.file, caught.value.offset) == (name, 0)
        elif HEADER_BYTES < size < HEADER_BYTES + 100:
            assert (caught.value.file, caught.value.offset) == (name, HEADER_BYTES)


@pytest.mark.parametrize("garbage", [b"\0" * 5_000, b"RBAT" * 2_000, b"RSEA" * 99, b"x"])
def test_garbage_after_the_end_is_cut_off(garbage: bytes) -> None:
    disk = small_log()
    before = written(disk)
    newest = disk.open(disk.list()[-1])
    newest.write(newest.size(), garbage)
    assert all_entries(RaftLog.open(disk)) == ALL
    assert written(disk) == before


def test_a_missing_segment_is_named() -> None:
    for number in (2, 3):
        disk = small_log()
        disk.delete(f"raft-{number:010d}.log")
        with pytest.raises(CorruptionError, match=rf"raft-{number:010d}\.log at byte 0: this segment .* is missing"):
            RaftLog.open(disk)


def test_a_segment_in_the_place_of_another_is_refused() -> None:
    disk = small_log()
    put(disk, "raft-0000000002.log", files(disk)["raft-0000000003.log"])
    with pytest.raises(CorruptionError, match=r"raft-0000000002\.log at byte 0: the file holds segment 3"):
        RaftLog.open(disk)


def test_a_segment_of_another_log_is_refused() -> None:
    other = MemoryDisk()
    log = RaftLog.open(other, segment_bytes=SEGMENT_BYTES)
    for first, count in BATCHES:
        log.append([persist(make_entries(first, count, 7), term=7, voted_for=3)])
    disk = small_log()
    put(disk, "raft-0000000003.log", files(other)["raft-0000000003.log"])
    with pytest.raises(CorruptionError, match=r"raft-0000000003\.log at byte 0"):
        RaftLog.open(disk)


def test_a_batch_copied_to_another_place_does_not_count() -> None:
    """Old bytes of a reused place, or a payload that looks like a batch, are not taken for the log."""
    disk = small_log()
    name = disk.list()[-1]
    data = written(disk)[name]
    put(disk, name, data + data[HEADER_BYTES:])
    assert all_entries(RaftLog.open(disk)) == ALL
    assert files(disk)[name] == data
    older = files(disk)[disk.list()[0]]
    put(disk, name, data + older[len(data) :] + older)
    assert all_entries(RaftLog.open(disk)) == ALL


def test_an_unknown_format_version_is_refused() -> None:
    disk = small_log()
    name = disk.list()[0]
    put(disk, name, b"somebody else's file" + bytes(100))
    with pytest.raises(CorruptionError, match="not the beginning of a raft log segment"):
        RaftLog.open(disk)
    put(disk, name, b"")
    with pytest.raises(CorruptionError, match="not the beginning of a raft log segment"):
        RaftLog.open(disk)


def test_zeros_in_the_place_of_a_closed_segments_batches_are_found() -> None:
    """They look like its reserve, but the next segment's header says what came before it."""
    disk = small_log()
    first, second = disk.list()[:2]
    data = files(disk)[first]
    for start in range(HEADER_BYTES, len(data) - SEAL_BYTES):
        twin = disk.copy()
        twin.open(first).write(start, bytes(len(data) - start))
        with pytest.raises(CorruptionError) as caught:
            RaftLog.open(twin)
        assert caught.value.file in (first, second)


def test_a_segment_closed_with_reserve_left_is_read_on() -> None:
    disk = MemoryDisk()
    RaftLog.open(disk, segment_bytes=10_000).append([persist(make_entries(1, 5, 1), term=1)])
    RaftLog.open(disk, segment_bytes=1).append([persist(make_entries(6, 5, 1))])
    assert len(disk.list()) == 2
    assert all_entries(RaftLog.open(disk)) == make_entries(1, 10, 1)
