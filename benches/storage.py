"""The page engine beside sqlite3 and, if installed, lmdb: `python benches/storage.py [--records N ...] [--dir D]`.

µs an operation, the best of three runs: load (ascending), random puts and gets, a scan; ms for a checkpoint after
10,000 random puts, and for opening a file and reading one record of it. All write in batches of 64 without an fsync a
batch, as the raft log is what makes a batch durable; the checkpoint is the fsync. Keys 13 bytes, values 100.
"""

from __future__ import annotations

import argparse
import random
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path
from typing import Final, Protocol

from mynode.base.disk_real import RealDisk
from mynode.base.limits import MIB, PAGE_CACHE_BYTES
from mynode.storage.pages import PageEngine

lmdb = import_module("lmdb") if find_spec("lmdb") else None

BATCH: Final = 64
OPERATIONS: Final = 10_000
RUNS: Final = 3
VALUES: Final = (bytes(range(100)), bytes(range(100, 200)))
"""Put in turn: sqlite3 writes nothing where a value stays the same."""


class Store(Protocol):
    """What is measured of each."""

    def put_batch(self, keys: Sequence[bytes], value: bytes) -> None: ...
    def get_all(self, keys: Iterable[bytes]) -> None: ...
    def scan(self) -> int: ...
    def checkpoint(self) -> None: ...
    def close(self) -> None: ...


class MyNodeStore:
    def __init__(self, directory: Path, cache_bytes: int = PAGE_CACHE_BYTES) -> None:
        self.engine = PageEngine.open(RealDisk(directory), cache_bytes=cache_bytes)

    def put_batch(self, keys: Sequence[bytes], value: bytes) -> None:
        editor, version = self.engine.tree.edit(), self.engine.applied_index + 1
        for key in keys:
            editor.put(key, version, value)
        self.engine.adopt(editor.commit(), version)

    def get_all(self, keys: Iterable[bytes]) -> None:
        get = self.engine.tree.get
        for key in keys:
            get(key)

    def scan(self) -> int:
        return sum(1 for _ in self.engine.tree.scan(b"", None))

    def checkpoint(self) -> None:
        self.engine.checkpoint()

    def close(self) -> None:
        self.engine.close()


class SqliteStore:
    def __init__(self, directory: Path) -> None:
        self.db = sqlite3.connect(directory / "bench.db", isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.execute("PRAGMA wal_autocheckpoint = 0")
        self.db.execute(f"PRAGMA cache_size = -{PAGE_CACHE_BYTES // 1024}")
        self.db.execute("CREATE TABLE IF NOT EXISTS t (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID")

    def put_batch(self, keys: Sequence[bytes], value: bytes) -> None:
        self.db.execute("BEGIN")
        for key in keys:
            self.db.execute("INSERT INTO t VALUES (?, ?) ON CONFLICT DO UPDATE SET v = excluded.v", (key, value))
        self.db.execute("COMMIT")

    def get_all(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            self.db.execute("SELECT v FROM t WHERE k = ?", (key,)).fetchone()

    def scan(self) -> int:
        return sum(1 for _ in self.db.execute("SELECT k, v FROM t ORDER BY k"))

    def checkpoint(self) -> None:
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        self.db.close()


class LmdbStore:
    def __init__(self, directory: Path) -> None:
        assert lmdb is not None
        self.env = lmdb.open(str(directory / "bench.lmdb"), map_size=4096 * MIB, sync=False)

    def put_batch(self, keys: Sequence[bytes], value: bytes) -> None:
        with self.env.begin(write=True) as transaction:
            for key in keys:
                transaction.put(key, value)

    def get_all(self, keys: Iterable[bytes]) -> None:
        with self.env.begin() as transaction:
            for key in keys:
                transaction.get(key)

    def scan(self) -> int:
        with self.env.begin() as transaction:
            return sum(1 for _ in transaction.cursor())

    def checkpoint(self) -> None:
        self.env.sync(True)

    def close(self) -> None:
        self.env.close()


def batches(keys: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(keys)
    while batch := list(islice(rest, BATCH)):
        yield batch


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def best(work: Callable[[], object]) -> float:
    return min(seconds(work) for _ in range(RUNS))


def put_all(store: Store, keys: Iterable[bytes], value: bytes = VALUES[0]) -> None:
    for batch in batches(keys):
        store.put_batch(batch, value)


def key_of(number: int) -> bytes:
    return b"\x02rows" + number.to_bytes(8, "big")


def measure(make: Callable[[Path], Store], directory: Path, records: int) -> dict[str, float]:
    """The figures of one store, by name."""
    generator = random.Random(1)
    sample = [key_of(generator.randrange(records)) for _ in range(OPERATIONS)]
    store = make(directory)
    figures = {"load µs": seconds(lambda: put_all(store, map(key_of, range(records)))) / records * 1e6}
    figures["first checkpoint ms"] = seconds(store.checkpoint) * 1e3
    values = cycle(VALUES[::-1])
    figures["put µs"] = best(lambda: put_all(store, sample, next(values))) / OPERATIONS * 1e6
    figures["checkpoint ms"] = seconds(store.checkpoint) * 1e3
    figures["get µs"] = best(lambda: store.get_all(sample)) / OPERATIONS * 1e6
    figures["scan µs"] = best(store.scan) / records * 1e6
    store.close()
    figures["open ms"] = best(lambda: open_and_get(make, directory, sample[0])) * 1e3
    figures["file MiB"] = sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file()) / MIB
    return figures


def open_and_get(make: Callable[[Path], Store], directory: Path, key: bytes) -> None:
    store = make(directory)
    store.get_all([key])
    store.close()


def show(records: int, found: dict[str, dict[str, float]]) -> None:
    write = sys.stdout.write
    write(f"\n{records:,} records".ljust(24) + "".join(f"{name:>12}" for name in found) + "\n")
    for figure in next(iter(found.values())):
        write(figure.ljust(23) + "".join(f"{figures[figure]:12.2f}" for figures in found.values()) + "\n")


def memory_with_a_small_cache(parent: Path, records: int) -> None:
    """Write and read data much larger than the cache, and show what the process grew by."""
    with tempfile.TemporaryDirectory(dir=parent) as name:
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        store = MyNodeStore(Path(name), cache_bytes=8 * MIB)
        for number, batch in enumerate(batches(map(key_of, range(records)))):
            store.put_batch(batch, VALUES[0])
            if number % 64 == 63:
                store.checkpoint()
        store.checkpoint()
        store.scan()
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 1024
        size = store.engine.status().pages * 4096 / MIB
        store.close()
    sys.stdout.write(f"\ncache of 8 MiB, file of {size:.0f} MiB: the process grew by {grown:.0f} MiB\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, nargs="*", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    memory_with_a_small_cache(options.dir, min(options.records[-1], 300_000))
    stores: dict[str, Callable[[Path], Store]] = {"mynode": MyNodeStore, "sqlite3": SqliteStore}
    if lmdb is not None:
        stores["lmdb"] = LmdbStore
    for records in options.records:
        found = {}
        for name, make in stores.items():
            with tempfile.TemporaryDirectory(dir=options.dir) as directory:
                found[name] = measure(make, Path(directory), records)
        show(records, found)


if __name__ == "__main__":
    main()
