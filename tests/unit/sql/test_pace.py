"""Work in portions, by a clock of the test's."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mynode.sql.executor.pace import LONG_S, Pace, let_go
from mynode.values.types import Row


class Work:
    """Takes `row_s` for each row."""

    def __init__(self, row_s: float) -> None:
        self.row_s = row_s
        self.now_s = 0.0
        self.sizes: list[int] = []

    def clock(self) -> float:
        return self.now_s

    def __call__(self, rows: Sequence[Row]) -> list[Row]:
        self.sizes.append(len(rows))
        self.now_s += self.row_s * len(rows)
        return list(rows)


ROWS: list[Row] = [(number,) for number in range(1_000)]


def run(work: Work, pace: Pace) -> list[Row]:
    return [row for portion in pace.work(work, ROWS) for row in portion]


def test_quick_rows_soon_come_by_the_hundred() -> None:
    work = Work(row_s=1e-6)
    pace = Pace(256, work.clock)
    assert run(work, pace) == ROWS
    assert work.sizes[:6] == [1, 4, 16, 64, 256, 256]
    work.sizes.clear()
    run(work, pace)
    assert work.sizes == [256, 256, 256, 232], "what was learned stays"


@pytest.mark.parametrize("row_s", [0.0001, 0.001, 0.01, 0.2])
def test_slow_rows_come_in_portions_of_some_milliseconds(row_s: float) -> None:
    work = Work(row_s)
    assert run(work, Pace(256, work.clock)) == ROWS
    assert max(work.sizes) * row_s <= max(4 * LONG_S, row_s)


def test_rows_that_become_slow_are_noticed_once() -> None:
    work = Work(row_s=1e-6)
    pace = Pace(256, work.clock)
    run(work, pace)
    work.row_s = 0.01
    work.sizes.clear()
    run(work, pace)
    assert [size for size in work.sizes if size > 1] == [256]
    work.row_s = 1e-6
    work.sizes.clear()
    run(work, pace)
    assert work.sizes[:5] == [1, 4, 16, 64, 256]


def test_a_few_rows_are_one_portion() -> None:
    work = Work(row_s=1)
    assert list(Pace(256, work.clock).work(work, ROWS[:3])) == [ROWS[:3]]
    assert list(Pace(256, work.clock).work(work, [])) == [[]]


@pytest.mark.parametrize("kind", [list, set, dict.fromkeys])
def test_what_was_kept_goes_with_pauses(kind: type[list[Row]]) -> None:
    many = kind((number,) for number in range(20_000))
    pauses = sum(1 for _ in let_go(many))
    assert pauses == 4
    assert len(many) < 5_000
