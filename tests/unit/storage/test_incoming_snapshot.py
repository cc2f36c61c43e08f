"""A snapshot goes from one page file to another node's in parts; a crash at any moment leaves before or after."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from mynode.base.disk_memory import MemoryDisk
from mynode.base.errors import CorruptionError, DiskError, DiskFullError
from mynode.base.limits import SNAPSHOT_CHUNK_BYTES
from mynode.raft.effects import HardState
from mynode.storage.engine import Applied
from mynode.storage.incoming_snapshot import INSTALL_NAME, IncomingSnapshot, finish_install, is_part, part_checksum
from mynode.storage.pages.engine import PageEngine
from mynode.storage.pages.format import PAGE_BYTES, encode_meta
from mynode.storage.pages.held import HeldCheckpoint
from mynode.storage.raft_log import RaftLog
from mynode.testing.page_engine import PageWorkload, State, assert_sound, state_of
from mynode.testing.raft_log import make_entries, persist

PART = 3 * PAGE_BYTES + 7
INDEX, TERM, MEMBERS = 100, 7, b"the members"


def checkpoint_of(state: State, *, seed: int = 0) -> HeldCheckpoint:
    """The checkpoint of a page file with some history, whose tree holds `state` as of `INDEX`."""
    disk = MemoryDisk()
    workload = PageWorkload(disk, seed)
    for _ in range(3):
        workload.apply(10)
        workload.checkpoint()
    engine = workload.engine
    editor = engine.tree.edit()
    for key in state_of(engine.tree):
        editor.remove(key)
    for key, (version, value) in state.items():
        editor.put(key, version, value)
    engine.adopt(editor.commit(), INDEX, TERM)
    engine.checkpoint()
    return engine.hold_checkpoint()


STATE: State = {b"%04d" % number: (number + 1, b"v" * (number * 40)) for number in range(90)}


def send(held: HeldCheckpoint, to: IncomingSnapshot, *, part: int = PART) -> None:
    size = to.store(1, INDEX, TERM, offset=0, data=b"", checksum=0)
    while size < held.size:
        data = held.read(size, part)
        size = to.store(1, INDEX, TERM, offset=size, data=data, checksum=part_checksum(data))


def receiver_disk(seed: int = 0) -> MemoryDisk:
    """A node's files: a tree as of entry 4, and a log of entries 1 to 6 with a vote."""
    disk = MemoryDisk(seed)
    log = RaftLog.open(disk, segment_bytes=200)
    for first in (1, 3, 5):
        log.append([persist(make_entries(first, 2, 1), term=9, voted_for=3)])
    engine = PageEngine.open(disk)
    editor = engine.tree.edit()
    editor.put(b"old", 4, b"state")
    engine.adopt(editor.commit(), 4, 1)
    engine.checkpoint()
    return disk


def install(disk: MemoryDisk, held: HeldCheckpoint) -> None:
    incoming = IncomingSnapshot(disk)
    send(held, incoming)
    incoming.prepare_install(INDEX, TERM, MEMBERS)
    assert finish_install(disk, RaftLog.open(disk))


def start(disk: MemoryDisk) -> tuple[PageEngine, RaftLog]:
    log = RaftLog.open(disk)
    finish_install(disk, log)
    return PageEngine.open(disk), log


def assert_installed(engine: PageEngine, log: RaftLog) -> None:
    engine.check_invariants()
    assert state_of(engine.tree) == STATE
    assert engine.applied == Applied(INDEX, TERM, MEMBERS)
    assert (log.first_index, log.last_index, log.term_of(INDEX)) == (INDEX + 1, INDEX, TERM)
    assert log.hard_state == HardState(9, 3)


def test_a_snapshot_replaces_tree_and_log() -> None:
    disk, held = receiver_disk(), checkpoint_of(STATE)
    install(disk, held)
    engine, log = start(disk)
    assert_installed(engine, log)
    assert_sound(disk)
    assert not finish_install(disk, log)
    editor = engine.tree.edit()
    editor.put(b"more", INDEX + 1, b"x")
    engine.adopt(editor.commit(), INDEX + 1, TERM)
    engine.checkpoint()
    assert_sound(disk)
    assert engine.applied == Applied(INDEX + 1, TERM, MEMBERS)


@pytest.mark.parametrize("seed", range(4))
def test_power_loss_at_every_operation_of_transfer_and_install(seed: int) -> None:
    held = checkpoint_of(STATE)
    before = receiver_disk()
    old = state_of(PageEngine.open(before.copy()).tree)
    operations, finished, seen_old, seen_new = 0, False, 0, 0
    while not finished:
        disk = before.copy(seed * 1_000 + operations)
        disk.fail_power_after(operations)
        with suppress(DiskError):
            install(disk, held)
            finished = True
        disk.crash()
        disk.fail_power_after((operations + seed) % 9)
        with suppress(DiskError):
            start(disk)
        disk.crash()
        engine, log = start(disk)
        assert_sound(disk)
        if engine.applied_index == INDEX:
            assert_installed(engine, log)
            seen_new += 1
        else:
            assert not finished
            assert state_of(engine.tree) == old
            assert (log.first_index, log.last_index) == (1, 6)
            assert log.hard_state == HardState(9, 3)
            seen_old += 1
            install(disk, held)
            assert_installed(*start(disk))
        operations += 1
    assert seen_old > 20
    assert seen_new > 5


def test_a_restart_keeps_what_was_synced_and_goes_on_there() -> None:
    big: State = {b"%04d" % number: (number + 1, b"v" * 2_000) for number in range(1_000)}
    held = checkpoint_of(big)
    assert held.size > 2 * SNAPSHOT_CHUNK_BYTES
    disk = receiver_disk()
    incoming = IncomingSnapshot(disk)
    offset = 0
    while offset < 2 * SNAPSHOT_CHUNK_BYTES:
        data = held.read(offset, SNAPSHOT_CHUNK_BYTES)
        offset = incoming.store(1, INDEX, TERM, offset=offset, data=data, checksum=part_checksum(data))
    file = disk.open(next(name for name in disk.list() if is_part(name)))
    file.write(offset, b"torn" * 1_000)
    disk.crash()
    incoming = IncomingSnapshot(disk)
    kept = incoming.store(1, INDEX, TERM, offset=0, data=b"", checksum=0)
    assert SNAPSHOT_CHUNK_BYTES <= kept <= 2 * SNAPSHOT_CHUNK_BYTES
    send(held, incoming, part=SNAPSHOT_CHUNK_BYTES)
    incoming.prepare_install(INDEX, TERM, MEMBERS)
    engine, _ = start(disk)
    assert state_of(engine.tree) == big


def test_only_whole_parts_that_go_on_are_kept() -> None:
    held = checkpoint_of(STATE)
    incoming = IncomingSnapshot(MemoryDisk())
    data = held.read(0, PART)
    checksum = part_checksum(data)
    assert incoming.store(1, INDEX, TERM, offset=0, data=data, checksum=checksum + 1) == 0
    assert incoming.store(1, INDEX, TERM, offset=PART, data=data, checksum=checksum) == 0
    assert incoming.store(1, INDEX, TERM, offset=0, data=data, checksum=checksum) == PART
    assert incoming.store(1, INDEX, TERM, offset=0, data=data, checksum=checksum) == PART


@pytest.mark.parametrize("other", [(2, INDEX, TERM), (1, INDEX + 1, TERM), (1, INDEX, TERM + 1)])
def test_parts_of_another_snapshot_are_thrown_away(other: tuple[int, int, int]) -> None:
    disk = MemoryDisk()
    incoming = IncomingSnapshot(disk)
    send(checkpoint_of(STATE), incoming)
    assert incoming.store(*other, offset=0, data=b"", checksum=0) == 0
    assert len(disk.list()) == 1


def test_a_full_disk_keeps_what_is_here() -> None:
    disk, held = MemoryDisk(), checkpoint_of(STATE)
    incoming = IncomingSnapshot(disk)
    data = held.read(0, PART)
    incoming.store(1, INDEX, TERM, offset=0, data=data, checksum=part_checksum(data))
    disk.capacity_bytes = PART + 10
    more = held.read(PART, PART)
    with pytest.raises(DiskFullError):
        incoming.store(1, INDEX, TERM, offset=PART, data=more, checksum=part_checksum(more))
    disk.capacity_bytes = None
    assert incoming.store(1, INDEX, TERM, offset=PART, data=more, checksum=part_checksum(more)) == 2 * PART


def test_a_damaged_or_incomplete_snapshot_is_not_installed() -> None:
    held = checkpoint_of(STATE)
    before = receiver_disk()
    whole = b"".join(held.read(offset, PART) for offset in range(0, held.size, PART))
    pages = range(2 * PAGE_BYTES, held.size, PAGE_BYTES)
    refused = 0
    for offset in pages:
        disk = before.copy()
        incoming = IncomingSnapshot(disk)
        damaged = whole[: offset + 20] + bytes([whole[offset + 20] ^ 1]) + whole[offset + 21 :]
        incoming.store(1, INDEX, TERM, offset=0, data=damaged, checksum=part_checksum(damaged))
        try:
            incoming.prepare_install(INDEX, TERM, MEMBERS)
        except CorruptionError:
            refused += 1
            assert disk.list() == before.list()
        else:
            assert_installed(*start(disk))
    assert refused > len(pages) // 2, "a flipped bit in a free page harms nothing, in any other it is found"
    incoming = IncomingSnapshot(before)
    short = whole[: -2 * PAGE_BYTES]
    incoming.store(1, INDEX, TERM, offset=0, data=short, checksum=part_checksum(short))
    with pytest.raises(CorruptionError):
        incoming.prepare_install(INDEX, TERM, MEMBERS)
    incoming.store(1, INDEX, TERM, offset=0, data=whole, checksum=part_checksum(whole))
    with pytest.raises(CorruptionError, match="this is not the snapshot"):
        incoming.prepare_install(INDEX + 1, TERM, MEMBERS)
    assert INSTALL_NAME not in before.list()


def test_a_held_checkpoint_stays_as_it_is_while_later_ones_are_made() -> None:
    disk = MemoryDisk()
    workload = PageWorkload(disk, 5)
    workload.apply(200)
    workload.checkpoint()
    held = workload.engine.hold_checkpoint()
    state = workload.states[held.meta.applied.index]
    for _ in range(12):
        workload.apply(60)
        workload.checkpoint(edits_between=2)
    read = read_back(held)
    waiting = workload.engine.status().waiting_pages
    del held
    assert read == state
    for _ in range(4):
        workload.apply(60)
        workload.checkpoint()
    assert workload.engine.status().waiting_pages < waiting // 2, "its pages are used again once nobody holds it"
    assert_sound(disk)


def test_a_checkpoint_is_held_from_the_middle_of_the_next_one() -> None:
    disk = MemoryDisk()
    workload = PageWorkload(disk, 6)
    workload.apply(200)
    workload.checkpoint()
    workload.apply(100)
    running = workload.engine.begin_checkpoint()
    assert running is not None
    running.write_slice()
    held = workload.engine.hold_checkpoint()
    state = workload.states[held.meta.applied.index]
    running.commit()
    for _ in range(8):
        workload.apply(60)
        workload.checkpoint()
    assert read_back(held) == state


def read_back(held: HeldCheckpoint) -> State:
    """The state that a node would have that gets this checkpoint."""
    disk = MemoryDisk()
    file = disk.create("tree.pages")
    file.write(0, held.read(0, held.size))
    assert_sound(disk)
    engine = PageEngine.open(disk)
    assert engine.applied == held.meta.applied
    return state_of(engine.tree)


def test_the_bytes_of_a_checkpoint_do_not_depend_on_how_they_are_cut() -> None:
    held = checkpoint_of(STATE)
    whole = held.read(0, 1 << 30)
    assert len(whole) == held.size
    for part in (1_000, PAGE_BYTES, 5 * PAGE_BYTES + 1):
        assert b"".join(held.read(offset, part) for offset in range(0, held.size, part)) == whole
    own = held.meta.checkpoint % 2 * PAGE_BYTES
    assert whole[own : own + PAGE_BYTES] == encode_meta(replace(held.meta))
