"""Faults of the family clock, each in a spec of its own, with a control in which it cannot be had or be proven."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fault_specs import assert_prevented, assert_proven, faults_of, run_family
from runs import Ran

DAY = 86_400_000.0
CONTROLS = {
    "control-skew": "has not loaded it",
    "control-jump": "does not run",
    "control-rate": "altered already",
    "control-freeze": "altered already",
}
"""Control → why the fault must not be taken for proven."""


@pytest.fixture(scope="module")
def ran(engine, tmp_path_factory) -> Ran:
    return run_family(engine, "clock", tmp_path_factory.mktemp("clock"))


@pytest.mark.parametrize("suite", ["skew", "jump", "rate", "freeze"])
def test_a_fault_bites_and_is_gone(ran: Ran, suite: str):
    assert_proven(ran, suite)


@pytest.mark.parametrize("suite", CONTROLS)
def test_a_fault_without_its_effect_is_not_proven(ran: Ran, suite: str):
    assert_prevented(ran, suite, "bad", CONTROLS[suite])


def test_the_time_inside_is_measured_before_during_and_after(ran: Ran):
    (skew,) = faults_of(ran, "skew")
    assert abs(skew["evidence"]["target.before_ms"]) < 100
    assert abs(skew["evidence"]["target.during_ms"] - 3650 * DAY) < 100
    assert abs(skew["reversal"]["target.after_ms"]) < 100
    (rate,) = faults_of(ran, "rate")
    assert 2.9 < rate["evidence"]["target.rate"] < 3.1
    (freeze,) = faults_of(ran, "freeze")
    assert freeze["evidence"]["target.rate"] == 0


def test_every_jump_is_read_inside(ran: Ran):
    (jump,) = faults_of(ran, "jump")
    assert jump["reversal"]["target.jumps"] >= 3
    assert 1 <= jump["reversal"]["target.jumps_read"] <= jump["reversal"]["target.jumps"] - 1
