"""The whole fault timeline of a suite, drawn before anything starts; `run` draws nothing (design section 5)."""

from __future__ import annotations

from dataclasses import replace

from cleanroom.errors import SpecError
from cleanroom.plan.model import FaultEvent, ScenarioPlan
from cleanroom.plan.stream import Stream, stream_digest
from cleanroom.quantity import Duration
from cleanroom.spec.fault import AtManual, AtOffset, AtStep, Fault, Moment
from cleanroom.spec.suite import Suite


def draw(suite: Suite, seed: int) -> tuple[ScenarioPlan, ...]:
    """Return the timeline of every scenario, in the order of the file; raises `SpecError` for what cannot be drawn.

    Every occurrence has a stream of its own, so that adding, removing or changing one fault leaves the draws of all
    others as they were. An occurrence that `probability` decided against is kept, with `drawn` false.
    """
    services = tuple(sorted(service.name for service in suite.services))
    return tuple(
        ScenarioPlan(
            scenario=scenario.name,
            events=tuple(
                _event(fault, scenario.name, services, (seed, occurrence))
                for fault in scenario.chaos
                for occurrence in range(fault.repeat.times if fault.repeat else 1)
            ),
        )
        for scenario in suite.scenarios
    )


def _event(fault: Fault, scenario: str, services: tuple[str, ...], draws: tuple[int, int]) -> FaultEvent:
    seed, occurrence = draws
    name = stream_digest(seed, scenario, fault.id, occurrence)
    stream = Stream(name)
    return FaultEvent(
        fault=fault,
        scenario=scenario,
        occurrence=occurrence,
        stream=name,
        # Parts, not one sequence: a changed probability must not change who is struck.
        drawn=stream.part("probability").uniform() < fault.probability,
        targets=_targets(fault, services, stream.part("targets")),
        moment=_moment(fault, occurrence),
        parameters=fault.parameters,
    )


def _targets(fault: Fault, services: tuple[str, ...], stream: Stream) -> tuple[str, ...]:
    """Return the services that are struck; a fault limited by `between` strikes that pair."""
    target = fault.target
    if target is None:
        return fault.between
    if target.all:
        return services
    if target.any_of:
        if not 1 <= target.count <= len(set(target.any_of)):
            raise SpecError(
                f"{fault.at}: fault {fault.id!r}: count is {target.count}, expected 1 to {len(set(target.any_of))}",
                remedy="name more services in any_of, or lower count",
            )
        # Sorted: the order in which the spec lists candidates means nothing.
        return tuple(sorted(stream.sample(sorted(set(target.any_of)), target.count)))
    return (target.service,)


def _moment(fault: Fault, occurrence: int) -> Moment:
    """Return when an occurrence is due: `every` apart from the first, counted from what the first is bound to."""
    if fault.repeat is None or occurrence == 0:
        return fault.moment
    shift = Duration(fault.repeat.every.ns * occurrence)
    match fault.moment:
        case AtOffset(offset=offset):
            return AtOffset(offset=Duration(offset.ns + shift.ns))
        case AtStep(moment="before", step=step):
            # Before a step can only be the first occurrence; the next ones fall into the step itself.
            return AtStep(moment="during", step=step, offset=shift)
        case AtStep() as moment:
            return replace(moment, offset=Duration(moment.offset.ns + shift.ns))
        case AtManual():
            raise SpecError(
                f"{fault.at}: fault {fault.id!r} is injected by hand, so it cannot repeat by itself",
                remedy="remove `repeat`, or inject it in several steps",
            )
