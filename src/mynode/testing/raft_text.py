"""Raft's entries and messages as short text for golden scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from mynode.raft.membership import Membership, decode_membership
from mynode.raft.messages import (
    AppendRequest,
    AppendResponse,
    Entry,
    EntryKind,
    ForwardProposals,
    Heartbeat,
    HeartbeatResponse,
    Message,
    ReadIndexRequest,
    ReadIndexResponse,
    Removed,
    SnapshotChunk,
    SnapshotResponse,
    TimeoutNow,
    VoteRequest,
    VoteResponse,
)


def describe_entry(entry: Entry) -> str:
    """index/term:name; the name is the payload's beginning, `noop` for a leader's first entry."""
    if entry.kind is EntryKind.NOOP:
        return f"{entry.index}/{entry.term}:noop"
    if entry.kind is EntryKind.CONFIG:
        return f"{entry.index}/{entry.term}:{describe_membership(decode_membership(entry.payload))}"
    return f"{entry.index}/{entry.term}:{entry.payload.rstrip(b'.').decode()}"


def describe_membership(membership: Membership) -> str:
    """{1,2,3} are voters; {1,2,3+4}: 4 is a learner; {1=a,2}: the incarnation of 1 is known."""
    known = membership.incarnations
    names = {each: f"{each}={known[each]}" if each in known else str(each) for each in membership.members}
    learners = "+" + ",".join(names[each] for each in membership.learners) if membership.learners else ""
    return "{" + ",".join(names[each] for each in membership.voters) + learners + "}"


def describe_entries(entries: Sequence[Entry]) -> str:
    return " ".join(map(describe_entry, entries)) or "nothing"


def describe_message(message: Message) -> str:
    """The message's kind, its term, and the fields that matter. Read tokens, which are random, are left out."""
    term = message.term
    match message:
        case VoteRequest(_, last_index, last_term, pre_vote, transfer):
            kind = "pre-vote" if pre_vote else "vote"
            return f"{kind} t{term} last {last_index}/{last_term}" + (" transfer" if transfer else "")
        case VoteResponse(_, pre_vote, granted):
            return f"{'pre-vote' if pre_vote else 'vote'}-answer t{term} {'granted' if granted else 'refused'}"
        case AppendRequest(_, prev_index, prev_term, entries, commit):
            return f"append t{term} after {prev_index}/{prev_term}: {describe_entries(entries)}, commit {commit}"
        case AppendResponse(_, True, match_index):
            return f"append-answer t{term} match {match_index}"
        case AppendResponse(_, _, _, rejected_index, hint_index, hint_term):
            return f"append-answer t{term} rejected {rejected_index}, hint {hint_index}/{hint_term}"
        case Heartbeat(_, commit, round_):
            return f"heartbeat t{term} commit {commit} round {round_}"
        case HeartbeatResponse(_, round_, last_index, promise_ms):
            promise = f", no vote for {promise_ms} ms" if promise_ms else ""
            return f"heartbeat-answer t{term} round {round_} agreed {last_index}{promise}"
        case ReadIndexRequest():
            return f"read-index t{term}"
        case ReadIndexResponse(_, _, index):
            return f"read-index-answer t{term} index {index}"
        case ForwardProposals(_, proposals):
            return f"forward t{term} {' '.join(proposal.id.decode() for proposal in proposals)}"
        case TimeoutNow():
            return f"timeout-now t{term}"
        case SnapshotChunk(_, index, index_term, _, _, b"", _, False):
            return f"snapshot-ask t{term} {index}/{index_term}"
        case SnapshotChunk(_, index, index_term, _, offset, data, _, is_last):
            last = ", the last" if is_last else ""
            return f"snapshot t{term} {index}/{index_term} bytes {offset}+{len(data)}{last}"
        case SnapshotResponse(_, index, index_term, size):
            return f"snapshot-answer t{term} {index}/{index_term} holds {size}"
        case Removed(_, index):
            return f"removed t{term} by {index}"
        case _:
            assert_never(message)
