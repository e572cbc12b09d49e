"""What the steps of a scenario did: every step of the spec is a check (spec.md section 4, "Steps")."""

from __future__ import annotations

import re

from cleanroom.run.record import ScenarioRecord, StepBreach, StepRecord
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.source import Position
from cleanroom.spec.step import Step
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.rules import RULES
from cleanroom.validate.steady_state import broken_before

STEADY_STATE = "the steady state"
"""Stands for the failed step before those that were not run because the system was not well."""
_THOUGH = " though no step before it failed"
_HEAD = re.compile(r"[a-z_]+")


def judge_steps(scenario: Scenario, record: ScenarioRecord) -> tuple[Check, ...]:
    """Return one check for each step of the spec, in order, and one for each record that the spec does not name.

    A step without a record breaks, unless the run says what kept it (trouble) or a failed step before it explains it.
    Where the spec wants `outcome: failed`, failed steps are noted and the outcome is what is judged; so are steps that
    fail in the way `expect_failure` wants.
    """
    by_name = {step.name: step for step in record.steps}
    planned = {step.name for step in scenario.steps}
    checks: list[Check] = []
    failed = STEADY_STATE if broken_before(record) else ""
    for step in scenario.steps:
        found = by_name.get(step.name)
        if found is None:
            checks.append(_missing(step, record, failed))
            continue
        checks.append(_judge_one(found, step.at, failed, _leave(scenario, found)))
        if found.outcome == "failed" and not found.optional and not failed:
            failed = step.name
    extra = (s for s in record.steps if s.name not in planned)
    checks.extend(_judge_one(found, found.at, failed, _leave(scenario, found)) for found in extra)
    return tuple(checks)


def _judge_one(found: StepRecord, at: Position, failed_before: str, leave: str) -> Check:
    name = f'step "{found.name}"'
    if found.outcome == "passed":
        return Check(rule="step.failed", name=name, at=at)
    if found.outcome == "skipped":
        # A failed step explains that the rest was not begun, and not that there was no time left for it.
        if (failed_before and not found.error_type) or found.optional:
            why = found.reason or f'step "{failed_before}" failed'
            return Check(rule="step.skipped", name=name, at=at, note=f"skipped: {why}")
        finding = Finding(
            rule="step.skipped",
            at=at,
            expected=f'step "{found.name}" runs',
            found=f"it was skipped{'' if failed_before else _THOUGH}: {found.reason or 'no reason is recorded'}",
        )
        return Check(rule="step.skipped", name=name, at=at, findings=(finding,))
    if leave:
        return Check(rule="step.failed", name=name, at=at, note=f"failed ({leave}): {_reason(found)}")
    return Check(rule="step.failed", name=name, at=at, findings=_findings(found, at))


def _findings(found: StepRecord, at: Position) -> tuple[Finding, ...]:
    if found.breaches:
        return tuple(
            Finding(
                rule=_rule(breach),
                at=breach.at if breach.at.line else at,
                expected=f'step "{found.name}": {_wanted(breach)}',
                found=breach.found,
            )
            for breach in found.breaches
        )
    return (Finding(rule="step.failed", at=at, expected=f'step "{found.name}" passes', found=_reason(found)),)


def _missing(step: Step, record: ScenarioRecord, failed_before: str) -> Check:
    name = f'step "{step.name}"'
    if record.trouble is not None:
        why = f"it did not run: {record.trouble.message}"
        return Check(rule="step.skipped", name=name, at=step.at, inconclusive=why)
    if failed_before:
        return Check(rule="step.skipped", name=name, at=step.at, note=f'skipped: step "{failed_before}" failed')
    finding = Finding(
        rule="step.missing", at=step.at, expected=f'step "{step.name}" runs', found="there is no record of it"
    )
    return Check(rule="step.missing", name=name, at=step.at, findings=(finding,))


def _rule(breach: StepBreach) -> str:
    """`json.items[0].id` → `step.json`; what the registry does not know → `step.failed`."""
    head = _HEAD.match(breach.what)
    rule = f"step.{head[0]}" if head else ""
    return rule if rule in RULES else "step.failed"


def _wanted(breach: StepBreach) -> str:
    """Return what was wanted; an error that nothing speaks of is recorded as `error`, wanted `no error`."""
    return breach.expected if breach.what == "error" else f"{breach.what} {breach.expected}"


def _reason(found: StepRecord) -> str:
    parts = [found.reason or "it failed and gave no reason"]
    if found.error_type and found.error_type not in parts[0]:
        parts.append(f"error type {found.error_type}")
    if found.exit_code is not None and "exit" not in parts[0]:
        parts.append(f"exit code {found.exit_code}")
    return ", ".join(parts)


def _leave(scenario: Scenario, found: StepRecord) -> str:
    """Return why the step may fail, or the empty string."""
    wanted = scenario.expect.outcome if scenario.expect is not None else None
    if found.optional:
        return "optional"
    if scenario.expect_failure is not None and found.failed_as_said:
        return "as expect_failure wants"
    return "the spec wants the outcome failed" if wanted is not None and wanted.outcome == "failed" else ""
