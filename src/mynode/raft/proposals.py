"""Proposals: from this node's clients into the leader's log, again if need be, until their entry is delivered.

A proposal is appended here by a leader, or forwarded to it by any other node. It is proposed again after a change of
leader unless it stands in this node's log, and when an election timeout or so brought no entry of it, for then the
message was probably lost. So an entry may stand in the log twice, seldom: the state machine applies the first only.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from mynode.base.ids import LogIndex, ProposalId
from mynode.base.invariant import invariant
from mynode.raft.effects import ChangeRefused, Rejected, RejectReason
from mynode.raft.membership import ChangeRefusal, Membership, encode_membership
from mynode.raft.messages import Entry, EntryKind, ForwardProposals, Proposal
from mynode.raft.state import NodeState


class Proposals:
    """This node's own proposals, and which proposals the log holds undelivered.

    Invariants:
        - a proposal is either fresh (never left this object) or sent;
        - `_in_log` holds ids of undelivered entries; `undelivered_bytes` is the payload of entries that were appended
          in this process's life and are not delivered.
    """

    def __init__(self, state: NodeState) -> None:
        self._state = state
        self._fresh: dict[ProposalId, Proposal] = {}
        self._sent: dict[ProposalId, Proposal] = {}
        self._own_bytes = 0
        self._again: list[ProposalId] = []
        self._in_log: set[ProposalId] = set()
        self._undelivered_bytes = 0
        self._counted_from: LogIndex = state.log.last_index + 1
        self._aged: set[ProposalId] = set()
        self._next_sweep = state.config.election_ticks
        self._own_changes: set[ProposalId] = set()

    # --- this node's own ---------------------------------------------------------------------------------------------

    def propose(self, proposals: Sequence[Proposal]) -> None:
        """Take proposals of local clients; over the bound of uncommitted bytes they are rejected as busy."""
        invariant(all(each.kind is not EntryKind.CONFIG for each in proposals), "members change by ChangeMembership")
        room = self._state.config.max_uncommitted_bytes - max(self._own_bytes, self._undelivered_bytes)
        for proposal in proposals:
            size = len(proposal.payload)
            if size > room:
                self._state.effects.rejected.append(Rejected(proposal.id, RejectReason.BUSY))
                continue
            room -= size
            self._own_bytes += size
            self._fresh[proposal.id] = proposal

    def cancel(self, id_: ProposalId) -> None:
        """Do not propose it again; rejected if it never left."""
        fresh = self._fresh.pop(id_, None)
        if fresh is not None:
            self._state.effects.rejected.append(Rejected(id_, RejectReason.NO_LEADER))
        proposal = fresh or self._sent.pop(id_, None)
        if proposal is not None:
            self._own_bytes -= len(proposal.payload)

    def leader_changed(self) -> None:
        """What was sent may be lost; `_due` leaves out what this node's log holds."""
        self._again = list(self._sent)

    def tick(self) -> None:
        """Once an election timeout: what was there at the last look and is in no log here is sent again."""
        if self._state.now < self._next_sweep:
            return
        self._next_sweep = self._state.now + self._state.config.election_ticks
        self._again.extend(id_ for id_ in self._sent if id_ in self._aged)
        self._aged = set(self._sent)

    def _due(self) -> list[Proposal]:
        sent, in_log = self._sent, self._in_log
        due = [sent[id_] for id_ in dict.fromkeys(self._again) if id_ in sent and id_ not in in_log]
        due.extend(self._fresh.values())
        sent.update(self._fresh)
        self._fresh.clear()
        self._again.clear()
        return due

    def append_due(self) -> None:
        """This node leads: what is due goes into its log."""
        if self._fresh or self._again:
            self._append(self._due())

    def forward_due(self) -> None:
        """Another node leads: what is due goes to it, in one message or, over the bound of an append, a few."""
        state = self._state
        leader = state.leader
        if leader is None or not (self._fresh or self._again):
            return
        chunk: list[Proposal] = []
        size = 0
        for proposal in self._due():
            if chunk and size + len(proposal.payload) > state.config.max_append_bytes:
                state.send(leader, ForwardProposals(state.term, tuple(chunk)))
                chunk, size = [], 0
            chunk.append(proposal)
            size += len(proposal.payload)
        if chunk:
            state.send(leader, ForwardProposals(state.term, tuple(chunk)))

    # --- the leader's log --------------------------------------------------------------------------------------------

    def append_forwarded(self, proposals: Sequence[Proposal]) -> None:
        """This node leads: append another node's proposals, unless they are here already or too much is undelivered."""
        if self._undelivered_bytes <= self._state.config.max_uncommitted_bytes:
            in_log = self._in_log
            self._append([each for each in proposals if each.id not in in_log and each.kind is not EntryKind.CONFIG])

    def append_first(self) -> None:
        """This node leads from now on: the first entry of its term, with which all before it is committed (5.4.2).

        The first of a whole log is the configuration that the cluster begins with. So whoever has any of the log, or a
        snapshot, knows the members from there and not from its own settings.
        """
        if self._state.memberships.newest_index:
            self._append_own(EntryKind.NOOP, b"", b"")
        else:
            self.append_incarnations()

    def append_incarnations(self) -> None:
        """This node leads: the configuration as it is, with what was heard of its members' incarnations."""
        known = self._state.membership.knowing(self._state.incarnations)
        self._append_own(EntryKind.CONFIG, b"", encode_membership(known))

    def append_change(self, id_: ProposalId, membership: Membership) -> None:
        """This node leads: a new configuration goes into its log. Nobody proposes it again when it is lost."""
        self._own_changes.add(id_)
        self._append_own(EntryKind.CONFIG, id_, encode_membership(membership))

    def _append_own(self, kind: EntryKind, id_: ProposalId, payload: bytes) -> None:
        log = self._state.log
        entry = Entry(self._state.term, log.last_index + 1, kind, id_, payload)
        log.append([entry])
        self.appended([entry])
        self._state.config_appended([entry])

    def _append(self, proposals: Sequence[Proposal]) -> None:
        if not proposals:
            return
        state = self._state
        term, first = state.term, state.log.last_index + 1
        entries = [
            Entry(term, index, proposal.kind, proposal.id, proposal.payload)
            for index, proposal in enumerate(proposals, first)
        ]
        state.log.append(entries)
        self.appended(entries)

    # --- what the log holds ------------------------------------------------------------------------------------------

    def appended(self, entries: Iterable[Entry]) -> None:
        """These entries, of whichever node's proposals, are now in this node's log."""
        add = self._in_log.add
        size = 0
        for entry in entries:
            add(entry.proposal_id)
            size += len(entry.payload)
        self._undelivered_bytes += size

    def truncated(self, first: LogIndex, entries: Iterable[Entry]) -> None:
        """The log was cut off at `first`: its own ones of `entries`, all of it that was in memory, are due again."""
        for entry in entries:
            self._in_log.discard(entry.proposal_id)
            if entry.proposal_id in self._sent:
                self._again.append(entry.proposal_id)
            if entry.proposal_id in self._own_changes:
                self._own_changes.discard(entry.proposal_id)
                refused = ChangeRefused(entry.proposal_id, ChangeRefusal.OVERTAKEN)
                self._state.effects.changes_refused.append(refused)
            if entry.index >= self._counted_from:
                self._undelivered_bytes -= len(entry.payload)
        # Also where a restart left the entries out of memory: what takes their place is counted.
        self._counted_from = min(self._counted_from, first)

    def log_replaced(self) -> None:
        """A snapshot took the log's place. Which of its own proposals are in it is not known: they are due again."""
        self._in_log.clear()
        self._own_changes.clear()
        self._undelivered_bytes = 0
        self._counted_from = self._state.log.last_index + 1
        self._again = list(self._sent)

    def delivered(self, entries: Sequence[Entry]) -> None:
        """These entries go to the state machine: nobody waits for them here any more."""
        sent, discard = self._sent, self._in_log.discard
        if self._own_changes:
            self._own_changes -= {entry.proposal_id for entry in entries}
        for entry in entries:
            discard(entry.proposal_id)
            if entry.proposal_id in sent:
                del sent[entry.proposal_id]
                self._own_bytes -= len(entry.payload)
            if entry.index >= self._counted_from:
                self._undelivered_bytes -= len(entry.payload)

    def check_invariants(self, delivered_index: LogIndex) -> None:
        log = self._state.log
        first = max(delivered_index + 1, self._counted_from)
        if first >= log.tail_start:
            undelivered = log.entries_from(first, sys.maxsize, sys.maxsize)
            size = sum(len(entry.payload) for entry in undelivered)
            invariant(self._undelivered_bytes == size, "undelivered bytes are counted")
            ids = {entry.proposal_id for entry in undelivered}
            invariant(self._in_log <= ids, "what is known to be in the log is there")
        own = [*self._fresh.values(), *self._sent.values()]
        invariant(self._own_bytes == sum(len(proposal.payload) for proposal in own), "own bytes are counted")
        invariant(not self._fresh.keys() & self._sent.keys(), "a proposal is fresh or sent")
