"""The log's tail, its terms, and what is durable of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mynode.base.errors import InvariantViolation
from mynode.raft.config import Restored, restored_from
from mynode.raft.effects import HardState
from mynode.raft.log import ENTRY_OVERHEAD_BYTES, Log, take
from mynode.raft.messages import Entry, EntryKind

NO_LIMIT = 1 << 40


def entry(index: int, term: int, size: int = 1) -> Entry:
    return Entry(term, index, EntryKind.COMMAND, b"", b"x" * size)


def entries(*terms: int, first: int = 1) -> list[Entry]:
    return [entry(index, term) for index, term in enumerate(terms, first)]


def log_of(*terms: int, tail_entries: int | None = None, max_tail_bytes: int = NO_LIMIT) -> Log:
    return Log(restored_from(HardState(0, None), entries(*terms), tail_entries=tail_entries), max_tail_bytes)


def test_an_empty_log() -> None:
    log = log_of()
    assert (log.last_index, log.last_term, log.durable_index, log.tail_start) == (0, 0, 0, 1)
    assert log.holds(0, 0)
    assert not log.holds(1, 1)


def test_terms_are_known_where_entries_are_not_in_memory() -> None:
    log = log_of(1, 1, 4, 4, 6, tail_entries=1)
    assert log.tail_start == 5
    assert [log.term_at(index) for index in range(6)] == [0, 1, 1, 4, 4, 6]
    assert log.newest_of_term_at_most(5, 5) == 4
    assert log.newest_of_term_at_most(4, 3) == 2
    assert log.newest_of_term_at_most(2, 9) == 2
    assert log.newest_of_term_at_most(5, 0) == 0


def test_a_tail_without_the_terms_before_it_is_our_mistake() -> None:
    with pytest.raises(InvariantViolation, match="terms of entries that are not in memory"):
        Log(Restored(tail=(entry(5, 2),)), NO_LIMIT)


def test_a_log_that_begins_later() -> None:
    log = Log(Restored(first_index=11, term_runs=((10, 3), (12, 5)), tail=tuple(entries(3, 5, first=11))), NO_LIMIT)
    assert (log.base_index, log.last_index, log.last_term) == (10, 12, 5)
    assert log.holds(10, 3)
    assert not log.holds(9, 3)


def test_a_persist_makes_durable_what_was_handed_out() -> None:
    log = log_of(1)
    log.append(entries(1, 1, first=2))
    assert [each.index for each in log.take_unpersisted(1)] == [2, 3]
    log.append(entries(2, first=4))
    assert [each.index for each in log.take_unpersisted(2)] == [4]
    assert not log.has_unpersisted
    assert log.durable_index == 1
    log.persisted(1)
    assert log.durable_index == 3
    log.persisted(2)
    assert log.durable_index == 4


def test_a_late_fsync_does_not_make_the_replacement_durable() -> None:
    log = log_of(1)
    log.append(entries(1, 1, 1, first=2))
    log.take_unpersisted(1)
    assert [each.index for each in log.truncate(3)] == [3, 4]
    log.append(entries(2, first=3))
    assert [(each.index, each.term) for each in log.take_unpersisted(2)] == [(3, 2)]
    log.persisted(1)
    assert log.durable_index == 2
    log.persisted(2)
    assert log.durable_index == 3
    log.check_invariants()


def test_truncation_below_the_tail() -> None:
    log = log_of(1, 2, 3, 4, tail_entries=1)
    assert [each.index for each in log.truncate(3)] == [4]
    assert (log.last_index, log.last_term, log.tail_start, log.durable_index) == (2, 2, 3, 2)
    log.append(entries(5, first=3))
    log.check_invariants()


def test_trim_keeps_what_is_not_durable_and_what_may_be_truncated() -> None:
    size = 1 + ENTRY_OVERHEAD_BYTES
    log = log_of(max_tail_bytes=2 * size)
    log.append(entries(1, 1, 1, 1, 1, 1))
    log.take_unpersisted(1)
    log.trim(commit=6)
    assert log.tail_start == 1
    log.persisted(1)
    log.trim(commit=3)
    assert log.tail_start == 4
    log.trim(commit=6)
    assert log.tail_start == 5
    log.check_invariants()


def test_take_is_bounded_but_never_empty() -> None:
    some = [entry(index, 1, size) for index, size in enumerate((5, 100, 5, 5), 1)]
    assert [each.index for each in take(some, 0, 10, 9)] == [1]
    assert [each.index for each in take(some, 1, 10, 9)] == [2]
    assert [each.index for each in take(some, 2, 10, 10)] == [3, 4]
    assert [each.index for each in take(some, 2, 1, 10)] == [3]
    assert take(some, 4, 1, 10) == ()


@given(
    terms=st.lists(st.integers(1, 5), max_size=20).map(sorted),
    cuts=st.lists(st.tuples(st.integers(1, 20), st.integers(1, 4)), max_size=6),
)
def test_a_log_of_runs_is_a_list_of_terms(terms: list[int], cuts: list[tuple[int, int]]) -> None:
    """Against a plain list: any truncations and appends leave the same terms."""
    log = log_of(*terms)
    model = list(terms)
    for number, (first, count) in enumerate(cuts):
        if first <= len(model):
            del model[first - 1 :]
            log.truncate(first)
        term = 6 + number
        log.append(entries(*[term] * count, first=len(model) + 1))
        model.extend([term] * count)
        log.check_invariants()
    assert [log.term_at(index) for index in range(1, log.last_index + 1)] == model
    for index in range(len(model) + 1):
        for term in range(12):
            older = [place for place in range(1, index + 1) if model[place - 1] <= term]
            assert log.newest_of_term_at_most(index, term) == max(older, default=0)


# --- the cut front ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail_entries", [None, 1, 3])
@pytest.mark.parametrize("first_index", range(1, 7))
def test_a_log_whose_front_is_cut_off_knows_the_terms_from_there_on(first_index: int, tail_entries: int | None) -> None:
    log = log_of(1, 1, 4, 4, 6, tail_entries=tail_entries)
    log.compact(first_index)
    log.check_invariants()
    assert (log.base_index, log.last_index, log.last_term) == (first_index - 1, 5, 6)
    terms = [0, 1, 1, 4, 4, 6]
    assert [log.term_at(index) for index in range(first_index - 1, 6)] == terms[first_index - 1 :]
    assert not log.holds(first_index - 2, 1)
    log.append([entry(6, 7)])
    log.check_invariants()


def test_a_cut_that_is_not_news_changes_nothing() -> None:
    log = log_of(1, 1, 4)
    log.compact(3)
    log.compact(2)
    assert log.base_index == 2
    assert log.entries_from(3, 10, NO_LIMIT) == (entry(3, 4),)


def test_what_is_not_durable_is_not_cut_off() -> None:
    log = log_of(1)
    log.append([entry(2, 1)])
    with pytest.raises(InvariantViolation, match="durable"):
        log.compact(3)


def test_a_snapshot_takes_the_logs_place() -> None:
    log = log_of(1, 1, 4)
    log.append([entry(4, 4)])
    log.take_unpersisted(1)
    log.replace(9, 5)
    log.check_invariants()
    assert (log.base_index, log.last_index, log.last_term, log.durable_index) == (9, 9, 5, 9)
    assert not log.has_unpersisted
    log.persisted(1)
    log.append([entry(10, 5)])
    assert log.durable_index == 9
    assert log.take_unpersisted(2) == (entry(10, 5),)
    log.persisted(2)
    log.check_invariants()
    assert log.durable_index == 10


def test_a_log_that_begins_after_a_snapshot() -> None:
    log = Log(Restored(first_index=10, term_runs=((9, 5),)), NO_LIMIT)
    log.check_invariants()
    assert (log.base_index, log.last_index, log.last_term) == (9, 9, 5)
    assert log.holds(9, 5)
