"""`expect.metrics`: each case with its negative; what nobody sent is no evidence of anything."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.spec.expect import Expect
from cleanroom.spec.signal import MetricExpectation
from cleanroom.telemetry.ports import Payload
from cleanroom.trace.model import Origin
from cleanroom.validate.metrics import judge_metrics
from cleanroom.validate.scenario import judge_expect
from cleanroom.validate.scene import Scene, build_scenes
from cleanroom.validate.sent import Period, Sent
from tests.unit.validate.builders import (
    AT,
    cmp,
    eq,
    findings,
    iteration,
    own,
    plan,
    record,
    rules,
    scenario,
    scene,
    sid,
    suite,
)

DELTA, CUMULATIVE = 1, 2


def point(value: Any = None, time: int = 100, start: int = 1, **kw: Any) -> dict[str, Any]:
    """A data point; a whole number is sent as one."""
    attributes = [{"key": k, "value": {"stringValue": v}} for k, v in kw.pop("attrs", {}).items()]
    number = {} if value is None else {"asInt": str(value)} if isinstance(value, int) else {"asDouble": value}
    return {"timeUnixNano": str(time), "startTimeUnixNano": str(start), "attributes": attributes, **number, **kw}


def of_sum(*points: dict[str, Any], temporality: int = CUMULATIVE, monotonic: bool = True) -> dict[str, Any]:
    return {"sum": {"dataPoints": points, "aggregationTemporality": temporality, "isMonotonic": monotonic}}


def of_histogram(*points: dict[str, Any], temporality: int = CUMULATIVE, kind: str = "histogram") -> dict[str, Any]:
    return {kind: {"dataPoints": points, "aggregationTemporality": temporality}}


def gauge(*points: dict[str, Any]) -> dict[str, Any]:
    return {"gauge": {"dataPoints": points}}


def summary(*points: dict[str, Any]) -> dict[str, Any]:
    return {"summary": {"dataPoints": points}}


def payload(data: dict[str, Any], name: str = "m", service: str = "api", **kw: Any) -> Payload:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    groups = [{"resource": resource, "scopeMetrics": [{"metrics": [{"name": name, **data}]}]}]
    return raw(json.dumps({"resourceMetrics": groups}).encode(), **kw)


def raw(body: bytes, **kw: Any) -> Payload:
    fields: dict[str, Any] = {
        "environment": "env", "origin": Origin.SERVICE, "signal": "metrics", "content_type": "application/json",
        "received_ns": 1,
    }  # fmt: skip
    return Payload(body=body, **{**fields, **kw})


def want(value: Any, name: str = "m", **kw: Any) -> MetricExpectation:
    return MetricExpectation(name=name, value=value, at=AT, **kw)


def sent(*data: dict[str, Any] | Payload, **kw: Any) -> Scene:
    return scene(sent=Sent(tuple(d if isinstance(d, Payload) else payload(d) for d in data)), **kw)


def h(count: int, total: float | None, time: int = 100, start: int = 1, **kw: Any) -> dict[str, Any]:
    more = {} if total is None else {"sum": total}
    return point(None, time, start, count=str(count), **more, **kw)


A, B = {"route": "/a"}, {"route": "/b"}
BIG = 2**63 - 1
CASES: list[tuple[str, list[Any], Any, Any, dict[str, Any]]] = [
    # (what, what was sent, a value that holds, one that does not, selectors)
    ("a gauge's every point", [gauge(point(3), point(5, 200))], cmp(lte=5), cmp(lte=4), {}),
    ("a gauge's peak is not hidden by a later value", [gauge(point(9), point(1, 200))], cmp(gte=1), cmp(lt=9), {}),
    ("a gauge of a fraction", [gauge(point(0.5))], eq(0.5), eq(0.25), {}),
    ("a gauge of whole and broken numbers is one number", [gauge(point(2.0))], eq(2), eq(3), {}),
    ("an explicit zero that was sent", [gauge(point(0))], eq(0), eq(1), {}),
    ("a negative gauge", [gauge(point(-4))], cmp(lt=0), cmp(gte=0), {}),
    ("64 bits exactly", [gauge(point(BIG))], eq(BIG), eq(BIG - 1), {}),
    ("64 bits in a total", [of_sum(point(BIG - 1, 1), point(1, 2), temporality=DELTA)], eq(BIG), eq(BIG + 1), {}),
    ("a running total by its last point", [of_sum(point(1), point(7, 200))], eq(7), eq(1), {}),
    ("a running total by time, not by arrival", [of_sum(point(7, 200)), of_sum(point(1))], eq(7), eq(1), {}),
    ("a restart adds to what was reached", [of_sum(point(5), point(3, 200, start=150))], eq(8), eq(3), {}),
    ("a total that fell began anew", [of_sum(point(5, 100, 0), point(2, 200, 0))], eq(7), eq(2), {}),
    ("deltas add up", [of_sum(point(2), point(3, 200), temporality=DELTA)], eq(5), eq(3), {}),
    ("broken deltas add up", [of_sum(point(0.1), point(0.2, 200), temporality=DELTA)], cmp(lt=0.31), eq(0.2), {}),
    ("a delta that came twice counts once", [of_sum(point(2), temporality=DELTA)] * 2, eq(2), eq(4), {}),
    ("a sum that may fall, at every point", [of_sum(point(9), point(1, 2), monotonic=False)], cmp(lte=9), eq(1), {}),
    ("a sum of no stated temporality, at every point", [of_sum(point(4), temporality=0)], eq(4), eq(5), {}),
    ("the mean of a running histogram", [of_histogram(h(1, 9.0), h(4, 10.0, 200))], eq(2.5), eq(9), {}),
    ("the mean over deltas", [of_histogram(h(1, 9.0), h(3, 1.0, 2), temporality=DELTA)], eq(2.5), eq(9), {}),
    ("the mean over a restart", [of_histogram(h(2, 8.0), h(2, 0.0, 200, start=150))], eq(2), eq(0), {}),
    ("the mean over a count that fell", [of_histogram(h(3, 9.0, 1, 0), h(1, 3.0, 2, 0))], eq(3), eq(9), {}),
    ("a mean of zero", [of_histogram(h(3, 0.0))], eq(0), cmp(gt=0), {}),
    (
        "the mean of an exponential histogram",
        [of_histogram(h(4, 2.0), kind="exponentialHistogram")],
        eq(0.5),
        eq(2),
        {},
    ),
    ("the mean of a summary", [summary(h(2, 9.0))], eq(4.5), eq(9), {}),
    ("the last of a summary", [summary(h(1, 1.0), h(2, 9.0, 200))], eq(4.5), eq(1), {}),
    ("every series", [gauge(point(1, attrs=A), point(2, attrs=B))], cmp(lte=2), eq(1), {}),
    (
        "the series that is selected",
        [gauge(point(1, attrs=A), point(2, attrs=B))],
        eq(2),
        eq(1),
        {"where": {"route": eq("/b")}},
    ),
    (
        "an attribute that is not there",
        [gauge(point(1), point(2, attrs=B))],
        eq(1),
        eq(2),
        {"where": {"route": cmp(exists=False)}},
    ),
    (
        "two attributes at once",
        [gauge(point(1, attrs={**A, "x": "y"}), point(2, attrs=A))],
        eq(1),
        eq(2),
        {"where": {"route": eq("/a"), "x": eq("y")}},
    ),
    (
        "services apart",
        [payload(of_sum(point(2))), payload(of_sum(point(3)), service="db")],
        cmp(between=(2, 3)),
        eq(5),
        {},
    ),
    ("a point of no measurement says nothing", [gauge(point(1), point(7, 200, flags=1))], eq(1), eq(7), {}),
    ("an empty histogram says nothing", [of_histogram(h(0, 0.0, attrs=A), h(2, 4.0, attrs=B))], eq(2), eq(0), {}),
]


@pytest.mark.parametrize(("what", "data", "good", "bad", "kw"), CASES, ids=[case[0] for case in CASES])
def test_values(what, data, good, bad, kw):
    assert rules(judge_metrics(sent(*data), [want(good, **kw)])) == []
    assert rules(judge_metrics(sent(*data), [want(bad, **kw)])) == ["metrics.value"], what


BROKEN: list[tuple[str, list[Any], MetricExpectation, str]] = [
    ("nothing at all", [], want(cmp(gte=0)), "no metric arrived"),
    ("zero of nothing is no evidence", [], want(eq(0)), "no metric arrived"),
    ("a metric of another name", [payload(gauge(point(1)), name="mm")], want(eq(1)), "no such metric among 1 metric"),
    ("a name is no glob", [gauge(point(1))], want(eq(1), name="*"), "no such metric"),
    ("no series is selected", [gauge(point(1, attrs=A))], want(eq(1), where={"route": eq("/x")}), "none of 1 series"),
    ("sent without points", [gauge()], want(eq(0)), "without a measurement"),
    ("sent without data", [{}], want(eq(0)), "without a measurement"),
    ("a histogram of nothing", [of_histogram(h(0, 0.0))], want(cmp(gte=0)), "none of 1 series"),
    ("a histogram without its sum", [of_histogram(h(2, None))], want(cmp(gte=0)), "without its sum"),
    ("not a number", [gauge(point("NaN"))], want(cmp(lte=5)), "NaN"),
    ("of the runner's", [payload(gauge(point(1)), origin=Origin.RUNNER)], want(eq(1)), "no metric arrived"),
    ("of another signal", [payload(gauge(point(1)), signal="logs")], want(eq(1)), "no metric arrived"),
]


@pytest.mark.parametrize(("what", "data", "wanted", "found"), BROKEN, ids=[case[0] for case in BROKEN])
def test_what_is_no_evidence_breaks(what, data, wanted, found):
    (finding,) = findings(judge_metrics(sent(*data), [wanted]))
    assert finding.rule == "metrics.value"
    assert found in finding.found, what


def test_what_cannot_be_decoded_breaks_though_the_rest_would_hold():
    (finding,) = findings(judge_metrics(sent(gauge(point(1)), raw(b"{")), [want(eq(1))]))
    assert finding.rule == "telemetry.decode"
    assert "request 2 (application/json, 1 bytes)" in finding.found


def test_a_finding_names_the_series_and_the_nearest_names():
    three = sent(gauge(point(3, attrs=A), point(9, attrs=B)))
    (finding,) = findings(judge_metrics(three, [want(cmp(lte=5), level="warning")]))
    assert finding.found == '1 of 2 series breaks it: {route="/b"} (service api, gauge): expected <= 5, found 9'
    assert (finding.level, finding.at) == ("warning", AT)
    near = sent(payload(gauge(point(1)), name="http.server.duration"), payload(gauge(point(1)), name="queue"))
    (finding,) = findings(judge_metrics(near, [want(eq(1), name="http.server.request.duration")]))
    assert finding.near_misses == ('a metric is named "http.server.duration"',)
    (finding,) = findings(judge_metrics(three, [want(eq(3), where={"route": cmp(starts_with="/c")})]))
    assert finding.near_misses == (
        '{route="/a"} (service api, gauge): where route text that starts with "/c"',
        '{route="/b"} (service api, gauge): where route text that starts with "/c"',
    )
    assert not findings(judge_metrics(three, [want(cmp(lte=9))]))
    assert "flushes on SIGTERM" in findings(judge_metrics(sent(), [want(eq(1))]))[0].remedy


def test_a_check_is_named_by_its_id_or_its_selectors():
    names = [c.name for c in judge_metrics(sent(), [want(eq(1), where={"a": eq(1)}), want(eq(1), id="busy")])]
    assert names == ['metrics "m" a 1 value', "metrics busy value"]


@given(st.randoms(use_true_random=False))
def test_neither_the_order_nor_the_batches_of_arrival_matter(draw: random.Random):
    points = [point(value, time, attrs=A) for time, value in enumerate((1, 4, 4, 9), start=1)]
    points += [point(value, time, attrs=B) for time, value in enumerate((2, 3), start=1)]
    draw.shuffle(points)
    cut = draw.randint(0, len(points))
    parts = [payload(of_sum(*part)) for part in (points[:cut], points[cut:])]
    held = judge_metrics(sent(*parts), [want(cmp(in_=(9, 3)))])
    assert rules(held) == []
    whole = judge_metrics(sent(of_sum(*sorted(points, key=str))), [want(eq(9))])
    assert findings(judge_metrics(sent(*parts), [want(eq(9))])) == findings(whole)


@pytest.mark.parametrize(
    ("period", "data", "good", "bad"),
    [
        (Period(until_ns=150), of_sum(point(4), point(9, 200)), eq(4), eq(9)),
        (Period(since_ns=150), of_sum(point(4), point(9, 200)), eq(5), eq(9)),
        (Period(since_ns=150), of_sum(point(4), point(9, 200), temporality=DELTA), eq(9), eq(13)),
        (Period(since_ns=150), gauge(point(4), point(9, 200)), eq(9), eq(4)),
        (Period(since_ns=150), of_histogram(h(1, 9.0), h(3, 10.0, 200)), eq(0.5), eq(9)),
        (Period(since_ns=150), of_sum(point(4), point(1, 200, start=150)), eq(1), eq(5)),
    ],
)
def test_of_a_shared_environment_only_what_came_in_the_scenarios_time_counts(period, data, good, bad):
    assert rules(judge_metrics(sent(data, period=period), [want(good)])) == []
    assert rules(judge_metrics(sent(data, period=period), [want(bad)])) == ["metrics.value"]


def test_a_shared_scenario_without_a_point_in_its_time_has_no_evidence():
    (finding,) = findings(judge_metrics(sent(gauge(point(1)), period=Period(since_ns=150)), [want(eq(1))]))
    assert "no measurement in this scenario" in finding.near_misses[0]


def test_the_scenes_of_an_iteration_carry_what_was_sent_in_each():
    two = suite(scenario("a"), scenario("b"), environment="suite")
    both = (payload(of_sum(point(4, 5500), point(9, 7500))),)
    records = [record(n, span_id=sid(i), payloads=both, shared=True) for n, i in (("a", 2), ("b", 3))]
    runner = (
        own(1, "cleanroom.iteration", start=1000),
        own(2, "cleanroom.scenario", parent=1, start=5000),
        own(3, "cleanroom.scenario", parent=1, start=7000),
    )
    scenes = build_scenes(plan(two), iteration(0, *records, runner=runner))
    assert [s.period for s in scenes.scenarios] == [Period(until_ns=7000), Period(since_ns=7000)]
    for of, value in zip((*scenes.scenarios, scenes.whole), (4, 5, 9), strict=True):
        assert rules(judge_expect(of, Expect(metrics=(want(eq(value)),), at=AT))) == []
        assert rules(judge_expect(of, Expect(metrics=(want(eq(value + 1)),), at=AT))) == ["metrics.value"]
    fresh = [record(n, span_id=sid(i), payloads=(payload(gauge(point(i))),)) for n, i in (("a", 2), ("b", 3))]
    apart = build_scenes(plan(suite(scenario("a"), scenario("b"))), iteration(0, *fresh, runner=runner))
    assert [rules(judge_metrics(s, [want(eq(2))])) for s in apart.scenarios] == [[], ["metrics.value"]]
