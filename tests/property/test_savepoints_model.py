"""Savepoints of a write set against copies of a dict."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mynode.mvcc.writeset import WriteSet

keys = st.integers(0, 5).map(lambda number: b"%d" % number)
steps = st.lists(
    st.tuples(st.just("put"), keys, st.none() | st.binary(max_size=3))
    | st.tuples(st.sampled_from(["savepoint", "rollback", "release"]), st.integers(0, 4), st.none()),
    max_size=40,
)


@given(steps)
def test_savepoints_bring_back_copies(program: list[tuple[str, bytes | int, bytes | None]]) -> None:
    writes = WriteSet()
    now: dict[bytes, bytes | None] = {}
    copies: list[dict[bytes, bytes | None]] = []
    for step, argument, value in program:
        if isinstance(argument, bytes):
            writes.put(argument, value)
            now[argument] = value
        elif step == "savepoint":
            assert writes.savepoint() == len(copies)
            copies.append(dict(now))
        elif argument < len(copies):
            if step == "rollback":
                writes.rollback_to(argument)
                now = dict(copies[argument])
                del copies[argument + 1 :]
            else:
                writes.release(argument)
                del copies[argument:]
        assert writes.values == now
        assert writes.in_range(b"", None) == sorted(now.items())
        writes.check_invariants()
