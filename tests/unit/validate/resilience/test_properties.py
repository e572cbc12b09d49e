"""What runs along operations and windows in one pass says the same as asking everything of everything."""

from __future__ import annotations

import statistics
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.validate.resilience.latency import mean, nearest_rank
from cleanroom.validate.resilience.outage import HANGS, availability, dry_stretches, unavailability
from cleanroom.validate.resilience.rates import variance
from cleanroom.validate.resilience.samples import (
    Measured,
    NoBaseError,
    Sample,
    common,
    in_order,
    joined,
    measured,
    overlapping,
)

samples = st.lists(
    st.builds(lambda due, took, ok: Sample(due, due + took, ok), st.integers(0, 60), st.integers(0, 20), st.booleans()),
    max_size=30,
).map(in_order)
windows = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda w: (w[0], w[0] + w[1])), max_size=6
).map(joined)


def covered(parts, moment):
    return any(begin <= moment < end for begin, end in parts)


@given(samples, windows)
def test_an_operation_is_in_the_windows_when_it_overlaps_one(some, parts):
    naive = tuple(s for s in some if any(begin <= s.end and s.due <= end for begin, end in parts))
    assert overlapping(some, parts) == naive


@given(windows, windows)
def test_common_time_is_the_time_that_is_in_both(left, right):
    both = common(left, right)
    assert [covered(both, t) for t in range(90)] == [covered(left, t) and covered(right, t) for t in range(90)]
    assert all(first[1] <= second[0] for first, second in pairwise(both))


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=200), st.integers(1, 100))
def test_a_percentile_is_the_least_value_that_as_many_do_not_exceed(values, percent):
    found = nearest_rank(values, percent)
    assert found in values
    assert 100 * sum(v <= found for v in values) >= percent * len(values)
    assert all(100 * sum(v <= less for v in values) < percent * len(values) for less in values if less < found)


@given(st.lists(st.integers(0, 1000), min_size=1))
def test_the_mean_is_never_told_too_low(values):
    assert statistics.fmean(values) <= mean(values) + 1e-9 < statistics.fmean(values) + 1


@given(samples.filter(bool))
def test_a_dry_moment_is_one_with_operations_under_way_and_no_success_before_its_end(some):
    found = measured(some)
    dry = list(dry_stretches(found))
    successes = {s.end for s in some if s.ok}
    for stretch in dry:
        assert not any(stretch.begin < end < stretch.end for end in successes)
        assert any(s.due <= stretch.begin and s.end > stretch.begin for s in some) or stretch.failed
        assert stretch.failed == 0 or any(not s.ok and s.end <= stretch.end for s in some)
    parts = [(d.begin, d.end) for d in dry]
    # Whenever an operation is under way, somebody waits: that moment is dry.
    waiting = {t for s in some for t in range(s.due, s.end)}
    assert all(covered(parts, t) for t in waiting)
    assert unavailability(found) == max((end - begin for begin, end in parts), default=0)


@given(samples.filter(bool))
def test_availability_is_a_share_and_whole_where_nothing_failed(some):
    found = measured(some)
    if not found.length:
        with pytest.raises(NoBaseError):
            availability(found)
        return
    assert 0 <= availability(found) <= 1
    if all(s.ok for s in some) and found.length < HANGS:
        assert availability(found) == 1
    if not any(s.ok for s in some):
        assert availability(found) == 0


@given(st.lists(st.booleans(), min_size=2, max_size=20))
def test_the_variance_of_single_operations_is_the_variance_of_their_rates(outcomes):
    some = tuple(Sample(10 * place, 10 * place + 1, ok) for place, ok in enumerate(outcomes))
    found = variance(Measured(samples=some, stretches=((0, 10),)), 10)
    assert found == pytest.approx(statistics.pvariance([100.0 * ok for ok in outcomes]))


def test_operations_that_fail_in_no_time_are_no_availability():
    found = measured(in_order([Sample(0, 0, ok=False), Sample(10, 10, ok=False)]))
    assert (availability(found), unavailability(found)) == (0, 10)
