from __future__ import annotations

from dataclasses import replace

import pytest

from mynode.base.disk_memory import MemoryDisk
from mynode.base.errors import InvariantViolation, OutcomeUnknownError
from mynode.base.limits import APPLY_STEP_WRITES, MAX_RETENTION_ENTRIES
from mynode.machine.commands import BatchCommand, Command, Request, RetainCommand, TransactionCommand, encode_command
from mynode.machine.machine import Machine
from mynode.machine.outcomes import Committed, Conflicted, Outcome, Refused, outcome_key, stored_outcome
from mynode.mvcc.readset import ReadSet
from mynode.mvcc.writeset import Write
from mynode.raft.messages import Entry, EntryKind
from mynode.storage.engine import MemoryEngine
from mynode.storage.pages import PageEngine
from mynode.testing.page_engine import assert_sound

A, B, C = b"\x02a", b"\x02b", b"\x02c"


def session(number: int) -> bytes:
    return number.to_bytes(16, "big")


def command(
    *writes: Write, view: int = 0, of: int = 1, sequence: int = 1, reads: ReadSet | None = None
) -> TransactionCommand:
    return TransactionCommand(
        session=session(of),
        sequence=sequence,
        floor=view,
        view=view,
        reads=reads or ReadSet(),
        writes=writes,
        result=b"result %d" % sequence,
    )


class Driver:
    """A machine that is handed commands, or None for an entry without one; checks it after each batch."""

    def __init__(self, *, max_outcomes: int = 100, retention_entries: int = 100) -> None:
        self.engine = MemoryEngine()
        self.machine = Machine(self.engine, max_outcomes=max_outcomes, retention_entries=retention_entries)

    def apply(self, *commands: Command | bytes | None) -> list[Outcome | None]:
        entries = []
        for index, item in enumerate(commands, self.machine.applied + 1):
            payload = item or b"" if item is None or isinstance(item, bytes) else encode_command(item)
            entries.append(Entry(1, index, EntryKind.NOOP if item is None else EntryKind.COMMAND, b"", payload))
        outcomes = self.machine.apply(entries)
        self.machine.check_invariants()
        return outcomes

    def get(self, key: bytes) -> bytes | None:
        return self.machine.view().get(key)


def test_a_transaction_writes_at_the_version_of_its_entry() -> None:
    driver = Driver()
    assert driver.apply(None, command((A, b"1"), (B, None))) == [None, Committed(2, b"result 1", replayed=False)]
    view = driver.machine.view()
    assert view.version == 2
    assert view.tree.get(A) == (2, b"1")
    assert view.tree.get(B) == (2, None)
    assert driver.engine.applied_index == 2


def test_a_view_taken_earlier_does_not_change() -> None:
    driver = Driver()
    driver.apply(command((A, b"1")))
    view = driver.machine.view()
    driver.apply(command((A, b"2"), sequence=2, view=1))
    assert view.get(A) == b"1"
    assert driver.get(A) == b"2"


def test_entries_apply_in_order_and_once() -> None:
    driver = Driver()
    driver.apply(None, None)
    for index in (2, 4):
        with pytest.raises(InvariantViolation):
            driver.machine.apply([Entry(1, index, EntryKind.NOOP, b"", b"")])


def test_a_change_since_the_view_aborts_and_leaves_no_trace() -> None:
    driver = Driver()
    driver.apply(command((A, b"1")))
    stale = command((B, b"2"), of=2, reads=ReadSet({A: None}))
    assert driver.apply(stale) == [Conflicted(A)]
    assert driver.get(B) is None
    assert stored_outcome(driver.machine.view(), session(2), 1) is None
    assert driver.apply(replace(stale, view=2)) == [Committed(3, b"result 1", replayed=False)]


def test_validation_sees_earlier_entries_of_the_same_batch() -> None:
    driver = Driver()
    outcomes = driver.apply(
        command((A, b"1"), of=1, reads=ReadSet({A: None})),
        command((A, b"2"), of=2, reads=ReadSet({A: None})),
        command((B, b"3"), of=3, reads=ReadSet(ranges=[(b"\x02", None)])),
        command((C, b"4"), of=4, reads=ReadSet({C: None})),
    )
    assert outcomes == [
        Committed(1, b"result 1", replayed=False),
        Conflicted(A),
        Conflicted(b"\x02"),
        Committed(4, b"result 1", replayed=False),
    ]


def test_a_retry_returns_the_first_outcome_and_writes_nothing() -> None:
    driver = Driver()
    first = command((A, b"1"), reads=ReadSet({A: None}))
    driver.apply(first)
    driver.apply(command((A, b"2"), of=2))
    assert driver.apply(first) == [Committed(1, b"result 1", replayed=True)]
    assert driver.apply(replace(first, view=3, result=b"other")) == [Committed(1, b"result 1", replayed=True)]
    assert driver.get(A) == b"2"
    assert stored_outcome(driver.machine.view(), session(1), 1) == Committed(1, b"result 1", replayed=True)


def test_a_retry_in_the_same_batch_is_found() -> None:
    once = command((A, b"1"))
    assert Driver().apply(once, once)[1] == Committed(1, b"result 1", replayed=True)


def test_a_sequence_older_than_the_last_is_refused() -> None:
    driver = Driver()
    driver.apply(command((A, b"2"), sequence=2))
    late = driver.apply(command((A, b"1"), sequence=1))[0]
    assert isinstance(late, Refused)
    assert late == stored_outcome(driver.machine.view(), session(1), 1)
    assert late.sqlstate == "08P01"
    assert driver.get(A) == b"2"
    assert stored_outcome(driver.machine.view(), session(1), 3) is None


def test_bytes_that_are_no_command_are_refused_and_skipped() -> None:
    driver = Driver()
    outcome, committed = driver.apply(b"garbage", command((A, b"1"), view=1))
    assert isinstance(outcome, Refused)
    assert committed == Committed(2, b"result 1", replayed=False)


def test_a_view_from_the_future_is_refused() -> None:
    assert isinstance(Driver().apply(command((A, b"1"), view=1))[0], Refused)


def test_a_view_below_the_watermark_aborts() -> None:
    driver = Driver(retention_entries=5)
    driver.apply(*[None] * 6)
    assert driver.apply(command((A, b"1"), view=1)) == [Conflicted(b"")]  # entry 7: the watermark is 2
    assert driver.apply(command((A, b"1"), view=3)) == [Committed(8, b"result 1", replayed=False)]


def test_a_tombstone_goes_once_no_acceptable_view_is_older() -> None:
    driver = Driver(retention_entries=5)
    driver.apply(command((A, b"1")), command((A, None), view=1, sequence=2))
    driver.apply(*[None] * 4)
    stale = command((B, b"x"), of=2, view=1, reads=ReadSet({A: None}))
    assert driver.machine.view().tree.get(A) == (2, None)
    assert driver.apply(stale) == [Conflicted(b"")]  # entry 7: the watermark is 2, and so the tombstone goes
    assert driver.machine.view().tree.get(A) is None
    assert driver.apply(replace(stale, view=3)) == [Committed(8, b"result 1", replayed=False)]


def test_the_sessions_that_committed_longest_ago_are_forgotten_first() -> None:
    driver = Driver(max_outcomes=2)
    driver.apply(command(of=1), command(of=2), command(of=1, sequence=2), command(of=3))
    view = driver.machine.view()
    assert stored_outcome(view, session(2), 1) is None
    assert stored_outcome(view, session(1), 2) == Committed(3, b"result 2", replayed=True)
    assert stored_outcome(view, session(3), 1) == Committed(4, b"result 1", replayed=True)
    assert driver.machine.status().outcomes == 2
    assert driver.machine.status().horizon == 2


def test_a_statement_that_may_have_been_forgotten_is_refused() -> None:
    driver = Driver(max_outcomes=2)
    first = command((A, b"1"), of=1)  # floor 0: the client knew nothing when it sent it
    driver.apply(first, command((A, b"2"), of=2, view=0), command(of=3))
    refused = driver.apply(replace(first, view=3))[0]
    assert isinstance(refused, Refused)
    assert isinstance(refused.to_error(), OutcomeUnknownError)
    view = driver.machine.view()
    assert stored_outcome(view, session(1), 1, floor=0) == refused
    assert stored_outcome(view, session(1), 1, floor=1) is None  # the horizon is 1
    assert stored_outcome(view, session(3), 2, floor=0) is None  # this session's last outcome is known
    assert driver.get(A) == b"2"


def test_a_new_session_that_knows_the_present_is_not_refused() -> None:
    driver = Driver(max_outcomes=2)
    for number in range(1, 9):
        outcome = driver.apply(command(of=number, view=driver.machine.applied))[0]
        assert outcome == Committed(number, b"result 1", replayed=False)


def test_a_machine_goes_on_from_its_engine() -> None:
    driver = Driver(max_outcomes=2)
    driver.apply(command((A, b"1"), of=1), command((A, None), of=2, view=1), command(of=3))
    again = Machine(driver.engine, max_outcomes=2, retention_entries=100)
    assert again.status() == driver.machine.status()
    assert again.view() == driver.machine.view()


def test_the_status_counts() -> None:
    driver = Driver(retention_entries=2)
    driver.apply(command((A, b"1"), (B, b"2")), command((A, None), of=2, view=1), None)
    status = driver.machine.status()
    assert (status.applied, status.watermark, status.records) == (3, 1, 5), "A, B, what A was, two outcomes"
    assert (status.tombstones, status.outcomes, status.horizon) == (1, 2, 0)


# --- retention -------------------------------------------------------------------------------------------------------


def retain(entries: int, *, of: int = 9, sequence: int = 1) -> RetainCommand:
    return RetainCommand(session(of), sequence, 0, entries, b"kept %d" % entries)


def watermark(driver: Driver) -> int:
    return driver.machine.status().watermark


def test_less_is_kept_from_the_entry_on_that_says_so() -> None:
    driver = Driver(retention_entries=10)
    driver.apply(command((A, b"1")), command((A, None), view=1, sequence=2), *[None] * 4)
    assert (watermark(driver), driver.machine.view().tree.get(A)) == (0, (2, None))
    assert driver.apply(retain(3)) == [Committed(7, b"kept 3", replayed=False)]
    assert (watermark(driver), driver.machine.view().tree.get(A)) == (4, None)
    assert driver.apply(command((B, b"1"), of=2, view=4)) == [Conflicted(b"")]  # entry 8: the watermark is 5
    assert driver.apply(command((B, b"1"), of=2, view=6)) == [Committed(9, b"result 1", replayed=False)]


def test_the_watermark_never_goes_back() -> None:
    driver = Driver(retention_entries=4)
    driver.apply(command((A, b"1")), command((A, None), view=1, sequence=2), *[None] * 7)
    assert watermark(driver) == 5
    driver.apply(retain(8))
    seen = []
    for _ in range(6):
        seen.append(watermark(driver))
        driver.apply(None)
    assert seen == [6, 6, 6, 6, 6, 7], "it stands until so many entries are there"
    stale = command((B, b"1"), of=2, view=5, reads=ReadSet({A: None}))
    assert driver.apply(stale) == [Conflicted(b"")], "the tombstone that says whether it may commit is gone"


def test_a_retry_does_not_change_the_retention_again() -> None:
    driver = Driver(retention_entries=10)
    driver.apply(retain(5), retain(7, of=8))
    assert driver.apply(retain(5)) == [Committed(1, b"kept 5", replayed=True)]
    driver.apply(*[None] * 7)
    assert watermark(driver) == 3


def test_the_retention_is_in_the_tree() -> None:
    driver = Driver(retention_entries=10)
    driver.apply(*[None] * 20, retain(5), retain(15, sequence=2), None)
    again = Machine(driver.engine, max_outcomes=100, retention_entries=10)
    assert again.status() == driver.machine.status()
    assert again.status().watermark == 17


def test_a_retention_out_of_bounds_is_none() -> None:
    driver = Driver(retention_entries=10)
    for entries in (0, MAX_RETENTION_ENTRIES + 1):
        assert isinstance(driver.apply(retain(entries))[0], Refused)
    driver.apply(*[None] * 20)
    assert watermark(driver) == 12


# --- batches ---------------------------------------------------------------------------------------------------------


def batch(
    *writes: Write, of: list[int], view: int = 0, sequence: int = 1, reads: ReadSet | None = None
) -> BatchCommand:
    requests = tuple(Request(session(number), sequence, view, b"result of %d" % number) for number in of)
    return BatchCommand(view, reads or ReadSet(), writes, requests)


def test_a_batch_has_one_version_and_an_outcome_for_each_request() -> None:
    driver = Driver()
    assert driver.apply(None, batch((A, b"1"), (B, b"2"), of=[1, 2])) == [None, Committed(2, b"", replayed=False)]
    assert (driver.get(A), driver.get(B)) == (b"1", b"2")
    for number in (1, 2):
        stored = stored_outcome(driver.machine.view(), session(number), 1)
        assert stored == Committed(2, b"result of %d" % number, replayed=True)


def test_a_batch_that_read_what_changed_leaves_no_trace() -> None:
    driver = Driver()
    driver.apply(command((A, b"1")))
    assert driver.apply(batch((B, b"2"), of=[2, 3], reads=ReadSet({A: None}))) == [Conflicted(A)]
    assert driver.get(B) is None
    assert stored_outcome(driver.machine.view(), session(2), 1) is None


@pytest.mark.parametrize("sequence", [1, 2], ids=["the same statement", "a later one"])
def test_a_batch_with_one_request_that_is_not_new_writes_nothing(sequence: int) -> None:
    driver = Driver()
    driver.apply(command((A, b"1"), of=2, sequence=sequence))
    stale = batch((B, b"2"), of=[1, 2, 3])
    assert driver.apply(stale) == [Conflicted(outcome_key(session(2)))]
    assert driver.get(B) is None
    assert stored_outcome(driver.machine.view(), session(1), 1) is None


def test_the_entry_of_a_batch_counts_once() -> None:
    driver = Driver()
    twice = batch((A, b"1"), of=[1, 2])
    assert driver.apply(twice, command((A, b"2"), of=3), twice)[2] == Conflicted(outcome_key(session(1)))
    assert driver.get(A) == b"2"


def test_a_statement_that_was_in_a_batch_is_answered_from_there() -> None:
    driver = Driver()
    driver.apply(batch((A, b"1"), of=[1, 2]))
    assert driver.apply(command((A, b"2"), of=2)) == [Committed(1, b"result of 2", replayed=True)]
    assert driver.get(A) == b"1"


def test_a_batch_that_may_hold_a_forgotten_request_writes_nothing() -> None:
    driver = Driver(max_outcomes=1)
    driver.apply(batch((A, b"1"), of=[1, 2, 3]))
    assert driver.machine.status().horizon == 1
    again = batch((A, b"2"), of=[1, 3])
    assert driver.apply(again) == [Conflicted(outcome_key(session(1)))]
    assert driver.apply(replace(again, requests=(replace(again.requests[0], floor=1),), view=2)) == [
        Committed(3, b"", replayed=False)
    ]


def test_of_one_batch_the_lowest_sessions_are_forgotten_first() -> None:
    driver = Driver(max_outcomes=2)
    driver.apply(batch(of=[1, 2, 3]), batch(of=[4], view=1))
    kept = [number for number in range(1, 5) if stored_outcome(driver.machine.view(), session(number), 1) is not None]
    assert kept == [3, 4]


# --- large entries ---------------------------------------------------------------------------------------------------


def large_entries(first: int = 1) -> list[Entry]:
    """A small entry, one that writes thousands of keys, and one that deletes every other key of them."""
    keys = [A + b"%06d" % number for number in range(3 * APPLY_STEP_WRITES + 1)]
    commands = [
        command((A, b"before"), of=2, sequence=first),
        command(*((key, b"x") for key in keys), sequence=first),
        command(*((key, None) for key in keys[::2]), of=3, sequence=first),
    ]
    return [Entry(1, first + place, EntryKind.COMMAND, b"", encode_command(one)) for place, one in enumerate(commands)]


def test_a_large_entry_is_applied_with_pauses_and_shows_all_at_once() -> None:
    driver, whole = Driver(), Driver()
    steps = driver.machine.apply_in_steps(large_entries())
    pauses = 0
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            outcomes = stop.value
            break
        pauses += 1
        assert (driver.machine.applied, driver.engine.applied_index) == (0, 0)
        assert list(driver.machine.view().scan(b"", b"\xff")) == []
    assert pauses >= 4
    driver.machine.check_invariants()
    assert outcomes == whole.machine.apply(large_entries())
    assert driver.machine.view().version == whole.machine.view().version == 3
    assert list(driver.engine.tree.scan(b"", None)) == list(whole.engine.tree.scan(b"", None))


def test_what_history_gives_up_for_a_large_entry_goes_with_pauses() -> None:
    engine = MemoryEngine()
    machine = Machine(engine, history_records=10)
    machine.apply(large_entries())
    overwrites = command(*((A + b"%06d" % number, b"y") for number in range(3 * APPLY_STEP_WRITES)), of=9, view=3)
    steps = machine.apply_in_steps([Entry(1, 4, EntryKind.COMMAND, b"", encode_command(overwrites))])
    assert sum(1 for _ in steps) >= 3, "two between the writes, others between what goes"
    machine.check_invariants()
    assert machine.applied == 4


@pytest.mark.parametrize("pauses", range(5))
def test_a_node_that_ends_in_a_pause_has_not_applied_the_entry(pauses: int) -> None:
    """Whatever had begun before: the checkpoint that goes on meanwhile holds the state before the entry."""
    disk = MemoryDisk(seed=1)
    engine = PageEngine.open(disk)
    machine = Machine(engine)
    machine.apply(large_entries())
    before = list(engine.tree.scan(b"", None))
    checkpoint = engine.begin_checkpoint()
    assert checkpoint is not None
    steps = machine.apply_in_steps(large_entries(4))
    for _ in range(pauses):
        checkpoint.write_slice()
        next(steps)
    checkpoint.commit()
    steps.close()
    assert (engine.applied_index, list(engine.tree.scan(b"", None))) == (3, before)
    engine.close()
    disk.crash()
    assert_sound(disk)

    restarted, never_stopped = PageEngine.open(disk), MemoryEngine()
    assert restarted.applied_index == 3
    again, whole = Machine(restarted), Machine(never_stopped)
    whole.apply(large_entries())
    assert again.apply(large_entries(4)) == whole.apply(large_entries(4))
    again.check_invariants()
    assert list(restarted.tree.scan(b"", None)) == list(never_stopped.tree.scan(b"", None))
    restarted.checkpoint()
    restarted.close()
    assert_sound(disk)


def test_a_checkpoint_may_end_in_a_pause() -> None:
    disk = MemoryDisk(seed=1)
    engine = PageEngine.open(disk)
    machine = Machine(engine)
    machine.apply(large_entries())
    for first in range(4, 16, 3):
        checkpoint = engine.begin_checkpoint()
        assert checkpoint is not None
        for _ in machine.apply_in_steps(large_entries(first)):
            if checkpoint is not None and not checkpoint.write_slice():
                checkpoint.commit()
                assert engine.durable_index == first - 1
                checkpoint = None
        assert checkpoint is None
        machine.check_invariants()
        engine.check_invariants()
    engine.checkpoint()
    engine.close()
    assert_sound(disk)


def test_no_checkpoint_begins_in_a_pause() -> None:
    engine = PageEngine.open(MemoryDisk(seed=1))
    machine = Machine(engine)
    machine.apply([Entry(1, 1, EntryKind.NOOP, b"", b"")])
    steps = machine.apply_in_steps(large_entries(2))
    next(steps)
    engine.begin_checkpoint()
    with pytest.raises(InvariantViolation, match="no checkpoint begins in the middle of an edit"):
        list(steps)
