"""One scenario, judged: all families of checks in a fixed order, and what the scenario's outcome is after them."""

from __future__ import annotations

from dataclasses import replace

from cleanroom.garbage import uncollected
from cleanroom.plan.model import Plan
from cleanroom.run.record import ScenarioRecord
from cleanroom.spec.expect import Expect
from cleanroom.spec.scenario import Scenario
from cleanroom.validate.arrival import judge_arrival
from cleanroom.validate.concurrency import judge_concurrency
from cleanroom.validate.counts import judge_counts
from cleanroom.validate.failures import accept, judge_expected_failure
from cleanroom.validate.faults import judge_faults, unreverted
from cleanroom.validate.faults_expected import judge_expected_faults
from cleanroom.validate.graph import judge_graph
from cleanroom.validate.hermeticity import judge_hermeticity
from cleanroom.validate.intervals import judge_intervals
from cleanroom.validate.invariants.judge import judge_invariants
from cleanroom.validate.lint import judge_lint
from cleanroom.validate.logs import judge_logs
from cleanroom.validate.metrics import judge_metrics
from cleanroom.validate.model import Check, ScenarioVerdict
from cleanroom.validate.order import judge_order
from cleanroom.validate.outcome import GOOD, judge_ending, judge_outcome
from cleanroom.validate.overlap import judge_overlap
from cleanroom.validate.property import judge_property
from cleanroom.validate.rate import judge_rate
from cleanroom.validate.resilience.judge import judge_resilience
from cleanroom.validate.resources import judge_resources
from cleanroom.validate.scene import Scene
from cleanroom.validate.spans import judge_spans
from cleanroom.validate.status import judge_status
from cleanroom.validate.steady_state import judge_steady_state
from cleanroom.validate.steps import judge_steps
from cleanroom.validate.survival import judge_survival
from cleanroom.validate.verdict import is_broken, is_known, is_open
from cleanroom.validate.windows import judge_windows


def judge_expect(scene: Scene, expect: Expect | None, *, of_suite: bool = False) -> tuple[Check, ...]:
    """Judge every check of one `expect` block on `scene`, in the order of spec.md section 6."""
    if expect is None:
        return ()
    with uncollected():
        return (
            *judge_outcome(scene, expect.outcome),
            *judge_spans(scene, expect.spans),
            *judge_graph(scene, expect.graph),
            *judge_counts(scene, expect.counts),
            *judge_windows(scene, expect.windows),
            *judge_order(scene, expect.order),
            *judge_overlap(scene, expect.overlap),
            *judge_intervals(scene, expect.intervals),
            *judge_rate(scene, expect.rate),
            *judge_concurrency(scene, expect.concurrency),
            *judge_status(scene, expect.status),
            *judge_hermeticity(scene, expect.hermeticity),
            *judge_resilience(scene, expect.resilience),
            *judge_resources(scene, expect.resources),
            *judge_expected_faults(scene, expect.faults),
            *judge_invariants(expect.invariants, scene.scenarios, of_suite=of_suite),
            *judge_lint(scene, expect.lint),
            *judge_metrics(scene, expect.metrics),
            *judge_logs(scene, expect.logs),
        )


def judge_scenario(plan: Plan, scenario: Scenario, scene: Scene) -> ScenarioVerdict:
    """Judge one recorded scenario: its steps, faults, `expect`, and what is judged of every scenario."""
    (record,) = scene.scenarios
    steps = judge_steps(scenario, record)
    faults = judge_faults(plan.timeline(scenario.name), record.faults)
    steady = judge_steady_state(scenario, record)
    stated = judge_expect(scene, scenario.expect)
    wanted = scenario.expect.outcome.outcome if scenario.expect and scenario.expect.outcome else ""
    failure = (*judge_property(scenario, record), *judge_expected_failure(scenario, record))
    ending = judge_ending(record, (*steady, *steps, *faults, *stated, *failure), wanted)
    found = (*steady, *steps, *faults, *stated, *failure, *ending, *judge_arrival(scene, scenario, record))
    found = accept(scenario, record, (*found, judge_survival(plan, scenario, record)))
    checks = tuple(_with_leave(check, scenario.allow_inconclusive) for check in found)
    return ScenarioVerdict(name=scenario.name, outcome=_outcome(record, checks, wanted), checks=checks)


def absent(scenario: Scenario, why: str) -> ScenarioVerdict:
    """Return the verdict on a planned scenario of which there is no record."""
    check = Check(
        rule="run.incomplete", name="the scenario ran", at=scenario.at, inconclusive=f"there is no record of it: {why}"
    )
    return ScenarioVerdict(name=scenario.name, outcome="inconclusive", checks=(check,))


def _with_leave(check: Check, leave: str) -> Check:
    """Put the scenario's own `allow_inconclusive` reason on a check that could not be judged."""
    return replace(check, allowed=check.allowed or leave) if check.inconclusive and leave else check


def _outcome(record: ScenarioRecord, checks: tuple[Check, ...], wanted: str) -> str:
    if record.trouble is not None or unreverted(record.faults):
        return "error"
    if any(is_broken(check) for check in checks):
        return "failed"
    if any(is_open(check) for check in checks):
        return "inconclusive"
    if any(is_known(check) for check in checks):
        return "known"
    return record.outcome if record.outcome in (*GOOD, wanted) else "passed"
