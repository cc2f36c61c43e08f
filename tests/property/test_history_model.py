"""Random transactions against a copy of the state for each version: what can be read of the past is that copy."""

from __future__ import annotations

from bisect import bisect_left

from hypothesis import given, settings
from hypothesis import strategies as st

from mynode.base.limits import TIME_SAMPLE_MS
from mynode.machine.commands import RetainCommand, TransactionCommand, encode_command
from mynode.machine.machine import Machine
from mynode.mvcc.history import HistoricView, historic_view, horizon, version_at
from mynode.mvcc.readset import ReadSet
from mynode.mvcc.view import ReadView
from mynode.raft.messages import Entry, EntryKind
from mynode.storage.engine import MemoryEngine

KEYS = (b"\x01a", b"\x02", b"\x02\x00", b"\x02b", b"\x02b\x00", b"\x02c", b"\x03d")
RETENTION = 12
HISTORY = 20
State = dict[bytes, tuple[int, bytes]]
Change = dict[bytes, bytes | None] | int | None

one_write = st.dictionaries(st.sampled_from(KEYS), st.none() | st.binary(max_size=3), min_size=1, max_size=4)
many_writes = st.integers(10, 40).map(lambda count: {b"\x02x%03d" % number: b"" for number in range(count)})
retentions = st.integers(1, 3 * RETENTION)
entries = st.none() | one_write | one_write | one_write | many_writes | retentions
schedules = st.lists(st.tuples(entries, st.integers(0, 3 * TIME_SAMPLE_MS), st.booleans()), max_size=60)


def past(view: ReadView, version: int) -> HistoricView:
    (found,) = [step for step in historic_view(view, version) if step is not None]
    return found


def check(view: ReadView, version: int, state: State) -> None:
    seen = past(view, version)
    expected = [(key, value) for key, (_, value) in sorted(state.items())]
    assert list(seen.scan(b"", b"\xf0")) == expected
    assert list(seen.scan(b"", b"\xf0", reverse=True)) == expected[::-1]
    assert list(seen.scan(b"\x02", b"\x02c")) == [item for item in expected if b"\x02" <= item[0] < b"\x02c"]
    for key in KEYS:
        assert seen.get(key) == (state[key][1] if key in state else None)


@given(schedules)
@settings(max_examples=150, deadline=None)
def test_the_past_is_what_it_was(schedule: list[tuple[Change, int, bool]]) -> None:
    engine = MemoryEngine()
    machine = Machine(engine, retention_entries=RETENTION, history_records=HISTORY)
    states: list[State] = [{}]
    times: list[int] = [0]
    time_ms = 1_000
    retention, watermark = RETENTION, 0
    for version, (change, passed_ms, restarts) in enumerate(schedule, start=1):
        time_ms += passed_ms
        payload = b""
        state = dict(states[-1])
        watermark = max(watermark, version - retention)
        session = version.to_bytes(16, "big")
        if isinstance(change, int):
            retention = change
            watermark = max(watermark, version - retention)
            payload = encode_command(RetainCommand(session, 1, 0, retention, b"", time_ms))
        elif change is not None:
            in_order = tuple(sorted(change.items()))
            command = TransactionCommand(session, 1, 0, version - 1, ReadSet(), in_order, b"", time_ms)
            payload = encode_command(command)
            for key, value in in_order:
                if value is None:
                    state.pop(key, None)
                else:
                    state[key] = (version, value)
        kind = EntryKind.NOOP if change is None else EntryKind.COMMAND
        machine.apply([Entry(1, version, kind, b"", payload)])
        machine.check_invariants()
        states.append(state)
        times.append(time_ms if change is not None else times[-1])
        if restarts:
            machine = Machine(engine, retention_entries=RETENTION, history_records=HISTORY)
        view = machine.view()
        assert machine.status().watermark == watermark
        oldest = max(watermark, horizon(view.tree))
        for earlier in {oldest, (oldest + version) // 2, version - 1, version} - set(range(oldest)):
            check(view, earlier, states[earlier])
        check_times(view, times, time_ms)


def check_times(view: ReadView, times: list[int], now_ms: int) -> None:
    """A time finds all versions up to it, and none of more than `TIME_SAMPLE_MS` after it."""
    last = 0
    for time_ms in range(max(0, now_ms - 10 * TIME_SAMPLE_MS), now_ms + TIME_SAMPLE_MS, TIME_SAMPLE_MS // 3):
        found = version_at(view, time_ms)
        if found is not None:
            assert last <= found <= view.version
            last = found
            assert times[found] <= time_ms + TIME_SAMPLE_MS
            after = bisect_left(times, time_ms + 1)
            assert found >= after - 1
