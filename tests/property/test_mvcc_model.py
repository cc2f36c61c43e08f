"""Transactions against a dict: what they see, and that their read set holds everything the answer rests on."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from mynode.mvcc.transaction import Transaction
from mynode.mvcc.validation import conflict
from mynode.mvcc.view import ReadView
from mynode.storage.tree import Tree

keys = st.integers(0, 150).map(lambda number: b"%03d" % number)
values = st.none() | st.binary(min_size=1, max_size=2)
State = dict[bytes, bytes]
Seen = list[tuple[bytes, bytes | None]]


@dataclass(frozen=True)
class Get:
    key: bytes


@dataclass(frozen=True)
class Exists:
    key: bytes


@dataclass(frozen=True)
class Put:
    key: bytes
    value: bytes | None


@dataclass(frozen=True)
class Scan:
    """`limit` items at most are taken."""

    low: bytes
    high: bytes | None
    reverse: bool
    limit: int | None


steps = st.lists(
    st.builds(Get, keys)
    | st.builds(Exists, keys)
    | st.builds(Put, keys, values)
    | st.builds(Scan, keys, st.none() | keys, st.booleans(), st.none() | st.integers(1, 20)),
    max_size=12,
)
states = st.dictionaries(keys, st.binary(min_size=1, max_size=2), max_size=120)


def view_of(state: State, version: int) -> ReadView:
    editor = Tree.empty().edit()
    for key, value in state.items():
        editor.put(key, version, value)
    return ReadView(version, editor.commit())


def run(txn: Transaction, program: list[Get | Exists | Put | Scan]) -> list[Seen]:
    """All that a program sees."""
    seen: list[Seen] = []
    for step in program:
        match step:
            case Get(key):
                seen.append([(key, txn.get(key))])
            case Exists(key):
                seen.append([(key, b"there" if txn.exists(key) else None)])
            case Put(key, value):
                txn.writes.put(key, value)
            case Scan(low, high, reverse, limit):
                walk = txn.scan(low, high, reverse=reverse)
                seen.append([item for item, _ in zip(walk, range(limit or 1_000), strict=False)])
    return seen


def run_on_model(state: State, program: list[Get | Exists | Put | Scan]) -> list[Seen]:
    now = dict(state)
    seen: list[Seen] = []
    for step in program:
        match step:
            case Get(key):
                seen.append([(key, now.get(key))])
            case Exists(key):
                seen.append([(key, b"there" if key in now else None)])
            case Put(key, None):
                now.pop(key, None)
            case Put(key, bytes() as value):
                now[key] = value
            case Scan(low, high, reverse, limit):
                inside = sorted((key, now[key]) for key in now if low <= key and (high is None or key < high))
                seen.append(list((inside[::-1] if reverse else inside)[:limit]))
    return seen


@settings(max_examples=200, deadline=None)
@given(states, steps)
def test_a_transaction_sees_its_view_and_its_own_writes(state: State, program: list[Get | Exists | Put | Scan]) -> None:
    txn = Transaction(view_of(state, 1))
    assert run(txn, program) == run_on_model(state, program)
    txn.writes.check_invariants()
    assert run(Transaction(view_of(state, 1), record_reads=False), program) == run_on_model(state, program)


@settings(max_examples=300, deadline=None)
@given(states, steps, st.dictionaries(keys, values, min_size=1, max_size=5))
def test_a_transaction_that_validates_would_see_the_same_now(
    state: State, program: list[Get | Exists | Put | Scan], others: dict[bytes, bytes | None]
) -> None:
    """The meaning of validation: no conflict with what others wrote since means that running again changes nothing."""
    txn = Transaction(view_of(state, 1))
    seen = run(txn, program)
    editor = txn.view.tree.edit()
    for key, value in others.items():
        editor.put(key, 2, value)
    later = ReadView(2, editor.commit())
    if conflict(later.tree, 1, txn.reads) is None:
        assert run(Transaction(later), program) == seen
        assert not any(txn.reads.covers(key, value) for key, value in others.items())
    else:
        assert any(txn.reads.covers(key, value) for key, value in others.items())


ranges = st.lists(st.tuples(keys, st.none() | keys), max_size=30)


@settings(max_examples=100, deadline=None)
@given(st.lists(keys, max_size=60), st.lists(keys, max_size=60), ranges)
def test_coarsening_never_loses_coverage(
    read: list[bytes], present: list[bytes], walked: list[tuple[bytes, bytes | None]]
) -> None:
    txn = Transaction(view_of({}, 1))
    for key in present:
        txn.reads.add_present(key)
    for key in read:
        txn.reads.add_key(key)
    for low, high in walked:
        txn.reads.add_range(low, high)
    every_key = [b"%03d" % number for number in range(151)]
    before = {key for key in every_key if txn.reads.covers(key, None)}
    txn.reads._coarsen()
    assert before <= {key for key in every_key if txn.reads.covers(key, None)}
