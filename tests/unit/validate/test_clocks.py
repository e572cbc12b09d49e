"""Times of services with altered clocks: corrected by what was measured, or good for nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.plan.build import build_plan
from cleanroom.quantity import Duration
from cleanroom.run.record import ClockRecord, ScenarioRecord, ServiceRecord
from cleanroom.spec.clock_setting import ClockOffset, FrozenClock
from cleanroom.spec.expect import Pattern, SpanExpectation
from cleanroom.spec.fault import AtManual, Fault
from cleanroom.spec.target import Target
from cleanroom.spec.timing import (
    ConcurrencyExpectation,
    IntervalExpectation,
    OrderExpectation,
    OverlapExpectation,
    RateExpectation,
    SpanSelector,
    WindowExpectation,
)
from cleanroom.trace.model import Trace
from cleanroom.validate.clocks import STRUCK, UNKNOWN, clocks_of
from cleanroom.validate.concurrency import judge_concurrency
from cleanroom.validate.intervals import judge_intervals
from cleanroom.validate.occurrence import FaultState
from cleanroom.validate.order import judge_order
from cleanroom.validate.overlap import judge_overlap
from cleanroom.validate.rate import judge_rate
from cleanroom.validate.scene import Scene
from cleanroom.validate.spans import judge_spans
from cleanroom.validate.windows import judge_windows
from tests.unit.plan.suites import scenario, suite
from tests.unit.validate.builders import cmp, span

HOUR = 3600 * 10**9
FROZEN = "its clock was frozen"
NAMES = {"db": "db", "api": "api", "web": "web"}


def plan_with(setting):
    whole = suite(scenario("one"))
    return build_plan(replace(whole, services=(replace(whole.services[0], clock=setting), *whole.services[1:])))


def record_with(clock):
    service = ServiceRecord(name="db", image="db", address="", container="", clock=clock)
    return ScenarioRecord(name="one", outcome="passed", services=(service,))


def test_times_of_a_clock_that_a_fault_alters_say_nothing_in_that_scenario_and_are_right_in_others():
    skew = Fault(
        id="late", kind="clock.skew", target=Target(service="db"), moment=AtManual(),
        parameters={"offset": Duration(HOUR)},
    )  # fmt: skip
    whole = suite(scenario("one"), scenario("two"))
    struck = replace(whole.scenarios[0], chaos=(skew,))
    plan = build_plan(replace(whole, scenarios=(struck, whole.scenarios[1])))
    assert dict(clocks_of(plan, record_with(None), NAMES).untimed) == {"db": STRUCK}
    assert dict(clocks_of(plan, replace(record_with(None), name="two"), NAMES).untimed) == {}


def test_times_of_a_clock_with_an_offset_are_the_machines_again_and_nobody_elses_change():
    plan = plan_with(ClockOffset(offset=Duration(HOUR)))
    clocks = clocks_of(plan, record_with(ClockRecord(setting="offset", asked="", offset_ns=HOUR)), NAMES)
    mine, other = span(1, service="db", start=HOUR + 5, end=HOUR + 9, events=["e"]), span(2, start=7, end=8)
    corrected, same = clocks.corrected([mine, other])
    assert (corrected.start_ns, corrected.end_ns, corrected.untimed) == (5, 9, "")
    assert [event.time_ns - corrected.start_ns for event in corrected.events] == [
        event.time_ns - mine.start_ns for event in mine.events
    ]
    assert same == other


@pytest.mark.parametrize(
    ("setting", "clock", "why"),
    [
        (FrozenClock(), ClockRecord(setting="frozen", asked=""), FROZEN),
        (FrozenClock(), None, UNKNOWN),
        (ClockOffset(offset=Duration(HOUR)), None, UNKNOWN),
    ],
)
def test_a_clock_that_tells_nothing_or_was_not_measured_marks_its_spans(setting, clock, why):
    clocks = clocks_of(plan_with(setting), record_with(clock), NAMES)
    (marked,) = clocks.corrected([span(1, service="db")])
    assert marked.untimed == why


def scene(untimed):
    """Two spans that every expectation below is content with, one of them perhaps by a clock that says nothing."""
    one = replace(span(1, "one", service="db", start=10, end=30), untimed=untimed)
    spans = Trace.of([one, span(2, "two", start=20, end=40), span(3, "all", start=0, end=90)])
    return Scene(trace=spans, faults={"f": FaultState(windows=((5, 50),))})


ONE, TWO, EVERY = Pattern("one"), Pattern("two"), SpanSelector(name=Pattern("*"))
JUDGED = {
    "duration": lambda s: judge_spans(s, [SpanExpectation(name=ONE, duration=cmp(lte=Duration(20)))]),
    "during": lambda s: judge_spans(s, [SpanExpectation(name=ONE, during="f")]),
    "none after": lambda s: judge_spans(s, [SpanExpectation(name=ONE, after="f", count=cmp(eq=0))]),
    "order": lambda s: judge_order(s, [OrderExpectation(first=ONE, then=TWO)]),
    "then": lambda s: judge_order(s, [OrderExpectation(first=Pattern("all"), then=ONE)]),
    "windows": lambda s: judge_windows(s, [WindowExpectation(outer=Pattern("all"), contains=(ONE,))]),
    "longest": lambda s: judge_windows(s, [WindowExpectation(outer=ONE, contains=(), max_duration=Duration(50))]),
    "overlap": lambda s: judge_overlap(s, [OverlapExpectation(first=ONE, second=TWO)]),
    "rate": lambda s: judge_rate(s, [RateExpectation(spans=EVERY, window=Duration(100), max=3)]),
    "concurrency": lambda s: judge_concurrency(s, [ConcurrencyExpectation(spans=EVERY, max=3)]),
    "intervals": lambda s: judge_intervals(s, [IntervalExpectation(spans=EVERY, gap=cmp(lte=Duration(10)))]),
    "rate during": lambda s: judge_rate(
        s, [RateExpectation(spans=SpanSelector(name=ONE, during="f"), window=Duration(100), max=3)]
    ),
}


@pytest.mark.parametrize("what", JUDGED)
def test_whatever_is_about_times_breaks_with_the_reason(what):
    assert [f for check in JUDGED[what](scene("")) for f in check.findings] == []
    found = [finding for check in JUDGED[what](scene(FROZEN)) for finding in check.findings]
    assert len(found) == 1
    assert FROZEN in found[0].found
    assert "only has an offset" in found[0].remedy


def test_what_is_not_about_times_is_judged_as_ever():
    checks = judge_spans(scene(FROZEN), [SpanExpectation(name=ONE, count=cmp(eq=1), status=cmp(eq="unset"))])
    assert [f for check in checks for f in check.findings] == []
