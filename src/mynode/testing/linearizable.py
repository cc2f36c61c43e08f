"""Is the history of one register linearizable? Wing and Gong's search (1993) with Lowe's memory of dead ends (2017)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from mynode.base.invariant import invariant

NEVER: Final = 1 << 60
"""The return of an operation whose answer did not come."""
_MAX_STATES: Final = 2_000_000


class Kind(Enum):
    READ = "read"
    WRITE = "write"
    SWAP = "swap"
    """Compare and swap."""


@dataclass(slots=True)
class Operation:
    """One operation on the register.

    Attributes:
        called, returned: places in one order of all calls and returns. One that never returned may take effect at any
            time after its call, or never.
        value: what it read, or was to write.
        expected: what a swap compares with.
        swapped: whether a swap that returned took place.
    """

    kind: Kind
    called: int
    value: int = 0
    expected: int = 0
    swapped: bool = False
    returned: int = NEVER

    def apply(self, value: int) -> int | None:
        """The register's value after it; None if what it returned does not fit `value`."""
        match self.kind:
            case Kind.READ:
                return value if self.value == value else None
            case Kind.WRITE:
                return self.value
            case Kind.SWAP:
                if self.returned == NEVER or self.swapped:
                    return self.value if value == self.expected else None
                return None if value == self.expected else value


def is_linearizable(history: Iterable[Operation], initial: int) -> bool:
    """Whether the operations fit some order that agrees with what returned before what was called."""
    operations = [each for each in history if each.kind is not Kind.READ or each.returned != NEVER]
    operations.sort(key=lambda each: each.called)
    must = sum(1 << place for place, each in enumerate(operations) if each.returned != NEVER)
    seen: set[tuple[int, int]] = set()
    open_: list[tuple[int, int]] = [(0, initial)]
    while open_:
        done, value = open_.pop()
        if done & must == must:
            return True
        if (done, value) in seen:
            continue
        seen.add((done, value))
        invariant(len(seen) < _MAX_STATES, "the history is short enough to be judged")
        left = [(place, each) for place, each in enumerate(operations) if not done >> place & 1]
        first_return = min(each.returned for _, each in left)
        for place, each in left:
            if each.called > first_return:
                break
            after = each.apply(value)
            if after is not None:
                open_.append((done | 1 << place, after))
    return False
