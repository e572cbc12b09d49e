"""How long operations took, failed ones too: a mean, and percentiles by nearest rank.

Nearest rank: of n latencies in order, percentile p is the one at rank ceil(p * n / 100), counted from 1. It is always a
latency that was measured; p99 of fewer than 100 operations is the longest one.
"""

from __future__ import annotations

from collections.abc import Iterable

from cleanroom.validate.resilience.samples import Measured, asked


def nearest_rank(values: Iterable[int], percent: int) -> int:
    """Return the percentile (1 to 100) of `values`, which must not be empty."""
    ordered = sorted(values)
    return ordered[-(-percent * len(ordered) // 100) - 1]


def mean(values: Iterable[int]) -> int:
    """Return the mean in whole nanoseconds, rounded up: a bound that holds for it holds for the exact mean."""
    found = tuple(values)
    return -(-sum(found) // len(found))


def average(found: Measured) -> int:
    """Return the mean latency in ns."""
    return mean(s.latency for s in asked(found))


def percentile(found: Measured, percent: int) -> int:
    """Return a percentile of the latencies in ns."""
    return nearest_rank((s.latency for s in asked(found)), percent)
