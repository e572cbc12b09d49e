from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.errors import SpecError
from cleanroom.plan.build import build_plan
from cleanroom.plan.mermaid import plan_mermaid
from cleanroom.plan.sweep import swept
from cleanroom.quantity import Duration
from cleanroom.spec.fault import AtManual
from tests.unit.plan.suites import MS, fault, scenario, suite
from tests.unit.plan.test_composite import composite

PART = fault("a", moment=AtManual(), duration=Duration(10**9))
SWEEP = composite("sweep", {"fault": "a", "parameter": "delay", "values": ("100ms", "1s")}, id="sweep")


def test_each_value_becomes_a_scenario_with_that_value_alone():
    made = swept(suite(scenario("s", PART, SWEEP), scenario("other", PART), services=("db", "api", "web")))
    assert [one.name for one in made.scenarios] == ["s [delay=100ms]", "s [delay=1s]", "other"]
    plan = build_plan(made)
    events = [plan.timeline(one.name)[0] for one in plan.suite.scenarios[:2]]
    assert [[part.parameters["delay"] for part in event.inner] for event in events] == [
        [Duration(100 * MS)], [Duration(10**9)],
    ]  # fmt: skip


def test_a_plan_draws_every_case():
    plan = build_plan(suite(scenario("s", PART, SWEEP), services=("db", "api", "web")))
    drawn = plan_mermaid(plan)
    assert drawn.count("```mermaid") == 2
    assert "delay=100ms" in drawn
    assert "composite.sweep on db (sweep 0)" in drawn
    assert "network.latency on db (a 0)" in drawn


def test_a_sweep_in_a_shared_environment_is_refused():
    shared = replace(suite(scenario("s", PART, SWEEP), services=("db", "api", "web")), environment="suite")
    with pytest.raises(SpecError, match="needs an environment of its own"):
        swept(shared)


def test_a_case_that_is_called_like_another_scenario_is_refused():
    twice = suite(scenario("s", PART, SWEEP), scenario("s [delay=1s]", PART), services=("db", "api", "web"))
    with pytest.raises(SpecError, match=r"two scenarios are called 's \[delay=1s\]'"):
        swept(twice)


def test_a_suite_without_a_sweep_is_as_it_was():
    plain = suite(scenario("s", PART), services=("db", "api", "web"))
    assert swept(plain) is plain
