from __future__ import annotations

import pytest

from cleanroom.spec.expect import CountExpectation, EdgeExpectation, GraphExpectation, Pattern, StatusExpectation
from cleanroom.validate.counts import judge_counts
from cleanroom.validate.graph import judge_graph
from cleanroom.validate.status import judge_status
from tests.unit.validate.builders import AT, cmp, eq, findings, own, rules, scene, sid, span

SCENE = scene(
    own(3, "cleanroom.step:place", status="ok"),
    span(10, "POST /orders", parent=3, events=("a", "b"), status="ok"),
    span(11, "INSERT orders", parent=10, service="db", kind="client", status="error"),
    span(12, "INSERT items", parent=11, service="db", kind="client", status="ok"),
)
EMPTY = scene(own(3, "cleanroom.step:place", status="ok"))


def edge(parent, child):
    return EdgeExpectation(parent=Pattern(parent), child=Pattern(child), at=AT)


def judge_edges(of, edges):
    return judge_graph(of, GraphExpectation(edges=edges, at=AT))


def count(what, key="", **tests):
    return CountExpectation(what=what, key=key, comparator=cmp(**tests), at=AT)


def status(name, comparator):
    return StatusExpectation(name=Pattern(name) if name else None, comparator=comparator, at=AT)


@pytest.mark.parametrize("pair", [("POST *", "INSERT orders"), ("cleanroom.step*", "POST *"), ("INSERT *", "INSERT *")])
def test_an_edge_is_a_direct_parent_and_child(pair):
    assert rules(judge_edges(SCENE, (edge(*pair),))) == []


@pytest.mark.parametrize(
    "pair", [("POST *", "INSERT items"), ("INSERT orders", "POST *"), ("cleanroom.step*", "INSERT *"), ("x", "y")]
)
def test_what_is_not_direct_or_the_other_way_round_is_no_edge(pair):
    assert rules(judge_edges(SCENE, (edge(*pair),))) == ["graph.edges"]


def test_a_broken_edge_says_what_the_parents_are():
    (found,) = findings(judge_edges(SCENE, (edge("POST *", "INSERT items"),)))

    assert found.found.startswith('1 span "POST *", 1 span "INSERT items"')
    assert found.near_misses == (f'"INSERT items" (service db, client, {sid(12)}): the parent is "INSERT orders"',)
    assert not found.telemetry_missing


COUNTS = [
    (count("spans", eq=3), count("spans", eq=4)),
    (count("errors", eq=1), count("errors", eq=0)),
    (count("events", eq=2), count("events", gt=2)),
    (count("by_name", "INSERT *", eq=2), count("by_name", "INSERT *", eq=3)),
    (count("by_name", "cleanroom.step*", eq=1), count("by_name", "cleanroom.step*", eq=0)),
    (count("by_service", "db", gte=2), count("by_service", "db", lt=2)),
    (count("by_kind", "client", eq=2), count("by_kind", "server", eq=0)),
]


@pytest.mark.parametrize(("right", "wrong"), COUNTS)
def test_figures_are_of_what_arrived(right, wrong):
    assert rules(judge_counts(SCENE, (right,))) == []
    assert rules(judge_counts(SCENE, (wrong,))) == [f"counts.{wrong.what}"]


def test_a_figure_of_nothing_names_what_there_is():
    (found,) = findings(judge_counts(SCENE, (count("by_service", "web", gte=1),)))

    assert found.near_misses == ('2 spans of service "db"', '1 span of service "api"')


@pytest.mark.parametrize(
    ("name", "comparator"), [(None, cmp(ne="unset")), ("POST *", eq("ok")), ("cleanroom.*", eq("ok"))]
)
def test_statuses_that_hold(name, comparator):
    assert rules(judge_status(SCENE, (status(name, comparator),))) == []


@pytest.mark.parametrize(
    ("name", "comparator", "rule"),
    [
        (None, cmp(ne="error"), "status.all"),
        ("INSERT *", eq("ok"), "status.by_name"),
        ("DELETE *", eq("ok"), "status.by_name"),
        ("cleanroom.step:*", eq("error"), "status.by_name"),
    ],
)
def test_statuses_that_break(name, comparator, rule):
    assert rules(judge_status(SCENE, (status(name, comparator),))) == [rule]


def test_an_unset_status_is_not_ok():
    assert rules(judge_status(scene(span(1)), (status(None, eq("ok")),))) == ["status.all"]


EVERY_KIND = {
    "edge": lambda s: judge_edges(s, (edge("POST *", "INSERT orders"),)),
    "edge from the runner": lambda s: judge_edges(s, (edge("cleanroom.step*", "POST *"),)),
    "spans": lambda s: judge_counts(s, (count("spans", gte=1),)),
    "spans at most": lambda s: judge_counts(s, (count("spans", lte=9),)),
    "errors 0": lambda s: judge_counts(s, (count("errors", eq=0),)),
    "events 0": lambda s: judge_counts(s, (count("events", eq=0),)),
    "by_name": lambda s: judge_counts(s, (count("by_name", "POST *", lte=9),)),
    "by_service": lambda s: judge_counts(s, (count("by_service", "api", gte=1),)),
    "by_kind": lambda s: judge_counts(s, (count("by_kind", "server", gte=1),)),
    "status all": lambda s: judge_status(s, (status(None, cmp(ne="error")),)),
    "status by name": lambda s: judge_status(s, (status("POST *", eq("ok")),)),
}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_an_empty_trace_breaks_every_figure_and_is_missing_telemetry(kind):
    (found,) = findings(EVERY_KIND[kind](EMPTY))

    assert found.telemetry_missing
    assert found.remedy


def test_missing_spans_of_the_runner_are_not_missing_telemetry():
    served = scene(span(1))

    for broken in (
        judge_counts(scene(), (count("by_name", "cleanroom.x", gte=1),)),
        judge_status(scene(), (status("cleanroom.x", eq("ok")),)),
        judge_edges(scene(), (edge("cleanroom.x", "cleanroom.y"),)),
        judge_counts(served, (count("by_service", "cleanroom.x", gte=1),)),
        judge_status(served, (status("x", eq("ok")),)),
    ):
        (found,) = findings(broken)
        assert not found.telemetry_missing
        assert not found.remedy


@pytest.mark.parametrize("what", ["spans", "by_name", "by_service", "by_kind"])
def test_an_explicit_zero_of_spans_holds_on_an_empty_trace(what):
    assert rules(judge_counts(EMPTY, (count(what, "x", eq=0),))) == []
