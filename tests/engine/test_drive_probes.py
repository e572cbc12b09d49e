"""Probes, the steady state and invariants on a real container, and a control for each that must be found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from images import make_images
from runs import Ran, cleanroom, findings

NEVER_READY = {
    "control-ready-health": "healthcheck it",
    "control-ready-redis": "redis it PING",
    "control-ready-count": "log it /once/",
}
"""Each has one service that is never ready, and what its error must name."""
SPECS = ("probes", "control-probes", "probes-clients", "control-probes-clients", *NEVER_READY)


@pytest.fixture(scope="module")
def ran(engine, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    make_images(engine)
    specs = [f"tests/specs/drive/{name}.cleanroom.yaml" for name in SPECS]
    return cleanroom(*specs, out=tmp_path_factory.mktemp("probes"))


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
    assert ran.suite("control-probes")["exit_code"] == 1, ran.said
    (found,) = [one for one in ran.suite("control-probes")["scenarios"] if one["name"] == scenario]
    assert {finding["rule"] for finding in findings(found)} == rules, ran.said


@pytest.mark.timeout(600)
def test_clients_and_readiness_ask_the_same_of_real_services(ran: Ran):
    suite = ran.suite("probes-clients")
    assert (suite["exit_code"], list(findings(suite))) == (0, []), ran.said
    assert (len(suite["iterations"]), bool(suite["digest"])) == (2, True)


@pytest.mark.timeout(600)
def test_each_wait_of_a_client_gives_up(ran: Ran):
    suite = ran.suite("control-probes-clients")
    assert suite["exit_code"] == 1, ran.said
    told = {one["name"]: {finding["rule"] for finding in findings(one)} for one in suite["scenarios"]}
    assert told == {name: {"step.failed"} for name in told}, ran.said
    assert len(told) == 7


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NEVER_READY)
def test_a_service_that_is_never_ready_is_an_error_that_says_why(ran: Ran, name: str):
    suite = ran.suite(name)
    assert suite["exit_code"] == 4, ran.said
    assert f"was not ready within 3s: expected {NEVER_READY[name]}" in str(suite), ran.said
