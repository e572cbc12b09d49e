"""`expect.logs`: lines of output and log records; where their number is not known, nothing is claimed."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.run.record import ServiceRecord
from cleanroom.spec.expect import Expect
from cleanroom.spec.service import Service
from cleanroom.spec.signal import LogExpectation
from cleanroom.telemetry.ports import Payload
from cleanroom.trace.model import Origin
from cleanroom.validate.logs import judge_logs
from cleanroom.validate.scenario import judge_expect
from cleanroom.validate.scene import Scene, build_scenes
from cleanroom.validate.sent import Period, Sent
from tests.unit.validate.builders import (
    AT,
    cmp,
    eq,
    findings,
    iteration,
    plan,
    record,
    rules,
    runner_spans,
    scenario,
    scene,
    suite,
)


def log(body: Any = "", severity: str = "", time: int = 100, **kw: Any) -> dict[str, Any]:
    value = {"stringValue": body} if isinstance(body, str) else body
    attributes = [{"key": k, "value": {"stringValue": v}} for k, v in kw.pop("attrs", {}).items()]
    return {"timeUnixNano": str(time), "severityText": severity, "body": value, "attributes": attributes, **kw}


def payload(*records: dict[str, Any], service: str = "api", **kw: Any) -> Payload:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    groups = [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]
    fields: dict[str, Any] = {
        "environment": "env", "origin": Origin.SERVICE, "signal": "logs", "content_type": "application/json",
        "body": json.dumps({"resourceLogs": groups}).encode(), "received_ns": 1,
    }  # fmt: skip
    return Payload(**{**fields, **kw})


def output(text: str = "", name: str = "api", **kw: Any) -> ServiceRecord:
    return ServiceRecord(name=name, image="x:1", address="10.213.0.10", container=f"clr-{name}", log=text, **kw)


def logged(*services: ServiceRecord, sent: tuple[Payload, ...] = (), **kw: Any) -> Scene:
    return scene(scenarios=(record(services=services),), sent=Sent(sent), **kw)


def want(matches: str = "ERROR", count: Any = None, service: str = "api", **kw: Any) -> LogExpectation:
    return LogExpectation(service=service, matches=matches, count=count or cmp(gte=1), at=AT, **kw)


def verdict(of: Scene, wanted: LogExpectation) -> str:
    (check,) = judge_logs(of, [wanted])
    assert not (check.inconclusive and check.findings)
    return "open" if check.inconclusive else "broken" if check.findings else "holds"


TEXT = "ready\nERROR one\nINFO two\n\nERROR three\n"
MAP = {"kvlistValue": {"values": [{"key": "order", "value": {"intValue": "7"}}]}}
TRACEBACK = {"exception.type": "ValueError", "exception.message": "no", "exception.stacktrace": "Traceback:\n  at x"}
CASES: list[tuple[str, Scene, str, Any, Any]] = [
    # (what, what was logged, the expression, a count that holds, one that does not)
    ("lines of output", logged(output(TEXT)), "ERROR", eq(2), eq(1)),
    ("an anchor is a line's", logged(output(TEXT)), "^ERROR", eq(2), eq(0)),
    ("no line", logged(output(TEXT)), "FATAL", eq(0), cmp(gte=1)),
    ("the default", logged(output(TEXT)), "ready", cmp(gte=1), eq(0)),
    ("case counts", logged(output(TEXT)), "error", eq(0), eq(2)),
    ("but not where the expression says so", logged(output(TEXT)), "(?i)error", eq(2), eq(0)),
    ("a line counts once", logged(output("a a a")), "a", eq(1), eq(3)),
    ("blank lines are none", logged(output("x\n\n \n")), "^\\s*$", eq(0), cmp(gte=1)),
    ("another service's are its own", logged(output("ok"), output("ERROR", "db")), "ERROR", eq(0), eq(1)),
    ("a record's body", logged(output(), sent=(payload(log("ERROR one")),)), "ERROR one", eq(1), eq(2)),
    ("a record's severity", logged(output(), sent=(payload(log("one", "ERROR")),)), "ERROR", eq(1), eq(0)),
    ("a severity by number", logged(output(), sent=(payload(log("one", severityNumber=17)),)), "ERROR", eq(1), eq(0)),
    (
        "severity and body in one line",
        logged(output(), sent=(payload(log("one", "ERROR")),)),
        "^ERROR one$",
        eq(1),
        eq(0),
    ),
    ("the body alone", logged(output(), sent=(payload(log("one", "ERROR")),)), "^one$", eq(1), eq(0)),
    ("a record counts once", logged(output(), sent=(payload(log("x\nx\nx", "x")),)), "x", eq(1), eq(3)),
    ("a later line of a body", logged(output(), sent=(payload(log("a\nb")),)), "^b$", eq(1), eq(0)),
    ("an exception", logged(output(), sent=(payload(log("oops", attrs=TRACEBACK)),)), "Traceback", eq(1), eq(0)),
    (
        "another attribute is no text",
        logged(output(), sent=(payload(log("a", attrs={"k": "ERROR"})),)),
        "ERROR",
        eq(0),
        eq(1),
    ),
    ("a structured body", logged(output(), sent=(payload(log(MAP)),)), '"order": "?7', eq(1), eq(0)),
    ("an empty body", logged(output(), sent=(payload(log({}, "WARN")),)), "^WARN$", eq(1), eq(0)),
    (
        "another service's records",
        logged(output("ok"), sent=(payload(log("ERROR"), service="db"),)),
        "ERROR",
        eq(0),
        eq(1),
    ),
    ("output and records", logged(output("ERROR"), sent=(payload(log("ERROR")),)), "ERROR", eq(2), eq(1)),
    (
        "the runner's are not the service's",
        logged(output("ok"), sent=(payload(log("ERROR"), origin=Origin.RUNNER),)),
        "ERROR",
        eq(0),
        eq(1),
    ),
    (
        "a declared name of its own",
        logged(output("ok"), sent=(payload(log("ERROR"), service="shop"),), service_names={"api": "shop"}),
        "ERROR",
        eq(1),
        eq(0),
    ),
    ("no scenario was recorded", scene(sent=Sent((payload(log("ERROR")),))), "ERROR", eq(1), eq(0)),
    ("a bound from above", logged(output(TEXT)), "ERROR", cmp(lte=2), cmp(lt=2)),
    ("a range", logged(output(TEXT)), "ERROR", cmp(between=(1, 3)), cmp(between=(3, 9))),
    ("one of several", logged(output(TEXT)), "ERROR", cmp(in_=(2, 5)), cmp(not_in=(2, 5))),
    ("nothing at all is an explicit zero", logged(output()), "ERROR", eq(0), cmp(lte=3)),
    ("nothing at all is no evidence of few", logged(output()), "ERROR", cmp(lte=0), cmp(ne=1)),
]


@pytest.mark.parametrize(("what", "of", "matches", "good", "bad"), CASES, ids=[case[0] for case in CASES])
def test_counts(what, of, matches, good, bad):
    assert verdict(of, want(matches, good)) == "holds"
    assert verdict(of, want(matches, bad)) == "broken", what


_SMALL = st.integers(0, 12)
CUT = logged(output("ERROR one\nERROR two", log_truncated=True))
UNREAD = logged(output("its log could not be read: ERROR", log_unread=True))
SHARED = logged(output("ERROR\nERROR"), sent=(payload(log("ERROR", time=7)),), period=Period(until_ns=9))


@pytest.mark.parametrize(
    ("of", "count", "expected"),
    [
        (CUT, cmp(gte=2), "holds"),
        (CUT, cmp(gt=0), "holds"),
        (CUT, eq(0), "broken"),
        (CUT, cmp(lt=2), "broken"),
        (CUT, cmp(between=(0, 1)), "broken"),
        (CUT, cmp(not_in=(0, 1)), "holds"),
        (CUT, eq(2), "open"),
        (CUT, cmp(lte=5), "open"),
        (CUT, cmp(gte=3), "open"),
        (CUT, cmp(ne=7), "open"),
        (CUT, cmp(in_=(5, 6)), "open"),
        (CUT, cmp(approx={"value": 10, "tolerance": 1}), "open"),
        (CUT, cmp(approx={"value": 1, "tolerance": "50%"}), "broken"),
        (UNREAD, eq(0), "open"),
        (UNREAD, cmp(gte=1), "open"),
        (UNREAD, cmp(gte=0), "holds"),
        (logged(), eq(0), "open"),
        (SHARED, cmp(gte=1), "holds"),
        (SHARED, cmp(lte=3), "holds"),
        (SHARED, eq(0), "broken"),
        (SHARED, cmp(gt=3), "broken"),
        (SHARED, eq(1), "open"),
        (SHARED, cmp(gte=2), "open"),
        (replace(SHARED, period=Period(since_ns=9)), eq(0), "open"),
    ],
)
def test_a_number_that_is_not_known_is_judged_by_all_that_it_may_be(of, count, expected):
    assert verdict(of, want("ERROR", count)) == expected


@pytest.mark.parametrize(
    ("of", "why"), [(CUT, "only the end"), (UNREAD, "could not be read"), (SHARED, "the environment is shared")]
)
def test_an_open_check_says_why(of, why):
    (check,) = judge_logs(of, [want("ERROR", eq(1) if of is not CUT else eq(9))])
    assert why in check.inconclusive


@given(
    st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"])
)
def test_the_possible_numbers_that_are_looked_at_stand_for_all(least, more, operand, test):
    lines = output("\n".join(["ERROR"] * more) or "ok")
    of = logged(lines, sent=(payload(*[log("ERROR", time=1)] * least),), period=Period(until_ns=9))
    answers = {cmp_holds(test, number, operand) for number in range(least, least + more + 1)}
    expected = "open" if len(answers) > 1 else "holds" if True in answers else "broken"
    assert verdict(of, want("ERROR", cmp(**{test: operand}))) == expected


def cmp_holds(test: str, number: int, operand: int) -> bool:
    return {
        "eq": number == operand, "ne": number != operand, "gt": number > operand, "gte": number >= operand,
        "lt": number < operand, "lte": number <= operand,
    }[test]  # fmt: skip


def test_what_cannot_be_decoded_breaks_though_the_rest_would_hold():
    broken = replace(payload(), body=b"{")
    (finding,) = findings(judge_logs(logged(output("ok"), sent=(broken,)), [want(count=eq(0))]))
    assert finding.rule == "telemetry.decode"


def test_a_finding_shows_what_matched_or_came_near():
    of = logged(output("ok\nerror: no"), output("ERROR: yes", "db"))
    (finding,) = findings(judge_logs(of, [want(level="warning")]))
    assert (finding.rule, finding.level, finding.at) == ("logs.count", "warning", AT)
    assert finding.expected == "number of logs of api that match /ERROR/ >= 1"
    assert finding.found == "0 of 2 logs"
    assert finding.near_misses == ('"error: no" matches but for its case',)
    (finding,) = findings(judge_logs(of, [want("yes")]))
    assert finding.near_misses == ("service db has 1 match", 'the last log: "error: no"')
    (finding,) = findings(judge_logs(of, [want("o", eq(0))]))
    assert finding.found == '2 of 2 logs: "ok"; "error: no"'
    (finding,) = findings(judge_logs(logged(output()), [want()]))
    assert finding.found == "0 of no log, and api has no log at all"


def test_a_check_is_named_by_its_id_or_its_selectors():
    checks = judge_logs(logged(output()), [want(), want(id="quiet")])
    assert [check.name for check in checks] == ["logs api /ERROR/ count", "logs quiet count"]


@given(st.randoms(use_true_random=False))
def test_neither_the_order_nor_the_batches_of_arrival_matter(draw: random.Random):
    records = [log(f"ERROR {n}", time=n % 3) for n in range(5)]
    expected = findings(judge_logs(logged(output(), sent=(payload(*records),)), [want(count=eq(1))]))
    draw.shuffle(records)
    cut = draw.randint(0, len(records))
    parts = (payload(*records[:cut]), payload(*records[cut:]))
    assert findings(judge_logs(logged(output(), sent=parts), [want(count=eq(1))])) == expected


def test_the_scenes_of_an_iteration_carry_what_was_logged_in_each():
    named = Service(name="api", environment={"OTEL_SERVICE_NAME": "shop"})
    mine = record("order", services=(output("ok"),), payloads=(payload(log("ERROR"), service="shop"),))
    scenes = build_scenes(plan(suite(scenario(), services=(named,))), iteration(0, mine, runner=runner_spans()))
    for of in (*scenes.scenarios, scenes.whole):
        assert rules(judge_expect(of, Expect(logs=(want(count=eq(1)),), at=AT))) == []
        assert rules(judge_expect(of, Expect(logs=(want(count=eq(0)),), at=AT))) == ["logs.count"]


def test_the_output_of_a_shared_environment_counts_once_for_the_whole_suite():
    both = [record(n, services=(output("ERROR"),), shared=True) for n in ("a", "b")]
    apart = [record(n, services=(output("ERROR"),)) for n in ("a", "b")]
    for records, environment, number in ((both, "suite", 1), (apart, "scenario", 2)):
        of = suite(scenario("a"), scenario("b"), environment=environment)
        whole = build_scenes(plan(of), iteration(0, *records, runner=runner_spans())).whole
        assert verdict(whole, want(count=eq(number))) == "holds"
        assert verdict(whole, want(count=eq(3))) == "broken"
