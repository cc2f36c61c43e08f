"""Replicas agree whatever happens: other batches, restarts in between; and the log order is a serial order."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from mynode.machine.commands import Command, RetainCommand, TransactionCommand, encode_command
from mynode.machine.machine import Machine
from mynode.machine.outcomes import Committed, Conflicted, Outcome
from mynode.mvcc import keyspace
from mynode.mvcc.readset import ReadSet
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.raft.messages import Entry, EntryKind
from mynode.storage.engine import MemoryEngine
from mynode.storage.nodes import Leaf, Node, Ref

MAX_OUTCOMES = 4
RETENTION_ENTRIES = 12
HISTORY_RECORDS = 20
GARBAGE = b"\xc1"


def row(number: int) -> bytes:
    return keyspace.ROWS + b"%03d" % number


rows = st.integers(0, 40).map(row)
catalog = st.sampled_from([keyspace.CATALOG + b"a", keyspace.CATALOG + b"b"])
dropped = st.sampled_from([keyspace.GARBAGE + keyspace.ROWS + digits for digits in (b"00", b"01", b"02", b"0", b"x")])
ranges = st.tuples(rows, st.none() | rows).filter(lambda item: item[1] is None or item[0] < item[1])


def new_machine(engine: MemoryEngine) -> Machine:
    return Machine(
        engine, max_outcomes=MAX_OUTCOMES, retention_entries=RETENTION_ENTRIES, history_records=HISTORY_RECORDS
    )


@dataclass(frozen=True)
class Age:
    """How many entries old the view, and how much older the floor, of the command at some index."""

    view: int
    floor: int


commands = st.builds(
    TransactionCommand,
    session=st.integers(0, 6).map(lambda number: number.to_bytes(16, "big")),
    sequence=st.integers(1, 6),
    floor=st.just(0),
    view=st.just(0),
    reads=st.builds(ReadSet, st.lists(rows | catalog, max_size=3).map(dict.fromkeys), st.lists(ranges, max_size=1)),
    writes=st.dictionaries(rows | catalog | dropped, st.none() | st.binary(max_size=2), max_size=3).map(
        lambda writes: tuple(sorted(writes.items()))
    ),
    result=st.binary(max_size=2),
    time_ms=st.integers(0, 2_000),
)
bulk_deletes = st.integers(40, 80).map(
    lambda count: TransactionCommand(
        b"b" * 16, 1, 0, 0, ReadSet(), tuple((keyspace.ROWS + b"x%03d" % number, None) for number in range(count)), b""
    )
)
retains = st.builds(
    RetainCommand,
    session=st.integers(0, 6).map(lambda number: number.to_bytes(16, "big")),
    sequence=st.integers(1, 6),
    floor=st.just(0),
    entries=st.integers(1, 2 * RETENTION_ENTRIES),
    result=st.binary(max_size=2),
    time_ms=st.integers(0, 2_000),
)
ages = st.builds(Age, st.integers(1, RETENTION_ENTRIES + 3), st.integers(0, 6))
logs = st.lists(
    st.none() | st.just(GARBAGE) | st.tuples(commands | commands | bulk_deletes | retains, ages), max_size=60
)
cuts = st.lists(st.integers(1, 9), min_size=1, max_size=9)


def entries_of(log: list[bytes | tuple[TransactionCommand | RetainCommand, Age] | None]) -> list[Entry]:
    entries = []
    for index, item in enumerate(log, 1):
        match item:
            case None:
                entries.append(Entry(1, index, EntryKind.NOOP, b"", b""))
            case bytes():
                entries.append(Entry(1, index, EntryKind.COMMAND, b"", item))
            case command, age:
                view = max(0, index - age.view)
                floor = max(0, view - age.floor)
                if isinstance(command, RetainCommand):
                    aged: Command = replace(command, floor=floor)
                else:
                    aged = replace(command, view=view, floor=floor)
                entries.append(Entry(1, index, EntryKind.COMMAND, b"", encode_command(aged)))
    return entries


def shape(node: Node | Ref) -> object:
    """Everything about a tree in memory that its pages would hold."""
    assert not isinstance(node, int)
    if isinstance(node, Leaf):
        return node.keys, node.records
    return node.separators, node.newest, [shape(child) for child in node.children]


def run(entries: list[Entry], sizes: list[int], *, restart: bool) -> tuple[Machine, MemoryEngine, list[Outcome | None]]:
    """Apply in batches of `sizes`, over and over; with `restart` by a new machine on the same tree each time."""
    engine = MemoryEngine()
    machine = new_machine(engine)
    outcomes: list[Outcome | None] = []
    start = turn = 0
    while start < len(entries):
        size = sizes[turn % len(sizes)]
        outcomes += machine.apply(entries[start : start + size])
        machine.check_invariants()
        start, turn = start + size, turn + 1
        if restart:
            machine = Machine(
                engine, max_outcomes=MAX_OUTCOMES, retention_entries=RETENTION_ENTRIES, history_records=20
            )
    return machine, engine, outcomes


@settings(max_examples=150, deadline=None)
@given(logs, cuts)
def test_batches_and_restarts_change_nothing(
    log: list[bytes | tuple[TransactionCommand | RetainCommand, Age] | None], sizes: list[int]
) -> None:
    entries = entries_of(log)
    one_by_one, engine, outcomes = run(entries, [1], restart=False)
    for others, restart in ((sizes, False), (sizes, True), ([len(entries) or 1], False)):
        machine, other_engine, other_outcomes = run(entries, others, restart=restart)
        assert other_outcomes == outcomes
        assert shape(other_engine.tree.root) == shape(engine.tree.root)
        assert machine.status() == one_by_one.status()


@dataclass(frozen=True)
class Increment:
    """Adds one to every key read, on a view that may be `age` entries old; sent `copies` times."""

    keys: tuple[bytes, ...]
    age: int
    copies: int


increments = st.builds(
    Increment, st.lists(rows, min_size=1, max_size=3, unique=True).map(tuple), st.integers(0, 4), st.integers(1, 3)
)


@settings(max_examples=100, deadline=None)
@given(st.lists(increments, max_size=25))
def test_increments_are_serial_and_exactly_once(program: list[Increment]) -> None:
    """Every committed increment counts once: nothing is lost to stale views, nothing done twice by duplicates."""
    machine = Machine(MemoryEngine(), max_outcomes=100, retention_entries=100)
    views: list[ReadView] = [machine.view()]
    expected: dict[bytes, int] = {}
    for number, step in enumerate(program):
        txn = Transaction(views[max(0, len(views) - 1 - step.age)])
        for key in step.keys:
            txn.put(key, b"%d" % (int(txn.get(key) or b"0") + 1))
        payload = encode_command(
            TransactionCommand(
                number.to_bytes(16, "big"), 1, txn.view.version, txn.view.version, txn.reads, txn.writes.in_order(), b""
            )
        )
        first, *others = machine.apply(
            [Entry(1, machine.applied + 1 + copy, EntryKind.COMMAND, b"", payload) for copy in range(step.copies)]
        )
        views.append(machine.view())
        if isinstance(first, Committed):
            assert all(isinstance(other, Committed) and other.replayed for other in others)
            for key in step.keys:
                expected[key] = expected.get(key, 0) + 1
        else:
            assert isinstance(first, Conflicted)
            assert all(isinstance(other, Conflicted) for other in others)
        assert isinstance(first, Committed) or step.age > 0
    final = machine.view()
    assert {key: int(value) for key, value in final.scan(keyspace.ROWS, keyspace.INDEXES)} == expected
