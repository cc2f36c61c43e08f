"""What a leader concludes from a follower's answers."""

from __future__ import annotations

from mynode.raft.messages import HeartbeatResponse
from mynode.raft.progress import Progress, ProgressState


def probing(next_index: int = 11) -> Progress:
    return Progress(2, next_index, now=0)


def replicating(match_index: int = 10) -> Progress:
    progress = probing(match_index + 1)
    progress.accepted(match_index)
    return progress


def answer(round_: int, last_index: int) -> HeartbeatResponse:
    return HeartbeatResponse(term=1, round=round_, last_index=last_index, promise_ms=0)


def test_a_probe_waits_for_its_answer_and_an_acceptance_begins_replication() -> None:
    progress = probing()
    progress.sent(12, commit=5)
    assert progress.probe_sent
    progress.accepted(12)
    assert (progress.state, progress.match_index, progress.next_index) == (ProgressState.REPLICATE, 12, 13)


def test_an_old_acceptance_is_no_news() -> None:
    progress = replicating(10)
    progress.accepted(9)
    assert (progress.match_index, progress.next_index) == (10, 11)


def test_acceptance_frees_the_window_up_to_its_index() -> None:
    progress = replicating(10)
    for last in (12, 14, 16):
        progress.sent(last, commit=0)
    progress.accepted(14)
    assert list(progress.inflight) == [16]
    assert progress.next_index == 17


def test_a_rejection_probes_where_the_logs_may_agree() -> None:
    progress = replicating(10)
    progress.sent(20, commit=0)
    progress.rejected(15, agree_index=12)
    assert (progress.state, progress.next_index) == (ProgressState.PROBE, 13)
    assert not progress.inflight


def test_a_rejection_never_goes_behind_what_matches() -> None:
    progress = replicating(10)
    progress.sent(20, commit=0)
    progress.rejected(15, agree_index=3)
    assert progress.next_index == 11


def test_late_rejections_are_ignored() -> None:
    progress = replicating(10)
    progress.rejected(10, agree_index=3)
    assert progress.state is ProgressState.REPLICATE
    probe = probing(11)
    probe.rejected(15, agree_index=12)
    assert probe.next_index == 11


def test_a_probe_that_is_rejected_always_goes_back() -> None:
    probe = probing(11)
    probe.rejected(10, agree_index=10)
    assert probe.next_index == 10


def test_what_was_sent_before_a_heartbeat_and_is_not_there_is_lost() -> None:
    progress = replicating(10)
    progress.sent(15, commit=0)
    progress.heartbeat_sent(1)
    progress.sent(20, commit=0)
    progress.heartbeat_answered(answer(1, last_index=12), now=3)
    assert (progress.next_index, progress.heard_at) == (13, 3)
    assert progress.ask_again


def test_what_was_sent_after_the_heartbeat_is_not_judged_by_it() -> None:
    progress = replicating(10)
    progress.heartbeat_sent(1)
    progress.sent(20, commit=0)
    progress.heartbeat_answered(answer(1, last_index=10), now=3)
    assert progress.next_index == 21
    assert not progress.ask_again


def test_what_is_there_but_not_acknowledged_is_asked_for_again() -> None:
    progress = replicating(10)
    progress.sent(15, commit=0)
    progress.heartbeat_sent(1)
    progress.heartbeat_answered(answer(1, last_index=15), now=3)
    assert progress.next_index == 16
    assert progress.ask_again


def test_a_restarted_follower_has_what_it_acknowledged() -> None:
    progress = replicating(10)
    progress.heartbeat_sent(1)
    progress.heartbeat_answered(answer(1, last_index=0), now=3)
    assert (progress.state, progress.next_index) == (ProgressState.REPLICATE, 11)
    assert not progress.ask_again


def test_an_answer_to_a_later_round_serves_too_and_an_earlier_one_does_not() -> None:
    progress = replicating(10)
    progress.sent(15, commit=0)
    progress.heartbeat_sent(5)
    progress.heartbeat_answered(answer(4, last_index=10), now=3)
    assert progress.next_index == 16
    progress.heartbeat_answered(answer(7, last_index=10), now=3)
    assert progress.next_index == 11
    assert progress.answered_round == 7


def test_a_lost_probe_is_sent_again_after_a_heartbeat() -> None:
    progress = probing()
    progress.sent(11, commit=0)
    progress.heartbeat_sent(1)
    progress.heartbeat_answered(answer(1, last_index=0), now=3)
    assert not progress.probe_sent


def test_a_broken_link_brings_back_probing() -> None:
    progress = replicating(10)
    progress.sent(15, commit=0)
    progress.unreachable()
    assert (progress.state, progress.next_index) == (ProgressState.PROBE, 11)
    assert not progress.probe_sent
