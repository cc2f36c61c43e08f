"""What of its log a leader keeps for its followers."""

from __future__ import annotations

from dataclasses import replace

from mynode.raft.config import RaftConfig
from mynode.raft.events import Propose, Tick
from mynode.raft.messages import EntryKind, Proposal
from mynode.testing.raft_cluster import RaftCluster

TICKS = 10
PATIENCE = 50


def elected() -> RaftCluster:
    """Three nodes; node 1 leads."""
    config = replace(RaftConfig(1, (1,)), election_ticks=TICKS, follower_patience_ticks=PATIENCE)
    cluster = RaftCluster(3, config=config)
    while cluster.leader() is None:
        cluster.step(1, Tick())
        cluster.settle()
    return cluster


def write(cluster: RaftCluster, first: int, count: int) -> None:
    for number in range(first, first + count):
        cluster.step(1, Propose((Proposal(b"%012d" % number, EntryKind.COMMAND, b"x"),)))
        cluster.settle()


def wanted_after(cluster: RaftCluster) -> int | None:
    return cluster.nodes[1].core.log_wanted_after


def tick(cluster: RaftCluster, ticks: int) -> None:
    for _ in range(ticks):
        cluster.step(1, Tick())
        cluster.settle()


def test_followers_that_hold_all_want_nothing_older() -> None:
    cluster = elected()
    write(cluster, 1, 10)
    assert wanted_after(cluster) == 11
    assert cluster.nodes[2].core.log_wanted_after is None, "a follower keeps nothing for others"


def test_what_a_follower_lacks_is_kept_for_a_while() -> None:
    cluster = elected()
    write(cluster, 1, 10)
    cluster.crash(3)
    write(cluster, 11, 10)
    assert wanted_after(cluster) == 11
    tick(cluster, PATIENCE - TICKS)
    assert wanted_after(cluster) == 11
    tick(cluster, 2 * TICKS)
    assert wanted_after(cluster) == 21


def test_what_follows_a_snapshot_on_its_way_is_kept() -> None:
    cluster = elected()
    write(cluster, 1, 5)
    cluster.crash(3)
    tick(cluster, PATIENCE + TICKS)
    write(cluster, 6, 10)
    cluster.take_snapshot(1)
    cluster.compact(1)
    snapshot_index = cluster.nodes[1].core.status().snapshot_index
    cluster.restart(3)
    while not cluster.nodes[3].stores:
        if cluster.network:
            cluster.deliver()
        else:
            cluster.step(1, Tick())
    write_one = Propose((Proposal(b"a later one!", EntryKind.COMMAND, b"x"),))
    cluster.step(1, write_one)
    assert wanted_after(cluster) == snapshot_index
    cluster.settle()
    tick(cluster, TICKS)
    assert wanted_after(cluster) == cluster.nodes[1].core.status().last_index


def test_a_leader_alone_keeps_nothing() -> None:
    cluster = RaftCluster(1, config=RaftConfig(1, (1,), election_ticks=TICKS))
    while cluster.leader() is None:
        cluster.step(1, Tick())
        cluster.settle()
    assert wanted_after(cluster) is None
