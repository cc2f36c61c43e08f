"""RaftLog against a list: any mix of appends, cuts, restarts, kills, power losses, full disks and failed syncs."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mynode.base.disk_memory import MemoryDisk, Operation
from mynode.base.errors import DiskError, DiskFullError
from mynode.raft.effects import HardState, Persist
from mynode.raft.messages import Entry, EntryKind
from mynode.storage.raft_log import RaftLog

payloads = st.binary(max_size=40) | st.integers(0, 3_000).map(lambda size: b"RBAT" * (size // 4))


class RaftLogMachine(RuleBasedStateMachine):
    """`entries[i]` is entry i + 1; `offset` of them have gone from the front."""

    @initialize(seed=st.integers(0, 1 << 32), segment_bytes=st.integers(1, 4_000), short=st.booleans())
    def start(self, seed: int, segment_bytes: int, short: bool) -> None:
        self.disk = MemoryDisk(seed, short_transfers=short)
        self.segment_bytes = segment_bytes
        self.entries: list[Entry] = []
        self.hard_state = HardState(0, None)
        self.maybe: tuple[list[Entry], HardState] | None = None
        """What the log may also hold after a restart: an append that was not acknowledged."""
        self.reopen()

    def reopen(self) -> None:
        self.log = RaftLog.open(self.disk, segment_bytes=self.segment_bytes)
        if self.maybe is not None:
            entries, hard_state = self.maybe
            held = (self.log.hard_state, self.log.read(self.log.first_index, 1 << 40, 1 << 40))
            if held == (hard_state, tuple(entries[self.log.first_index - 1 :])):
                self.entries, self.hard_state = entries, hard_state
            self.maybe = None

    def draw(self, data: st.DataObject) -> tuple[list[Persist], list[Entry], HardState]:
        """Some persists, and what the log is to hold after them."""
        entries, state = list(self.entries), self.hard_state
        persists = []
        for number in range(data.draw(st.integers(1, 3))):
            term = state.term + data.draw(st.integers(0, 2))
            new_state = HardState(term, data.draw(st.none() | st.integers(1, 5)))
            back = data.draw(st.integers(0, 3) | st.integers(0, 30))
            kept = max(self.log.first_index - 1, len(entries) - back)
            if kept < len(entries) and term == state.term:
                kept = len(entries)
            new = tuple(
                Entry(term, kept + 1 + i, EntryKind.COMMAND, b"%012d" % i, payload)
                for i, payload in enumerate(data.draw(st.lists(payloads, max_size=6)))
            )
            if new:
                entries[kept:] = new
            changed = new_state if new_state != state else None
            persists.append(Persist(number, changed, new))
            state = new_state
        return persists, entries, state

    @rule(data=st.data())
    def append(self, data: st.DataObject) -> None:
        persists, self.entries, self.hard_state = self.draw(data)
        self.log.append(persists)

    @rule(data=st.data(), operations=st.integers(0, 8), again=st.integers(0, 8))
    def lose_power_while_appending(self, data: st.DataObject, operations: int, again: int) -> None:
        persists, entries, state = self.draw(data)
        self.disk.fail_power_after(operations)
        try:
            self.log.append(persists)
            self.entries, self.hard_state = entries, state
        except DiskError:
            self.maybe = entries, state
        self.disk.crash()
        self.disk.fail_power_after(again)
        with suppress(DiskError):
            self.log = RaftLog.open(self.disk, segment_bytes=self.segment_bytes)
        self.disk.crash()
        self.reopen()

    @rule(data=st.data(), kill_first=st.booleans())
    def fail_a_sync(self, data: st.DataObject, kill_first: bool) -> None:
        persists, entries, state = self.draw(data)
        self.disk.fail(Operation.SYNC)
        try:
            self.log.append(persists)
            self.entries, self.hard_state = entries, state
        except DiskError:
            self.maybe = entries, state
        self.disk.clear_faults()
        if kill_first:
            self.reopen()
        self.disk.crash()
        self.reopen()

    @rule(data=st.data(), room=st.integers(0, 500))
    def fill_the_disk(self, data: st.DataObject, room: int) -> None:
        persists, entries, state = self.draw(data)
        used = sum(self.disk.open(name).size() for name in self.disk.list())
        self.disk.capacity_bytes = used + room
        with suppress(DiskFullError):
            self.log.append(persists)
            self.entries, self.hard_state = entries, state
        self.disk.capacity_bytes = None

    @rule()
    def lose_power(self) -> None:
        self.disk.crash()
        self.reopen()

    @rule()
    def restart(self) -> None:
        self.log.close()
        self.reopen()

    @rule(part=st.floats(0, 1))
    def truncate_front(self, part: float) -> None:
        first_kept = int(part * len(self.entries)) + 1
        before = self.log.first_index
        self.log.truncate_front(first_kept)
        assert before <= self.log.first_index <= max(before, first_kept)

    @rule(first=st.integers(1, 100), count=st.integers(1, 20), max_bytes=st.integers(0, 5_000))
    def read(self, first: int, count: int, max_bytes: int) -> None:
        got = self.log.read(first, first + count - 1, max_bytes)
        if self.log.first_index <= first <= len(self.entries):
            assert got
            assert list(got) == self.entries[first - 1 : first - 1 + count][: len(got)]
        else:
            assert got == ()

    @invariant()
    def the_log_is_the_list(self) -> None:
        self.log.check_invariants()
        first = self.log.first_index
        assert self.log.last_index == len(self.entries)
        assert self.log.hard_state == self.hard_state
        assert list(self.log.read(first, len(self.entries), 1 << 40)) == self.entries[first - 1 :]
        assert [self.log.term_of(entry.index) for entry in self.entries[first - 1 :]] == [
            entry.term for entry in self.entries[first - 1 :]
        ]


TestRaftLog = RaftLogMachine.TestCase
TestRaftLog.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
