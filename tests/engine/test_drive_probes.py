"""Probes, the steady state and invariants on a real container, and a control for each that must be found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from runs import Ran, cleanroom, findings

SPECS = ("tests/specs/drive/probes.cleanroom.yaml", "tests/specs/drive/control-probes.cleanroom.yaml")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return cleanroom(*SPECS, out=tmp_path_factory.mktemp("probes"))


def test_every_probe_holds_in_every_iteration_with_one_digest(ran: Ran):
    suite = ran.suite("probes")
    assert (suite["exit_code"], list(findings(suite))) == (0, []), ran.said
    assert suite["digest"]
    for turn in suite["scenarios"][0]["iterations"]:
        assert [phase["phase"] for phase in turn["steady_state"]] == ["before", "during", "after"]
        assert all(phase["rounds"] and not phase["failed_rounds"] for phase in turn["steady_state"])
        assert [(kept["id"], kept["value"]) for kept in turn["snapshots"]] == [("before", '"inside"')]


@pytest.mark.parametrize(
    ("scenario", "rules"),
    [
        ("not well before", {"steady_state.before"}),
        ("never comes", {"step.failed"}),
        ("text is no number", {"step.failed"}),
        ("changed", {"invariants.unchanged"}),
    ],
)
def test_each_control_is_found(ran: Ran, scenario: str, rules: set[str]):
    assert ran.code == 1, ran.said
    (found,) = [one for one in ran.suite("control-probes")["scenarios"] if one["name"] == scenario]
    assert {finding["rule"] for finding in findings(found)} == rules, ran.said
