"""RaftLog: appending, reading, cutting, rolling and reopening, on a disk that works."""

from __future__ import annotations

from pathlib import Path

import pytest

from mynode.base.disk_memory import MemoryDisk
from mynode.base.disk_real import RealDisk
from mynode.base.errors import CorruptionError, InvariantViolation
from mynode.raft.effects import HardState
from mynode.raft.messages import Entry
from mynode.storage.raft_log import RaftLog
from mynode.testing.raft_log import all_entries, make_entries, persist

SMALL_SEGMENT = 2_000


def test_a_new_log_is_empty() -> None:
    log = RaftLog.open(MemoryDisk())
    assert (log.hard_state, log.first_index, log.last_index) == (HardState(0, None), 1, 0)
    assert log.term_of(0) == 0
    assert log.read(1, 10, 1000) == ()
    assert log.tail(1000) == ()
    log.check_invariants()


def test_what_was_appended_is_read() -> None:
    log = RaftLog.open(MemoryDisk())
    entries = make_entries(1, 20, 1) + make_entries(21, 10, 4)
    log.append([persist(entries, term=4, voted_for=3)])
    assert (log.hard_state, log.last_index) == (HardState(4, 3), 30)
    assert [log.term_of(index) for index in (0, 1, 20, 21, 30)] == [0, 1, 1, 4, 4]
    assert all_entries(log) == entries
    assert log.read(7, 9, 1 << 20) == entries[6:9]
    assert log.read(29, 99, 1 << 20) == entries[28:]
    assert log.read(31, 40, 1 << 20) == log.read(0, 3, 1 << 20) == log.read(5, 4, 1 << 20) == ()
    log.check_invariants()


def test_payloads_of_every_size_and_kind_come_back() -> None:
    log = RaftLog.open(MemoryDisk())
    entries = make_entries(1, 7, 1, payload_bytes=0) + make_entries(8, 3, 1, payload_bytes=100_000)
    log.append([persist(entries, term=1)])
    assert all_entries(log) == entries


def test_a_read_is_bounded_and_gives_at_least_one() -> None:
    log = RaftLog.open(MemoryDisk(), segment_bytes=SMALL_SEGMENT)
    entries = make_entries(1, 50, 1)
    for entry in entries:
        log.append([persist((entry,), term=1)])
    assert log.size_bytes() > 2 * SMALL_SEGMENT
    for max_bytes in (0, 1, 100, 500, 3000, 10_000):
        for first in range(1, 51):
            got = log.read(first, 50, max_bytes)
            assert got == entries[first - 1 : first - 1 + len(got)]
            assert len(got) >= 1
            assert sum(len(entry.payload) for entry in got[1:]) <= max_bytes
        tail = log.tail(max_bytes)
        assert tail == entries[-len(tail) :]
    assert log.tail(1 << 30) == entries


def test_an_entry_over_the_bound_is_read_alone() -> None:
    log = RaftLog.open(MemoryDisk(), segment_bytes=1)
    entries = make_entries(1, 1, 1, payload_bytes=600) + make_entries(2, 3, 1)
    for entry in entries:
        log.append([persist((entry,), term=1)])
    assert log.read(1, 4, 500) == entries[:1]


def test_several_persists_are_one_write_and_one_sync() -> None:
    disk = MemoryDisk()
    log = RaftLog.open(disk)
    log.append([persist(term=1)])
    before = disk.operations
    log.append(
        [
            persist(make_entries(1, 3, 1), term=1, voted_for=1),
            persist(term=2, voted_for=2),
            persist(make_entries(3, 2, 2)),
            persist(make_entries(5, 2, 2)),
        ]
    )
    write, sync, seal = 1, 1, 1
    assert disk.operations - before == write + sync + seal
    assert log.hard_state == HardState(2, 2)
    expected = make_entries(1, 2, 1) + make_entries(3, 4, 2)
    assert all_entries(log) == expected
    reopened = RaftLog.open(disk)
    assert (all_entries(reopened), reopened.hard_state) == (expected, HardState(2, 2))


def test_nothing_to_persist_costs_nothing() -> None:
    disk = MemoryDisk()
    log = RaftLog.open(disk)
    before = disk.operations
    log.append([])
    log.append([persist()])
    assert disk.operations == before


def test_a_conflicting_tail_is_cut_across_segments() -> None:
    disk = MemoryDisk()
    log = RaftLog.open(disk, segment_bytes=SMALL_SEGMENT)
    old = make_entries(1, 100, 1)
    for first in range(0, 100, 5):
        log.append([persist(old[first : first + 5], term=1)])
    assert len(disk.list()) > 3
    new = make_entries(12, 4, 3)
    log.append([persist(new, term=3)])
    for current in (log, RaftLog.open(disk, segment_bytes=SMALL_SEGMENT)):
        current.check_invariants()
        assert all_entries(current) == old[:11] + new
        assert current.tail(150) == new[-len(current.tail(150)) :]
        assert [current.term_of(index) for index in (11, 12, 15)] == [1, 3, 3]
        assert current.last_index == 15


def test_a_log_cut_down_to_its_first_entry_goes_on() -> None:
    disk = MemoryDisk()
    log = RaftLog.open(disk, segment_bytes=SMALL_SEGMENT)
    for first in range(1, 60, 6):
        log.append([persist(make_entries(first, 6, 1), term=1)])
    for term in (2, 3, 4):
        log.append([persist(make_entries(1, 40, term), term=term)])
        log.append([persist(make_entries(41, 40, term))])
        log.check_invariants()
        log = RaftLog.open(disk, segment_bytes=SMALL_SEGMENT)
        log.check_invariants()
        assert all_entries(log) == make_entries(1, 80, term)


def test_a_log_opened_many_times_stays_as_it_is() -> None:
    disk = MemoryDisk(short_transfers=True)
    expected: tuple[Entry, ...] = ()
    for round_number in range(40):
        log = RaftLog.open(disk, segment_bytes=SMALL_SEGMENT)
        assert all_entries(log) == expected
        assert log.hard_state.term == round_number
        new = make_entries(len(expected) + 1, round_number % 4, round_number + 1)
        log.append([persist(new, term=round_number + 1, voted_for=2)])
        expected += new
        log.close()
        log.close()


def test_opening_a_closed_log_again_changes_no_file() -> None:
    disk = MemoryDisk()
    log = RaftLog.open(disk, segment_bytes=SMALL_SEGMENT)
    for first in range(1, 60, 6):
        log.append([persist(make_entries(first, 6, 1), term=1)])
    before = {name: disk.open(name).read(0, 1 << 20) for name in disk.list()}
    RaftLog.open(disk, segment_bytes=SMALL_SEGMENT)
    assert {name: disk.open(name).read(0, 1 << 20) for name in disk.list()} == before


def test_the_front_goes_by_whole_segments() -> None:
    disk = MemoryDisk()
    log = RaftLog.open(disk, segment_bytes=SMALL_SEGMENT)
    entries = make_entries(1, 50, 1) + make_entries(51, 50, 2)
    for first in range(0, 100, 5):
        log.append([persist(entries[first : first + 5], term=2, voted_for=1)])
    size, files = log.size_bytes(), len(disk.list())
    log.truncate_front(40)
    assert 20 < log.first_index <= 40
    assert log.size_bytes() < size
    assert len(disk.list()) < files
    for current in (log, RaftLog.open(disk, segment_bytes=SMALL_SEGMENT)):
        current.check_invariants()
        assert all_entries(current) == entries[current.first_index - 1 :]
        assert current.term_of(current.first_index - 1) == 1
        assert current.hard_state == HardState(2, 1)
        with pytest.raises(InvariantViolation):
            current.term_of(current.first_index - 2)
    log.truncate_front(1_000)
    assert len(disk.list()) == 1
    assert RaftLog.open(disk).last_index == 100


def test_the_front_goes_after_a_cut_that_reached_into_it() -> None:
    disk = MemoryDisk()
    log = RaftLog.open(disk, segment_bytes=SMALL_SEGMENT)
    for first in range(1, 100, 5):
        log.append([persist(make_entries(first, 5, 1), term=1)])
    log.append([persist(make_entries(31, 50, 2), term=2)])
    log.append([persist(make_entries(81, 50, 2))])
    log.truncate_front(70)
    for current in (log, RaftLog.open(disk, segment_bytes=SMALL_SEGMENT)):
        current.check_invariants()
        assert current.first_index == 31
        assert current.term_of(30) == 1
        assert all_entries(current) == make_entries(31, 100, 2)


def test_entries_must_follow_the_log_and_each_other() -> None:
    log = RaftLog.open(MemoryDisk())
    log.append([persist(make_entries(1, 5, 2), term=2)])
    one, _, three = make_entries(6, 3, 2)
    for wrong in (make_entries(7, 1, 2), make_entries(0, 1, 2), (one, three), make_entries(6, 1, 1)):
        with pytest.raises(InvariantViolation):
            log.append([persist(wrong)])
    assert all_entries(log) == make_entries(1, 5, 2)
    log.append([persist(make_entries(6, 1, 2))])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files by /proc")
def test_only_the_newest_segment_stays_open(tmp_path: Path) -> None:
    log = RaftLog.open(RealDisk(tmp_path), segment_bytes=SMALL_SEGMENT)
    entries = make_entries(1, 100, 1)
    for first in range(0, 100, 5):
        log.append([persist(entries[first : first + 5], term=1)])
    assert all_entries(log) == entries
    open_files = [link.readlink().name for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert sum(name.startswith("raft-") for name in open_files) == 1
    log.close()
    reopened = RaftLog.open(RealDisk(tmp_path), segment_bytes=SMALL_SEGMENT)
    assert all_entries(reopened) == entries
    reopened.close()


def test_leftovers_of_a_crash_are_deleted_and_other_files_left_alone() -> None:
    disk = MemoryDisk()
    RaftLog.open(disk).append([persist(make_entries(1, 5, 1), term=1)])
    disk.create("raft-0000000002.log.new")
    disk.create("identity")
    RaftLog.open(disk)
    assert disk.list() == ["identity", "raft-0000000001.log"]


def test_a_damaged_entry_is_found_when_it_is_read() -> None:
    disk = MemoryDisk()
    log = RaftLog.open(disk)
    log.append([persist(make_entries(1, 5, 1), term=1)])
    disk.flip("raft-0000000001.log", 200, 0x04)
    with pytest.raises(CorruptionError, match=r"raft-0000000001.log at byte \d+: an entry's checksum is wrong"):
        all_entries(log)
