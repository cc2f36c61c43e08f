"""`RaftCore` where a golden script would not show it: batches, shared messages, bounds, what strangers say."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from mynode.base.errors import InvariantViolation
from mynode.raft.config import RaftConfig, Restored, restored_from
from mynode.raft.core import RaftCore
from mynode.raft.effects import (
    HardState,
    InstallSnapshot,
    ReadReady,
    Rejected,
    RejectReason,
    Role,
    Snapshot,
    StoreSnapshotChunk,
)
from mynode.raft.events import (
    CancelRead,
    ChangeMembership,
    Compacted,
    PeerUnreachable,
    Persisted,
    Propose,
    ReadIndex,
    Receive,
    SnapshotInstalled,
    SnapshotStored,
    SnapshotTaken,
    Tick,
    TransferLeadership,
)
from mynode.raft.membership import ChangeKind, Membership, MembershipChange, encode_membership
from mynode.raft.messages import (
    AppendRequest,
    AppendResponse,
    Entry,
    EntryKind,
    ForwardProposals,
    Heartbeat,
    HeartbeatResponse,
    Proposal,
    ReadIndexRequest,
    ReadIndexResponse,
    Removed,
    SnapshotChunk,
    SnapshotResponse,
    TimeoutNow,
    VoteRequest,
    VoteResponse,
)
from mynode.testing.raft_cluster import RaftCluster

TICKS = 10


def proposal(name: bytes, size: int = 1) -> Proposal:
    return Proposal(name, EntryKind.COMMAND, b"x" * size)


def command(index: int, term: int, size: int = 1) -> Entry:
    return Entry(term, index, EntryKind.COMMAND, b"", b"x" * size)


def learner_added(index: int) -> Entry:
    """Node 4 joins 1, 2 and 3 as a learner."""
    membership = Membership({1: "", 2: "", 3: ""}, {4: ""})
    return Entry(1, index, EntryKind.CONFIG, b"", encode_membership(membership))


def core(
    node_id: int = 1, restored: Restored | None = None, size: int = 3, max_uncommitted_bytes: int = 1_000
) -> RaftCore:
    config = RaftConfig(
        node_id, tuple(range(1, size + 1)), election_ticks=TICKS, max_uncommitted_bytes=max_uncommitted_bytes
    )
    return RaftCore(config, restored or Restored(), Random(node_id))


def follower_of_2(restored: Restored | None = None) -> RaftCore:
    follower = core(1, restored)
    follower.step([Receive(2, Heartbeat(term=5, commit=0, round=1))])
    return follower


def elected(size: int = 3) -> RaftCluster:
    """A cluster whose node 1 leads, its first entry committed everywhere."""
    cluster = RaftCluster(size, config=RaftConfig(1, (1,), election_ticks=TICKS))
    while cluster.leader() is None:
        cluster.step(1, Tick())
        cluster.settle()
    return cluster


# --- starting --------------------------------------------------------------------------------------------------------


def test_a_node_that_is_no_voter_waits_to_be_added() -> None:
    waiting = RaftCore(RaftConfig(4, ()), Restored(), Random(1))
    effects = waiting.step([Tick()] * 10 * TICKS)
    assert effects.send == []
    assert waiting.status().role is Role.LEARNER


def test_a_restarted_node_delivers_only_after_what_was_applied() -> None:
    restored = restored_from(HardState(5, None), [command(1, 1), command(2, 1), command(3, 1)], applied_index=2)
    effects = core(1, restored).step([Receive(2, Heartbeat(term=5, commit=3, round=1))])
    assert [entry.index for entry in effects.committed] == [3]


def test_the_status_of_a_restarted_node() -> None:
    status = core(1, restored_from(HardState(7, 2), [command(1, 1), command(2, 6)], applied_index=1)).status()
    assert (status.term, status.role, status.leader) == (7, Role.FOLLOWER, None)
    assert (status.commit, status.first_index, status.last_index) == (1, 1, 2)
    assert [(peer.peer, peer.state) for peer in status.peers] == [(2, ""), (3, "")]


# --- batches ---------------------------------------------------------------------------------------------------------


def test_followers_at_the_same_place_get_the_same_message_object() -> None:
    effects = elected(5).step(1, Propose((proposal(b"a"),)), Propose((proposal(b"b"),)))
    appends = [send.message for send in effects.send if isinstance(send.message, AppendRequest)]
    assert len(appends) == 4
    assert all(append is appends[0] for append in appends)
    assert isinstance(appends[0], AppendRequest)
    assert [entry.proposal_id for entry in appends[0].entries] == [b"a", b"b"]


def test_one_persist_and_one_acknowledgement_for_a_batch_of_appends() -> None:
    appends = [AppendRequest(5, index - 1, 0 if index == 1 else 5, (command(index, 5),), 0) for index in (1, 2, 3)]
    effects = core().step([Receive(2, append) for append in appends])
    assert effects.persist is not None
    assert effects.persist.hard_state == HardState(5, None)
    assert [entry.index for entry in effects.persist.entries] == [1, 2, 3]
    assert [send.message for send in effects.send_after_persist] == [AppendResponse(5, True, 3, 0, 0, 0)]


def test_a_batch_in_which_a_newer_leader_replaces_entries_persists_the_newer_ones() -> None:
    old = AppendRequest(5, 0, 0, (command(1, 5), command(2, 5)), 0)
    new = AppendRequest(6, 1, 5, (command(2, 6),), 0)
    effects = core().step([Receive(2, old), Receive(3, new)])
    assert effects.persist is not None
    assert [(entry.index, entry.term) for entry in effects.persist.entries] == [(1, 5), (2, 6)]
    assert [(send.to, send.message) for send in effects.send_after_persist] == [
        (3, AppendResponse(6, True, 2, 0, 0, 0))
    ]


def test_a_heartbeat_that_waited_counts_before_the_ticks_that_passed() -> None:
    follower = follower_of_2()
    effects = follower.step([*[Tick()] * TICKS, Receive(2, Heartbeat(term=5, commit=0, round=2))])
    assert follower.status().leader == 2
    before = {peer.peer: peer.ticks_since_heard for peer in follower.status().peers}
    follower.step([Tick()] * 3)
    silent = {peer.peer: peer.ticks_since_heard for peer in follower.status().peers}
    assert before[2] is not None
    assert silent == {2: before[2] + 3, 3: None}, "of the others a follower knows nothing"
    assert effects.leader_change is None


def test_nothing_new_means_no_effects() -> None:
    effects = core().step([])
    assert (effects.send, effects.persist, effects.committed, effects.leader_change) == ([], None, [], None)


def test_heartbeat_round_0_is_not_answered() -> None:
    follower = follower_of_2()
    assert follower.step([Receive(2, Heartbeat(term=5, commit=0, round=0))]).send == []
    answered = follower.step([Receive(2, Heartbeat(term=5, commit=0, round=4))]).send
    assert [send.message for send in answered] == [HeartbeatResponse(5, 4, 0, 0)]


# --- strangers and nonsense ------------------------------------------------------------------------------------------


def test_a_candidate_that_this_node_does_not_know_gets_its_vote() -> None:
    """It may be of a configuration that this node has not heard of (dissertation 4.1)."""
    effects = core().step([Receive(9, VoteRequest(8, 100, 7, pre_vote=False, transfer=False))])
    assert [(send.to, send.message) for send in effects.send_after_persist] == [(9, VoteResponse(8, False, True))]


def test_votes_of_nodes_that_are_no_voters_are_not_counted() -> None:
    """Learners and strangers: once, elsewhere, that lost acknowledged writes (YugabyteDB 1.1.9)."""
    restored = restored_from(HardState(1, None), [learner_added(1)])
    candidate = core(1, restored)
    while candidate.status().role is not Role.PRE_CANDIDATE:
        candidate.step([Tick()])
    candidate.step([Receive(voter, VoteResponse(2, True, True)) for voter in (4, 9)])
    assert candidate.status().role is Role.PRE_CANDIDATE
    candidate.step([Receive(2, VoteResponse(2, True, True))])
    assert candidate.status().role is Role.CANDIDATE
    candidate.step([Persisted(1), *[Receive(voter, VoteResponse(2, False, True)) for voter in (4, 9)]])
    assert candidate.status().role is Role.CANDIDATE
    candidate.step([Receive(3, VoteResponse(2, False, True))])
    assert candidate.status().role is Role.LEADER


def test_nobody_speaks_in_this_nodes_name() -> None:
    node = core()
    node.step([Receive(1, TimeoutNow(3))])
    assert node.status().term == 0


def test_answers_of_strangers_are_not_counted() -> None:
    cluster = elected()
    cluster.step(1, Propose((proposal(b"a"),)))
    term = cluster.nodes[1].core.status().term
    for answer in (
        AppendResponse(term, True, 2, 0, 0, 0),
        HeartbeatResponse(term, 9, 2, 0),
        SnapshotResponse(term, 1, 1, 1),
    ):
        cluster.step(1, Receive(9, answer))
    assert cluster.nodes[1].core.status().commit == 1


def test_events_about_unknown_peers_and_loads_change_nothing() -> None:
    cluster = elected()
    effects = cluster.step(1, PeerUnreachable(9), PeerUnreachable(1), TransferLeadership(9), TransferLeadership(1))
    assert effects.send == []
    assert cluster.leader() == 1


def test_an_acknowledgement_of_more_than_the_leader_has_is_capped() -> None:
    cluster = elected()
    cluster.step(1, Receive(2, AppendResponse(cluster.nodes[1].core.status().term, True, 1_000, 0, 0, 0)))
    assert cluster.nodes[1].core.status().peers[0].match_index == 1


def test_two_leaders_of_one_term_stop_the_node() -> None:
    with pytest.raises(InvariantViolation, match="one leader"):
        follower_of_2().step([Receive(3, Heartbeat(term=5, commit=0, round=1))])


@pytest.mark.parametrize(
    "request_", [AppendRequest(6, 1, 5, (command(2, 6),), 0), AppendRequest(6, 2, 6, (command(3, 6),), 0)]
)
def test_a_leader_without_a_committed_entry_stops_the_node(request_: AppendRequest) -> None:
    follower = core()
    follower.step([Receive(2, AppendRequest(5, 0, 0, (command(1, 5), command(2, 5)), 2))])
    with pytest.raises(InvariantViolation, match="committed entry"):
        follower.step([Receive(3, request_)])


# --- forwarding ------------------------------------------------------------------------------------------------------


def test_forwarded_proposals_are_split_by_the_append_bound() -> None:
    config = RaftConfig(1, (1, 2, 3), max_append_bytes=100)
    follower = RaftCore(config, Restored(), Random(1))
    follower.step([Receive(2, Heartbeat(term=5, commit=0, round=1))])
    effects = follower.step([Propose(tuple(proposal(name, 60) for name in (b"a", b"b", b"c")))])
    forwards = [send.message for send in effects.send if isinstance(send.message, ForwardProposals)]
    assert [[each.id for each in forward.proposals] for forward in forwards] == [[b"a"], [b"b"], [b"c"]]


def test_a_node_that_does_not_lead_drops_forwarded_proposals() -> None:
    follower = follower_of_2()
    effects = follower.step([Receive(3, ForwardProposals(5, (proposal(b"a"),)))])
    assert effects.persist is None
    assert effects.send == []


def test_a_follower_is_busy_beyond_its_bound_too() -> None:
    follower = core(max_uncommitted_bytes=100)
    effects = follower.step([Propose((proposal(b"a", 60), proposal(b"b", 60)))])
    assert effects.rejected == [Rejected(b"b", RejectReason.BUSY)]


def test_a_doubled_forward_is_appended_once() -> None:
    cluster = elected()
    forward = Receive(2, ForwardProposals(1, (proposal(b"a"),)))
    effects = cluster.step(1, forward, forward)
    assert effects.persist is not None
    assert len(effects.persist.entries) == 1


def test_a_cut_below_the_tail_in_memory_leaks_no_bytes() -> None:
    """Once, entries that took the place of some a restart had left out of memory were counted as undelivered for ever,
    and a node that later led refused all forwarded proposals."""
    restored = restored_from(HardState(2, None), [command(index, 1) for index in (1, 2, 3)], tail_entries=1)
    follower = core(1, restored)
    new = tuple(command(index, 3, size=400) for index in (2, 3, 4))
    follower.step([Receive(2, AppendRequest(3, 1, 1, new, 0))])
    follower.check_invariants()
    effects = follower.step([Persisted(1), Receive(2, Heartbeat(term=3, commit=4, round=1))])
    follower.check_invariants()
    assert [load.first for load in effects.load] == [1]


# --- reads -----------------------------------------------------------------------------------------------------------


def read_request(follower: RaftCore, token: int) -> ReadIndexRequest:
    (send,) = follower.step([ReadIndex(token)]).send
    assert isinstance(send.message, ReadIndexRequest)
    return send.message


def test_only_the_leader_of_this_term_answers_a_read() -> None:
    follower = follower_of_2()
    asked = read_request(follower, 7)
    for sender, response in (
        (3, ReadIndexResponse(5, asked.token, 9)),
        (2, ReadIndexResponse(4, asked.token, 9)),
        (2, ReadIndexResponse(5, asked.token + 1, 9)),
        (2, ReadIndexResponse(5, asked.token, 0)),
    ):
        assert follower.step([Receive(sender, response)]).read_ready == []
    assert follower.step([Receive(2, ReadIndexResponse(5, asked.token, 9))]).read_ready == [ReadReady(7, 9)]
    assert follower.step([Receive(2, ReadIndexResponse(5, asked.token, 9))]).read_ready == []


def test_a_new_leader_is_asked_under_a_new_token() -> None:
    follower = follower_of_2()
    before = read_request(follower, 7)
    sends = follower.step([Receive(3, Heartbeat(term=6, commit=0, round=1))]).send
    (after,) = [send.message for send in sends if isinstance(send.message, ReadIndexRequest)]
    assert after.token != before.token
    assert follower.step([Receive(3, ReadIndexResponse(6, before.token, 9))]).read_ready == []


def test_tokens_of_two_lives_of_a_node_differ() -> None:
    tokens = set()
    for seed in (1, 2):
        follower = RaftCore(RaftConfig(1, (1, 2, 3)), Restored(), Random(seed))
        follower.step([Receive(2, Heartbeat(term=5, commit=0, round=1))])
        tokens.add(read_request(follower, 7).token)
    assert len(tokens) == 2


def test_a_read_cancelled_in_the_step_that_answers_it_is_not_answered() -> None:
    follower = follower_of_2()
    asked = read_request(follower, 7)
    effects = follower.step([Receive(2, ReadIndexResponse(5, asked.token, 9)), CancelRead(7)])
    assert effects.read_ready == []


def test_a_read_request_in_vain_says_so() -> None:
    follower = follower_of_2()
    effects = follower.step([Receive(3, ReadIndexRequest(5, 77))])
    assert [(send.to, send.message) for send in effects.send] == [(3, ReadIndexResponse(5, 77, 0))]


def test_more_committed_asks_for_another_step() -> None:
    config = RaftConfig(1, (1,), max_load_bytes=20)
    cluster = RaftCluster(1, config=config)
    cluster.step(1, Tick())
    cluster.sync(1)
    cluster.step(1, Propose(tuple(proposal(name, 8) for name in (b"a", b"b"))))
    cluster.nodes[1].disk.sync_next()
    number = cluster.nodes[1].disk.sync_next()
    effects = cluster.step(1, Persisted(number))
    assert (len(effects.committed), effects.more_committed) == (2, True)
    effects = cluster.step(1)
    assert (len(effects.committed), effects.more_committed) == (1, False)


# --- snapshots -------------------------------------------------------------------------------------------------------

MEMBERS = Membership({1: "", 2: "", 3: ""})


def chunk(index: int, data: bytes = b"", *, offset: int = 0, is_last: bool = False, term: int = 5) -> SnapshotChunk:
    return SnapshotChunk(term, index, 4, encode_membership(MEMBERS), offset, data, 77, is_last)


def test_one_part_is_stored_at_a_time() -> None:
    follower = follower_of_2()
    effects = follower.step([Receive(2, chunk(9, b"abc")), Receive(2, chunk(9, b"abc")), Receive(2, chunk(9))])
    assert effects.store_chunk == StoreSnapshotChunk(2, 9, 4, 0, b"abc", 77)
    assert follower.step([Receive(2, chunk(9, b"def", offset=3))]).store_chunk is None
    effects = follower.step([SnapshotStored(8, 4, 5), SnapshotStored(9, 4, 3), SnapshotStored(9, 4, 3)])
    assert [send.message for send in effects.send] == [SnapshotResponse(5, 9, 4, 3)]


def test_a_part_that_was_stored_for_an_earlier_leader_is_not_answered() -> None:
    follower = follower_of_2()
    follower.step([Receive(2, chunk(9, b"abc", is_last=True))])
    effects = follower.step([Receive(3, Heartbeat(term=6, commit=0, round=0)), SnapshotStored(9, 4, 3)])
    assert (effects.send, effects.install) == ([], None)
    assert follower.step([Receive(3, chunk(9, term=6))]).store_chunk is not None


def test_a_snapshot_replaces_log_state_and_members() -> None:
    follower = follower_of_2(restored_from(HardState(3, None), [command(1, 1), command(2, 3)]))
    follower.step([Receive(2, chunk(9, b"abc", is_last=True))])
    effects = follower.step([SnapshotStored(9, 4, 3), Receive(2, AppendRequest(5, 2, 3, (command(3, 5),), 2))])
    assert effects.install == InstallSnapshot(2, Snapshot(9, 4, MEMBERS))
    assert effects.persist is None
    assert effects.committed == []
    effects = follower.step([SnapshotInstalled(9, 4, True)])
    assert [send.message for send in effects.send_after_persist] == [AppendResponse(5, True, 9, 0, 0, 0)]
    status = follower.status()
    assert (status.commit, status.first_index, status.last_index, status.snapshot_index) == (9, 10, 9, 9)
    effects = follower.step([Receive(2, AppendRequest(5, 9, 4, (command(10, 5),), 10)), Persisted(2)])
    follower.step([Persisted(effects.persist.number if effects.persist else 0)])
    follower.check_invariants()


def test_a_snapshot_that_the_log_already_holds_commits_it() -> None:
    follower = follower_of_2(restored_from(HardState(4, None), [command(1, 4), command(2, 4), command(3, 4)]))
    effects = follower.step([Receive(2, chunk(2))])
    assert effects.store_chunk is None
    assert [send.message for send in effects.send_after_persist] == [AppendResponse(5, True, 2, 0, 0, 0)]
    assert [entry.index for entry in effects.committed] == [1, 2]
    assert follower.status().last_index == 3


def test_a_proposal_of_its_own_is_proposed_again_after_a_snapshot() -> None:
    """Nobody can tell whether the snapshot includes it; the state machine applies it once."""
    follower = follower_of_2()
    follower.step([Propose((proposal(b"a"),))])
    follower.step([Receive(2, chunk(9, b"abc", is_last=True)), SnapshotStored(9, 4, 3)])
    effects = follower.step([SnapshotInstalled(9, 4, True)])
    assert [send.message for send in effects.send] == [ForwardProposals(5, (proposal(b"a"),))]


def test_a_leader_of_an_earlier_term_is_told_so_when_it_sends_a_snapshot() -> None:
    effects = follower_of_2().step([Receive(3, chunk(9, term=4))])
    assert [send.message for send in effects.send] == [AppendResponse(5, False, 0, 0, 0, 0)]


def test_nothing_is_cut_off_that_no_snapshot_holds() -> None:
    cluster = elected()
    cluster.nodes[1].core.step([SnapshotTaken(1)])
    with pytest.raises(InvariantViolation, match="in a snapshot"):
        cluster.nodes[1].core.step([Compacted(3)])


def test_a_snapshot_is_of_what_was_delivered() -> None:
    with pytest.raises(InvariantViolation, match="delivered"):
        elected().nodes[1].core.step([SnapshotTaken(2)])


def test_a_log_that_ends_before_its_snapshot_does_not_start() -> None:
    restored = Restored(HardState(5, None), tail=(command(1, 5),), snapshot=Snapshot(2, 5, MEMBERS), applied_index=2)
    with pytest.raises(InvariantViolation, match="snapshot"):
        core(1, restored)


# --- members ---------------------------------------------------------------------------------------------------------


def test_members_do_not_change_by_proposals() -> None:
    cluster = elected()
    sneaked = Proposal(b"x", EntryKind.CONFIG, encode_membership(Membership({9: ""})))
    effects = cluster.step(1, Receive(2, ForwardProposals(1, (sneaked, proposal(b"a")))))
    assert effects.persist is not None
    assert [entry.proposal_id for entry in effects.persist.entries] == [b"a"]
    with pytest.raises(InvariantViolation, match="ChangeMembership"):
        cluster.step(2, Propose((sneaked,)))


def test_the_members_of_entries_that_a_restart_left_out_of_memory_count() -> None:
    log = [command(1, 1), learner_added(2), command(3, 1)]
    restored = replace(restored_from(HardState(1, None), log, tail_entries=1), configs=(log[1],))
    status = core(1, restored).status()
    assert (status.voters, status.learners) == ((1, 2, 3), (4,))


def test_old_news_of_a_removal_is_no_news() -> None:
    restored = restored_from(HardState(1, None), [command(1, 1), learner_added(2)])
    learner = RaftCore(RaftConfig(4, ()), restored, Random(1))
    assert not learner.step([Receive(1, Removed(1, 1))]).removed
    assert not learner.step([Receive(1, Removed(1, 2))]).removed
    assert learner.step([Receive(1, Removed(1, 3))]).removed


def test_an_address_of_the_first_voters_stays_with_them() -> None:
    config = RaftConfig(1, (1,), {1: "one:1"}, election_ticks=TICKS)
    leader = RaftCore(config, Restored(), Random(1))
    leader.step([Tick()])
    leader.step([Persisted(1)])
    leader.step([Persisted(2)])
    effects = leader.step([ChangeMembership(b"c", MembershipChange(ChangeKind.ADD_LEARNER, 2, "two:2"))])
    assert effects.membership == Membership({1: "one:1"}, {2: "two:2"})
