"""The whole fault timeline of a suite, drawn before anything starts; `run` draws nothing (design section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cleanroom.errors import SpecError
from cleanroom.plan.composite import Parts, Strike, parts_of
from cleanroom.plan.model import FaultEvent, ScenarioPlan
from cleanroom.plan.stream import Stream, stream_digest
from cleanroom.quantity import Duration
from cleanroom.spec.checks.composite import members_of
from cleanroom.spec.fault import AtManual, AtOffset, AtProbe, AtStep, Fault, Moment
from cleanroom.spec.query import ExecAction
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.service import Service
from cleanroom.spec.step import InjectAction
from cleanroom.spec.suite import Suite
from cleanroom.spec.target import Target


def draw(suite: Suite, seed: int) -> tuple[ScenarioPlan, ...]:
    """Return the timeline of every scenario, in the order of the file; raises `SpecError` for what cannot be drawn.

    Every occurrence has a stream of its own, so that adding, removing or changing one fault leaves the draws of all
    others as they were. An occurrence that `probability` decided against is kept, with `drawn` false.
    """
    containers = {service.name: service.containers for service in suite.services}
    return tuple(
        _Drawing(scenario=scenario, services=suite.services, containers=containers, seed=seed).plan()
        for scenario in suite.scenarios
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    """The draws of one scenario."""

    scenario: Scenario
    services: tuple[Service, ...]
    containers: Mapping[str, tuple[str, ...]]
    """Of each service."""
    seed: int

    def plan(self) -> ScenarioPlan:
        parts = Parts(
            faults={fault.id: fault for fault in self.scenario.chaos},
            timeout=self.scenario.timeout,
            draw=lambda strike: self._part(strike, parts),
        )
        # A fault that others begin is a part of them; of its own it strikes where a step injects it.
        by_step = {s.action.fault for s in self.scenario.all_steps() if isinstance(s.action, InjectAction)}
        members = {name for fault in self.scenario.chaos for name in members_of(fault)} - by_step
        events = tuple(
            self._event(fault, occurrence, parts)
            for fault in self.scenario.chaos
            for occurrence in range(fault.repeat.times if fault.repeat else 1)
            if not (isinstance(fault.moment, AtManual) and fault.id in members)
        )
        return ScenarioPlan(scenario=self.scenario.name, events=events)

    def _event(self, fault: Fault, occurrence: int, parts: Parts) -> FaultEvent:
        stream = Stream(stream_digest(self.seed, self.scenario.name, fault.id, occurrence))
        inner = parts_of(fault, stream, (), parts)
        # Parts, not one sequence: a changed probability must not change who is struck.
        drawn = stream.part("probability").uniform() < fault.probability
        return FaultEvent(
            fault=fault,
            scenario=self.scenario.name,
            occurrence=occurrence,
            stream=stream.name,
            drawn=drawn,
            targets=self._targets(fault, stream.part("targets"), inner),
            moment=_moment(fault, occurrence),
            parameters=fault.parameters,
            inner=inner if drawn else _foregone(inner),
        )

    def _part(self, strike: Strike, parts: Parts) -> FaultEvent:
        """Return one strike of a composite, its own parts included."""
        fault, stream = strike.fault, strike.stream
        inner = parts_of(fault, stream, strike.path, parts)
        targets = self._targets(fault, stream.part("targets"), inner)
        if strike.single and targets:
            targets = (stream.part("one").choice(targets),)
        drawn = strike.drawn and stream.part("probability").uniform() < fault.probability
        return FaultEvent(
            fault=fault,
            scenario=self.scenario.name,
            occurrence=strike.index,
            stream=stream.name,
            drawn=drawn,
            targets=targets,
            moment=AtOffset(offset=strike.offset),
            parameters=fault.parameters,
            inner=inner if drawn else _foregone(inner),
        )

    def _targets(self, fault: Fault, stream: Stream, inner: tuple[FaultEvent, ...]) -> tuple[str, ...]:
        """Return the containers that are struck; a fault limited by `between` or `groups` strikes all of these."""
        if fault.target is not None:
            return self._struck(fault, fault.target, stream)
        named = [*fault.between, *_groups(fault)]
        proof = fault.parameters.get("inject")
        if isinstance(proof, ExecAction):
            named.append(proof.service)
        if named:
            return self._containers(*named)
        return tuple(dict.fromkeys(name for event in inner if event.drawn for name in event.targets))

    def _struck(self, fault: Fault, target: Target, stream: Stream) -> tuple[str, ...]:
        if target.all:
            return self._containers(*sorted(service.name for service in self.services))
        if target.label is not None:
            key, value = target.label
            labelled = sorted(s.name for s in self.services if s.labels.get(key) == value)
            if not labelled:
                raise SpecError(f"{fault.at}: fault {fault.id!r}: no service has the label {key}={value}")
            return self._containers(*labelled)
        if target.replica is not None:
            among = self._containers(target.of)
            if not 1 <= target.replica <= len(among):
                raise SpecError(f"{fault.at}: fault {fault.id!r}: there is no replica {target.replica} of {target.of}")
            return (among[target.replica - 1],)
        if target.any_of:
            if not 1 <= target.count <= len(set(target.any_of)):
                raise SpecError(
                    f"{fault.at}: fault {fault.id!r}: count is {target.count}, expected 1 to {len(set(target.any_of))}",
                    remedy="name more services in any_of, or lower count",
                )
            # Sorted: the order in which the spec lists candidates means nothing.
            return self._containers(*sorted(stream.sample(sorted(set(target.any_of)), target.count)))
        return self._containers(target.service)

    def _containers(self, *names: str) -> tuple[str, ...]:
        """Return the containers of these services; a service with replicas is struck as a whole."""
        return tuple(container for name in names for container in self.containers.get(name, (name,)))


def _foregone(events: tuple[FaultEvent, ...]) -> tuple[FaultEvent, ...]:
    """Return the parts of a composite that does not strike: none of them does."""
    return tuple(replace(event, drawn=False, inner=_foregone(event.inner)) for event in events)


def _groups(fault: Fault) -> tuple[str, ...]:
    groups = fault.parameters.get("groups", ())
    among = groups if isinstance(groups, tuple) else ()
    return tuple(str(name) for group in among if isinstance(group, tuple) for name in group)


def _moment(fault: Fault, occurrence: int) -> Moment:
    """Return when an occurrence is due: `every` apart from the first, counted from what the first is bound to."""
    if fault.repeat is None or occurrence == 0:
        return fault.moment
    shift = Duration(fault.repeat.every.ns * occurrence)
    match fault.moment:
        case AtStep(moment="before", step=step):
            # Before a step can only be the first occurrence; the next ones fall into the step itself.
            return AtStep(moment="during", step=step, offset=shift)
        case AtOffset() | AtStep() | AtProbe() as moment:
            return replace(moment, offset=Duration(moment.offset.ns + shift.ns))
        case AtManual():
            raise SpecError(
                f"{fault.at}: fault {fault.id!r} is injected by hand, so it cannot repeat by itself",
                remedy="remove `repeat`, or inject it in several steps",
            )
