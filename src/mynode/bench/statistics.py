"""Latencies in bounded memory, and what is said of them."""

from __future__ import annotations

import math

_BUCKETS_PER_DOUBLING = 64
_SMALLEST_S = 1e-6
_BUCKETS = 40 * _BUCKETS_PER_DOUBLING
"""From a microsecond to twelve days; a bucket is 1.1 % wide."""


class Histogram:
    """Counts latencies in logarithmic buckets.

    Attributes:
        count: latencies added.
        max_s: the largest, exact.
    """

    __slots__ = ("_counts", "count", "max_s")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = 0
        self.max_s = 0.0

    def add(self, latency_s: float) -> None:
        bucket = int(math.log2(max(latency_s, _SMALLEST_S) / _SMALLEST_S) * _BUCKETS_PER_DOUBLING)
        self._counts[min(bucket, _BUCKETS - 1)] += 1
        self.count += 1
        self.max_s = max(self.max_s, latency_s)

    def merge(self, other: Histogram) -> None:
        self._counts = [mine + theirs for mine, theirs in zip(self._counts, other._counts, strict=True)]
        self.count += other.count
        self.max_s = max(self.max_s, other.max_s)

    def percentile_s(self, percent: float) -> float:
        """The latency that `percent` of all did not exceed, within 1.1 %; 0 where there is none."""
        wanted = math.ceil(self.count * percent / 100)
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                upper = _SMALLEST_S * 2 ** ((bucket + 1) / _BUCKETS_PER_DOUBLING)
                return min(upper, self.max_s)
        return 0.0
