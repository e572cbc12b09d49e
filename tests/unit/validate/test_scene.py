from __future__ import annotations

from dataclasses import replace

from cleanroom.spec.service import Service, Telemetry
from cleanroom.trace.model import Origin, once
from cleanroom.validate.scene import build_scenes, declared_services
from tests.unit.validate.builders import (
    SEC,
    bitten,
    event,
    fault,
    iteration,
    otlp,
    own,
    plan,
    record,
    runner_spans,
    scenario,
    scene,
    served,
    sid,
    span,
    suite,
)

TWO = suite(scenario("order"), scenario("refund"))
SECOND = own(20, "cleanroom.scenario", parent=1, start=5 * SEC, end=8 * SEC)
SECOND_STEP = own(21, "cleanroom.step:pay", parent=20, start=5 * SEC, end=6 * SEC)


def names(of):
    return sorted(s.name for s in of.trace.spans)


def test_a_scenario_has_its_services_spans_the_runners_below_it_and_the_root():
    both = iteration(
        0,
        record("order", payloads=(otlp(served(10)),)),
        record("refund", span_id=sid(20), payloads=(otlp(span(30, "POST /refunds", parent=21)),)),
        runner=runner_spans(SECOND, SECOND_STEP, own(40, "cleanroom.cleanup", parent=1), own(41, "cleanroom.run")),
    )

    scenes = build_scenes(plan(TWO), both)

    first, second = scenes.scenarios
    assert names(first) == ["POST /orders", "cleanroom.iteration", "cleanroom.scenario", "cleanroom.step:place"]
    assert names(second) == ["POST /refunds", "cleanroom.iteration", "cleanroom.scenario", "cleanroom.step:pay"]
    assert len(scenes.whole.trace.spans) == 9
    assert scenes.whole.scenarios == both.scenarios


def test_the_path_a_span_came_by_decides_whose_it_is():
    (only,) = build_scenes(plan(), iteration()).scenarios

    assert [s.name for s in only.service_spans] == ["POST /orders"]
    assert all(s.origin is Origin.RUNNER for s in only.runner_spans)
    assert only.services == ("api", "db")


def test_the_same_span_sent_twice_counts_once_and_another_of_the_same_id_counts():
    twice = record(payloads=(otlp(served()), otlp(served()), otlp(served(status="error"))))

    (only,) = build_scenes(plan(), iteration(0, twice)).scenarios

    assert [s.status.value for s in only.service_spans] == ["error", "unset"]


def test_what_cannot_be_decoded_is_named_and_the_rest_is_judged():
    broken = replace(otlp(served()), body=b"{")
    (only,) = build_scenes(plan(), iteration(0, record(payloads=(broken, otlp(served()))))).scenarios

    assert len(only.malformed) == 1
    assert only.malformed[0].startswith("request 1 (application/json, 1 bytes): ")
    assert len(only.service_spans) == 1


def test_other_signals_are_not_spans():
    (only,) = build_scenes(
        plan(), iteration(0, record(payloads=(replace(otlp(), signal="logs", body=b"x"),)))
    ).scenarios

    assert (only.malformed, only.service_spans) == ((), ())


def test_in_a_shared_environment_the_ancestor_decides_and_else_the_time():
    shared = suite(scenario("order"), scenario("refund"), environment="suite")
    late_child = served(10, start=6 * SEC)
    loose = (span(11, "early", start=1 * SEC, trace="b" * 32), span(12, "late", start=5 * SEC, trace="b" * 32))
    before = span(13, "first", start=1, trace="b" * 32)
    payloads = (otlp(late_child, *loose, before),)
    both = iteration(
        0,
        record("order", payloads=payloads),
        record("refund", span_id=sid(20), payloads=payloads),
        runner=runner_spans(SECOND, SECOND_STEP),
    )

    first, second = build_scenes(plan(shared), both).scenarios

    assert sorted(s.name for s in first.service_spans) == ["POST /orders", "early", "first"]
    assert [s.name for s in second.service_spans] == ["late"]
    assert first.shared
    assert len(build_scenes(plan(shared), both).whole.service_spans) == 4


def test_fault_windows_come_with_the_scene():
    slow = fault()
    planned = plan(suite(scenario(chaos=(slow,))), events={"order": (event(slow),)})

    (only,) = build_scenes(planned, iteration(0, record(faults=(bitten(slow),)))).scenarios

    assert only.faults["slow"].windows == ((2 * SEC, 3 * SEC),)


def test_a_span_with_the_reserved_prefix_or_a_runners_id_is_forged():
    honest, by_name, by_id = span(10), span(11, "cleanroom.step:place"), span(3, "innocent")

    assert [s.name for s in scene(*runner_spans(), honest, by_name, by_id).forged] == [
        "innocent",
        "cleanroom.step:place",
    ]
    assert scene(*runner_spans(), honest).forged == ()


def test_a_forged_id_does_not_take_the_runners_place_as_a_parent():
    child = span(10, parent=3)
    forged = scene(*runner_spans(), child, span(3, "innocent", start=1))

    assert forged.parent(child).name == "cleanroom.step:place"


def test_a_service_is_declared_under_the_name_that_its_spans_will_have():
    services = (
        Service(name="plain"),
        Service(name="a", telemetry=Telemetry(service_name="told")),
        Service(name="b", telemetry=Telemetry(service_name="x"), environment={"OTEL_SERVICE_NAME": "own"}),
        Service(name="c", environment={"OTEL_RESOURCE_ATTRIBUTES": "k=v, service.name=attr"}),
    )
    assert declared_services(plan(suite(services=services))) == ("attr", "own", "plain", "told")


def test_very_many_different_spans_of_one_id_are_told_apart_in_linear_time():
    many = tuple(replace(served(), attributes={"n": n, "more": (n, {"inner": 1})}) for n in range(20_000))

    assert once((*many, *many)) == many


def test_many_are_told_the_parents_that_each_is_told_with_and_without_runner_spans():
    sent = (served(10), span(11, "SELECT", parent=10), span(12, "lost", parent=99), span(13, "root"))
    for runner, above in (((), None), (runner_spans(), "cleanroom.step:place")):
        found = scene(*runner, *sent)
        assert [each and each.name for each in found.parents(sent)] == [above, "POST /orders", None, None]
        assert list(found.parents(sent)) == [found.parent(each) for each in sent]
