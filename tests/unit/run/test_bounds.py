from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.quantity import Duration
from cleanroom.run.bounds import Bounds
from tests.fakes import FakeClock
from tests.unit.run.worlds import order

S = 10**9


class StillClock(FakeClock):
    """Stands still until somebody moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def bounds(clock: StillClock, timeout: int = 60, deadline: int | None = None) -> Bounds:
    ends = {"deadline": Duration(deadline * S)} if deadline else {}
    return Bounds.of(order(timeout=Duration(timeout * S), **ends), clock)


@pytest.mark.parametrize(
    ("passed", "step", "kind", "time", "words"),
    [
        (0, 5, "step", 5, ""),
        (38, 5, "deadline", 2, "the scenario's deadline of 40s"),
        (0, 100, "deadline", 40, "the scenario's deadline of 40s"),
        (35, 5, "step", 5, ""),
    ],
)
def test_the_nearest_end_cuts_a_step_and_is_named(passed, step, kind, time, words):
    clock = StillClock()
    found = bounds(clock, deadline=40)
    clock.now = passed
    cut = found.cut(Duration(step * S))
    assert (cut.kind, round(cut.time.seconds), cut.words) == (kind, time, words)


def test_the_timeout_of_a_scenario_says_what_it_allowed():
    clock = StillClock()
    found = bounds(clock)
    clock.now = 59.5
    cut = found.cut(Duration(S))
    assert (cut.kind, cut.allowed, cut.words) == ("scenario", Duration(60 * S), "the scenario's timeout of 60s")
    assert found.passed() == ""
    clock.now = 60.0
    assert found.passed() == "the scenario's timeout of 60s"
    assert found.remaining() == 0


def test_a_step_inside_another_ends_with_it():
    clock = StillClock()
    whole = bounds(clock)
    outer = whole.cut(Duration(5 * S))
    inner = whole.within(outer, "both").cut(Duration(30 * S))
    assert (inner.kind, inner.time, inner.words) == ("step", Duration(5 * S), "the timeout of step 'both', 5s,")
    late = whole.within(whole.cut(Duration(90 * S)), "both").cut(Duration(100 * S))
    assert (late.kind, late.words) == ("scenario", "the scenario's timeout of 60s")


@given(st.integers(1, 10**12), st.floats(0, 100))
def test_a_step_never_has_more_time_than_it_or_its_scenario_allows(ns, passed):
    clock = StillClock()
    found = bounds(clock)
    clock.now = passed
    cut = found.cut(Duration(ns))
    assert 1 <= cut.time.ns <= ns
    assert cut.time.seconds <= max(60 - passed, 0) + 1e-6
