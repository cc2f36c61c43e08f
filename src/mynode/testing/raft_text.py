"""Raft's entries and messages as short text for golden scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

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
    TimeoutNow,
    VoteRequest,
    VoteResponse,
)


def describe_entry(entry: Entry) -> str:
    """index/term:name; the name is the payload's beginning, `noop` for a leader's first entry."""
    if entry.kind is EntryKind.NOOP:
        return f"{entry.index}/{entry.term}:noop"
    return f"{entry.index}/{entry.term}:{entry.payload.rstrip(b'.').decode()}"


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
        case HeartbeatResponse(_, round_, last_index):
            return f"heartbeat-answer t{term} round {round_} agreed {last_index}"
        case ReadIndexRequest():
            return f"read-index t{term}"
        case ReadIndexResponse(_, _, index):
            return f"read-index-answer t{term} index {index}"
        case ForwardProposals(_, proposals):
            return f"forward t{term} {' '.join(proposal.id.decode() for proposal in proposals)}"
        case TimeoutNow():
            return f"timeout-now t{term}"
        case _:
            assert_never(message)
