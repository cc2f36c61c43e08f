"""A short run of the metamorphic checks; `make metamorphic` is the long one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mynode.testing.metamorphic import Case, Tally, main


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**40))
def test_queries_agree_with_each_other(seed: int) -> None:
    tally = Tally()
    Case(seed, tally).run()
    assert tally.queries


def test_the_command_says_what_it_did() -> None:
    assert main(["--seed", "7", "--queries", "50"]) == 0
