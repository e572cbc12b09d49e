"""What the program for the other kernel takes for proven, and what it does not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "kernel"))
import inside

SPEC = Path("tests/specs/faults/network/latency.cleanroom.yaml")
CONTROL = Path("tests/specs/faults/network/control-latency.cleanroom.yaml")
FAULT = {
    "fault": "network.latency", "backend": "netem", "drawn": True, "verified": True, "reverted": True, "reason": "",
    "evidence": {"rtt_ms": 200},
}  # fmt: skip


def rows(spec: Path, verdict: str, **changed: object) -> list[inside.Row]:
    findings = [{"message": "it was too early"}] if verdict == "fail" else []
    iteration = {"faults": [{**FAULT, **changed}], "findings": findings, "trouble": None}
    return list(inside.rows(spec, {"verdict": verdict, "scenarios": [{"iterations": [iteration]}], "trouble": None}))


def test_a_fault_that_was_seen_and_taken_back_on_the_best_rung_is_proven():
    assert [(row.rung, row.verdict, row.holds) for row in rows(SPEC, "pass")] == [("netem", "proven", True)]


@pytest.mark.parametrize(
    "changed", [{"verified": False}, {"reverted": False}, {"evidence": {}}, {"backend": "nfqueue"}]
)
def test_one_that_lacks_any_of_it_is_not_as_it_must_be(changed):
    (row,) = rows(SPEC, "pass", **changed)
    assert not row.holds


def test_a_spec_that_does_not_pass_or_strikes_nothing_is_told():
    proven, told = rows(SPEC, "fail")
    assert (proven.holds, told.holds, told.where) == (True, False, "it was too early")
    (nothing,) = rows(SPEC, "pass", drawn=False)
    assert (nothing.holds, nothing.where) == (False, "no fault came")


@pytest.mark.parametrize(
    ("verdict", "verified", "holds"), [("inconclusive", False, True), ("fail", True, False), ("pass", False, False)]
)
def test_a_control_holds_when_its_fault_was_not_taken_for_proven(verdict, verified, holds):
    assert [row.holds for row in rows(CONTROL, verdict, verified=verified)] == [holds]


def test_every_family_is_in_the_choice_and_all_that_it_names_exists(monkeypatch):
    root = Path(__file__).parents[3]
    monkeypatch.chdir(root)
    chosen = [pattern for patterns in (*inside.CHOSEN.values(), inside.PRIVILEGED) for pattern in patterns]
    assert [pattern for pattern in chosen if not inside.specs_of([pattern])] == []
    families = {path.name for path in (root / inside.SPECS).iterdir()}
    assert families - {pattern.partition("/")[0] for pattern in chosen} == set()


def test_only_time_limits_are_stretched():
    text = "ready: {timeout: 15s}, delay: 200ms, timeout: 1.5m, idle_timeout: 3s"
    expected = "ready: {timeout: 90s}, delay: 200ms, timeout: 9m, idle_timeout: 3s"
    assert inside.stretched(text) == expected
