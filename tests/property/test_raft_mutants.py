"""The random schedules can fail: a core with a planted bug is found out, each one within a few schedules.

A planted bug is one method of the core with a line as somebody could have written it. What makes no schedule go wrong,
because it only disturbs, is made good by something else, or is too rare, the golden scripts find: they print something
else.
"""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from mynode.base.errors import InvariantViolation
from mynode.raft.core import RaftCore
from mynode.raft.delivery import Delivery
from mynode.raft.election import Election
from mynode.raft.lease import Lease
from mynode.raft.log import Log
from mynode.raft.membership import Memberships
from mynode.raft.progress import Progress
from mynode.raft.proposals import Proposals
from mynode.raft.read_index import LocalReads, ReadRounds
from mynode.raft.receiver import AppendReceiver
from mynode.raft.replication import Leadership
from mynode.raft.snapshots import SnapshotReceiver
from mynode.raft.state import NodeState
from mynode.testing.raft_disk import Disk
from mynode.testing.raft_schedules import RandomSchedule
from mynode.testing.raft_script import run_script

SCHEDULES = 150
ACTIONS = 1_000
SCRIPTS = Path(__file__).parents[1] / "scripts" / "raft"


@dataclass(frozen=True)
class Bug:
    """`right` in the source of a method of `owner` becomes `wrong`. `size`: of the clusters that shall show it."""

    name: str
    owner: type
    method: str
    right: str
    wrong: str
    size: int = 3

    def plant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        method = inspect.getattr_static(self.owner, self.method)
        function = method.fget if isinstance(method, property) else method
        source = textwrap.dedent(inspect.getsource(function))
        assert source.count(self.right) == 1, f"{self.method} has changed: plant the bug anew"
        planted: dict[str, object] = {}
        exec(source.replace(self.right, self.wrong), function.__globals__, planted)
        monkeypatch.setattr(self.owner, self.method, planted[self.method])


FOUND_BY_SCHEDULES = [
    Bug(
        "a vote leaves before it is durable",
        Election,
        "consider",
        "send_after_persist(candidate",
        "send(candidate",
    ),
    Bug(
        "a candidate asks before its own vote is durable",
        Election,
        "start_vote",
        "state.send_after_persist(peer",
        "state.send(peer",
    ),
    Bug(
        "a candidate counts its own vote before it is durable",
        Election,
        "start_vote",
        "self._votes = set()",
        "self._votes = {state.node_id}",
        size=1,
    ),
    Bug(
        "two votes in a term",
        Election,
        "consider",
        "self._state.voted_for in (None, candidate) and ",
        "",
    ),
    Bug(
        "a vote is forgotten in a restart",
        Disk,
        "restored",
        "hard_state=self.hard_state",
        "hard_state=HardState(self.hard_state.term, None)",
    ),
    Bug(
        "a vote for a candidate with an older log",
        Election,
        "_is_up_to_date",
        "(request.last_term, request.last_index) >= (log.last_term, log.last_index)",
        "request.last_index >= log.last_index",
    ),
    Bug(
        "acknowledgements of learners count",
        Leadership,
        "advance_commit",
        " if progress.peer in voters",
        "",
    ),
    Bug(
        "an entry of an older term is committed by counting (Figure 8)",
        Leadership,
        "advance_commit",
        " and index >= self.first_index",
        "",
    ),
    Bug(
        "a leader counts what its own disk does not have",
        Leadership,
        "advance_commit",
        "state.log.durable_index",
        "state.log.last_index",
    ),
    Bug(
        "an append is acknowledged before it is durable",
        AppendReceiver,
        "acknowledge",
        "send_after_persist",
        "send",
    ),
    Bug(
        "an append that is known truncates what follows it",
        AppendReceiver,
        "_take_in",
        "known += 1",
        "break",
    ),
    Bug(
        "a doubled append is taken in twice",
        AppendReceiver,
        "_take_in",
        "if request.prev_index < log.last_index:",
        "if False:",
    ),
    Bug(
        "an append is taken in without a look at the entry before it",
        AppendReceiver,
        "append",
        "not log.holds(prev_index, request.prev_term)",
        "prev_index > log.last_index",
    ),
    Bug(
        "a follower commits what an append does not reach",
        AppendReceiver,
        "append",
        "min(request.commit, reached)",
        "min(request.commit, log.last_index)",
    ),
    Bug(
        "a heartbeat's commit index is more than the follower is known to hold",
        Leadership,
        "_begin_round",
        "min(state.commit, progress.match_index)",
        "state.commit",
    ),
    Bug(
        "what was durable before a truncation still counts",
        Log,
        "truncate",
        "(number, min(last, first - 1))",
        "(number, last)",
    ),
    Bug(
        "what is not durable here is delivered",
        Delivery,
        "deliver",
        "min(state.commit, log.durable_index)",
        "state.commit",
    ),
    Bug(
        "a load is taken for another one",
        Delivery,
        "entries_loaded",
        "event.generation != self._load_generation",
        "self._load_generation is None",
    ),
    Bug(
        "an entry is delivered twice",
        Delivery,
        "_deliver",
        "self.delivered_index = entries[-1].index",
        "self.delivered_index = max(self.delivered_index, entries[-1].index - 1)",
    ),
    Bug(
        "a new leader answers read index before its first commit",
        ReadRounds,
        "confirm",
        " or state.commit < leadership.first_index",
        "",
    ),
    Bug(
        "a leader answers read index without asking whether it still leads",
        Leadership,
        "round_is_confirmed",
        "progress.answered_round >= round_",
        "progress.answered_round >= 0",
    ),
    Bug(
        "a read joins a round that runs",
        ReadRounds,
        "ask",
        "self._waiting[origin, token] = None",
        "(self._asked if self._round else self._waiting)[origin, token] = None",
    ),
    Bug(
        "a pre-vote raises the term",
        RaftCore,
        "_is_term_to_enter",
        "not message.pre_vote and not",
        "not",
    ),
    Bug(
        "a new leader changes the members before its first commit",
        Leadership,
        "may_change",
        " or state.commit < self.first_index",
        "",
    ),
    Bug(
        "two changes of the members at once",
        Leadership,
        "may_change",
        "state.memberships.newest_index > state.commit or ",
        "",
        size=5,
    ),
    Bug(
        "a truncation leaves the configuration that it took away",
        AppendReceiver,
        "_take_in",
        "self._state.config_truncated(first)",
        "pass",
    ),
    Bug(
        "a configuration counts only from the next restart on",
        Memberships,
        "appended",
        "return bool(brought)",
        "return False",
    ),
    Bug(
        "a read that its leader lost is never asked again",
        LocalReads,
        "leader_changed",
        "self.put_back(asked)",
        "pass",
    ),
]

FOUND_BY_SCRIPTS = [
    Bug(
        "votes of learners count",
        NodeState,
        "has_majority",
        "len(self.membership.voters.keys() & nodes)",
        "len(self.membership.members.keys() & nodes)",
    ),
    Bug(
        "a snapshot older than the commit index is installed",
        SnapshotReceiver,
        "_is_here",
        "chunk.index <= self._state.commit or self._state.log.holds(chunk.index, chunk.index_term)",
        "False",
    ),
    Bug(
        "a lost append is never sent again",
        Progress,
        "heartbeat_answered",
        "elif held < self._check_index:",
        "elif False:",
    ),
    Bug(
        "a proposal that its leader lost is never made again",
        Proposals,
        "leader_changed",
        "list(self._sent)",
        "[]",
    ),
    Bug(
        "no pre-vote",
        RaftCore,
        "_begin_pre_vote",
        "self._count_votes()",
        "self._campaign(Cause.PRE_VOTES_WON, transfer=False)",
    ),
    Bug("nobody is sticky", Election, "is_sticky", "request.transfer", "True"),
    Bug("no check-quorum", Leadership, "has_quorum", "self._was_heard(progress)", "True"),
    Bug(
        "a promise is forgotten in a restart",
        Election,
        "__init__",
        "0 if state.config.promise_ms else -state.config.election_ticks",
        "-state.config.election_ticks",
    ),
    Bug(
        "a promise is forgotten in a later term",
        Election,
        "is_sticky",
        "if request.transfer",
        "if request.transfer or state.leader is None",
    ),
    Bug(
        "a node that is left alone does not wait until it knows that it is",
        Election,
        "restart_timer",
        "state.memberships.counting(state.commit)",
        "[state.membership]",
    ),
    Bug("a lease outlives handing over", Lease, "give_up", "self._is_given_up = True", "pass"),
    Bug("a lease as long as the promise", Lease, "__init__", "(100 - limits.MAX_CLOCK_DRIFT_PERCENT)", "100"),
    Bug("a lease of the quorum before", Lease, "holds", "0 < self._round <= round_", "0 < self._round"),
    Bug("promises of learners count", Leadership, "has_lease", " if progress.peer in voters", ""),
    Bug(
        "a leader that leaves counts its own promise",
        Leadership,
        "has_lease",
        "if state.is_voter:",
        "if True:",
    ),
    Bug(
        "a lease before the first commit",
        ReadRounds,
        "confirm",
        " or state.commit < leadership.first_index",
        " or (state.commit < leadership.first_index and not leadership.has_lease)",
    ),
    Bug(
        "an entry that was forwarded twice stands twice",
        Proposals,
        "append_forwarded",
        "each.id not in in_log and ",
        "",
    ),
]


def finding(size: int) -> str | None:
    """What the checker, or the core itself, says of the first schedule that goes wrong."""
    for seed in range(SCHEDULES):
        schedule = RandomSchedule(seed, size)
        try:
            schedule.run(ACTIONS)
            schedule.finish()
        except Exception as error:  # a broken core may fail in any way
            return f"seed {seed}: {error!r}"
    return None


def fails(script: str) -> bool:
    try:
        return run_script(script) != script
    except InvariantViolation:
        return True


@pytest.mark.parametrize("bug", FOUND_BY_SCHEDULES, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found_by_the_schedules(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.plant(monkeypatch)
    assert finding(bug.size) is not None


@pytest.mark.parametrize("bug", FOUND_BY_SCRIPTS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found_by_a_script(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.plant(monkeypatch)
    assert any(fails(path.read_text()) for path in sorted(SCRIPTS.glob("*.txt")))
