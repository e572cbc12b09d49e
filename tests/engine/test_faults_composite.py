"""Composites, triggers and labels, each in a spec of its own, with a control in which the effect is prevented."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fault_specs import SPECS, assert_prevented, assert_proven, faults_of, run_family
from runs import ROOT, Ran

from cleanroom.plan.timeline import draw
from cleanroom.spec.load import load_suite

PROVEN = ("cascade", "concurrent", "label", "monkey", "sweep", "when")
CONTROLS = {
    "control-cascade": ("falls", "api was not affected"),
    "control-concurrent": ("both", "dead#0 is not proven: two does not run"),
    "control-monkey": ("monkey", "is not proven: target does not run"),
    "control-when": ("late", "its probe did not hold .*expected true, found false"),
}
"""Control → the fault that must not be taken for proven, and why it is not."""


@pytest.fixture(scope="module")
def ran(engine, tmp_path_factory) -> Ran:
    return run_family(engine, "composite", tmp_path_factory.mktemp("composite"))


@pytest.mark.parametrize("suite", PROVEN)
def test_a_fault_bites_and_is_gone(ran: Ran, suite: str):
    assert_proven(ran, suite)


@pytest.mark.parametrize("suite", CONTROLS)
def test_a_fault_without_its_effect_is_not_proven(ran: Ran, suite: str):
    fault, why = CONTROLS[suite]
    assert_prevented(ran, suite, fault, why)


def test_a_cascade_is_measured_hop_by_hop(ran: Ran):
    whole, root = faults_of(ran, "cascade")
    assert (whole["evidence"]["depth"], whole["evidence"]["order"]) == (2, "api, web")
    assert whole["evidence"]["others_affected"] == "none"
    assert 0 < whole["evidence"]["api.affected_after_ms"] <= whole["evidence"]["web.affected_after_ms"]
    assert (root["within"], root["fault"]) == ("falls#0", "container.kill")


def test_what_chance_drew_is_what_struck(ran: Ran):
    whole, *parts = faults_of(ran, "monkey")
    suite = load_suite(SPECS / "composite" / "monkey.cleanroom.yaml", root=ROOT, variables={}, environment={})
    (event,) = draw(suite, 42)[0].events
    drawn = [one for one in event.inner if one.drawn]
    assert [(part["id"], part["occurrence"], part["target"]) for part in parts] == [
        (one.fault.id, one.occurrence, list(one.targets)) for one in drawn
    ]
    assert whole["evidence"]["injected"] == len(drawn) > 1
    assert whole["evidence"]["realised_rate"] == len(drawn) / whole["evidence"]["ticks"]


def test_a_fault_begins_when_its_probe_holds_and_repeats_from_then_on(ran: Ran):
    first, second = faults_of(ran, "when")
    assert "file target /data/go" in first["trigger"]
    assert int(second["window"]["start_ns"]) - int(first["window"]["start_ns"]) >= 1.9e9
    assert second["trigger"].endswith("2s before")


def test_a_sweep_has_a_case_for_each_value_and_a_slope(ran: Ran):
    cases = [scenario["name"] for scenario in ran.suite("sweep")["scenarios"]]
    assert cases == ["slower [delay=60ms]", "slower [delay=120ms]", "slower [delay=240ms]"]
    values = [one["evidence"]["value"] for one in faults_of(ran, "sweep") if one["fault"] == "composite.sweep"]
    assert values == ["60ms", "120ms", "240ms"]


def test_a_slope_beyond_its_bound_is_a_finding(ran: Ran):
    assert ran.suite("control-sweep")["verdict"] == "fail"
    assert b"expected a slope <= 0.5, found" in ran.stdout
