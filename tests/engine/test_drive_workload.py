"""Workloads on a real engine, against nginx, PostgreSQL and a shell: two shared runs, and what their journals say."""

from __future__ import annotations

from collections import Counter

import pytest

from cleanroom.drive.workload.operation import WorkloadRecord
from cleanroom.pipeline.verify import verify
from cleanroom.run.journal import read_journal
from cleanroom.run.record import IterationRecord
from tests.engine import runs

SPECS = runs.ROOT / "tests" / "specs" / "drive"
SCENARIOS = {
    "nobody listens": "none of 10 operations succeeded (connection_refused 10)",
    "some fail and nothing speaks of it": "of 100 operations failed: list their error types in `allow`",
    "an expectation of an operation is broken": "none of 10 operations succeeded (a broken expect 10)",
    "a rate that one worker cannot keep": "of 500 operations were begun: a rate of 500/s was asked for",
    "what is allowed hides no other failure": "nothing beside that failed, found none of 40 operations succeeded",
    "the time of the step is over before anything begins": "0 of operations were begun: 20ms passed before it was done",
    "the time of the step is over first": "operations were begun: 4s passed before it was done",
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The run in which everything is well."""
    found = runs.cleanroom(str(SPECS / "workload.cleanroom.yaml"), out=tmp_path_factory.mktemp("workload"))
    assert found.code == 0, found.said
    return found


@pytest.fixture(scope="module")
def iterations(ran) -> tuple[IterationRecord, ...]:
    return read_journal(ran.out / "journal").suites[0].iterations


@pytest.fixture(scope="module")
def controls(tmp_path_factory):
    found = runs.cleanroom(str(SPECS / "control-workload.cleanroom.yaml"), out=tmp_path_factory.mktemp("control"))
    assert found.code == 1, found.said
    return found


def workload(iteration: IterationRecord, step: str) -> WorkloadRecord:
    return next(w for scenario in iteration.scenarios for w in scenario.workloads if w.step == step)


def each(iterations, step):
    assert len(iterations) == 2
    return [workload(iteration, step) for iteration in iterations]


def test_both_iterations_have_one_digest_while_workloads_run(ran):
    found = [iteration["digests"]["digest"] for iteration in ran.suite("workload")["iterations"]]
    assert len(found) == 2
    assert len(set(found)) == 1


def test_the_report_with_its_time_lines_is_verified(ran):
    assert list((ran.out / "timelines").iterdir())
    assert verify(str(ran.out)).discrepancies == ()


def test_a_closed_loop_does_every_operation_once_with_the_same_values_in_both_iterations(iterations):
    seen = []
    for record in each(iterations, "closed"):
        assert record.operations.counts() == {"ok": 200, "allowed": 0, "failed": 0}
        parts = sorted(tuple(map(int, one.value.split("/"))) for one in record.operations)
        # Operation n is worker n % 4's, and the sequence counts by its number.
        assert sorted((n, w, s) for w, n, s in parts) == [(n, n % 4, 1000 + 10 * n) for n in range(200)]
        assert all(one.intended_ns == one.start_ns < one.end_ns for one in record.operations)
        seen.append(parts)
    assert seen[0] == seen[1]


def test_an_open_rate_is_journalled_by_intended_starts_whatever_the_machine_did(iterations):
    for number, record in enumerate(each(iterations, "open")):
        assert record.name == f"mixed-{number}"
        assert [one.intended_ns - record.began_ns for one in record.operations] == [n * 10**7 for n in range(200)]
        assert all(one.start_ns >= one.intended_ns for one in record.operations)
        assert Counter(one.name for one in record.operations) == Counter(
            one.name for one in each(iterations, "open")[0].operations
        )
        assert {(one.name, one.outcome) for one in record.operations} == {("often", "ok"), ("rare", "allowed")}


def test_a_hundred_workers_lose_no_update(iterations):
    for record in each(iterations, "count"):
        assert sorted(one.value for one in record.operations) == list(range(1, 1001))
        assert set(Counter(record.operations.worker).values()) == {10}


def test_what_could_not_be_serialised_was_tried_again(iterations):
    for record in each(iterations, "contend"):
        assert sorted(one.value for one in record.operations) == list(range(1, 201))
    assert sum(one.attempts for record in each(iterations, "contend") for one in record.operations) > 400


def test_operations_that_run_out_of_time_count_at_their_limit(iterations):
    for record in each(iterations, "slow"):
        assert [(one.outcome, one.error_type) for one in record.operations] == [("allowed", "timeout")] * 4
        assert all(one.end_ns - one.start_ns >= 200 * 10**6 for one in record.operations)


def test_commands_are_operations_too(iterations):
    for record in each(iterations, "commands"):
        assert sorted(one.value for one in record.operations) == [str(n) for n in range(1, 10)]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_workload_that_did_not_do_what_was_asked_fails_with_figures(scenario, controls):
    (found,) = [one for one in controls.suite("control-workload")["scenarios"] if one["name"] == scenario]
    (record,) = found["iterations"]
    assert [SCENARIOS[scenario] in step["reason"] for step in record["steps"]] == [True], record["steps"]
    assert record["findings"]
