"""What the tree costs, in µs an operation, on a tree of 200,000 records: `python benches/tree.py [records]`.

Each figure is the best of five runs, so that a busy machine disturbs it little.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

from mynode.storage.tree import Tree

RUNS = 5
OPERATIONS = 20_000


def best_us(work: Callable[[], int]) -> float:
    """The best time of one operation over `RUNS` calls of `work`, each of which returns how many it did."""
    times: list[float] = []
    for _ in range(RUNS):
        start = time.perf_counter()
        count = work()
        times.append((time.perf_counter() - start) / count)
    return min(times) * 1e6


def build(keys: list[bytes]) -> Tree:
    editor = Tree.empty().edit()
    for version, key in enumerate(keys, 1):
        editor.put(key, version, b"v" * 64)
    return editor.commit()


def put_all(tree: Tree, keys: list[bytes], batch: int) -> int:
    version = tree.newest_in(b"", None)
    for start in range(0, len(keys), batch):
        editor = tree.edit()
        for key in keys[start : start + batch]:
            version += 1
            editor.put(key, version, b"w" * 64)
        tree = editor.commit()
    return len(keys)


def get_all(tree: Tree, keys: list[bytes]) -> int:
    for key in keys:
        tree.get(key)
    return len(keys)


def main(records: int) -> None:
    generator = random.Random(1)
    ascending = [b"\x02" + number.to_bytes(8, "big") for number in range(records)]
    sample = generator.sample(ascending, min(OPERATIONS, records))
    appended = [b"\x03" + number.to_bytes(8, "big") for number in range(OPERATIONS)]
    tree = build(ascending)
    figures = {
        "put, ascending, one batch": best_us(lambda: build(ascending).count),
        "put, ascending, batches of 64": best_us(lambda: put_all(tree, appended, 64)),
        "put, ascending, batches of 1": best_us(lambda: put_all(tree, appended, 1)),
        "put, random, one batch": best_us(lambda: put_all(tree, sample, len(sample))),
        "put, random, batches of 64": best_us(lambda: put_all(tree, sample, 64)),
        "put, random, batches of 1": best_us(lambda: put_all(tree, sample, 1)),
        "get, random": best_us(lambda: get_all(tree, sample)),
        "scan, a record": best_us(lambda: sum(1 for _ in tree.scan(b"", None))),
        "newest in a range": best_us(lambda: sum(1 for key in sample if tree.newest_in(key, None))),
    }
    for name, microseconds in figures.items():
        print(f"{name:32} {microseconds:8.2f} µs")  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
