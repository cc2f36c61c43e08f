"""The table of role transitions."""

from __future__ import annotations

from pathlib import Path

import pytest

from mynode.base.errors import InvariantViolation
from mynode.raft.effects import Role
from mynode.raft.roles import TRANSITIONS, Cause, diagram, next_role

DOCS = Path(__file__).parents[3] / "docs" / "architecture" / "raft.md"


def test_only_a_candidate_becomes_leader() -> None:
    assert [pair for pair, role in TRANSITIONS.items() if role is Role.LEADER] == [(Role.CANDIDATE, Cause.VOTES_WON)]


def test_every_voting_role_follows_a_higher_term() -> None:
    for role in (Role.FOLLOWER, Role.PRE_CANDIDATE, Role.CANDIDATE, Role.LEADER):
        assert next_role(role, Cause.HIGHER_TERM) is Role.FOLLOWER


def test_every_cause_is_used() -> None:
    assert {cause for _, cause in TRANSITIONS} == set(Cause)


def test_what_the_table_does_not_hold_is_our_mistake() -> None:
    with pytest.raises(InvariantViolation, match="a leader does not change when it a leader of this term spoke"):
        next_role(Role.LEADER, Cause.LEADER_HEARD)


def test_the_diagram_in_the_docs_is_that_of_the_table(rewrite: bool) -> None:
    """After a change of the table run pytest with `--rewrite`."""
    text = DOCS.read_text()
    before, rest = text.split("```mermaid\n", 1)
    _, after = rest.split("```\n", 1)
    current = f"{before}```mermaid\n{diagram()}\n```\n{after}"
    if rewrite:
        DOCS.write_text(current)
    else:
        assert text == current
