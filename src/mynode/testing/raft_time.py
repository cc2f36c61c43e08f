"""Time for simulated Raft nodes: clocks that drift and pauses, with ticks as a real node has them."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from mynode.base.ids import NodeId
from mynode.base.limits import MAX_CLOCK_DRIFT_PERCENT, TICK_MS


class DriftingClocks:
    """True time, and clocks that go at rates of their own, as different as leases allow for.

    Ticks are those of `RaftActor.tick`: never before their time; one that is late does not move the next one, which so
    may follow at once; those that a node did not take are not made up for.
    """

    def __init__(self, nodes: Iterable[NodeId], random: Random) -> None:
        self._now_ms = 0.0
        slowest = 1 - MAX_CLOCK_DRIFT_PERCENT / 100
        self._rates = {node: random.uniform(slowest, 1) for node in nodes}
        self._due_ms = {node: TICK_MS * random.random() for node in self._rates}

    def read(self) -> dict[NodeId, float]:
        """Each node's clock in ms."""
        return {node: self._now_ms * rate for node, rate in self._rates.items()}

    def wait_for_tick(self, node: NodeId) -> None:
        """Time goes on until the node's next tick is due, if it is not over-due."""
        rate, due_ms = self._rates[node], self._due_ms[node]
        self._now_ms = max(self._now_ms, due_ms / rate)
        while due_ms <= self._now_ms * rate:
            due_ms += TICK_MS
        self._due_ms[node] = due_ms
