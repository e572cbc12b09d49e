"""Cross-references inside one scenario: its steps, its faults, and the expectations that speak of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cleanroom.spec.document import Scalar, Table
from cleanroom.spec.fault import AtManual, AtOffset, AtStep
from cleanroom.spec.operand import shown
from cleanroom.spec.reference import items_at, locate, require, require_unique, text_at
from cleanroom.spec.scenario import ExecAction, HealAction, HttpAction, InjectAction

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.expect import Expect
    from cleanroom.spec.fault import Fault
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.scenario import Scenario, Step
    from cleanroom.spec.source import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What is written in a scenario, whether or not the rest of each declaration is right."""

    services: tuple[str, ...]
    steps: tuple[str, ...]
    """Names in order."""
    faults: tuple[str, ...]
    by_position: dict[Position, Node]
    """Steps and faults."""


def check_scenario(scenario: Scenario, node: Node, services: tuple[str, ...], log: ProblemLog) -> None:
    """Report what does not fit together in `scenario`, which `node` wrote."""
    steps, faults = items_at(node, "steps"), items_at(node, "chaos")
    declared = Declared(
        services=services,
        steps=tuple(text_at(step, "name") for step in steps),
        faults=tuple(text_at(fault, "id") for fault in faults),
        by_position={child.at: child for child in (*steps, *faults)},
    )
    require_unique(_names(steps, "name"), "step", log)
    require_unique(_names(faults, "id"), "fault", log)
    for step in scenario.steps:
        _check_step(step, scenario, declared, log)
    for fault in scenario.chaos:
        _check_fault(fault, scenario, declared, log)
    if scenario.expect is not None:
        check_windows(scenario.expect, declared.faults, locate(node, "expect"), log)


def _names(nodes: tuple[Node, ...], key: str) -> list[tuple[str, Position]]:
    return [(text_at(node, key), _at(node, node.at, key)) for node in nodes if text_at(node, key)]


def check_windows(expect: Expect, faults: tuple[str, ...], node: Node | None, log: ProblemLog) -> None:
    """Report expectations during, before or after a fault that does not exist, and identifiers used twice."""
    by_position = {child.at: child for child in items_at(node, "spans")}
    for span in expect.spans:
        written = by_position.get(span.at)
        for key, fault in (("during", span.during), ("before", span.before), ("after", span.after)):
            if fault:
                require(fault, _at(written, span.at, key), faults, "fault", log)
    identified = ((span.id, _at(by_position.get(span.at), span.at, "id")) for span in expect.spans if span.id)
    require_unique(identified, "expectation", log)


def _at(node: Node | None, fallback: Position, *path: str | int) -> Position:
    found = locate(node, *path)
    return found.at if found else fallback


def _check_step(step: Step, scenario: Scenario, declared: Declared, log: ProblemLog) -> None:
    node = declared.by_position.get(step.at)
    action = step.action
    if isinstance(action, (ExecAction, HttpAction)):
        key = "exec" if isinstance(action, ExecAction) else "http"
        require(action.service, _at(node, step.at, key, "service"), declared.services, "service", log)
        return
    if not isinstance(action, (InjectAction, HealAction)):
        return
    key = "inject" if isinstance(action, InjectAction) else "heal"
    at = _at(node, step.at, key)
    if not require(action.fault, at, declared.faults, "fault", log):
        return
    fault = next((f for f in scenario.chaos if f.id == action.fault), None)
    if fault is None:
        return  # broken, and reported where it is declared
    if not isinstance(fault.moment, AtManual):
        message = f"the fault {shown(fault.id)} begins by itself: a step can {key} only a fault with at: manual"
        log.report("not-manual", at, message, suggestion=f"write at: manual at {fault.at}, or take the step out")
    elif isinstance(action, HealAction):
        before = scenario.steps[: scenario.steps.index(step)]
        if not any(isinstance(s.action, InjectAction) and s.action.fault == fault.id for s in before):
            log.report("impossible", at, f"no step before this one injects the fault {shown(fault.id)}")


def _check_fault(fault: Fault, scenario: Scenario, declared: Declared, log: ProblemLog) -> None:
    node = declared.by_position.get(fault.at)
    _check_target(fault, node, declared, log)
    _check_moment(fault, node, declared, log)
    injected = any(isinstance(s.action, InjectAction) and s.action.fault == fault.id for s in scenario.steps)
    if isinstance(fault.moment, AtManual) and not injected and _all_readable(scenario, declared):
        message = f"the fault {shown(fault.id)} is manual and no step injects it"
        suggestion = f"add a step with inject: {fault.id}"
        log.report("never-injected", _at(node, fault.at, "at"), message, suggestion=suggestion)


def _all_readable(scenario: Scenario, declared: Declared) -> bool:
    return len(scenario.steps) == len(declared.steps)


def _check_target(fault: Fault, node: Node | None, declared: Declared, log: ProblemLog) -> None:
    target = fault.target
    if target is not None and target.service:
        path = ("target", "name") if isinstance(locate(node, "target"), Table) else ("target",)
        require(target.service, _at(node, fault.at, *path), declared.services, "service", log)
    written = locate(node, "target", "any_of") if target is not None else locate(node, "between")
    for child in items_at(written):
        if isinstance(child, Scalar) and isinstance(child.value, str):
            require(child.value, child.at, declared.services, "service", log)


def _check_moment(fault: Fault, node: Node | None, declared: Declared, log: ProblemLog) -> None:
    moment = fault.moment
    begins = -1
    if isinstance(moment, AtStep):
        at = _at(node, fault.at, "at", f"{moment.moment}_step")
        if not require(moment.step, at, declared.steps, "step", log):
            return
        begins = declared.steps.index(moment.step)
        is_last = begins == len(declared.steps) - 1
        if moment.moment == "after" and is_last and fault.duration is None and not fault.until_step:
            message = f"the fault {shown(fault.id)} would begin after the last step and end at once"
            log.report("impossible", at, message, suggestion="give it a duration (for: …), or an earlier step")
    if not fault.until_step:
        return
    until = _at(node, fault.at, "until", "step")
    if not require(fault.until_step, until, declared.steps, "step", log):
        return
    ends = declared.steps.index(fault.until_step)
    first = begins + 1 if isinstance(moment, AtStep) else 1 if isinstance(moment, AtOffset) else 0
    # `after x` and `until y` with y right after x leaves no time in which anything runs.
    if isinstance(moment, AtStep) and moment.moment == "after":
        first += 1
    if ends < first:
        message = f"the fault {shown(fault.id)} would end before anything runs under it"
        log.report("impossible", until, message, suggestion="end it before a later step")
