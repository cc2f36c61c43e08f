"""Numbers for columns that count by themselves (SERIAL, IDENTITY).

A counter is a record of its own, outside of any table. A node draws a block of numbers from it in a transaction of its
own and hands them out from memory, so two inserts at once do not conflict over the counter. As in PostgreSQL, numbers
are never given twice and may have gaps: those that a node had drawn when it stopped, or that a transaction took which
was rolled back, are lost. Nodes hand out their blocks side by side, so numbers do not say what was inserted first.

| key                 | value                                                                                 |
|---------------------|---------------------------------------------------------------------------------------|
| 04 counter (4)      | the next number that no block has, msgpack integer; not there: 1                      |
"""

from __future__ import annotations

from collections import OrderedDict, deque
from struct import Struct
from typing import Final

import msgpack

from mynode.base.limits import COUNTERS_IN_MEMORY, FIRST_COUNTER_BLOCK, LARGEST_COUNTER_BLOCK
from mynode.mvcc.keyspace import COUNTERS
from mynode.mvcc.transaction import Transaction

_KEY: Final = Struct(">1sI")


class NumbersNeeded(Exception):
    """A statement needs more numbers than its node has: draw a block, then run the statement again.

    Attributes:
        counter: whose.
        count: how many the block should have.
    """

    def __init__(self, counter: int, count: int) -> None:
        super().__init__(f"{count} numbers of counter {counter} are needed")
        self.counter = counter
        self.count = count


def counter_key(counter: int) -> bytes:
    return _KEY.pack(COUNTERS, counter)


def draw_block(transaction: Transaction, counter: int, count: int) -> range:
    """The next numbers of the counter; they are the caller's once the transaction, which does nothing else, commits."""
    key = counter_key(counter)
    record = transaction.get(key)
    first: int = 1 if record is None else msgpack.unpackb(record)
    transaction.put(key, msgpack.packb(first + count))
    return range(first, first + count)


class NumberPool:
    """A node's drawn numbers, by counter; those of the counters used last.

    Invariant: no number is in it that has been given out, unless it was given back.
    """

    __slots__ = ("_numbers", "_sizes")

    def __init__(self) -> None:
        self._numbers: OrderedDict[int, deque[int]] = OrderedDict()
        self._sizes: dict[int, int] = {}

    def add(self, counter: int, block: range) -> None:
        self._numbers.setdefault(counter, deque()).extend(block)
        self._numbers.move_to_end(counter)
        if len(self._numbers) > COUNTERS_IN_MEMORY:
            forgotten, _ = self._numbers.popitem(last=False)
            self._sizes.pop(forgotten, None)

    def take(self, counter: int) -> int | None:
        """The next number, if there is one."""
        numbers = self._numbers.get(counter)
        return numbers.popleft() if numbers else None

    def give_back(self, counter: int, numbers: list[int]) -> None:
        """Numbers, in the order in which they were taken, that nobody has seen."""
        self._numbers.setdefault(counter, deque()).extendleft(reversed(numbers))

    def count(self, counter: int) -> int:
        """How many numbers there are."""
        return len(self._numbers.get(counter, ()))

    def next_size(self, counter: int) -> int:
        """How many to draw: the more often, the more."""
        size = self._sizes.get(counter, FIRST_COUNTER_BLOCK)
        self._sizes[counter] = min(size * 2, LARGEST_COUNTER_BLOCK)
        return size


class Numbers:
    """The numbers that one execution of a statement takes."""

    __slots__ = ("_pool", "_taken")

    def __init__(self, pool: NumberPool) -> None:
        self._pool = pool
        self._taken: dict[int, list[int]] = {}

    def next(self, counter: int) -> int:
        """Raises `NumbersNeeded`, which breaks the execution off; its numbers, which nobody has seen, go back."""
        number = self._pool.take(counter)
        if number is None:
            raise self._needed(counter, max(self._pool.next_size(counter), len(self._taken.get(counter, ()))))
        self._taken.setdefault(counter, []).append(number)
        return number

    def reserve(self, counter: int, count: int) -> None:
        """See to it that `next` can be called so many times. Raises `NumbersNeeded` as that does."""
        if self._pool.count(counter) < count:
            raise self._needed(counter, count)

    def _needed(self, counter: int, count: int) -> NumbersNeeded:
        for one, numbers in self._taken.items():
            self._pool.give_back(one, numbers)
        self._taken = {}
        return NumbersNeeded(counter, count)
