"""Faults of the family dns, each in a spec of its own, with a control in which its effect is prevented."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fault_specs import assert_prevented, assert_proven, faults_of, run_family
from runs import Ran

PROVEN = ("nxdomain", "servfail", "timeout", "delay", "spoof")
CONTROLS = {
    "control-nxdomain": ("fault", "NXDOMAIN for cleanroom.example.com already"),
    "control-servfail": ("fault", "has no question that"),
    "control-timeout": ("fault", "has no question that"),
    "control-delay": ("fault", "has no question that"),
    "control-spoof": ("fault", "NOERROR 10.*for db already"),
}
"""Control → the fault that must not be taken for proven, and why it is not."""


@pytest.fixture(scope="module")
def ran(engine, tmp_path_factory) -> Ran:
    return run_family(engine, "dns", tmp_path_factory.mktemp("dns"))


@pytest.mark.parametrize("suite", PROVEN)
def test_a_fault_bites_and_is_gone(ran: Ran, suite: str):
    assert_proven(ran, suite)
    (fault,) = faults_of(ran, suite)
    # The log of the resolver itself: the service's question was struck, not only ours.
    assert fault["reversal"]["api.questions_struck"] >= 1, fault
    assert fault["reversal"]["api.after"] == fault["evidence"]["api.before"]


@pytest.mark.parametrize("suite", CONTROLS)
def test_a_fault_without_its_effect_is_not_proven(ran: Ran, suite: str):
    fault, why = CONTROLS[suite]
    assert_prevented(ran, suite, fault, why)
