"""Faults of the family network, each in a spec of its own, with a control in which its effect is prevented."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fault_specs import assert_prevented, assert_proven, run_family
from runs import Ran

PROVEN = (
    "latency", "loss", "corrupt", "duplicate", "reorder", "bandwidth", "flap",
    "partition", "disconnect", "refuse", "blackhole", "connection_limit", "port_exhaustion",
    "reset", "slow_close", "slice", "limit_data",
)  # fmt: skip
CONTROLS = {
    "control-latency": ("late", "has no process"),
    "control-loss": ("loss", "udp alone cannot be measured"),
    "control-corrupt": ("corrupt", "has no process"),
    "control-duplicate": ("duplicate", "so few packets are struck"),
    "control-reorder": ("reorder", "has no process"),
    "control-bandwidth": ("bandwidth", "has no process"),
    "control-flap": ("flap", "has no process"),
    "control-partition": ("fault", "has no process"),
    "control-disconnect": ("fault", "has no process"),
    "control-refuse": ("fault", "nobody in db listens on port 8099"),
    "control-blackhole": ("fault", "has no process"),
    "control-connection_limit": ("fault", "is refused already"),
    "control-port_exhaustion": ("fault", "has no process"),
    "control-reset": ("fault", "has no process"),
    "control-slow_close": ("fault", "no connection was struck: 0 connections came"),
    "control-slice": ("fault", "no connection was struck: 1 connections came, 1 connections matched"),
    "control-limit_data": ("fault", "no connection was struck: 1 connections came, 1 connections matched"),
}
"""Control → the fault that must not be taken for proven, and why it is not."""


@pytest.fixture(scope="module")
def ran(engine, tmp_path_factory) -> Ran:
    return run_family(engine, "network", tmp_path_factory.mktemp("network"))


@pytest.mark.parametrize("suite", PROVEN)
def test_a_fault_bites_and_is_gone(ran: Ran, suite: str):
    assert_proven(ran, suite)


@pytest.mark.parametrize("suite", CONTROLS)
def test_a_fault_without_its_effect_is_not_proven(ran: Ran, suite: str):
    fault, why = CONTROLS[suite]
    assert_prevented(ran, suite, fault, why)
