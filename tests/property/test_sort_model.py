"""Sorting in pieces is Python's stable sort, with pauses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.sql.executor import sort
from mynode.sql.executor.context import ExecutionContext
from mynode.storage.tree import Tree
from mynode.values.types import Row


def sorted_by_first(rows: list[Row], *, descending: bool) -> tuple[list[Row], int]:
    """The rows ordered by their first value, and the number of pauses."""

    def source(_: ExecutionContext) -> Iterator[list[Row]]:
        yield rows

    run = sort.sorted_rows(source, [sort.SortPass(lambda _: lambda row: row[0], descending)])
    context = ExecutionContext(
        Transaction(ReadView(0, Tree.empty())), parameters=(), now=datetime(2026, 1, 1, tzinfo=UTC), random=Random(1)
    )
    batches = list(run(context))
    return [row for batch in batches for row in batch], sum(not batch for batch in batches)


@pytest.fixture(autouse=True, scope="module")
def short_runs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sort, "_RUN_ROWS", 3)
        yield


@given(st.lists(st.integers(0, 5) | st.integers(0, 1000), max_size=60), st.booleans())
def test_it_is_a_stable_sort(values: list[int], descending: bool) -> None:
    rows: list[Row] = [(value, place) for place, value in enumerate(values)]
    found, pauses = sorted_by_first(rows, descending=descending)
    assert found == sorted(rows, key=lambda row: values[int(str(row[1]))], reverse=descending)
    assert pauses >= len(rows) // 3
