"""The lease alone: rounds, promises, the clock. What it means for reads is in the scripts `lease_*`."""

from __future__ import annotations

from random import Random

from mynode.raft.config import RaftConfig, Restored
from mynode.raft.lease import Lease
from mynode.raft.messages import HeartbeatResponse
from mynode.raft.state import NodeState


def leader(*, lease_reads: bool = True) -> NodeState:
    """Its lease lasts for 90 ms."""
    return NodeState(RaftConfig(1, (1, 2, 3), promise_ms=100, lease_reads=lease_reads), Restored(), Random(1))


def test_it_lasts_from_before_the_round_left() -> None:
    state = leader()
    lease = Lease(state)
    state.clock_ms = 1_000
    lease.round_begins(1)
    assert not lease.holds(0), "nobody has answered"
    assert lease.holds(1)
    state.clock_ms = 1_089
    assert lease.holds(1)
    state.clock_ms = 1_090
    assert not lease.holds(1)


def test_a_later_round_makes_it_longer_and_an_earlier_quorum_ends_it() -> None:
    state = leader()
    lease = Lease(state)
    for round_, clock_ms in ((1, 1_000), (2, 1_050)):
        state.clock_ms = clock_ms
        lease.round_begins(round_)
    state.clock_ms = 1_100
    assert lease.holds(2)
    assert not lease.holds(1), "the members changed: another quorum, which answered the first round only"
    assert lease.holds(3), "as long as the newest round that left until then"


def test_rounds_that_nobody_answers_are_forgotten() -> None:
    state = leader()
    lease = Lease(state)
    for round_ in range(1, 1_000):
        state.clock_ms = float(round_)
        lease.round_begins(round_)
    state.clock_ms = 1_000
    assert not lease.holds(909), "it left more than 90 ms ago"
    assert lease.holds(911)


def test_without_a_clock_or_the_option_there_is_none() -> None:
    state = leader()
    lease = Lease(state)
    lease.round_begins(1)
    assert not lease.holds(1)
    state = leader(lease_reads=False)
    lease = Lease(state)
    state.clock_ms = 1_000
    lease.round_begins(1)
    assert not lease.holds(1)


def test_given_up_it_does_not_come_back() -> None:
    state = leader()
    lease = Lease(state)
    state.clock_ms = 1_000
    lease.round_begins(1)
    lease.give_up()
    lease.round_begins(2)
    assert not lease.holds(2)


def test_who_promises_less_does_not_count() -> None:
    lease = Lease(leader())
    assert lease.counts(HeartbeatResponse(1, 1, 0, 100))
    assert not lease.counts(HeartbeatResponse(1, 1, 0, 99)), "its election timeout is shorter"
    assert not lease.counts(HeartbeatResponse(1, 1, 0, 0))
