"""Faults of the family dependency, each in a spec of its own, with a control in which its effect is prevented."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fault_specs import assert_prevented, assert_proven, faults_of, run_family
from runs import Ran

CHECKED, PATIENT = "cleanroom-tests/checked:1", "cleanroom-tests/healthcheck:1"
PROVEN = ("down", "unhealthy")
CONTROLS = {
    "control-down": ("closed", "nobody in target listens on any port"),
    "control-unhealthy": ("ill", "the engine says healthy, not unhealthy"),
    "control-unchecked": ("ill", "its image has no health check"),
    "control-patient": ("ill", "must fail 1000 times: that is too late"),
}
"""Control → the fault that must not be taken for proven, and why it is not."""


@pytest.fixture(scope="module")
def ran(engine, tmp_path_factory) -> Ran:
    return run_family(engine, "dependency", tmp_path_factory.mktemp("dependency"), CHECKED, PATIENT)


@pytest.mark.parametrize("suite", PROVEN)
def test_a_fault_bites_and_is_gone(ran: Ran, suite: str):
    assert_proven(ran, suite)


@pytest.mark.parametrize("suite", CONTROLS)
def test_a_fault_without_its_effect_is_not_proven(ran: Ran, suite: str):
    fault, why = CONTROLS[suite]
    assert_prevented(ran, suite, fault, why)


def test_the_engine_says_so_and_takes_it_back(ran: Ran):
    (ill,) = faults_of(ran, "unhealthy")
    evidence = {key.removeprefix("target."): value for key, value in ill["evidence"].items()}
    assert (evidence["before"], evidence["health"], evidence["status"]) == ("healthy", "unhealthy", "running")
    assert evidence["check"] == "well -e /run/well"
    assert ill["reversal"]["target.health"] == "healthy"
