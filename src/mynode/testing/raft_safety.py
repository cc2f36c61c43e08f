"""Raft's safety properties (Figure 3 of the paper) as checks of a running `RaftCluster`.

`SafetyChecker` looks at every step and every message:

| property | check |
|---|---|
| Election Safety | no term has two leaders; a majority has voted for it durably; who campaigned began it |
| Leader Append-Only | a leader persists only after the end of its log |
| Log Matching | entries of one index and term are equal everywhere, and so is the term before them |
| Leader Completeness | who leads a later term holds all that was committed, when it begins and when more is |
| State Machine Safety | all nodes deliver the same entry at an index, in order, once |
| durability | a committed entry is on a quorum of disks; a vote and an acknowledgement leave after the disk has them |
| snapshots | what a snapshot brings is what was committed |
| commitment (5.4.2) | a leader commits older entries only with one of its own term |
| membership | a quorum is one of the leader's voters; one voter comes or goes at a time, after a commit of the term |
| linearizable reads | a read's index is at least every commit index that any node had when it was asked |
"""

from __future__ import annotations

from collections.abc import Sequence

from mynode.base.ids import LogIndex, NodeId, Term
from mynode.base.invariant import invariant
from mynode.raft.effects import Effects, Persist, Role
from mynode.raft.events import Event, SnapshotInstalled
from mynode.raft.membership import Membership, decode_membership
from mynode.raft.messages import AppendResponse, Entry, EntryKind, VoteRequest, VoteResponse
from mynode.testing.raft_cluster import Envelope, RaftCluster, SimulatedNode


class SafetyChecker:
    """Remembers what must stay true, and raises `InvariantViolation` when it does not."""

    def __init__(self, size: int) -> None:
        self._first = Membership(dict.fromkeys(range(1, size + 1), ""))
        self._leaders: dict[Term, NodeId] = {}
        self._begun: set[Term] = {0}
        self._entries: dict[tuple[LogIndex, Term], tuple[Entry, Term]] = {}
        self.committed: list[Entry] = []
        self._roles: dict[NodeId, tuple[Term, Role, int]] = {}
        self.cluster: RaftCluster | None = None
        self.reads: dict[int, tuple[SimulatedNode, LogIndex]] = {}
        """Unanswered reads: where they were asked, and the least index that may answer them."""

    # --- hooks of the cluster ----------------------------------------------------------------------------------------

    def on_step(self, node: SimulatedNode, events: Sequence[Event], effects: Effects) -> None:
        status = node.core.status()
        if effects.persist is not None:
            self._check_persist(node, effects.persist)
        invariant(status.term in self._begun, f"nobody campaigned in term {status.term} of node {node.node_id}")
        before = self._roles.get(node.node_id)
        if status.role is Role.LEADER and before is not None and before[:2] != (status.term, Role.LEADER):
            self._check_new_leader(node, status.term, status.membership)
        self._roles[node.node_id] = (status.term, status.role, len(node.log))
        self._check_members(node, status.membership)
        self._check_commit(node, status.commit, status.membership)
        if any(isinstance(event, SnapshotInstalled) and event.installed for event in events):
            invariant(node.applied == self.committed[: len(node.applied)], "a snapshot holds what was committed")
        self._check_delivery(node, effects.committed)
        for ready in effects.read_ready:
            asked_at, least = self.reads.pop(ready.token)
            invariant(asked_at is node, "a read is answered where it was asked")
            invariant(ready.index >= least, f"read {ready.token} got {ready.index}, but {least} was committed before")

    def on_post(self, node: SimulatedNode, envelope: Envelope) -> None:
        match envelope.message:
            case VoteResponse(term, False, True):
                invariant(_voted(node, term, envelope.to), "a vote leaves only when it is durable")
            case VoteRequest(term, pre_vote=False):
                invariant(_voted(node, term, node.node_id), "a candidate asks when its own vote is durable")
            case AppendResponse(term, True, match_index):
                durable = len(node.disk.entries) >= match_index and node.disk.hard_state.term >= term
                invariant(durable, "an acknowledgement leaves only when all is durable")
            case _:
                pass

    def read_asked(self, node: SimulatedNode, token: int) -> None:
        self.reads[token] = (node, len(self.committed))

    # --- the properties ----------------------------------------------------------------------------------------------

    def _check_persist(self, node: SimulatedNode, persist: Persist) -> None:
        if persist.hard_state is not None:
            if persist.hard_state.voted_for == node.node_id:
                self._begun.add(persist.hard_state.term)
            disk = node.disk.hard_state
            for earlier in [disk, *[each.hard_state for each in node.disk.waiting if each is not persist]]:
                if earlier is not None:
                    invariant(earlier.term <= persist.hard_state.term, "a term never falls")
                    same = earlier.term == persist.hard_state.term and earlier.voted_for is not None
                    invariant(not same or earlier.voted_for == persist.hard_state.voted_for, "one vote a term")
        for entry in persist.entries:
            term_before = node.log[entry.index - 2].term if entry.index > 1 else 0
            known = self._entries.setdefault((entry.index, entry.term), (entry, term_before))
            invariant(known == (entry, term_before), f"logs differ at {entry.index} of term {entry.term}")
        before = self._roles.get(node.node_id)
        status = node.core.status()
        if persist.entries and before is not None and status.role is Role.LEADER:
            was_leader = before[:2] == (status.term, Role.LEADER)
            invariant(not was_leader or persist.entries[0].index == before[2] + 1, "a leader only appends")
            for entry in persist.entries:
                if entry.kind is EntryKind.CONFIG and entry.term == status.term:
                    self._check_change(node, entry.index, status.commit, status.term)

    def _check_change(self, node: SimulatedNode, index: LogIndex, commit: LogIndex, term: Term) -> None:
        """A leader begins a change when it has committed in its term, and no other change is under way."""
        before = [each for each in node.log[:index] if each.kind is EntryKind.CONFIG and each.index < index]
        if not before:
            return  # the first leader's first entry: what the cluster begins with
        invariant(before[-1].index <= commit, "one change of the members at a time")
        invariant(commit > 0 and node.log[commit - 1].term == term, "a new leader commits before it changes members")

    def _check_new_leader(self, node: SimulatedNode, term: Term, membership: Membership) -> None:
        assert self.cluster is not None
        leader = self._leaders.setdefault(term, node.node_id)
        invariant(leader == node.node_id, f"term {term} has the leaders {leader} and {node.node_id}")
        voters = [self.cluster.nodes[voter] for voter in membership.voters]
        votes = sum(_voted(voter, term, node.node_id) for voter in voters)
        invariant(votes >= membership.quorum, f"node {node.node_id} leads term {term} with {votes} votes")
        self._check_complete(node, term)

    def _check_complete(self, node: SimulatedNode, term: Term) -> None:
        held = node.log[: len(self.committed)]
        invariant(held == self.committed, f"leader {node.node_id} of term {term} lacks a committed entry")

    def _check_commit(self, node: SimulatedNode, commit: LogIndex, membership: Membership) -> None:
        known = len(self.committed)
        if commit > known:
            assert self.cluster is not None
            newest = node.log[commit - 1]
            own_term, role, _ = self._roles[node.node_id]
            invariant(role is not Role.LEADER or newest.term == own_term, "a leader commits by an entry of its term")
            disks = [self.cluster.nodes[voter].disk.entries for voter in membership.voters]
            holders = [disk for disk in disks if len(disk) >= commit and disk[commit - 1] == newest]
            invariant(len(holders) >= membership.quorum, f"entry {commit} is committed on {len(holders)} disks")
            self.committed.extend(node.log[known:commit])
            self._check_configs()
            for node_id, (term, role, _) in self._roles.items():
                if role is Role.LEADER and term > own_term and self.cluster.nodes[node_id].alive:
                    self._check_complete(self.cluster.nodes[node_id], term)
        else:
            invariant(commit == 0 or node.log[commit - 1] == self.committed[commit - 1], "committed entries are equal")

    def _check_members(self, node: SimulatedNode, membership: Membership) -> None:
        """A node counts by the newest configuration of its log; before one, by the first, or, if it joins, by none."""
        configs = (entry.payload for entry in reversed(node.log) if entry.kind is EntryKind.CONFIG)
        newest = next(configs, None)
        expected = [Membership(), self._first] if newest is None else [decode_membership(newest)]
        invariant(membership in expected, f"node {node.node_id} counts by the newest configuration of its log")

    def _check_configs(self) -> None:
        before = self._first
        for entry in self.committed:
            if entry.kind is EntryKind.CONFIG:
                after = decode_membership(entry.payload)
                invariant(len(before.voters.keys() ^ after.voters.keys()) <= 1, "one voter comes or goes at a time")
                before = after

    def _check_delivery(self, node: SimulatedNode, delivered: Sequence[Entry]) -> None:
        for entry in delivered:
            invariant(self.committed[entry.index - 1] == entry, f"node {node.node_id} delivers another {entry.index}")
            invariant(node.disk.entries[entry.index - 1] == entry, "what is delivered is durable")
        if delivered:
            indexes = [entry.index for entry in node.applied[-len(delivered) :]]
            first = len(node.applied) - len(delivered) + 1
            invariant(indexes == list(range(first, first + len(delivered))), "each entry is delivered once, in order")


def _voted(voter: SimulatedNode, term: Term, candidate: NodeId) -> bool:
    """Whether the voter's disk says so, or has gone on to a later term, which says nothing against it."""
    state = voter.disk.hard_state
    return state.term > term or (state.term == term and state.voted_for == candidate)
