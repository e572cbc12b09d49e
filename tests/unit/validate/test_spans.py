from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.quantity import Duration
from cleanroom.spec.expect import AttributeConditions, EventConditions, Pattern
from cleanroom.validate.occurrence import FaultState
from cleanroom.validate.spans import judge_spans
from tests.unit.validate.builders import SEC, cmp, eq, findings, own, rules, scene, sid, span, want

STEP = own(3, "cleanroom.step:place")
REQUEST = span(
    10,
    "POST /orders",
    parent=3,
    attrs={"http.response.status_code": 201, "cached": False},
    resource={"deployment.environment.name": "test"},
    events=("order.created", "order.sent"),
    links=(99,),
    status="ok",
    start=10 * SEC,
    end=10 * SEC + 50_000_000,
)
INSERT = span(
    11, "INSERT orders", parent=10, service="db", kind="client", scope="psycopg", start=10 * SEC, end=11 * SEC
)
SCENE = scene(STEP, REQUEST, INSERT)

HOLDS = {
    "plain": want("POST /orders"),
    "glob": want("POST *", count=eq(1)),
    "regex": want(Pattern("^POST", regex=True)),
    "service": want("INSERT orders", service="db"),
    "kind": want("INSERT orders", kind="client"),
    "scope": want(scope="psyco*", count=eq(1)),
    "where": want(where={"http.response.status_code": cmp(lt=300)}, count=eq(1)),
    "zero": want("DELETE *", count=eq(0)),
    "parent of the runner": want("POST *", parent="cleanroom.step*"),
    "parent": want("INSERT *", parent="POST *"),
    "ancestor over both populations": want("INSERT *", ancestor="cleanroom.step:place"),
    "root under the runner": want("POST *", root=True),
    "no root": want("INSERT *", root=False),
    "attributes": want(
        "POST *",
        attributes=AttributeConditions(
            all={"http.response.status_code": cmp(lt=500)},
            any={"cached": eq(value=True), "http.response.status_code": eq(201)},
            none=("password*",),
        ),
    ),
    "resource": want("POST *", resource={"deployment.environment.name": eq("test")}),
    "events": want("POST *", events=EventConditions(all=("order.*",), any=("x", "order.created"), none=("exception",))),
    "links": want("POST *", links=cmp(gte=1)),
    "status": want("POST *", status=eq("ok")),
    "duration": want("POST *", duration=cmp(lte=Duration(200_000_000))),
    "some": want(status=eq("ok"), some=True),
    "runner's own": want("cleanroom.step:*", count=eq(1)),
}

BREAKS = {
    "spans.count": (
        want("DELETE *"),
        want("POST *", service="db"),
        want("INSERT *", kind="server"),
        want("POST *", scope="psycopg"),
        want("POST *", where={"cached": eq(value=True)}),
        want("POST *", where={"missing": eq(value=True)}),
        want("POST *", count=eq(0)),
        want("POST *", count=eq(2)),
        want(Pattern("^cleanroom", regex=True)),
        want("post *"),
    ),
    "spans.parent": (want("INSERT *", parent="cleanroom.step*"), want("POST *", parent="*")),
    "spans.ancestor": (want("INSERT *", ancestor="GET *"), want("POST *", ancestor="cleanroom.scenario")),
    "spans.root": (want("INSERT *", root=True), want("POST *", root=False)),
    "spans.attributes": (
        want("POST *", attributes=AttributeConditions(all={"http.response.status_code": eq(200)})),
        want("POST *", attributes=AttributeConditions(all={"absent": eq(200)})),
        want("POST *", attributes=AttributeConditions(any={"cached": eq(value=True), "fresh": eq(value=True)})),
        want("POST *", attributes=AttributeConditions(none=("cach*",))),
    ),
    "spans.resource": (want("POST *", resource={"deployment.environment.name": eq("prod")}),),
    "spans.events": (
        want("POST *", events=EventConditions(all=("order.paid",))),
        want("POST *", events=EventConditions(any=("order.paid", "x"))),
        want("POST *", events=EventConditions(none=("order.*",))),
    ),
    "spans.links": (want("POST *", links=eq(0)),),
    "spans.status": (want("INSERT *", status=eq("ok")), want(status=eq("ok"))),
    "spans.duration": (want("INSERT *", duration=cmp(lt=Duration(SEC))),),
    "spans.some": (
        want(status=eq("ok"), duration=cmp(gte=Duration(SEC)), some=True),
        want("DELETE *", count=eq(0), status=eq("ok"), some=True),
    ),
}


@pytest.mark.parametrize("name", HOLDS)
def test_an_expectation_that_is_met_breaks_nothing(name):
    checks = judge_spans(SCENE, (HOLDS[name],))

    assert rules(checks) == []
    assert not any(c.inconclusive for c in checks)


@pytest.mark.parametrize(("rule", "number"), [(rule, n) for rule, many in BREAKS.items() for n in range(len(many))])
def test_an_expectation_that_is_not_met_breaks_by_its_own_rule(rule, number):
    assert rules(judge_spans(SCENE, (BREAKS[rule][number],))) == [rule]


@pytest.mark.parametrize("name", [n for n in HOLDS if n not in {"zero", "runner's own"}])
def test_an_empty_trace_breaks_every_expectation_but_an_explicit_zero(name):
    found = findings(judge_spans(scene(STEP), (HOLDS[name],)))

    assert [f.rule for f in found] == ["spans.count"]
    assert found[0].telemetry_missing
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in found[0].remedy


@pytest.mark.parametrize(
    "count", [cmp(lte=2), cmp(gte=0), cmp(ne=1), cmp(lt=2), cmp(not_in=(1,)), cmp(in_=(0, 1)), cmp(gte=0, lte=1)]
)
def test_a_count_that_merely_allows_zero_says_nothing_of_an_empty_trace(count):
    assert rules(judge_spans(scene(), (want("POST *", count=count),))) == ["spans.count"]
    assert rules(judge_spans(SCENE, (want("DELETE *", count=count),))) == []


@pytest.mark.parametrize("count", [eq(0), cmp(lte=0), cmp(lt=1), cmp(in_=(0,)), cmp(between=(0, 0)), cmp(gte=0, lte=0)])
def test_an_explicit_zero_holds_on_an_empty_trace(count):
    assert rules(judge_spans(scene(), (want("POST *", count=count),))) == []


def test_a_missing_span_names_the_nearest_misses_and_what_lost_them():
    (found,) = findings(judge_spans(SCENE, (want("POST *", service="db", kind="client"),)))

    assert found.found == "no span: of 2 service spans, name POST * kept 1, service db kept 0, kind client kept 0"
    assert found.near_misses[0] == '1 span "INSERT orders" (service db, client): lost by name POST *'
    assert found.near_misses[1] == '1 span "POST /orders" (service api, server): lost by service db, kind client'
    assert not found.telemetry_missing


def test_at_most_three_near_misses_and_ten_ids_are_named():
    many = scene(*(span(n, f"GET /{n}") for n in range(1, 31)))

    (lost,) = findings(judge_spans(many, (want("GET /x"),)))
    (broken,) = findings(judge_spans(many, (want("GET *", status=eq("ok")),)))

    assert len(lost.near_misses) == 3
    assert broken.span_ids == tuple(sid(n) for n in range(1, 11))
    assert broken.found.startswith("30 of 30 spans break it: ")
    assert broken.found.endswith("; and 27 more")


def test_some_wants_one_span_that_meets_all_conditions_at_once():
    halves = scene(span(1, status="ok", attrs={"a": 1}), span(2, status="error", attrs={"a": 2}))
    wanted = want(status=eq("ok"), attributes=AttributeConditions(all={"a": eq(2)}), some=True)

    (found,) = findings(judge_spans(halves, (wanted,)))

    assert found.rule == "spans.some"
    assert found.span_ids == (sid(1), sid(2))


def test_a_warning_stays_a_warning():
    (found,) = findings(judge_spans(SCENE, (want("DELETE *", level="warning"),)))

    assert found.level == "warning"


def test_an_orphan_is_no_root_and_its_missing_parent_is_named():
    orphan = scene(span(1, parent=77))

    assert rules(judge_spans(orphan, (want(root=True),))) == ["spans.root"]
    assert rules(judge_spans(orphan, (want(root=False),))) == ["spans.root"]
    (found,) = findings(judge_spans(orphan, (want(parent="x"),)))
    assert f"the parent {sid(77)} never arrived" in found.found


def test_a_parent_in_another_trace_is_no_parent():
    apart = scene(span(1, "a"), span(2, "b", parent=1, trace="b" * 32))

    assert rules(judge_spans(apart, (want("b", parent="a"),))) == ["spans.parent"]


def test_a_service_cannot_pass_as_the_runners_parent():
    forged = scene(span(1, "cleanroom.step:place"), span(2, "b", parent=1))

    assert rules(judge_spans(forged, (want("b", parent="cleanroom.step*"),))) == ["spans.parent"]
    assert rules(judge_spans(forged, (want("cleanroom.step*"),))) == ["spans.count"]


def test_a_span_that_ends_before_it_starts_has_no_duration_to_judge():
    backwards = scene(span(1, start=1000, end=10))

    assert rules(judge_spans(backwards, (want(duration=cmp(lte=Duration(SEC))),))) == ["spans.duration"]


def test_a_cycle_of_parents_ends():
    cycle = scene(span(1, "a", parent=2), span(2, "b", parent=1))

    assert rules(judge_spans(cycle, (want("a", ancestor="b"), want("a", ancestor="c")))) == ["spans.ancestor"]


def test_a_wrong_ancestry_is_told():
    (wrong,) = findings(judge_spans(SCENE, (want("INSERT *", ancestor="x"),)))
    (none,) = findings(judge_spans(SCENE, (want("cleanroom.step*", ancestor="x"),)))

    assert 'the ancestors are "POST /orders", "cleanroom.step:place"' in wrong.found
    assert "no ancestor arrived" in none.found


def windowed(*windows):
    spans = [span(n, f"s{n}", start=n * SEC, end=n * SEC + SEC // 2) for n in range(1, 6)]
    return scene(*spans, faults={"slow": FaultState(windows=windows)})


@pytest.mark.parametrize(
    ("selector", "windows", "kept"),
    [
        ("during", ((2 * SEC, 3 * SEC),), 2),
        ("during", ((int(1.4 * SEC), int(1.6 * SEC)), (5 * SEC, 0)), 2),
        ("during", ((4 * SEC, 0),), 2),
        ("before", ((2 * SEC, 3 * SEC), (4 * SEC, 5 * SEC)), 1),
        ("after", ((1 * SEC, 2 * SEC), (2 * SEC, 4 * SEC)), 2),
        ("after", ((1 * SEC, 0),), 0),
        ("after", ((1 * SEC, 2 * SEC), (2 * SEC, 0)), 0),
        ("after", ((1, 3 * SEC),), 3),
        ("before", ((SEC + SEC // 2, 2 * SEC),), 1),
        ("during", ((SEC + SEC // 2, 2 * SEC),), 2),
    ],
)
def test_windows_select_by_time(selector, windows, kept):
    right, wrong = want(**{selector: "slow"}, count=eq(kept)), want(**{selector: "slow"}, count=eq(kept + 1))

    assert rules(judge_spans(windowed(*windows), (right,))) == []
    assert rules(judge_spans(windowed(*windows), (wrong,))) == ["spans.count"]


@pytest.mark.parametrize("selector", ["during", "before", "after"])
@pytest.mark.parametrize("count", [None, eq(0)])
def test_an_expectation_on_a_fault_without_evidence_is_inconclusive_even_for_zero(selector, count):
    unproven = scene(REQUEST, faults={"slow": FaultState(unusable="not drawn", allowed="known")})

    for fault_id, why, leave in (("slow", "not drawn", "known"), ("other", "no fault other was planned", "")):
        (check,) = judge_spans(unproven, (want(count=count, **{selector: fault_id}),))
        assert (check.inconclusive, check.allowed, check.findings) == (why, leave, ())


@given(st.lists(st.sampled_from(["ok", "error", "unset"]), min_size=1, max_size=12))
def test_each_and_some_agree_with_the_statuses(statuses):
    spans = scene(*(span(n, status=s) for n, s in enumerate(statuses, start=1)))

    each, some = (rules(judge_spans(spans, (want(status=eq("ok"), some=s),))) == [] for s in (False, True))

    assert each == all(s == "ok" for s in statuses)
    assert some == ("ok" in statuses)


@given(st.integers(0, 8), st.integers(0, 8))
def test_a_count_holds_exactly_for_its_number(present, wanted):
    spans = scene(*(span(n) for n in range(1, present + 1)))

    assert (rules(judge_spans(spans, (want("GET /", count=eq(wanted)),))) == []) == (present == wanted)
