from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.spec.signal import LintExpectation
from cleanroom.trace.model import SpanEvent, StatusCode
from cleanroom.validate.conventions import is_attribute_name, name_breach
from cleanroom.validate.lint import CONVENTIONS, judge_lint, measure, score
from cleanroom.validate.rules import RULES
from tests.unit.validate.builders import AT, findings, own, rules, scene, span

STEP = own(3, "cleanroom.step:place 123")
GOOD = span(10, "POST /orders", parent=3, attrs={"http.response.status_code": 201})


def lint(min_score=100, **more):
    return LintExpectation(min_score=min_score, at=AT, **more)


def judged(*spans, min_score=100):
    return judge_lint(scene(STEP, *spans), lint(min_score))


EXCEPTION = (SpanEvent(name="exception", time_ns=1),)
HANDLED = (SpanEvent(name="exception", time_ns=1, attributes={"exception.escaped": False}),)
# rule, what keeps it, what breaks it
CASES = {
    "lint.service_name": (
        [{"service": "api"}],
        [{"service": ""}, {"service": " "}, {"service": "unknown_service:python"}],
    ),
    "lint.kind": ([{"kind": "internal"}], [{"kind": "unspecified"}]),
    "lint.scope": ([{"scope": "lib"}], [{"scope": ""}]),
    "lint.times": ([{"start": 5, "end": 5}], [{"start": 5, "end": 4}, {"start": 0}]),
    "lint.orphan": ([{"parent": 0}, {"parent": 3}], [{"parent": 99}]),
    "lint.attribute_name": (
        [{"attrs": {"order.id": 1, "http.request.header.X-Id": "a"}}, {"resource": {"k8s.pod.label.App": "a"}}],
        [{"attrs": {"orderId": 1}}, {"attrs": {"order id": 1}}, {"resource": {"Region": "eu"}}],
    ),
    "lint.error_status": (
        [
            {"attrs": {"http.response.status_code": 404}},
            {"attrs": {"http.response.status_code": 500}, "status": "error"},
            {"attrs": {"error.type": ""}},
        ],
        [
            {"attrs": {"http.response.status_code": 500}},
            {"attrs": {"http.status_code": 503}, "status": "ok"},
            {"attrs": {"http.response.status_code": 404}, "kind": "client"},
            {"attrs": {"error.type": "timeout"}},
        ],
    ),
}
KEPT = [pytest.param(rule, kw, id=f"{rule} {kw}") for rule, (kept, _) in CASES.items() for kw in kept]
BROKEN = [pytest.param(rule, kw, id=f"{rule} {kw}") for rule, (_, broken) in CASES.items() for kw in broken]


@pytest.mark.parametrize(("rule", "kw"), KEPT)
def test_what_keeps_a_convention_costs_nothing(rule, kw):
    assert rule not in rules(judged(span(10, **kw)))


@pytest.mark.parametrize(("rule", "kw"), BROKEN)
def test_what_breaks_a_convention_is_told_by_its_rule_with_the_span(rule, kw):
    found = findings(judged(GOOD, span(11, **kw)))

    assert [f.rule for f in found] == ["lint.score", rule]
    assert found[1].span_ids == (f"{11:016x}",)
    assert found[1].remedy
    assert found[1].at == AT


def test_an_exception_needs_the_status_error_unless_it_did_not_escape():
    bare = replace(GOOD, events=EXCEPTION)

    assert rules(judged(bare)) == ["lint.score", "lint.error_status"]
    assert rules(judged(replace(GOOD, events=HANDLED))) == []
    assert rules(judged(replace(bare, status=StatusCode.ERROR))) == []


@pytest.mark.parametrize("field", ["dropped_attributes", "dropped_events", "dropped_links"])
def test_what_the_sdk_dropped_is_told(field):
    assert rules(judged(replace(GOOD, **{field: 2}))) == ["lint.score", "lint.dropped"]


@pytest.mark.parametrize(
    "name",
    [
        "GET /orders", "GET /api/v2/orders/{id}", "HTTP/1.1 GET", "INSERT shop.orders", "s3.GetObject", "sha256",
        "facade", "orders.process", "SELECT $1", "deadbeef", "oauth2 token", "GET /a?", "k8s",
    ],
)  # fmt: skip
def test_names_of_which_there_are_few(name):
    assert name_breach(name) == ""


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("", "empty"),
        ("GET /orders/123", "a number"),
        ("order_17", "a number"),
        ("GET /orders/6f1c2a9e-1f7a-4b1e-9b7e-0d7f8f0c9a11", "a UUID"),
        ("job 5f2b8c9d", "an id"),
        ("GET /o/01ARZ3NDEKTSV4RRFFQ69G5FAV", "an id"),
        ("connect 10.0.0.7", "an IP address"),
        ("report 2025-01-31", "a time"),
        ("mail to a.b@example.com", "an e-mail address"),
        ("GET /orders?sku=a", "a query string"),
    ],
)
def test_names_that_hold_values(name, what):
    assert what in name_breach(name)
    assert rules(judged(span(10, name))) == ["lint.score", "lint.name"]


@pytest.mark.parametrize("name", ["a", "http.request.method", "k8s.pod.name", "db.query.text", "a_b.c1_d"])
def test_names_of_attributes_by_the_rules(name):
    assert is_attribute_name(name)


@pytest.mark.parametrize("name", ["", "A", "a.", ".a", "a..b", "a-b", "a b", "_a", "1a", "rpc.request.metadata."])
def test_names_of_attributes_against_the_rules(name):
    assert not is_attribute_name(name)


def test_the_score_is_the_weighted_share_of_what_is_kept():
    half = scene(STEP, GOOD, span(11, "GET /orders/1", parent=3))
    weights = sum(m.convention.weight for m in measure(half))

    # Half of the spans break a rule of weight 30; error_status applies to neither.
    assert weights == 40 + 30 + 30 + 20 + 20 + 20 + 20 + 10
    assert score(measure(half)) == int(100 * (1 - 15 / weights)) == 92


@pytest.mark.parametrize(("least", "broken"), [(92, []), (93, ["lint.score", "lint.name"])])
def test_the_score_must_be_at_least_the_wanted_one(least, broken):
    assert rules(judged(GOOD, span(11, "GET /orders/1", parent=3), min_score=least)) == broken


def test_one_bad_span_of_very_many_is_never_rounded_away():
    many = [span(n, "GET /", parent=3) for n in range(10, 3010)]

    assert score(measure(scene(STEP, *many))) == 100
    assert score(measure(scene(STEP, *many, span(4000, "GET /1", parent=3)))) == 99


def test_what_a_good_score_leaves_is_in_the_note():
    (check,) = judged(GOOD, span(11, "GET /orders/1", parent=3), min_score=50)

    assert (check.findings, check.note) == ((), "score 92 of 100: lint.name 1 of 2")


def test_a_low_score_names_what_would_win_most():
    found = findings(judged(span(10, "GET /1", service="", scope=""), min_score=90))

    assert [f.rule for f in found] == ["lint.score", "lint.service_name", "lint.name", "lint.scope"]
    assert "OTEL_SERVICE_NAME" in found[0].remedy
    assert "lint.service_name 1 of 1" in found[0].found


def test_the_spans_of_the_runner_are_not_judged_and_no_span_has_no_score():
    (found,) = findings(judge_lint(scene(STEP), lint(1)))

    assert (found.rule, found.telemetry_missing) == ("lint.score", True)


def test_a_warning_stays_one_in_every_finding():
    found = findings(judge_lint(scene(span(10, "GET /1", service="")), lint(level="warning", id="made-well")))

    assert {f.level for f in found} == {"warning"}


def test_every_convention_is_a_rule_of_the_registry():
    assert {c.rule for c in CONVENTIONS} <= set(RULES)
