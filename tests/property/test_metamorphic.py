"""A short run of the metamorphic checks; `make metamorphic` is the long one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mynode.testing.metamorphic import main, run_case
from mynode.testing.random_cases import Tally


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**40))
def test_queries_agree_with_each_other(seed: int) -> None:
    tally = Tally()
    run_case(seed, tally)
    assert tally.statements


def test_the_command_says_what_it_did() -> None:
    assert main(["--seed", "7", "--statements", "50"]) == 0
