"""What is expected of time: windows, order, overlap, intervals, rate and concurrency (spec.md section 6)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.quantity import Duration
from cleanroom.spec.expect import Expect
from cleanroom.spec.pattern import Pattern
from cleanroom.validate.occurrence import FaultState
from cleanroom.validate.scenario import judge_expect
from cleanroom.validate.scene import Scene
from cleanroom.validate.settle import holds_so_far
from cleanroom.validate.timing import lapse
from tests.unit.validate.builders import SEC, eq, findings, otlp, own, rules, scene, sid, span
from tests.unit.validate.timing import OTHER, at, concurrency, intervals, judged, order, overlap, rate, window

MS = 10**6
ROOT = own(1, "cleanroom.iteration", start=0, end=9 * SEC)
STEPS = (
    ROOT,
    own(2, "cleanroom.step:one", parent=1, start=1, end=50),
    own(3, "cleanroom.step:two", parent=1, start=51),
)


def starts(*times, name="a", length=0):
    """Spans of one name that start at these times."""
    return tuple(at(name, t, t + length, 100 + i) for i, t in enumerate(times))


def ms(number):
    return Duration(int(number * MS))


IN = window("o", "i")
OUTER = at("o", 10, 20)
WINDOWS = {
    "inside": (IN, (OUTER, at("i", 11, 19)), True),
    "equal at the start": (IN, (OUTER, at("i", 10, 19)), True),
    "equal at the end": (IN, (OUTER, at("i", 11, 20)), True),
    "equal at both": (IN, (OUTER, at("i", 10, 20)), True),
    "a nanosecond early": (IN, (OUTER, at("i", 9, 19)), False),
    "a nanosecond late": (IN, (OUTER, at("i", 11, 21)), False),
    "around the outer": (IN, (OUTER, at("i", 5, 25)), False),
    "before the outer": (IN, (OUTER, at("i", 1, 5)), False),
    "an instant at the end": (IN, (OUTER, at("i", 20, 20)), True),
    "an instant after the end": (IN, (OUTER, at("i", 21, 21)), False),
    "strictly inside": (replace(IN, strict=True), (OUTER, at("i", 11, 19)), True),
    "strict, equal at the start": (replace(IN, strict=True), (OUTER, at("i", 10, 19)), False),
    "strict, equal at the end": (replace(IN, strict=True), (OUTER, at("i", 11, 20)), False),
    "no outer": (IN, (at("i", 11, 19),), False),
    "no inner": (IN, (OUTER,), False),
    "an outer in another trace": (IN, (OUTER, at("i", 11, 19, trace=OTHER)), False),
    "each in its own trace": (
        IN, (OUTER, at("i", 11, 19), at("o", 30, 40, trace=OTHER), at("i", 31, 39, trace=OTHER)), True,
    ),
    "one of two traces without an outer": (IN, (OUTER, at("i", 11, 19), at("i", 12, 18, trace=OTHER)), False),
    "one of two inners outside": (IN, (OUTER, at("i", 11, 19), at("i", 15, 25)), False),
    "each inner in another outer": (IN, (OUTER, at("o", 30, 40), at("i", 12, 13), at("i", 31, 39)), True),
    "between two outers": (IN, (OUTER, at("o", 22, 40), at("i", 15, 30)), False),
    "two outers that only together hold it": (IN, (OUTER, at("o", 15, 40), at("i", 12, 30)), False),
    "an early long outer behind short ones": (IN, (at("o", 1, 90), OUTER, at("o", 12, 13), at("i", 30, 80)), True),
    "several contained": (window("o", "i", "j"), (OUTER, at("i", 11, 12), at("j", 13, 20)), True),
    "one of several contained is missing": (window("o", "i", "j"), (OUTER, at("i", 11, 12)), False),
    "one of several contained is outside": (window("o", "i", "j"), (OUTER, at("i", 11, 12), at("j", 1, 2)), False),
    "globs": (window("o*", "i?"), (at("o1", 10, 20), at("i1", 11, 12)), True),
    "an expression": (window(Pattern("^o", regex=True), "i"), (at("oh", 10, 20), at("i", 1, 12)), False),
    "a span is not inside itself": (window("*", "i"), (at("i", 11, 12),), False),
    "of two alike each is inside the other": (window("i", "i"), (at("i", 1, 2, 7), at("i", 1, 2, 8)), True),
    "of two nested the larger is inside none": (window("i", "i"), (at("i", 1, 9), at("i", 2, 8)), False),
    "the runner's own": (
        window("cleanroom.iteration", "cleanroom.step:*"), (ROOT, own(2, "cleanroom.step:a", start=5, end=9)), True,
    ),
    "a service span in the runner's": (window("cleanroom.iteration", "i"), (ROOT, at("i", 5, 9)), True),
    "after the runner's": (window("cleanroom.iteration", "i"), (ROOT, at("i", 5, 10 * SEC)), False),
    "nanoseconds since the epoch": (
        IN, (at("o", 1_763_000_000_000_000_001, 1_763_000_000_000_000_009),
             at("i", 1_763_000_000_000_000_000, 1_763_000_000_000_000_009)), False,
    ),
    "just so long": (window("o", "i", longest=10), (OUTER, at("i", 11, 12)), True),
    "a nanosecond too long": (window("o", "i", longest=9), (OUTER, at("i", 11, 12)), False),
    "another outer is too long": (window("o", "i", longest=10), (OUTER, at("o", 50, 90), at("i", 11, 12)), False),
    "an inner whose clock ran backwards": (IN, (OUTER, at("i", 15, 14)), False),
    "an outer whose clock ran backwards": (IN, (at("o", 20, 10), at("i", 15, 15)), False),
    "an outer of negative length is not short": (
        window("o", "i", longest=10), (OUTER, at("o", 30, 20), at("i", 11, 12)), False,
    ),
}  # fmt: skip

AB = order("a", "b")
ENDED = order("a", "b", by="end_start")


def within(group, by="start"):
    return order("a", "b", within=group, by=by)


def under(number, name, start, parent, **kw):
    return span(number, name, start=start, end=start + 1, parent=parent, **kw)


ORDER = {
    "in order": (AB, (at("a", 1, 9), at("b", 2, 3)), True),
    "at the same instant": (AB, (at("a", 1, 9), at("b", 1, 3)), True),
    "a nanosecond too late": (AB, (at("a", 2, 9), at("b", 1, 3)), False),
    "no first": (AB, (at("b", 2, 3),), False),
    "no then": (AB, (at("a", 1, 9),), False),
    "every first before every then": (AB, (at("a", 1, 2), at("a", 3, 4), at("b", 3, 4), at("b", 5, 6)), True),
    "one first after one then": (AB, (at("a", 1, 2), at("a", 4, 4), at("b", 3, 4), at("b", 5, 6)), False),
    "over all traces": (AB, (at("a", 5, 6), at("b", 1, 2, trace=OTHER)), False),
    "ended": (ENDED, (at("a", 1, 2), at("b", 3, 4)), True),
    "ended just then": (ENDED, (at("a", 1, 3), at("b", 3, 4)), True),
    "ended a nanosecond later": (ENDED, (at("a", 1, 4), at("b", 3, 4)), False),
    "started in order and not ended": (ENDED, (at("a", 1, 9), at("b", 2, 3)), False),
    "an instant at the same time has ended": (ENDED, (at("a", 3, 3), at("b", 3, 4)), True),
    "the early long first decides": (ENDED, (at("a", 1, 9), at("a", 2, 3), at("b", 4, 5)), False),
    "by end a first whose clock ran backwards": (ENDED, (at("a", 5, 1), at("b", 6, 7)), False),
    "by start a first whose clock ran backwards": (AB, (at("a", 5, 1), at("b", 6, 7)), True),
    "by end a then whose clock ran backwards": (ENDED, (at("a", 1, 5), at("b", 6, 2)), True),
    "overlapping patterns": (order("a", "*"), (at("a", 1, 2), at("b", 3, 4)), True),
    "overlapping patterns, late": (order("b", "*"), (at("a", 1, 2), at("b", 3, 4)), False),
    "one span on both sides alone": (order("a", "*"), (at("a", 1, 2),), False),
    "ended, one span on both sides": (order("a", "*", by="end_start"), (at("a", 1, 5), at("b", 6, 7)), True),
    "expressions": (
        order(Pattern("^a", regex=True), Pattern("b$", regex=True)), (at("ax", 1, 2), at("xb", 2, 2)), True,
    ),
    "traces apart": (
        within("trace"), (at("a", 1, 2), at("b", 3, 4), at("a", 9, 9, trace=OTHER), at("b", 10, 10, trace=OTHER)), True,
    ),
    "traces apart, one late": (
        within("trace"), (at("a", 1, 2), at("b", 3, 4), at("a", 9, 9, trace=OTHER), at("b", 8, 9, trace=OTHER)), False,
    ),
    "traces apart, as an iteration": (
        AB, (at("a", 1, 2), at("b", 3, 4), at("a", 9, 9, trace=OTHER), at("b", 10, 10, trace=OTHER)), False,
    ),
    "sides in different traces only": (within("trace"), (at("a", 1, 2), at("b", 3, 4, trace=OTHER)), False),
    "one trace lacks the then": (within("trace"), (at("a", 1, 2), at("b", 3, 4), at("a", 1, 2, trace=OTHER)), False),
    "one trace lacks the first": (within("trace"), (at("a", 1, 2), at("b", 3, 4), at("b", 9, 9, trace=OTHER)), False),
    "a trace with neither": (within("trace"), (at("a", 1, 2), at("b", 3, 4), at("c", 9, 9, trace=OTHER)), True),
    "steps apart": (
        within("step"),
        (*STEPS, under(10, "a", 5, 2), under(11, "b", 6, 10), under(12, "a", 60, 3), under(13, "b", 61, 12)), True,
    ),
    "in one step late": (
        within("step"),
        (*STEPS, under(10, "a", 5, 2), under(11, "b", 6, 10), under(12, "a", 62, 3), under(13, "b", 61, 12)), False,
    ),
    "sides in different steps only": (within("step"), (*STEPS, under(10, "a", 5, 2), under(11, "b", 60, 3)), False),
    "steps, and one under none": (
        within("step"), (*STEPS, under(10, "a", 5, 2), under(11, "b", 6, 2), under(12, "a", 70, 0)), True,
    ),
    "under no step": (within("step"), (*STEPS, under(10, "a", 5, 1), under(11, "b", 6, 1)), False),
    "a step that cannot be known": (
        within("step"), (*STEPS, under(10, "a", 5, 2), under(11, "b", 6, 2), under(12, "a", 4, 99)), False,
    ),
    "parents in a loop have no step": (
        within("step"),
        (*STEPS, under(10, "a", 5, 2), under(11, "b", 6, 2), under(12, "a", 4, 13), under(13, "c", 4, 12)), False,
    ),
    "a service's span is no step": (
        within("step"),
        (*STEPS, span(9, "cleanroom.step:x", start=1), under(10, "a", 5, 9), under(11, "b", 6, 9)), False,
    ),
    "the steps themselves": (
        order("cleanroom.step:one", "cleanroom.step:two", by="end_start", within="parent"), STEPS, True,
    ),
    "siblings": (within("parent"), (*STEPS, under(10, "a", 5, 2), under(11, "b", 6, 2)), True),
    "siblings late": (within("parent"), (*STEPS, under(10, "a", 7, 2), under(11, "b", 6, 2)), False),
    "no siblings": (within("parent"), (*STEPS, under(10, "a", 5, 2), under(11, "b", 6, 10)), False),
    "siblings below a parent that never arrived": (
        within("parent"), (under(10, "a", 5, 99), under(11, "b", 6, 99)), True,
    ),
    "late below a parent that never arrived": (within("parent"), (under(10, "a", 9, 99), under(11, "b", 6, 99)), False),
    "roots are no siblings": (within("parent"), (under(10, "a", 5, 0), under(11, "b", 6, 0)), False),
    "parents with one id in two traces": (
        within("parent"), (under(10, "a", 5, 99), under(11, "b", 6, 99, trace=OTHER)), False,
    ),
}  # fmt: skip

BESIDE = overlap("a", "b")
OVERLAP = {
    "beside each other": (BESIDE, (at("a", 1, 5), at("b", 3, 9)), True),
    "the other way round": (BESIDE, (at("a", 3, 9), at("b", 1, 5)), True),
    "by a nanosecond": (BESIDE, (at("a", 1, 5), at("b", 4, 9)), True),
    "touching": (BESIDE, (at("a", 1, 5), at("b", 5, 9)), False),
    "touching the other way round": (BESIDE, (at("a", 5, 9), at("b", 1, 5)), False),
    "apart": (BESIDE, (at("a", 1, 5), at("b", 7, 9)), False),
    "one inside the other": (BESIDE, (at("a", 1, 9), at("b", 3, 4)), True),
    "alike": (BESIDE, (at("a", 1, 9), at("b", 1, 9)), True),
    "an instant inside": (BESIDE, (at("a", 1, 9), at("b", 3, 3)), True),
    "an instant at the start": (BESIDE, (at("a", 1, 9), at("b", 1, 1)), False),
    "an instant at the end": (BESIDE, (at("a", 1, 9), at("b", 9, 9)), False),
    "two instants": (BESIDE, (at("a", 3, 3), at("b", 3, 3)), False),
    "no first": (BESIDE, (at("b", 1, 9),), False),
    "no second": (BESIDE, (at("a", 1, 9),), False),
    "one pair of many": (BESIDE, (at("a", 1, 2), at("a", 7, 9), at("b", 3, 4), at("b", 8, 11)), True),
    "no pair of many": (BESIDE, (at("a", 1, 2), at("a", 7, 9), at("b", 3, 4), at("b", 9, 11)), False),
    "a long one behind short ones": (BESIDE, (at("a", 1, 99), at("a", 2, 3), at("a", 4, 5), at("b", 50, 60)), True),
    "over traces": (BESIDE, (at("a", 1, 5), at("b", 3, 9, trace=OTHER)), True),
    "not itself": (overlap("a", "*"), (at("a", 1, 5),), False),
    "one name twice": (overlap("a", "a"), (at("a", 1, 5), at("a", 3, 9)), True),
    "one name twice, apart": (overlap("a", "a"), (at("a", 1, 5), at("a", 5, 9)), False),
    "a clock that ran backwards": (BESIDE, (at("a", 1, 9), at("b", 5, 3)), False),
    "both clocks ran backwards": (BESIDE, (at("a", 9, 1), at("b", 5, 3)), False),
    "a clock that ran backwards, and another pair": (BESIDE, (at("a", 1, 9), at("b", 5, 3), at("b", 5, 6)), True),
}

TENTH = intervals(eq=ms(100))
DOUBLE = intervals(2.0, approx={"value": ms(100), "tolerance": "20%"})
INTERVALS = {
    "even": (TENTH, starts(0, 100 * MS, 200 * MS), True),
    "uneven": (TENTH, starts(0, 100 * MS, 201 * MS), False),
    "a nanosecond off": (TENTH, starts(0, 100 * MS, 200 * MS + 1), False),
    "one span": (TENTH, starts(0), False),
    "one span, and any gap": (intervals(gte=ms(0)), starts(0), False),
    "another name between": (TENTH, (*starts(0, 100 * MS), at("b", 50 * MS, 60 * MS)), True),
    "starts and not ends": (TENTH, (at("a", 0, 90 * MS), at("a", 100 * MS, 105 * MS)), True),
    "a clock that ran backwards has a start": (TENTH, (at("a", 5, 0), at("a", 100 * MS + 5, 1)), True),
    "doubling": (DOUBLE, starts(0, 100 * MS, 300 * MS, 700 * MS), True),
    "doubling at the edge": (DOUBLE, starts(0, 120 * MS, 360 * MS), True),
    "doubling beyond the edge": (DOUBLE, starts(0, 120 * MS, 360 * MS + 1), False),
    "even though they should double": (DOUBLE, starts(0, 100 * MS, 200 * MS), False),
    "halving": (intervals(0.5, eq=ms(100)), starts(0, 100 * MS, 150 * MS, 175 * MS), True),
    "not halving": (intervals(0.5, eq=ms(100)), starts(0, 100 * MS, 160 * MS), False),
    "a factor as it is written": (intervals(1.1, eq=ms(100)), starts(0, 100 * MS, 210 * MS, 331 * MS), True),
    "half a nanosecond is not forgiven": (intervals(2.0, lte=Duration(1)), starts(0, 1, 4), False),
    "half a nanosecond is not forgiven below": (intervals(2.0, gte=Duration(2)), starts(0, 2, 5), False),
    "half a nanosecond within": (intervals(2.0, between=(Duration(1), Duration(2))), starts(0, 1, 4), True),
    "at the same instant": (intervals(gt=ms(0)), starts(5, 5), False),
    "at the same instant, allowed": (intervals(gte=ms(0)), starts(5, 5), True),
    "what cannot be compared": (intervals(lt=5), starts(0, 1), False),
    "several comparisons": (intervals(gte=ms(1), lt=ms(2)), starts(0, 1 * MS, 3 * MS), False),
    "over traces": (TENTH, (at("a", 0, 1), at("a", 100 * MS, 101 * MS, trace=OTHER)), True),
    "a service's": (intervals(eq=ms(1), service="db"), (*starts(0, 5), at("a", 0, 1, service="db")), False),
}  # fmt: skip

THREE = rate(3, 100)
RATE = {
    "few": (THREE, starts(0, 1, 2), True),
    "too many": (THREE, starts(0, 1, 2, 3), False),
    "just a window apart": (THREE, starts(0, 1, 2, 100), True),
    "a nanosecond less than a window apart": (THREE, starts(0, 1, 2, 99), False),
    "many in time": (THREE, starts(0, 50, 99, 100, 150, 199, 200), True),
    "a window that begins anywhere": (THREE, starts(0, 60, 70, 80, 159), False),
    "at one instant": (rate(1, 1), starts(5, 5), False),
    "a nanosecond apart": (rate(1, 1), starts(5, 6), True),
    "none": (THREE, starts(0, 1, name="b"), False),
    "other names do not count": (rate(1, 100), (*starts(0, 100), at("b", 1, 2)), True),
    "how long they last does not count": (rate(1, 100), starts(0, 100, length=1000), True),
    "a clock that ran backwards has a start": (rate(1, 100), (at("a", 50, 0), at("a", 51, 0)), False),
    "over traces": (rate(1, 100), (at("a", 50, 60), at("a", 51, 60, trace=OTHER)), False),
    "by attribute": (
        rate(1, 9, where={"n": eq(1)}), (at("a", 0, 1, 5, attrs={"n": 1}), at("a", 0, 1, 6, attrs={"n": 2})), True,
    ),
}  # fmt: skip

TWO = concurrency(2)
CONCURRENCY = {
    "two": (TWO, (at("a", 1, 9), at("a", 2, 8)), True),
    "three": (TWO, (at("a", 1, 9), at("a", 2, 8), at("a", 3, 7)), False),
    "three, never at once": (TWO, (at("a", 1, 4), at("a", 2, 8), at("a", 5, 9)), True),
    "one ends as the next starts": (concurrency(1), (at("a", 1, 4), at("a", 4, 8)), True),
    "one ends a nanosecond later": (concurrency(1), (at("a", 1, 5), at("a", 4, 8)), False),
    "an instant within": (concurrency(1), (at("a", 1, 5), at("a", 4, 4)), False),
    "two at an instant": (concurrency(1), starts(5, 5), False),
    "an instant as one ends": (concurrency(1), (at("a", 1, 5), at("a", 5, 5)), True),
    "none": (TWO, (at("b", 1, 9),), False),
    "other names do not count": (concurrency(1), (at("a", 1, 9), at("b", 1, 9)), True),
    "a clock that ran backwards": (TWO, (at("a", 9, 1),), False),
    "another's clock ran backwards": (TWO, (at("a", 1, 9), at("b", 9, 1)), True),
    "over traces": (concurrency(1), (at("a", 1, 9), at("a", 2, 8, trace=OTHER)), False),
    "of a kind": (
        concurrency(1, kind="client"), (at("a", 1, 9, kind="client"), at("a", 2, 8, kind="server")), True,
    ),
}  # fmt: skip

TABLE = {
    f"{family}: {name}": case
    for family, cases in {
        "windows": WINDOWS, "order": ORDER, "overlap": OVERLAP, "intervals": INTERVALS, "rate": RATE,
        "concurrency": CONCURRENCY,
    }.items()
    for name, case in cases.items()
}  # fmt: skip
RULES = ("windows.contains", "windows.max_duration", "order", "overlap", "intervals", "rate", "concurrency")


@pytest.mark.parametrize("name", TABLE)
def test_what_is_expected_of_time_holds_or_breaks(name):
    wanted, spans, holds = TABLE[name]
    checks = judged(scene(*spans), wanted)

    assert bool(rules(checks)) is not holds, [f.found for f in findings(checks)]
    assert not any(c.inconclusive for c in checks)
    assert all(c.rule.partition(".")[0] == name.partition(":")[0] for c in checks)


@pytest.mark.parametrize("name", TABLE)
def test_a_finding_teaches(name):
    wanted, spans, holds = TABLE[name]
    for found in findings(judged(scene(*spans), wanted)):
        assert not holds
        assert found.rule in RULES
        assert found.at == wanted.at
        assert found.expected
        assert found.found
        assert found.span_ids or found.found.startswith("no span")
        too_few = found.found.startswith("no span") or " kept " in found.found
        assert too_few or " under " in found.found or ", a root" in found.found, "a place in the tree"


@pytest.mark.parametrize("name", [name for name, case in TABLE.items() if case[2]])
def test_an_empty_trace_breaks_all_that_is_expected_of_time(name):
    checks = judged(scene(), TABLE[name][0])

    assert {c.rule for c in checks} == set(rules(checks))


@pytest.mark.parametrize("name", TABLE)
def test_without_any_service_span_the_telemetry_is_missing(name):
    wanted = TABLE[name][0]
    own_only = "cleanroom." in str(getattr(wanted, "outer", "")) or "cleanroom." in str(getattr(wanted, "first", ""))
    for found in findings(judged(scene(ROOT), wanted)):
        assert found.telemetry_missing or own_only
        assert "OTEL_EXPORTER_OTLP_ENDPOINT" in found.remedy or own_only


@pytest.mark.parametrize("name", TABLE)
@given(data=st.data())
def test_judging_does_not_depend_on_the_order_of_spans(name, data):
    wanted, spans, _ = TABLE[name]
    assert judged(scene(*data.draw(st.permutations(spans))), wanted) == judged(scene(*spans), wanted)


@pytest.mark.parametrize("name", [name for name, case in TABLE.items() if not case[2]])
def test_a_warning_stays_one_and_an_id_names_the_check(name):
    wanted, spans, _ = TABLE[name]
    checks = judged(scene(*spans), replace(wanted, level="warning", id="mine", description="in words"))

    assert {f.level for f in findings(checks)} == {"warning"}
    assert all("mine" in c.name for c in checks)
    assert len({c.name for c in checks}) == len(checks)


@pytest.mark.parametrize(
    "wanted", [intervals(gte=ms(0), during="slow"), rate(9, 100, before="slow"), concurrency(9, after="slow")]
)
def test_without_a_proven_fault_nothing_is_said_of_spans_by_its_time(wanted):
    spans = starts(0, 50 * MS)
    unproven = {"slow": FaultState(unusable="no effect could be measured", allowed="on a small machine")}
    (found,) = judged(scene(*spans, faults=unproven), wanted)

    assert not found.findings
    assert found.inconclusive == "no effect could be measured"
    assert found.allowed == "on a small machine"


def test_selectors_by_the_window_of_a_fault_select():
    windows = {"slow": FaultState(windows=((100, 200),))}
    spans = starts(0, 1, 150, 300, 301, length=5)
    found = {
        word: rules(judged(scene(*spans, faults=windows), rate(1, 1000, **{word: "slow"})))
        for word in ("during", "before", "after")
    }

    assert found == {"during": [], "before": ["rate"], "after": ["rate"]}


SPANS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 12), st.integers(0, 6), st.sampled_from((None, OTHER))), max_size=7
)


def spans_of(drawn):
    return [
        span(number, name, start=start, end=start + length, **({"trace": trace} if trace else {}))
        for number, (name, start, length, trace) in enumerate(drawn, start=1)
    ]


def holds(spans, wanted):
    return not rules(judged(scene(*spans), wanted))


@given(SPANS, st.booleans())
def test_windows_are_what_comparing_all_pairs_says(drawn, strict):
    spans = spans_of(drawn)
    a, b = ([s for s in spans if s.name == name] for name in "ab")

    def inside(one, other):
        if one.trace_id != other.trace_id:
            return False
        if strict:
            return other.start_ns < one.start_ns and one.end_ns < other.end_ns
        return other.start_ns <= one.start_ns and one.end_ns <= other.end_ns

    naive = bool(a) and bool(b) and all(any(inside(i, o) for o in a) for i in b)
    assert holds(spans, window("a", "b", strict=strict)) == naive
    itself = bool(b) and all(any(inside(i, o) for o in b if o is not i) for i in b)
    assert holds(spans, window("b", "b", strict=strict)) == itself


@given(SPANS, st.sampled_from(("start", "end_start")), st.sampled_from(("iteration", "trace")))
def test_order_is_what_comparing_all_pairs_says(drawn, by, group):
    spans = spans_of(drawn)
    traces = {s.trace_id for s in spans} if group == "trace" else {""}
    naive = bool(spans)
    for trace in traces:
        a, b = ([s for s in spans if s.name == name and trace in ("", s.trace_id)] for name in "ab")
        naive = naive and bool(a) and bool(b)
        naive = naive and all((f.start_ns if by == "start" else f.end_ns) <= t.start_ns for f in a for t in b)
    assert holds(spans, order("a", "b", by=by, within=group)) == naive


@given(SPANS)
def test_overlap_is_what_comparing_all_pairs_says_and_the_contrary_of_order(drawn):
    spans = spans_of(drawn)
    a, b = ([s for s in spans if s.name == name] for name in "ab")
    naive = any(x.start_ns < y.end_ns and y.start_ns < x.end_ns for x in a for y in b)

    assert holds(spans, overlap("a", "b")) == holds(spans, overlap("b", "a")) == naive
    if holds(spans, order("a", "b", by="end_start")):
        assert not naive


@given(SPANS, st.integers(1, 4), st.integers(1, 8))
def test_a_rate_is_what_counting_from_every_start_says(drawn, most, length):
    spans = spans_of(drawn)
    times = [s.start_ns for s in spans if s.name == "a"]
    naive = bool(times) and all(sum(t <= other < t + length for other in times) <= most for t in times)

    assert holds(spans, rate(most, length)) == naive


@given(SPANS, st.integers(1, 4))
def test_concurrency_is_what_counting_at_every_instant_says(drawn, most):
    spans = spans_of(drawn)
    a = [s for s in spans if s.name == "a"]
    running = (sum(s.start_ns <= t < max(s.end_ns, s.start_ns + 1) for s in a) for t in range(20))

    assert holds(spans, concurrency(most)) == (bool(a) and max(running) <= most)


@given(st.integers(0, 2**63), st.sampled_from((0.25, 0.5, 1.0, 2.0, 3.0)))
def test_a_gap_that_grows_by_its_factor_holds_exactly(gap, factor):
    gaps = [int(gap * 64 * factor**n) if factor < 1 else gap * int(factor) ** n for n in range(4)]
    times = [sum(gaps[:n]) for n in range(5)]
    wanted = intervals(factor, eq=Duration(gaps[0]))

    assert holds(starts(*times), wanted)
    if gaps[0]:
        assert not holds(starts(*times[:-1], times[-1] + 1), wanted)


def test_a_finding_names_the_nearest_and_by_how_much():
    (found,) = findings(judged(scene(at("o", 0, 5, 1), at("o", 10, 20, 2), at("i", 9, 23, 3)), IN))
    assert f'"i" (service api, server, {sid(3)}), a root starts 1ns before and ends 3ns after "o" (' in found.found
    assert sid(2) in found.found
    assert found.span_ids == (sid(3),)

    (found,) = findings(judged(scene(at("a", 5, 1_500_005, 1), at("b", 5, 9, 2)), ENDED))
    assert 'ends 1.5ms after "b"' in found.found

    (found,) = findings(judged(scene(at("a", 0, 5), at("a", 6, 8), at("b", 2 * SEC, 3 * SEC)), BESIDE))
    assert "starts 1.999999992s after" in found.found

    (found,) = findings(judged(scene(*starts(0, 100 * MS, 350 * MS)), DOUBLE))
    assert "gap 2, of 250ms" in found.found
    assert "found 125ms" in found.found


def test_a_side_that_is_missing_is_told_with_what_came_near():
    (found,) = findings(judged(scene(at("order.reserve", 1, 2), at("pay", 3, 4)), order("order.reserv", "pay")))

    assert found.found == 'no span "order.reserv"'
    assert '"order.reserve"' in found.near_misses[0]
    assert not found.telemetry_missing


@pytest.mark.parametrize(
    ("wanted", "spans"),
    [
        (IN, (OUTER, at("i", 15, 14))),
        (window("o", "i", longest=99), (OUTER, at("o", 9, 1), at("i", 12, 13))),
        (ENDED, (at("a", 5, 1), at("b", 6, 7))),
        (BESIDE, (at("a", 1, 9), at("b", 5, 3))),
        (TWO, (at("a", 9, 1),)),
    ],
)
def test_a_clock_that_ran_backwards_is_the_reason_that_is_told(wanted, spans):
    (found,) = findings(judged(scene(*spans), wanted))

    assert "its end is before its start" in found.found
    assert "monotonic" in found.remedy


def test_spans_of_no_group_are_told_where_the_order_holds():
    wanted, spans, _ = ORDER["steps, and one under none"]
    (found,) = judged(scene(*spans), wanted)

    assert found.note == "1 span under no step: not in any group, so not compared"


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0ns"), (1, "1ns"), (999, "999ns"), (1000, "1us"), (1001, "1.001us"), (1_500_000, "1.5ms"),
        (SEC, "1s"), (SEC + 1, "1.000000001s"), (90 * SEC, "90s"), (-3, "-3ns"), (-1500, "-1.5us"),
    ],
)  # fmt: skip
def test_a_length_of_time_is_told_without_loss(ns, text):
    assert lapse(ns) == text


def test_an_expect_block_judges_all_of_it():
    expect = Expect(
        windows=(window("o", "x", longest=1),),
        order=(AB,),
        overlap=(BESIDE,),
        intervals=(TENTH,),
        rate=(THREE,),
        concurrency=(TWO,),
    )

    assert rules(judge_expect(scene(at("z", 1, 2)), expect)) == list(RULES)


def test_the_step_of_every_span_is_found_once_however_deep_the_trace(monkeypatch):
    asked = []
    parent = Scene.parent
    monkeypatch.setattr(Scene, "parent", lambda self, s: asked.append(s) or parent(self, s))
    deep = [span(n, "ab"[n % 2], parent=n - 1, start=n) for n in range(2, 3000)]

    assert rules(judged(scene(own(1, "cleanroom.step:x"), *deep), within("step"))) == ["order"]
    assert len(asked) <= 2 * len(deep)


def test_what_cannot_be_compared_breaks_with_the_reason():
    (found,) = findings(judged(scene(*starts(0, 1)), intervals(lt=5)))

    assert "cannot compare a duration with a number" in found.found


@pytest.mark.parametrize(
    ("wanted", "early", "late"),
    [
        ({"windows": (IN,)}, (OUTER,), at("i", 11, 12)),
        ({"order": (AB,)}, (at("a", 1, 2),), at("b", 3, 4)),
        ({"overlap": (BESIDE,)}, (at("b", 1, 2),), at("a", 3, 4)),
        ({"intervals": (TENTH,)}, starts(0), at("a", 5, 6)),
        ({"rate": (THREE,)}, (), at("a", 5, 6)),
        ({"concurrency": (concurrency(2, during="slow"),)}, (), at("a", 5, 6)),
    ],
)
def test_settling_waits_for_the_spans_of_which_the_time_is_judged(wanted, early, late):
    assert not holds_so_far(Expect(**wanted), [otlp(*early)] if early else [])
    assert holds_so_far(Expect(**wanted), [otlp(*early, late)])


def test_settling_does_not_wait_for_the_runners_own_spans():
    expect = Expect(
        windows=(window("cleanroom.iteration", "cleanroom.cleanup"),),
        concurrency=(concurrency(2, name="cleanroom.step:*"),),
    )

    assert holds_so_far(expect, [])
