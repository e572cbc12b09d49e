"""Faults of the family http, each in a spec of its own, with a control in which its effect is prevented."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fault_specs import assert_prevented, assert_proven, run_family
from runs import Ran

PROVEN = ("abort", "body", "delay", "fail_first", "headers", "rate_limit", "status")
CONTROLS = {
    "control-abort": "no request was struck: 1 connections came, 1 requests matched",
    "control-body": "no request was struck: 1 connections came, 1 requests matched",
    "control-delay": "no request was struck: 1 connections came, 0 requests matched",
    "control-fail_first": "no request was struck: 1 connections came, 0 requests matched",
    "control-headers": "no request was struck: 0 connections came",
    "control-rate_limit": "no request was struck: 1 connections came, 1 requests matched",
    "control-status": "no request was struck: 1 connections came, 0 requests matched",
}
"""Control → why its fault must not be taken for proven."""


@pytest.fixture(scope="module")
def ran(engine, tmp_path_factory) -> Ran:
    return run_family(engine, "http", tmp_path_factory.mktemp("http"))


@pytest.mark.parametrize("suite", PROVEN)
def test_a_fault_bites_and_is_gone(ran: Ran, suite: str):
    assert_proven(ran, suite)


@pytest.mark.parametrize("suite", CONTROLS)
def test_a_fault_without_its_effect_is_not_proven(ran: Ran, suite: str):
    assert_prevented(ran, suite, "fault", CONTROLS[suite])
