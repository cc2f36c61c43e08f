"""What the raft log costs: run as `python benches/raft_log.py [DIR]`; without DIR it runs on a disk in memory.

Prints CPU and wall-clock microseconds an entry, for batches of 64 entries of 200 bytes, each batch one fsync.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mynode.base.disk import Disk
from mynode.base.disk_memory import MemoryDisk
from mynode.base.disk_real import RealDisk
from mynode.raft.effects import HardState, Persist
from mynode.raft.messages import Entry, EntryKind
from mynode.storage.raft_log import RaftLog

BATCHES = 500
ENTRIES_PER_BATCH = 64
ENTRIES = BATCHES * ENTRIES_PER_BATCH
PAYLOAD_BYTES = 200

T = TypeVar("T")


def measure(label: str, run: Callable[[], T]) -> T:
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    sys.stdout.write(f"{label:8} {cpu / ENTRIES * 1e6:6.2f} µs CPU {wall / ENTRIES * 1e6:6.2f} µs wall an entry\n")
    return result


def bench(disk: Disk) -> None:
    log = RaftLog.open(disk)
    log.append([Persist(0, HardState(1, None), ())])
    payload = b"x" * PAYLOAD_BYTES
    entries = [Entry(1, 1 + number, EntryKind.COMMAND, b"p" * 12, payload) for number in range(ENTRIES)]
    batches = [
        [Persist(start, None, tuple(entries[start : start + ENTRIES_PER_BATCH]))]
        for start in range(0, ENTRIES, ENTRIES_PER_BATCH)
    ]

    def append() -> None:
        for batch in batches:
            log.append(batch)

    measure("append", append)
    measure("read", lambda: log.tail(1 << 30))
    log.close()
    measure("open", lambda: RaftLog.open(disk)).close()


def main() -> None:
    if len(sys.argv) == 1:
        bench(MemoryDisk())
        return
    with tempfile.TemporaryDirectory(dir=sys.argv[1]) as directory:
        bench(RealDisk(Path(directory)))


if __name__ == "__main__":
    main()
