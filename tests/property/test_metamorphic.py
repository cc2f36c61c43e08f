"""A short run of the metamorphic checks; `make metamorphic` is the long one."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mynode.testing.metamorphic import main, run_case
from mynode.testing.random_cases import Mismatch, Tally
from mynode.testing.sql_database import SqlDatabase


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**40))
def test_queries_agree_with_each_other(seed: int) -> None:
    tally = Tally()
    run_case(seed, tally)
    assert tally.statements


@pytest.mark.parametrize("case", [4, 7])
def test_a_difference_is_shown(case: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = count()
    monkeypatch.setattr(SqlDatabase, "rows", lambda *_: [(next(answers),)])
    with pytest.raises(Mismatch, match=r"(?s)CREATE TABLE .* one way: .* the other: "):
        run_case(case, Tally())


def test_the_command_says_what_it_did() -> None:
    assert main(["--seed", "7", "--statements", "50"]) == 0
