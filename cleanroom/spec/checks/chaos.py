"""Cross-references of the faults of one scenario: whom they strike, when, and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cleanroom.quantity import Duration
from cleanroom.spec.checks.composite import check_composites, members_of
from cleanroom.spec.checks.overlap import check_overlaps
from cleanroom.spec.checks.parameters import check_parameters
from cleanroom.spec.document import Scalar, Table
from cleanroom.spec.fault import AtManual, AtOffset, AtProbe, AtStep
from cleanroom.spec.operand import shown
from cleanroom.spec.probe import service_asked
from cleanroom.spec.problem import nearest, one_of
from cleanroom.spec.query import ExecAction
from cleanroom.spec.reference import items_at, locate, require, require_unique, text_at
from cleanroom.spec.shapes.fault_table import FAULTS
from cleanroom.spec.step import InjectAction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.document import Node
    from cleanroom.spec.fault import Fault
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.scenario import Scenario
    from cleanroom.spec.service import Service
    from cleanroom.spec.source import Position
    from cleanroom.spec.target import Target


def check_chaos(scenario: Scenario, node: Node, services: Mapping[str, Service | None], log: ProblemLog) -> None:
    """Report what does not fit together among the faults of `scenario`, which `node` wrote.

    `services` are all names that the spec declares; None is one whose declaration is broken and has been reported.
    """
    faults = items_at(node, "chaos")
    named = [(text_at(fault, "id"), at_or(fault, fault.at, "id")) for fault in faults if text_at(fault, "id")]
    require_unique(named, "fault", log)
    by_position = {child.at: child for child in faults}
    steps = _Steps.of(node)
    for fault in scenario.chaos:
        written = by_position.get(fault.at)
        _Whom(fault, written, services, log).check()
        _When(fault, written, steps, log).check(scenario)
        check_parameters(fault, written, log)
    ids = tuple(name for name, _ in named)
    check_composites(scenario, by_position, ids, tuple(services), log)
    check_overlaps(scenario.chaos, by_position, log)
    _check_injected(scenario, node, by_position, log)


def at_or(node: Node | None, fallback: Position, *path: str | int) -> Position:
    """Return the position of what stands at `path`, or `fallback`."""
    found = locate(node, *path)
    return found.at if found else fallback


def _check_injected(scenario: Scenario, node: Node, written: Mapping[Position, Node], log: ProblemLog) -> None:
    """Report manual faults that nothing injects, if every step and fault could be read."""
    if len(scenario.steps) != len(items_at(node, "steps")) or len(scenario.chaos) != len(items_at(node, "chaos")):
        return
    used = {s.action.fault for s in scenario.all_steps() if isinstance(s.action, InjectAction)}
    used |= {member for fault in scenario.chaos for member in members_of(fault)}
    for fault in scenario.chaos:
        if isinstance(fault.moment, AtManual) and fault.id not in used:
            message = f"the fault {shown(fault.id)} is manual and no step injects it"
            at = at_or(written.get(fault.at), fault.at, "at")
            log.report("never-injected", at, message, suggestion=f"add a step with inject: {fault.id}")


@dataclass(frozen=True, slots=True)
class _Steps:
    """The steps that a fault can be bound to, each with its place among those that run one after the other."""

    places: Mapping[str, int]

    @classmethod
    def of(cls, scenario: Node) -> _Steps:
        """Return the steps of a scenario; those inside `parallel` have the place of the step around them."""
        places: dict[str, int] = {}
        for index, step in enumerate(items_at(scenario, "steps")):
            pending = [step]
            while pending:
                one = pending.pop()
                places.setdefault(text_at(one, "name"), index)
                pending += items_at(one, "parallel")
        places.pop("", None)
        return cls(places)


@dataclass(frozen=True, slots=True)
class _Whom:
    """Whether what a fault names to strike is there, and can be struck so."""

    fault: Fault
    node: Node | None
    services: Mapping[str, Service | None]
    log: ProblemLog

    def check(self) -> None:
        """Report services, labels and replicas that are not there, and those that lack what the fault needs."""
        fault = self.fault
        if fault.target is not None:
            self._check_target(fault.target)
        self._check_sides([(child,) for child in items_at(self.node, "between")])
        self._check_sides([items_at(group) for group in items_at(self.node, "groups")])
        if fault.kind == "custom":
            for name, action in fault.parameters.items():
                if isinstance(action, ExecAction):
                    self._require(locate(self.node, name, "service"))
        if isinstance(fault.moment, AtProbe):
            self._check_probe(fault.moment)
        self._check_mocks()
        self._check_revival()

    def _require(self, node: Node | None) -> None:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            self._known(node.value, node.at)

    def _check_sides(self, sides: list[tuple[Node, ...]]) -> None:
        """Report names on the sides of a link that are neither services nor replicas, and containers on two sides."""
        containers: dict[str, tuple[str, ...]] = {}
        for service in filter(None, self.services.values()):
            containers |= {name: (name,) for name in service.containers} | {service.name: service.containers}
        seen: dict[str, int] = {}
        for number, side in enumerate(sides):
            for node in side:
                name = str(getattr(node, "value", ""))
                if name not in containers:
                    self._require(node)
                for container in containers.get(name, ()):
                    if seen.setdefault(container, number) != number:
                        message = f"{shown(container)} stands on two sides of the fault {shown(self.fault.id)}"
                        self.log.report("contradiction", node.at, message, expected="sides that share no container")
                        break

    def _known(self, name: str, at: Position) -> bool:
        if name in self.services:
            return True
        for service in self.services.values():
            if service is not None and service.replicas > 1 and name in service.containers:
                number = service.containers.index(name) + 1
                suggestion = f"write target: {{replica: {number}, of: {service.name}}}"
                message = f"{shown(name)} is a replica, not a service"
                self.log.report("unknown-service", at, message, suggestion=suggestion)
                return False
        return require(name, at, tuple(self.services), "service", self.log)

    def _check_target(self, target: Target) -> None:
        written = locate(self.node, "target")
        if target.service:
            path = ("target", "name") if isinstance(written, Table) else ("target",)
            self._known(target.service, at_or(self.node, self.fault.at, *path))
        for child in items_at(written, "any_of"):
            self._require(child)
        if target.label is not None:
            self._check_label(target.label, at_or(written, self.fault.at, "label"))
        if target.replica is not None:
            self._check_replica(target.of, target.replica)

    def _check_label(self, label: tuple[str, str], at: Position) -> None:
        found = [service for service in self.services.values() if service is not None]
        labels = {f"{key}={value}" for service in found for key, value in service.labels.items()}
        wanted = "=".join(label)
        # A broken service may be the one that has it.
        if wanted in labels or len(found) < len(self.services):
            return
        close = nearest(wanted, labels)
        expected = one_of(sorted(labels)) if labels else "no service has labels"
        suggestion = f"did you mean {close}?" if close else ""
        message = f"no service has the label {shown(wanted)}"
        self.log.report("unknown-label", at, message, expected=expected, suggestion=suggestion)

    def _check_replica(self, name: str, number: int) -> None:
        if not self._known(name, at_or(self.node, self.fault.at, "target", "of")):
            return
        service = self.services[name]
        if service is None or number <= service.replicas > 1:
            return
        at = at_or(self.node, self.fault.at, "target", "replica")
        if service.replicas == 1:
            message = f"the service {shown(name)} has no replicas"
            self.log.report("unknown-replica", at, message, suggestion=f"write target: {name}")
        else:
            message = f"there is no replica {number} of {shown(name)}"
            self.log.report("unknown-replica", at, message, expected=f"1 to {service.replicas}")

    def _check_probe(self, moment: AtProbe) -> None:
        name = service_asked(moment.probe.question)
        if name:
            when = locate(self.node, "at", "when")
            asked = [entry.value for entry in when.entries] if isinstance(when, Table) else []
            places = [place for place in (locate(node, "service") for node in asked) if place is not None]
            self._known(name, places[0].at if places else moment.probe.at)

    def _check_mocks(self) -> None:
        """Report a fault of containers that can only strike a mock: a mock has no processes and files of its own."""
        target = self.fault.target
        if target is None or not FAULTS[self.fault.kind].in_container:
            return
        names = [target.service, *target.any_of, target.of]
        for name in filter(None, names):
            service = self.services.get(name)
            if service is not None and service.mock is not None:
                message = f"the fault {self.fault.kind} strikes a container, and {shown(name)} is a mock"
                at = at_or(self.node, self.fault.at, "target")
                self.log.report("impossible", at, message, suggestion="strike a service, or use a fault of the network")

    def _check_revival(self) -> None:
        """Report a service that is to come back by a restart policy that it does not have."""
        target = self.fault.target
        service = self.services.get(target.service) if target is not None else None
        if service is None or service.mock is not None or self.fault.parameters.get("revive") != "policy":
            return
        if service.restart.policy == "no":
            message = f"{shown(service.name)} cannot come back by its restart policy: it has none"
            at = at_or(self.node, self.fault.at, "revive")
            self.log.report("impossible", at, message, suggestion="give it restart, or write revive: start")


@dataclass(frozen=True, slots=True)
class _When:
    """Whether a fault begins and ends at moments that come, in this order."""

    fault: Fault
    node: Node | None
    steps: _Steps
    log: ProblemLog

    def check(self, scenario: Scenario) -> None:
        """Report unknown steps and windows in which nothing runs."""
        fault = self.fault
        self._check_signal()
        if isinstance(fault.moment, AtOffset) and fault.moment.offset >= scenario.timeout:
            message = f"the fault {shown(fault.id)} would begin when the scenario's timeout is over"
            at = at_or(self.node, fault.at, "at")
            self.log.report("impossible", at, message, expected=f"less than {scenario.timeout}")
        self._check_repeat(scenario)
        if isinstance(fault.moment, AtStep) and not self._check_step(fault.moment, scenario):
            return
        if fault.until_step:
            self._check_until()

    def _check_repeat(self, scenario: Scenario) -> None:
        """Report occurrences that would begin when nothing runs any more."""
        fault = self.fault
        if fault.repeat is None or not isinstance(fault.moment, AtOffset) or fault.moment.offset >= scenario.timeout:
            return
        last = Duration(fault.moment.offset.ns + fault.repeat.every.ns * (fault.repeat.times - 1))
        if last >= scenario.timeout:
            message = f"the last occurrence of {shown(fault.id)} would begin after {last}, when the timeout is over"
            at = at_or(self.node, fault.at, "repeat")
            self.log.report("impossible", at, message, expected=f"less than {scenario.timeout}")

    def _check_step(self, moment: AtStep, scenario: Scenario) -> bool:
        at = at_or(self.node, self.fault.at, "at", f"{moment.moment}_step")
        if not require(moment.step, at, tuple(self.steps.places), "step", self.log):
            return False
        is_last = self.steps.places[moment.step] == max(self.steps.places.values())
        endless = self.fault.duration is None and not self.fault.until_step
        if moment.moment == "after" and is_last and endless and not FAULTS[self.fault.kind].instant:
            message = f"the fault {shown(self.fault.id)} would begin after the last step and end at once"
            self.log.report("impossible", at, message, suggestion="give it a duration (for: …), or an earlier step")
        step = next((step for step in scenario.all_steps() if step.name == moment.step), None)
        if step is not None and moment.offset >= step.timeout:
            message = f"the step {shown(step.name)} has ended by {moment.offset}: its timeout is {step.timeout}"
            late = at_or(self.node, self.fault.at, "at", "offset")
            self.log.report("impossible", late, message, expected=f"less than {step.timeout}")
        return True

    def _check_until(self) -> None:
        fault, moment = self.fault, self.fault.moment
        until = at_or(self.node, fault.at, "until", "step")
        if not require(fault.until_step, until, tuple(self.steps.places), "step", self.log):
            return
        ends = self.steps.places[fault.until_step]
        begins = self.steps.places[moment.step] if isinstance(moment, AtStep) else -1
        # A fault at an offset begins with the first step at the earliest; one that a step injects may come before all.
        first = begins + 1 if isinstance(moment, AtStep) else 1 if isinstance(moment, AtOffset | AtProbe) else 0
        # `after x` and `until y` with y right after x leaves no time in which anything runs.
        if isinstance(moment, AtStep) and moment.moment == "after":
            first += 1
        if ends < first:
            message = f"the fault {shown(fault.id)} would end before anything runs under it"
            self.log.report("impossible", until, message, suggestion="end it before a later step")

    def _check_signal(self) -> None:
        """Report a window of a signal that is over at once: only STOP lasts."""
        fault = self.fault
        signal = fault.parameters.get("signal")
        if fault.kind != "process.signal" or signal == "STOP":
            return
        for key in ("for", "until"):
            if locate(self.node, key) is not None and isinstance(self.node, Table):
                message = f"the fault {shown(fault.id)} is over as soon as {signal} has been sent"
                self.log.report("contradiction", self.node.key_at(key), message, suggestion="take the key out")
