"""Draws a block of numbers for columns that count by themselves, in a transaction of its own."""

from __future__ import annotations

from random import Random
from typing import Final

from mynode.base.errors import NodeBusyError, NoQuorumError, OutcomeUnknownError
from mynode.base.ids import Version
from mynode.machine.outcomes import Committed, Conflicted, Refused
from mynode.mvcc.transaction import Transaction
from mynode.relation.counters import NumberPool, NumbersNeeded, draw_block
from mynode.session.api import Completion
from mynode.session.effects import Backoff, OpenView
from mynode.session.steps import Steps, WriteResult, open_view, propose

_DONE: Final = WriteResult(Completion("", -1))


class NumberDraw:
    """Draws blocks for one session, under a session id of its own, so that the client's sequence numbers stay its own.

    A block whose outcome is unknown is given up: its numbers become a gap, or the next block.
    """

    __slots__ = ("_random", "_sequence", "_session")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._session = b""
        self._sequence = 0

    def draw(self, needed: NumbersNeeded, pool: NumberPool) -> Steps[Version]:
        """Adds the block to the pool; returns the version from which on it is drawn."""
        self._session = self._session or self._random.randbytes(16)
        attempt = 1
        seen: Version = 0
        while True:
            view = yield from open_view(OpenView(seen))
            transaction = Transaction(view)
            block = draw_block(transaction, needed.counter, needed.count)
            self._sequence += 1
            try:
                outcome = yield from propose(self._session, self._sequence, view.version, transaction, _DONE)
            except (OutcomeUnknownError, NodeBusyError, NoQuorumError):
                outcome = Conflicted(b"")
            match outcome:
                case Committed(version):
                    pool.add(needed.counter, block)
                    return version
                case Refused():
                    raise outcome.to_error()
                case Conflicted():
                    attempt += 1
                    seen = view.version
                    yield Backoff(attempt)
