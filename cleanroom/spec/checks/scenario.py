"""Cross-references inside one scenario: its steps, and what they and its expectations speak of (spec.md section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from cleanroom.spec.checks.chaos import check_chaos
from cleanroom.spec.checks.question import check_question
from cleanroom.spec.checks.references import check_references
from cleanroom.spec.fault import AtManual
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import one_of
from cleanroom.spec.reference import items_at, locate, require, require_unique, text_at
from cleanroom.spec.shapes.fault_table import FAULTS
from cleanroom.spec.shapes.step_expect import RESULTS
from cleanroom.spec.step import ACTIONS, HealAction, InjectAction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cleanroom.spec.document import Node
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.scenario import Scenario
    from cleanroom.spec.service import Service
    from cleanroom.spec.source import Position
    from cleanroom.spec.step import Step


Services: TypeAlias = "tuple[Mapping[str, Service | None], tuple[str, ...]]"
"""The services as they are written, None for one whose declaration is broken; all names, those of replicas included."""


def check_scenario(scenario: Scenario, node: Node, services: Services, log: ProblemLog) -> None:
    """Report what does not fit together in `scenario`, which `node` wrote."""
    declared, names = services
    steps = tuple(step_nodes(node))
    require_unique(_names(steps, "name"), "step", log)
    require_unique(_names(tuple(s for step in steps if (s := locate(step, "snapshot"))), "id"), "snapshot", log)
    require_unique(_journals(steps), "journal", log)
    for step in steps:
        _check_questions(step, names, log)
    for probe in items_at(node, "steady_state", "probes"):
        check_question(probe, names, log)
    _check_faults(scenario, node, {step.at: step for step in steps}, log)
    _check_oracle(scenario, node, log)
    check_references(node, log)
    check_chaos(scenario, node, declared, log)


def _check_oracle(scenario: Scenario, node: Node, log: ProblemLog) -> None:
    """Report an oracle whose result there is nothing to compare with: the last step's action has none."""
    oracle = locate(node, "property", "oracle")
    if oracle is None or len(scenario.steps) != len(items_at(node, "steps")):
        return
    last = scenario.steps[-1]
    action = ACTIONS[type(last.action)]
    if action not in RESULTS:
        message = f"the oracle has nothing to compare with: the last step, {shown(last.name)}, is {action}"
        log.report("impossible", oracle.at, message, expected=f"a last step with {one_of(RESULTS)}")


def step_nodes(scenario: Node) -> Iterator[Node]:
    """Yield the node of every step of a scenario: those inside `parallel` and workloads, and the oracle, too."""
    pending = list(reversed(items_at(scenario, "steps")))
    while pending:
        step = pending.pop()
        yield step
        mix = (locate(operation, "step") for operation in items_at(step, "workload", "mix"))
        inner = [*items_at(step, "parallel"), *(found for found in mix if found is not None)]
        pending += reversed(inner)
    oracle = locate(scenario, "property", "oracle")
    if oracle is not None:
        yield oracle


def _names(nodes: tuple[Node, ...], key: str) -> list[tuple[str, Position]]:
    return [(text_at(node, key), _at(node, node.at, key)) for node in nodes if text_at(node, key)]


def _journals(steps: tuple[Node, ...]) -> list[tuple[str, Position]]:
    """Return the name of each workload's journal; without one it is called like its step."""
    found = []
    for step in steps:
        written = locate(step, "workload")
        if written is not None:
            own = text_at(written, "journal")
            at = _at(written, written.at, "journal") if own else _at(step, step.at, "name")
            found.append((own or text_at(step, "name"), at))
    return [(name, at) for name, at in found if name]


def _check_questions(step: Node, services: tuple[str, ...], log: ProblemLog) -> None:
    check_question(step, services, log)
    check_question(locate(step, "wait_for"), services, log)
    check_question(locate(step, "snapshot", "of"), services, log)


def _faults(node: Node) -> tuple[str, ...]:
    return tuple(text_at(fault, "id") for fault in items_at(node, "chaos"))


def _at(node: Node | None, fallback: Position, *path: str | int) -> Position:
    found = locate(node, *path)
    return found.at if found else fallback


def _check_faults(scenario: Scenario, node: Node, steps: Mapping[Position, Node], log: ProblemLog) -> None:
    """Report steps that inject or heal a fault which is not there, begins by itself, or has not been injected."""
    known = _faults(node)
    injected: dict[str, bool] = {}
    for step in scenario.steps:
        for one in step.walk():
            _check_fault(one, scenario, (known, injected), (steps.get(one.at), log))
        # Neighbours in `parallel` begin together: none of them is injected before another.
        injected |= {one.action.fault: False for one in step.walk() if isinstance(one.action, HealAction)}
        injected |= {one.action.fault: True for one in step.walk() if isinstance(one.action, InjectAction)}


def _check_fault(
    step: Step, scenario: Scenario, ids: tuple[tuple[str, ...], dict[str, bool]], where: tuple[Node | None, ProblemLog]
) -> None:
    action, (known, injected), (node, log) = step.action, ids, where
    if not isinstance(action, InjectAction | HealAction):
        return
    key = ACTIONS[type(action)]
    at = _at(node, step.at, key)
    if not require(action.fault, at, known, "fault", log):
        return
    fault = next((f for f in scenario.chaos if f.id == action.fault), None)
    if fault is None:
        return  # broken, and reported where it is declared
    if not isinstance(fault.moment, AtManual):
        message = f"the fault {shown(fault.id)} begins by itself: a step can {key} only a fault with at: manual"
        log.report("not-manual", at, message, suggestion=f"write at: manual at {fault.at}, or take the step out")
    elif isinstance(action, HealAction) and FAULTS[fault.kind].instant:
        log.report("impossible", at, f"the fault {shown(fault.id)} is over as soon as it is injected: nothing to heal")
    elif isinstance(action, HealAction) and fault.id not in injected:
        log.report("impossible", at, f"no step before this one injects the fault {shown(fault.id)}")
    elif isinstance(action, HealAction) and not injected[fault.id]:
        log.report("impossible", at, f"a step before this one heals the fault {shown(fault.id)} already")
