"""What the long checks of SQL share: cases made from one number each, run until enough statements are done.

A case that finds a difference raises `Mismatch`, which names the command that runs it again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from random import SystemRandom
from typing import Final, TypeAlias

STATEMENTS: Final = 100_000

Bag: TypeAlias = Counter[tuple[object, ...]]


class Mismatch(Exception):
    """Two ways to ask the same gave different answers."""


@dataclass
class Tally:
    """What was done: statements, checks by kind, and checks left out by why."""

    statements: int = 0
    checks: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        checks = ", ".join(f"{name} {count:,}" for name, count in sorted(self.checks.items()))
        left_out = ", ".join(f"{why} {count:,}" for why, count in sorted(self.left_out.items()))
        return f"checks: {checks}; left out: {left_out or 'nothing'}"


RunCase: TypeAlias = Callable[[int, Tally], None]


def bag(rows: Iterable[tuple[object, ...]]) -> Bag:
    """The rows whatever their order, numbers and booleans by their value, rounded a little."""
    return Counter(
        tuple(round(float(value), 9) + 0.0 if isinstance(value, int | float | Decimal) else value for value in row)
        for row in rows
    )


def run_cases(module: str, run_case: RunCase, seed: int, statements: int) -> Tally:
    """Cases from `seed` on, up to so many statements. Raises `Mismatch`, which names the case."""
    tally, case = Tally(), seed
    while tally.statements < statements:
        try:
            run_case(case, tally)
        except Exception as error:
            raise Mismatch(f"{error}\nagain: python -m {module} --case {case}") from error
        case += 1
    return tally


def command(module: str, description: str, run_case: RunCase, arguments: list[str]) -> int:
    """The command line of a module with such cases. Returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--statements", type=int, default=STATEMENTS)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(2**40))
    parser.add_argument("--case", type=int, help="run this one case again")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    seed, statements = (options.seed, options.statements) if options.case is None else (options.case, 1)
    sys.stdout.write(f"seed {seed}\n")
    try:
        tally = run_cases(module, run_case, seed, statements)
    except Mismatch as mismatch:
        sys.stdout.write(f"{mismatch}\n")
        return 1
    sys.stdout.write(f"{tally.statements:,} statements in {time.monotonic() - started:.0f} s; {tally}\n")
    return 0
