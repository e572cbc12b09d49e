"""Figures of resilience and what services use, measured in one real run: the good ones hold, each control breaks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from cleanroom.run.journal import read_journal

sys.path.insert(0, str(Path(__file__).parent))
from runs import ROOT, Ran, cleanroom

SPECS = ROOT / "tests" / "specs" / "drive"
NAMES = ("figures", "control-figures", "figures-workload", "control-figures-workload")
BROKEN = {
    "operations", "success_rate", "availability", "unavailability", "latency.avg", "latency.p50", "latency.p95",
    "latency.p99", "latency.max", "throughput", "degradation", "recovery_time.avg", "recovery_time.p95",
    "recovery_time.max", "detection_time", "rto", "rpo", "error_budget.burn", "stability.variance",
    "stability.last_to_first",
}  # fmt: skip


# Told whether or not a spec judges them: not what is the same twice, nor what only a spec says.
TOLD = BROKEN - {"error_budget.burn", "rpo"}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    specs = [str((SPECS / f"{name}.cleanroom.yaml").relative_to(ROOT)) for name in NAMES]
    return cleanroom(*specs, out=tmp_path_factory.mktemp("figures"))


def checks(ran: Ran, suite: str, scenario: str) -> list[dict[str, Any]]:
    """Every check of a scenario's figures, over all iterations."""
    (found,) = [one for one in ran.suite(suite)["scenarios"] if one["name"] == scenario]
    every = [check for iteration in found["iterations"] for check in iteration["checks"]]
    return [check for check in every if check["rule"].startswith(("resilience.", "resources."))]


def test_figures_that_hold_pass_and_stay_out_of_the_digest(ran: Ran):
    suite = ran.suite("figures")
    assert (suite["verdict"], suite["determinism"]["verdict"]) == ("pass", "pass"), ran.said
    digests = {iteration["digests"]["digest"] for iteration in suite["iterations"]}
    assert len(suite["iterations"]) == 2
    assert len(digests) == 1
    notes = [tuple(c["note"] for c in checks(ran, "figures", s["name"])) for s in suite["scenarios"]]
    assert all(all(of) for of in notes)


def test_every_figure_of_resilience_breaks_where_something_else_is_wanted(ran: Ran):
    found = checks(ran, "control-figures", "asked before, while and after it is gone")
    assert {c["rule"].removeprefix("resilience.") for c in found if c["verdict"] == "fail"} == BROKEN
    assert {c["verdict"] for c in found} == {"fail"}, ran.said


def test_every_figure_of_resources_breaks_where_something_else_is_wanted(ran: Ran):
    found = checks(ran, "control-figures", "what it used")
    assert {c["name"].removeprefix("resources ") for c in found} == {
        "api memory_peak", "api cpu_time", "api open_files", "api growth", "api restarts", "api oom_killed",
        "small oom_killed", "frail restarts",
    }  # fmt: skip
    assert {c["verdict"] for c in found} == {"fail"}, ran.said


def test_a_figure_of_nothing_breaks_and_one_of_a_fault_that_was_not_drawn_is_inconclusive(ran: Ran):
    nothing = checks(ran, "control-figures", "without an operation, without a recovery")
    assert {c["verdict"] for c in nothing} == {"fail"}, ran.said
    assert all("none: " in finding["found"] for c in nothing for finding in c["findings"])
    not_drawn = checks(ran, "control-figures", "a fault that was not drawn")
    assert {c["verdict"] for c in not_drawn} == {"inconclusive"}, ran.said


def test_every_figure_of_a_workload_holds_with_one_digest_although_no_two_iterations_have_the_same(ran: Ran):
    suite = ran.suite("figures-workload")
    assert (suite["verdict"], suite["determinism"]["verdict"]) == ("pass", "pass"), ran.said
    assert len(suite["iterations"]) == 3
    assert len({iteration["digests"]["digest"] for iteration in suite["iterations"]}) == 1
    found = checks(ran, "figures-workload", "asked while it is killed")
    assert {c["rule"].removeprefix("resilience.") for c in found} == BROKEN
    measured = {c["note"] for c in found if c["rule"] == "resilience.rto"}
    assert len(measured) == 3, "three kills of a real server took exactly as long"


def test_every_figure_of_a_workload_breaks_where_something_else_is_wanted(ran: Ran):
    found = checks(ran, "control-figures-workload", "asked while it is killed")
    assert {c["rule"].removeprefix("resilience.") for c in found} == BROKEN
    assert {c["verdict"] for c in found} == {"fail"}, ran.said
    (lost,) = [c for c in found if c["rule"] == "resilience.rpo"]
    assert [finding["found"] for finding in lost["findings"]] == ["2"]


def test_invariants_of_a_real_journal_hold_and_break(ran: Ran):
    rules = {"invariants.acknowledged", "invariants.error_classes", "invariants.fairness"}
    for suite, verdict in (("figures-workload", "pass"), ("control-figures-workload", "fail")):
        (found,) = ran.suite(suite)["scenarios"]
        every = [check for iteration in found["iterations"] for check in iteration["checks"]]
        assert {(c["rule"], c["verdict"]) for c in every if c["rule"] in rules} == {(rule, verdict) for rule in rules}


def test_figures_of_a_workload_are_on_its_span_in_metrics_and_drawn(ran: Ran):
    (suite,) = [one for one in read_journal(ran.out / "journal").suites if one.plan.suite.name == "figures-workload"]
    for number, iteration in enumerate(suite.iterations, 1):
        metrics = {
            metric.name.removeprefix("cleanroom.resilience.")
            for payload in iteration.runner_payloads
            if payload.signal == "metrics"
            for resource in ExportMetricsServiceRequest.FromString(payload.body).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
        assert metrics == TOLD
        spans = (ran.out / "traces" / f"figures-workload-runner-{number}.jsonl").read_text(encoding="utf-8")
        assert {name for name in TOLD if f'"figure.load.{name}"' in spans} == TOLD
        (drawn,) = (ran.out / "timelines").glob(f"figures-workload-*-load-{number}.svg")
        assert "gone" in drawn.read_text(encoding="utf-8")
