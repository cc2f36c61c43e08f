"""What applying costs: batches of 64 one-row INSERTs, in µs an entry: `python benches/machine.py [sessions]`.

An entry reads the catalog record of its table and the absence of its key, writes one row and stores an outcome. The
outcomes of all sessions and 200,000 rows are there already. The figures are the best of five runs.
"""

from __future__ import annotations

import sys
import time

from mynode.machine.commands import TransactionCommand, decode_command, encode_command
from mynode.machine.machine import Machine
from mynode.machine.outcomes import Committed
from mynode.mvcc.readset import ReadSet
from mynode.raft.messages import Entry, EntryKind
from mynode.storage.engine import MemoryEngine

RUNS = 5
BATCH = 64
ENTRIES = 64 * 200
ROWS = 200_000


def insert(index: int, session: int, key: bytes) -> Entry:
    """The entry of one INSERT, on a view some entries old."""
    command = TransactionCommand(
        session=session.to_bytes(16, "little"),
        sequence=index,
        floor=index - 1,
        view=max(index - BATCH, 0),
        reads=ReadSet({b"\x01table/17": None, key: None}),
        writes=((key, b"v" * 80),),
        result=b"\x92\xaaINSERT 0 1\x01",
    )
    return Entry(1, index, EntryKind.COMMAND, b"p" * 12, encode_command(command))


def entries(first: int, count: int, sessions: int, table: bytes) -> list[Entry]:
    return [
        insert(index, index % sessions, table + ((index * 7_919) % 1_000_003).to_bytes(8, "big"))
        for index in range(first, first + count)
    ]


def run_in_batches(machine: Machine, batches: list[list[Entry]]) -> None:
    for batch in batches:
        outcomes = machine.apply(batch)
        if not all(isinstance(outcome, Committed) and not outcome.replayed for outcome in outcomes):
            raise SystemExit("an entry was not committed")


def main(sessions: int) -> None:
    machine = Machine(MemoryEngine())
    run_in_batches(machine, [entries(1, ROWS, sessions, b"\x02\x11")])
    applying, decoding, encoding = [], [], []
    for _ in range(RUNS):
        made = entries(machine.applied + 1, ENTRIES, sessions, b"\x02\x11")
        batches = [made[start : start + BATCH] for start in range(0, ENTRIES, BATCH)]
        began = time.perf_counter()
        commands = [decode_command(entry.payload) for entry in made]
        decoded = time.perf_counter()
        for command in commands:
            encode_command(command)
        encoded = time.perf_counter()
        run_in_batches(machine, batches)
        applying.append(time.perf_counter() - encoded)
        encoding.append(encoded - decoded)
        decoding.append(decoded - began)
    for name, times in (("apply", applying), ("of it decode", decoding), ("encode", encoding)):
        print(f"{name:14} {min(times) / ENTRIES * 1e6:6.2f} µs an entry")  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 64)
