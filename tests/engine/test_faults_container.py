"""Faults of the family container, each in a spec of its own, with a control in which its effect is prevented."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fault_specs import assert_prevented, assert_proven, run_family
from runs import Ran

PROVEN = ("kill", "stop", "pause", "restart", "crash_loop", "recreate", "oom", "exit")
CONTROLS = {
    "control-kill": ("dead", "does not run"),
    "control-stop": ("away", "does not run"),
    "control-pause": ("still", "does not run"),
    "control-restart": ("twice", "does not run"),
    "control-crash_loop": ("loop", "killed 1 times, not 2"),
    "control-recreate": ("anew", "does not run"),
    "control-exit": ("out", r"ended so \d times, not 9"),
    "control-oom": ("oom", "below what is asked for"),
    "control-two": ("down", "was started again before"),
}
"""Control → the fault that must not be taken for proven, and why it is not."""


@pytest.fixture(scope="module")
def ran(engine, tmp_path_factory) -> Ran:
    return run_family(engine, "container", tmp_path_factory.mktemp("container"))


@pytest.mark.parametrize("suite", PROVEN)
def test_a_fault_bites_and_is_gone(ran: Ran, suite: str):
    assert_proven(ran, suite)


@pytest.mark.parametrize("suite", CONTROLS)
def test_a_fault_without_its_effect_is_not_proven(ran: Ran, suite: str):
    fault, why = CONTROLS[suite]
    assert_prevented(ran, suite, fault, why)
