"""Faults of the family resource, each in a spec of its own, with a control in which its effect is prevented."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fault_specs import assert_prevented, assert_proven, run_family
from runs import Ran

PROVEN = (
    "cpu_stress", "cpu_throttle", "memory_pressure", "memory_limit", "memory_leak", "disk_full", "inode_exhaustion",
    "fd_exhaustion", "pids_limit", "io_throttle", "file_size",
)  # fmt: skip
CONTROLS = {
    "control-cpu_stress": ("busy", "does not run"),
    "control-cpu_throttle": ("slow", "0.5 would take nothing away"),
    "control-memory_pressure": ("tight", "left below its limit"),
    "control-memory_limit": ("less", "the kernel would kill it"),
    "control-memory_leak": ("leaking", "has no memory limit"),
    "control-disk_full": ("full", "would fill the machine"),
    "control-inode_exhaustion": ("crowded", "would fill the machine"),
    "control-fd_exhaustion": ("out", "soft limit of 100"),
    "control-pids_limit": ("alone", "is no less"),
    "control-io_throttle": ("slow", "no more than what was asked for"),
    "control-file_size": ("small", "does not run"),
}
"""Control → the fault that must not be taken for proven, and why it is not."""


@pytest.fixture(scope="module")
def ran(engine, tmp_path_factory) -> Ran:
    return run_family(engine, "resource", tmp_path_factory.mktemp("resource"))


@pytest.mark.parametrize("suite", PROVEN)
def test_a_fault_bites_and_is_gone(ran: Ran, suite: str):
    assert_proven(ran, suite)


@pytest.mark.parametrize("suite", CONTROLS)
def test_a_fault_without_its_effect_is_not_proven(ran: Ran, suite: str):
    fault, why = CONTROLS[suite]
    assert_prevented(ran, suite, fault, why)
