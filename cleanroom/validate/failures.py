"""Failures that are right or accepted: `expect_failure` and `known_failure` of a scenario (spec.md section 4)."""

from __future__ import annotations

from dataclasses import replace

from cleanroom.run.record import ScenarioRecord, StepRecord
from cleanroom.spec.scenario import Scenario
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.rules import ALWAYS
from cleanroom.validate.verdict import has_error, is_known

# A defect of the system under test may be accepted; what spoils the evidence, or stays on the machine, may not.
_NEVER_ACCEPTED = (ALWAYS - {"service.ended"}) | {"fault.verified", "fault.reverted"}


def judge_expected_failure(scenario: Scenario, record: ScenarioRecord) -> tuple[Check, ...]:
    """Return one check for `expect_failure`: some step met an error in the way its `expect` says; none breaks it."""
    wanted = scenario.expect_failure
    if wanted is None:
        return ()
    rule, name = "scenario.expect_failure", "a step fails as expected"
    why = f" ({wanted.reason})" if wanted.reason else ""
    failing = [step for step in record.steps if step.failed_as_said]
    if failing:
        told = ", ".join(f'"{step.name}" with {step.error_type}' for step in failing)
        return (Check(rule=rule, name=name, at=scenario.at, note=f"as expected{why}: {told}"),)
    if record.trouble is not None:
        return (Check(rule=rule, name=name, at=scenario.at, inconclusive=record.trouble.message),)
    finding = Finding(
        rule=rule,
        at=scenario.at,
        expected=f"at least one step that fails, in the way its expect says where it has one{why}",
        found=_otherwise(record.steps),
        remedy="take expect_failure out if the scenario is to pass",
    )
    return (Check(rule=rule, name=name, at=scenario.at, findings=(finding,)),)


def _otherwise(steps: tuple[StepRecord, ...]) -> str:
    failed = [f'"{step.name}": {step.reason or step.error_type}' for step in steps if step.outcome == "failed"]
    return f"a failure of another kind: {'; '.join(failed)}" if failed else "no step failed"


def accept(scenario: Scenario, record: ScenarioRecord, checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """Return the checks with those marked that `known_failure` accepts, and whether the defect is still there.

    What spoils the evidence is never accepted: forged or undecodable telemetry, none at all, faults without evidence,
    leftovers. A scenario that passes though the spec calls it broken is a finding when the entry is strict.
    """
    known = scenario.known_failure
    if known is None:
        return checks
    marked = tuple(replace(c, accepted=known.reason) if _acceptable(c) else c for c in checks)
    rule, name = "scenario.known_failure", "the accepted defect is still there"
    if any(is_known(c) for c in marked):
        still = Check(rule=rule, name=name, at=scenario.at, note=f"known: {known.reason}")
    elif record.trouble is not None or any(c.inconclusive or has_error(c) for c in marked):
        why = record.trouble.message if record.trouble is not None else "something else kept it from being judged"
        still = Check(rule=rule, name=name, at=scenario.at, inconclusive=why)
    else:
        still = Check(rule=rule, name=name, at=scenario.at, note=f"it passed, though known: {known.reason}")
        if known.strict:
            finding = Finding(
                rule=rule,
                at=scenario.at,
                expected=f"the accepted defect: {known.reason}",
                found="the scenario passed",
                remedy="take known_failure out: the defect is gone; or write strict: false while it comes and goes",
            )
            still = replace(still, findings=(finding,))
    return (*marked, still)


def _acceptable(check: Check) -> bool:
    return (
        has_error(check)
        and check.rule not in _NEVER_ACCEPTED
        and not any(f.telemetry_missing and f.level == "error" for f in check.findings)
    )
