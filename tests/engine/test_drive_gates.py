"""What decides a run, on real runs: wanted and accepted failures, optional steps and suites, tiers, shares, limits."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.engine.runs import ROOT, cleanroom

SPECS = ROOT / "tests" / "specs" / "drive" / "gates"


@pytest.fixture(scope="module")
def met(tmp_path_factory):
    """One run of the full tier that passes by what was asked of it: everything that holds, and what is not required."""
    return cleanroom(
        str(SPECS), "--tags", "gates", "--tier", "full", "--min-pass-rate", "100", "--tier-timeout", "full=20s",
        out=tmp_path_factory.mktemp("met"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def missed(tmp_path_factory):
    """One run of the controls and of what stands behind them, ended by its failures, with shares that are missed."""
    return cleanroom(
        str(SPECS / "control-failures.cleanroom.yaml"), str(SPECS / "smoke.cleanroom.yaml"), "--fail-fast",
        "--min-pass-rate", "controls=50", "--min-pass-rate", "nobody=1", out=tmp_path_factory.mktemp("missed"),
    )  # fmt: skip


def junit(ran):
    return ET.parse(ran.out / "junit.xml")  # noqa: S314 - a file of our own


def outcomes(ran, suite):
    return {s["name"]: {turn["outcome"] for turn in s["iterations"]} for s in ran.suite(suite)["scenarios"]}


def broken(ran, suite, scenario):
    turns = next(s for s in ran.suite(suite)["scenarios"] if s["name"] == scenario)["iterations"]
    return {f["rule"] for turn in turns for c in turn["checks"] if c["verdict"] == "fail" for f in c["findings"]}


def test_what_holds_passes_and_each_scenario_says_how(met):
    assert met.code == 0, met.said
    assert outcomes(met, "gates smoke") == {
        "a failure that is wanted comes": {"passed"},
        "a wanted failure without words of its own": {"passed"},
        "an accepted defect": {"known"},
        "an optional step fails": {"degraded"},
    }
    assert met.report["counts"]["known"] == 1
    assert met.suite("gates smoke")["digest"]


def test_a_suite_that_is_not_required_is_told_and_does_not_decide(met):
    optional = met.suite("gates optional")
    assert (optional["verdict"], optional["required"], optional["tier"]) == ("fail", False, "full")
    assert met.report["verdict"] == "pass"
    assert b"gates optional" in met.stdout
    assert b"fail (not required)" in met.stdout


def test_what_was_not_run_is_named_everywhere_and_passed_nowhere(met):
    (skipped,) = [s for s in met.report["skipped"] if s["kind"] == "tier"]
    assert (skipped["suite"], skipped["scenarios"]) == ("gates weekly", ["what nobody asked for"])
    assert b"not run: gates weekly" in met.stdout
    assert "gates weekly" in (met.out / "summary.md").read_text()
    suite = next(s for s in junit(met).getroot() if s.get("name") == "gates weekly")
    assert (suite.get("tests"), suite.get("skipped")) == ("1", "1")


def test_a_share_counts_scenarios_of_required_suites_without_known_failures(met):
    (gate,) = met.report["gates"]
    assert (gate["state"], gate["passed"], gate["failed"], gate["known"]) == ("met", 3, 0, 1)
    cases = {c.get("name"): c for c in junit(met).iter("testcase")}
    assert len(cases["pass rate"].findall("*")) <= 1
    assert cases["pass rate"].find("failure") is None


def test_each_control_fails_by_its_own_rule(missed):
    assert missed.code == 1, missed.said
    name = "control failures"
    assert broken(missed, name, "a wanted failure does not come") == {"scenario.expect_failure"}
    assert broken(missed, name, "a failure of another kind") == {"scenario.expect_failure", "step.exit_code"}
    assert "scenario.expect_failure" in broken(missed, name, "a wanted failure is the scenario's own end")
    assert broken(missed, name, "an accepted defect is gone") == {"scenario.known_failure"}
    assert broken(missed, name, "an accepted defect comes and goes") == set()
    assert broken(missed, name, "an optional step may not fail") == {"outcome"}


def test_after_a_failure_nothing_starts_and_it_is_named(missed):
    (skipped,) = missed.report["skipped"]
    assert (skipped["suite"], skipped["kind"], len(skipped["scenarios"])) == ("gates smoke", "failures", 4)
    assert "--max-failures 1" in missed.report["repro"]


def test_shares_are_missed_also_by_nothing_at_all(missed):
    controls, nobody = missed.report["gates"]
    assert (controls["state"], controls["passed"], controls["failed"]) == ("missed", 1, 5)
    assert (nobody["state"], nobody["passed"] + nobody["failed"] + nobody["not_judged"]) == ("missed", 0)
    assert "failure" in missed.report["reasons"]


def test_a_budget_that_is_used_up_is_inconclusive(tmp_path):
    ran = cleanroom(str(SPECS / "optional.cleanroom.yaml"), str(SPECS / "weekly.cleanroom.yaml"), "--budget", "1ms",
                    out=tmp_path / "out")  # fmt: skip
    assert ran.code == 6, ran.said
    assert [(s["suite"], s["kind"]) for s in ran.report["skipped"]] == [
        ("gates optional", "budget"), ("gates weekly", "budget"),
    ]  # fmt: skip
    assert ran.report["suites"] == []
    assert not ran.report["empty"]
