"""Steps carried out for real, in one run: those that hold, and a control for each that must not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from runs import ROOT, Ran, cleanroom

SPECS = ROOT / "tests" / "specs" / "drive"
NAMES = ("steps", "control-steps")
WORDS = {
    "the code is another": "the command exited with 3",
    "the output is another": "stdout: expected",
    "what was cut is not judged": "what was not kept cannot be judged",
    "nothing is captured": r"capture.n: expected something that \d+ finds, found nothing",
    "attempts end": "the command exited with 5",
    "retry without an end": "no time was left for another one after 3600s",
    "a part fails": "step 'l': the command exited with 6",
    "the deadline comes first": "not started: the scenario's deadline of 1s had passed",
    "the scenario ends": "the scenario's timeout of 1s ended it",
    "the container ends badly": "the container exited with 7",
    "an image without such a command": "its command could not be run (exit 127)",
    "nobody listens": "the connection was refused",
    "not a service": "elsewhere port 81 is no service of this environment",
}
"""Control → what is said of it."""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    specs = [str((SPECS / f"{name}.cleanroom.yaml").relative_to(ROOT)) for name in NAMES]
    return cleanroom(*specs, out=tmp_path_factory.mktemp("steps"))


def steps(ran: Ran, suite: str, scenario: str) -> list[dict[str, Any]]:
    """The steps of a scenario's first iteration."""
    (found,) = [one for one in ran.suite(suite)["scenarios"] if one["name"] == scenario]
    return list(found["iterations"][0]["steps"])


def test_steps_do_what_the_spec_says_and_leave_nothing_twice_alike(ran: Ran):
    suite = ran.suite("steps")
    assert (suite["verdict"], suite["determinism"]["verdict"]) == ("pass", "pass"), ran.said
    assert len({iteration["digests"]["digest"] for iteration in suite["iterations"]}) == 1


@pytest.mark.parametrize("scenario", WORDS)
def test_a_control_fails_in_its_own_way(ran: Ran, scenario: str):
    found = steps(ran, "control-steps", scenario)
    assert any(WORDS[scenario] in step["reason"] for step in found), found
    (whole,) = [one for one in ran.suite("control-steps")["scenarios"] if one["name"] == scenario]
    assert {iteration["outcome"] for iteration in whole["iterations"]} == {"failed"}


def test_what_comes_after_a_failed_part_is_skipped_by_name(ran: Ran):
    found = {step["name"]: step for step in steps(ran, "control-steps", "a part fails")}
    assert found["after"]["outcome"] == "skipped"
    assert "'both'" in found["after"]["reason"]
    assert found["r"]["outcome"] == "passed"
