from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mynode.bench.statistics import Histogram

latencies = st.lists(st.floats(min_value=1e-6, max_value=1e4), min_size=1, max_size=200)


def histogram(values: list[float]) -> Histogram:
    made = Histogram()
    for value in values:
        made.add(value)
    return made


@given(latencies, st.sampled_from([1, 50, 90, 99, 100]))
def test_percentiles_are_those_of_the_sorted_list_within_a_bucket(values: list[float], percent: int) -> None:
    rank = -(-len(values) * percent // 100)
    exact = sorted(values)[rank - 1]
    assert exact / 1.0001 <= histogram(values).percentile_s(percent) <= exact * 1.012


@given(latencies, latencies)
def test_merging_is_adding_all(first: list[float], second: list[float]) -> None:
    merged = histogram(first)
    merged.merge(histogram(second))
    together = histogram(first + second)
    assert (merged.count, merged.max_s) == (together.count, together.max_s)
    assert merged.percentile_s(50) == together.percentile_s(50)


def test_nothing_measured_is_zero() -> None:
    assert Histogram().percentile_s(99) == 0
    assert Histogram().max_s == 0


def test_the_extremes_have_a_bucket() -> None:
    made = histogram([0.0, 1e9])
    assert (made.count, made.max_s) == (2, 1e9)
