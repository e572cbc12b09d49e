"""Whether every service was still there when its environment was closed: a crash that nobody met is one as well."""

from __future__ import annotations

from cleanroom.plan.model import Plan
from cleanroom.run.record import ScenarioRecord, ServiceRecord
from cleanroom.spec.probe import ExitProbe
from cleanroom.spec.scenario import Scenario
from cleanroom.validate import wording
from cleanroom.validate.model import Check, Finding

RULE = "service.ended"
_KILL = "container.kill"
_REMEDY = (
    "its log in the report says why; a service that is to end says so with `ready: [{exit: 0}]`, "
    "one that may crash has a `restart` policy"
)


def judge_survival(plan: Plan, scenario: Scenario, record: ScenarioRecord) -> Check:
    """Return the check that no service ended before it was asked to.

    Explained is the end of a one-shot service, of one that a fault killed for good, and of one of which a fault's
    recovery says already that it did not come back. An end with exit code 0, and restarts by a policy, are warnings.
    """
    struck = _struck(record) | (_planned_elsewhere(plan, scenario) if record.shared else frozenset())
    lost = {t for f in record.faults if f.recovery is not None and not f.recovery.success for t in f.targets}
    lost |= {name for name, revive in struck if revive == "none"}
    touched = {name for name, _ in struck} | _brought_back(record)
    findings: tuple[Finding, ...] = ()
    if record.trouble is None:
        found = (_of_one(plan, s, scenario, touched) for s in record.services if s.name not in lost)
        findings = tuple(f for f in found if f is not None)
    return Check(rule=RULE, name="services stayed up", at=scenario.at, findings=findings)


def _struck(record: ScenarioRecord) -> frozenset[tuple[str, str]]:
    """Return (service, revive) of every kill that was seen to end its target: a planned one ended nobody."""
    return frozenset(
        (target, str(fault.parameters.get("revive", "")))
        for fault in record.faults
        if fault.kind == _KILL and fault.verified
        for target in fault.targets
    )


def _planned_elsewhere(plan: Plan, scenario: Scenario) -> frozenset[tuple[str, str]]:
    """Return (service, revive) of every planned kill in the other scenarios of a shared environment."""
    return frozenset(
        (target, str(event.parameters.get("revive", "")))
        for other in plan.suite.scenarios
        if other.name != scenario.name
        for planned in plan.timeline(other.name)
        for event in planned.walk()
        if event.drawn and event.fault.kind == _KILL
        for target in event.targets
    )


def _brought_back(record: ScenarioRecord) -> set[str]:
    """Return the services that a fault ended so that their policy was to bring them back."""
    ended = (f for f in record.faults if f.verified and f.recovery is not None and f.recovery.strategy == "policy")
    return {target for fault in ended for target in fault.targets}


def _of_one(plan: Plan, record: ServiceRecord, scenario: Scenario, touched: set[str]) -> Finding | None:
    service = plan.suite.service(record.name)
    if any(isinstance(probe.question, ExitProbe) for probe in service.ready):
        return None
    again = wording.plural(record.restarts, "restart")
    if record.ended_early:
        how = "out of memory" if record.oom_killed else f"exit code {record.exit_code}"
        restarts = f", after {again}" if record.restarts else ""
        level, found = "error" if record.exit_code or record.oom_killed else "warning", f"it was {record.ended_early}"
        found = f"service {record.name} had ended by itself ({how}{restarts}): {found}"
    elif record.restarts and record.name not in touched:
        level, found = "warning", f"service {record.name} crashed and was brought back by its policy: {again}"
    else:
        return None
    return Finding(
        rule=RULE,
        level="error" if level == "error" else "warning",
        at=service.at if service.at.line else scenario.at,
        expected=f"service {record.name} runs until it is stopped",
        found=found,
        remedy=_REMEDY,
    )
