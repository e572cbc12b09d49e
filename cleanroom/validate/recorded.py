"""Spans that were recorded anywhere, judged by a spec's `expect`: what only a run knows is inconclusive, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType

from cleanroom.errors import ExitCode
from cleanroom.plan.model import Plan
from cleanroom.run.record import IterationRecord, ScenarioRecord
from cleanroom.spec.expect import Expect
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.source import Position
from cleanroom.telemetry.ports import Payload
from cleanroom.validate.arrival import judge_arrival
from cleanroom.validate.model import Check, IterationVerdict, RunVerdict, ScenarioVerdict, SuiteVerdict
from cleanroom.validate.occurrence import FaultState
from cleanroom.validate.scenario import judge_expect
from cleanroom.validate.scene import Scene, build_scenes
from cleanroom.validate.verdict import code_of_checks, figures, is_broken, is_open, word_of

NO_RUN = "only a run knows it, and these spans were recorded without one"
NO_RUNNER = "the runner's own spans are wanted, and none were given"
# What is judged of records that a run makes, never of what services sent.
_OF_RUN = (
    "outcome",
    "hermeticity.egress",
    "hermeticity.leaks",
    "step.",
    "fault.",
    "faults.",
    "resilience.",
    "resources.",
)
_GENUINE = frozenset({"telemetry.forged", "telemetry.decode"})


def judge_recorded(
    plan: Plan,
    payloads: tuple[Payload, ...],
    runner: tuple[Payload, ...] = (),
    *,
    scenario: Scenario | None = None,
    leave: str = "",
) -> RunVerdict:
    """Judge the suite's `expect` and, where one is named, a scenario's on all of `payloads`.

    `runner` are the runner's own spans, where they were recorded too. Steps, faults, outcomes, egress, leaks and fault
    windows are inconclusive; `leave` is the reason for which that is allowed, as the spec's `allow_inconclusive`.
    """
    scene = _scene(plan, payloads, runner)
    suite = plan.suite
    whole = judge_expect(scene, suite.expect, of_suite=True)
    of_suite = tuple(_honest(scene, suite.expect, check, leave) for check in whole)
    judged: tuple[ScenarioVerdict, ...] = ()
    if scenario is not None:
        stated = tuple(_honest(scene, scenario.expect, c, leave) for c in judge_expect(scene, scenario.expect))
        checks = (*_unknown(plan, scenario, leave), *stated, *_genuine(scene, scenario))
        judged = (ScenarioVerdict(name=scenario.name, outcome=_outcome(checks), checks=checks),)
    else:
        of_suite = (*of_suite, *_genuine(scene, suite.scenarios[0]))
    every = (*of_suite, *(check for verdict in judged for check in verdict.checks))
    code = code_of_checks(every)
    verdict = SuiteVerdict(
        name=suite.name,
        file=suite.file,
        verdict=word_of(code),
        exit_code=code,
        iterations=(IterationVerdict(index=0, scenarios=judged, checks=of_suite),),
        trouble=_why(every, code),
    )
    return RunVerdict(verdict=word_of(code), exit_code=code, suites=(verdict,), counts=figures((verdict,)))


def _scene(plan: Plan, payloads: tuple[Payload, ...], runner: tuple[Payload, ...]) -> Scene:
    """Return the scene of everything that was recorded, with no fault's time known."""
    first = plan.suite.scenarios[0].name
    # Only to have the payloads read as a run reads them: nothing of this record is judged.
    record = ScenarioRecord(name=first, outcome="passed", payloads=payloads)
    whole = build_scenes(plan, IterationRecord(index=0, slot=0, scenarios=(record,), runner_payloads=runner)).whole
    faults = {
        event.fault.id: FaultState(unusable=f"the window of fault {event.fault.id}: {NO_RUN}")
        for timeline in plan.scenarios
        for planned in timeline.events
        for event in planned.walk()
    }
    return replace(whole, faults=MappingProxyType(faults))


def _honest(scene: Scene, expect: Expect | None, check: Check, leave: str) -> Check:
    """Return the check, or that it could not be judged where it speaks of what is not there."""
    why = ""
    if check.rule.startswith(_OF_RUN):
        why = NO_RUN
    elif not scene.runner_spans and check.at in _about_runner(expect):
        why = NO_RUNNER
    if why:
        return Check(rule=check.rule, name=check.name, at=check.at, inconclusive=why, allowed=leave)
    return replace(check, allowed=leave) if check.inconclusive and not check.allowed else check


def _about_runner(expect: Expect | None) -> frozenset[Position]:
    """Return where expectations stand that name spans of the runner's, however deep in them the name is."""
    found: set[Position] = set()

    def walk(value: object, at: Position | None) -> None:
        if isinstance(value, Pattern):
            if value.of_runner and at is not None:
                found.add(at)
        elif isinstance(value, Mapping):
            for item in value.values():
                walk(item, at)
        elif isinstance(value, tuple):
            for item in value:
                walk(item, at)
        elif is_dataclass(value) and not isinstance(value, type):
            own = getattr(value, "at", at)
            for one in fields(value):
                walk(getattr(value, one.name), own if isinstance(own, Position) else at)

    walk(expect, None)
    return frozenset(found)


def _unknown(plan: Plan, scenario: Scenario, leave: str) -> Iterator[Check]:
    """Yield the checks of a scenario's steps and faults: each is named, and none is judged."""
    for step in scenario.steps:
        yield Check(rule="step.missing", name=f'step "{step.name}"', at=step.at, inconclusive=NO_RUN, allowed=leave)
    for event in plan.timeline(scenario.name):
        name = f"fault {event.fault.id}" + (f" occurrence {event.occurrence + 1}" if event.fault.repeat else "")
        yield Check(
            rule="fault.verified", name=f"{name} bit", at=event.fault.at, inconclusive=NO_RUN,
            allowed=leave or event.fault.allow_inconclusive,
        )  # fmt: skip


def _genuine(scene: Scene, scenario: Scenario) -> Iterator[Check]:
    """Yield what is judged of every trace, whatever a spec says."""
    record = ScenarioRecord(name=scenario.name, outcome="passed")
    yield from (check for check in judge_arrival(scene, scenario, record) if check.rule in _GENUINE)


def _outcome(checks: tuple[Check, ...]) -> str:
    if any(is_broken(check) for check in checks):
        return "failed"
    return "inconclusive" if any(is_open(check) for check in checks) else "passed"


def _why(checks: tuple[Check, ...], code: ExitCode) -> str:
    if code is not ExitCode.INCONCLUSIVE:
        return ""
    opened = sum(1 for check in checks if is_open(check))
    if not opened:
        return "nothing was judged: every expectation speaks of what only a run knows"
    return f"{opened} of {len(checks)} checks speak of what only a run knows"
