"""Telemetry that is not as it should be: each anomaly has the meaning that `cleanroom.trace.model` tells."""

from __future__ import annotations

import pytest

from cleanroom.errors import TelemetryError
from cleanroom.quantity import Duration
from cleanroom.telemetry.session import start_telemetry
from cleanroom.trace.decode import decode_traces
from cleanroom.trace.model import Origin
from cleanroom.validate.judge import judge_iteration
from cleanroom.validate.scene import Scene, build_scenes
from cleanroom.validate.spans import judge_spans
from tests.unit.validate.builders import (
    cmp,
    eq,
    findings,
    iteration,
    otlp,
    plan,
    record,
    rules,
    scene,
    served,
    sid,
    span,
    want,
)


def judged(*payloads, **kw):
    verdict = judge_iteration(plan(), iteration(0, record(payloads=payloads, **kw))).verdict
    return verdict.scenarios[0].checks


def scene_of(*payloads) -> Scene:
    return build_scenes(plan(), iteration(0, record(payloads=payloads))).scenarios[0]


@pytest.mark.parametrize("forged", [span(10, "cleanroom.step:place"), span(3, "POST /orders"), span(10, "cleanroom.")])
def test_a_forged_span_is_a_finding_and_stays_a_service_span(forged):
    of = scene_of(otlp(forged))
    assert [f.span_id for f in of.forged] == [forged.span_id]
    assert [s.name for s in of.service_spans] == [forged.name]
    assert "telemetry.forged" in rules(judged(otlp(forged)))
    assert "telemetry.forged" not in rules(judged(otlp(served())))


def test_the_runners_span_is_the_parent_and_not_a_forged_one_of_its_id():
    of = scene_of(otlp(span(3, "POST /orders"), span(11, "INSERT", parent=3)))
    parent = of.parent(next(s for s in of.service_spans if s.name == "INSERT"))
    assert parent is not None
    assert parent.origin is Origin.RUNNER


@pytest.mark.parametrize("number", [0])
def test_a_span_without_an_id_is_refused_with_its_request(number):
    body = otlp(span(number)).body
    with pytest.raises(TelemetryError, match="not all zero"):
        decode_traces(body, "application/json", Origin.SERVICE)
    assert "telemetry.decode" in rules(judged(otlp(served()), otlp(span(number))))


def test_a_parent_of_zeros_is_no_parent():
    (found,) = scene_of(otlp(span(10, parent="0" * 16))).service_spans
    assert found.parent_id == ""


def test_a_span_that_was_delivered_twice_is_one_and_different_spans_of_one_id_are_two():
    assert len(scene_of(otlp(served()), otlp(served())).service_spans) == 1
    assert len(scene_of(otlp(served()), otlp(served(service="db"))).service_spans) == 2


def test_which_of_two_spans_with_one_id_is_the_parent_does_not_depend_on_arrival():
    one, other, child = span(10, "a", start=5), span(10, "b", start=5), span(11, "c", parent=10)
    parents = {s.parent(child).name for s in (scene(one, other, child), scene(other, child, one))}  # type: ignore[union-attr]
    assert len(parents) == 1


def test_a_loop_of_parents_has_ancestors_and_no_root():
    of = scene(span(10, "a", parent=11), span(11, "b", parent=10), span(12, "self", parent=12))
    assert [[a.name for a in of.ancestors(s)] for s in of.service_spans] == [["b"], ["a"], []]
    for name in ("a", "b", "self"):
        assert rules(judge_spans(of, [want(name, root=True)])) == ["spans.root"]
    assert rules(judge_spans(of, [want("a", ancestor="cleanroom.scenario")])) == ["spans.ancestor"]


def test_an_orphan_is_no_root_and_has_no_ancestor():
    of = scene(span(10, "lost", parent=99))
    for root in (True, False):
        (finding,) = findings(judge_spans(of, [want("lost", root=root)]))
        assert f"the parent {sid(99)} never arrived" in finding.found
    assert of.ancestors(of.service_spans[0]) == ()


@pytest.mark.parametrize("wanted", [cmp(lte=Duration(10**9)), cmp(gte=Duration(0)), eq(Duration(-500))])
def test_a_span_that_ends_before_it_starts_has_no_duration(wanted):
    of = scene(span(10, "back", start=1000, end=500))
    (finding,) = findings(judge_spans(of, [want("back", duration=wanted)]))
    assert "ends before it starts" in finding.found


def test_a_late_request_makes_the_scenario_inconclusive():
    late = {c.rule: c.inconclusive for c in judged(otlp(served()), late=2)}
    assert "2 requests arrived after" in late["telemetry.late"]
    assert not {c.rule: c.inconclusive for c in judged(otlp(served()))}["telemetry.late"]


def test_a_slow_protobuf_is_told_before_anything_runs(monkeypatch, tmp_path):
    monkeypatch.setattr("google.protobuf.internal.api_implementation.Type", lambda: "python")
    with (
        pytest.raises(TelemetryError, match="'python' backend"),
        start_telemetry((), collector=None, directory=tmp_path, clock=None),  # type: ignore[arg-type]
    ):
        pytest.fail("telemetry started")
