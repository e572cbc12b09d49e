"""What every emulated fault of a link has in common: its targets, the ladder, the reversal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from cleanroom.canonical import Json
from cleanroom.drive.reach import Container
from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError, EngineError, NetworkError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.link import Link
from cleanroom.faults.silence import silenced
from cleanroom.faults.traffic.control import ControlTraffic
from cleanroom.faults.traffic.nft import FilterTraffic
from cleanroom.faults.traffic.place import Common, Place
from cleanroom.faults.traffic.queue import QueueTraffic
from cleanroom.faults.traffic.shape import Delay, Effect, Match, Reorder, Shape
from cleanroom.faults.victim import interrupted, visible_pid
from cleanroom.network.namespace import namespace_of_pid
from cleanroom.plan.model import FaultEvent

# A port that nobody listens on is as good as any: its refusal is a round trip as well.
_ANY_PORT = 9


class Traffic(Protocol):
    """A mechanism that applies one shape to one container, beside the shapes that are there already."""

    backend: str
    figures: dict[str, Json]
    lapses: list[str]
    """Why it was not in force, as asked, all the time until `remove`."""

    def apply(self) -> None:
        """Apply it as a whole; raises `CapabilityError` when this machine cannot."""

    def counters(self) -> dict[str, Json]:
        """Return what the mechanism counted so far: `packets` that matched, on how many it has `bitten`."""

    def remove(self) -> None:
        """Take it away as a whole; safe to call twice."""

    def leftovers(self) -> tuple[str, ...]:
        """Return what of it is still there."""


RUNGS: Mapping[str, Callable[[Common, Shape], Traffic]] = MappingProxyType({
    "netem": ControlTraffic, "nfqueue": QueueTraffic, "nftables": FilterTraffic, "htb": ControlTraffic
})  # fmt: skip


class Company:
    """The shapes that are active in one namespace, whatever their mechanisms: what is measured there shows them all."""

    def __init__(self) -> None:
        self.shapes: list[Shape] = []

    def delay_ns(self) -> int:
        """By how much all of them together may delay one packet."""
        return sum(_longest(shape.effect) for shape in self.shapes)


def _longest(effect: Effect) -> int:
    if isinstance(effect, Delay):
        return effect.delay.ns + 4 * effect.jitter.ns
    return effect.delay.ns if isinstance(effect, Reorder) else 0


@dataclass(slots=True)
class Hit:
    """One target: where it is, the way to it, and what was done to it."""

    name: str
    place: Place
    state: ContainerState
    link: Link
    traffic: Traffic | None = None
    shape: Shape | None = None
    others_ns: int = 0
    """What the other faults there may have added to a packet when the link was measured before this one."""

    @property
    def company(self) -> Company:
        """All that is active there."""
        return self.place.shared(Company)

    def passed(self) -> int:
        """How many packets the mechanism has struck or let pass, so far."""
        counted = self.traffic.counters() if self.traffic is not None else {}
        found = (value for key, value in counted.items() if key.rpartition(".")[2] == "packets")
        return sum(value for value in found if isinstance(value, int))


class Emulated:
    """One effect on every target of the event, by the first rung that this machine has for it."""

    def __init__(self, event: FaultEvent, context: FaultContext, effect: Effect, rungs: tuple[str, ...]) -> None:
        """Raise `CapabilityError` for a backend that the fault does not have."""
        fault = event.fault
        if fault.backend not in ("auto", *rungs):
            raise CapabilityError(
                f"{fault.kind} has no backend {fault.backend!r}", remedy=f"use auto, {', '.join(rungs)}"
            )
        self.event = event
        self.context = context
        self.effect = effect
        self.hits: list[Hit] = []
        self.backend = fault.backend
        self._rungs = tuple(name for name in rungs if fault.backend in ("auto", name))
        self._refusals: list[str] = []

    def look(self, hit: Hit) -> None:
        """Measure the link as it is before; raises `EngineError` when an effect on it could not be seen."""
        raise NotImplementedError

    def prove(self, hit: Hit, facts: dict[str, Json]) -> str:
        """Measure the link with the fault; return why that is no proof, or nothing."""
        raise NotImplementedError

    def residue(self, hit: Hit, facts: dict[str, Json]) -> str:
        """Measure the link after the fault; return what of the effect is still there, or nothing."""
        raise NotImplementedError

    def inject(self) -> None:
        """Measure the link as it is, then apply the effect with the first rung that this machine has."""
        for name in self.event.targets:
            container = self.context.containers[name]
            state = self.context.engine.inspect(container.id)
            link = self._link(container)
            hit = Hit(name, Place(namespace_of_pid(visible_pid(state))), state, link)
            self.hits.append(hit)
            # The pid was that container's before its namespace was opened, and is so still: nothing else was opened.
            visible_pid(state)
            hit.others_ns = hit.company.delay_ns()
            self.look(hit)
        for hit in self.hits:
            self.first_rung(hit)

    def first_rung(self, hit: Hit) -> None:
        """Apply the effect; raises `CapabilityError` with every rung's reason when none can."""
        refusals = []
        shape = self._shape(hit.name)
        for name in self._rungs:
            traffic = RUNGS[name](hit.place, shape)
            # Known before it is applied: whatever goes wrong there, `revert` finds it.
            hit.traffic = traffic
            try:
                traffic.apply()
            except CapabilityError as err:
                traffic.remove()
                hit.traffic = None
                refusals.append(err.message)
                continue
            self.backend = name
            self._refusals.extend(r for r in refusals if r not in self._refusals)
            hit.shape = shape
            hit.company.shapes.append(shape)
            return
        raise CapabilityError(
            f"no rung of {self.event.fault.kind} works here: {'; '.join(refusals)}",
            remedy="`cleanroom doctor` says what each rung needs",
        )

    def _shape(self, target: str) -> Shape:
        fault = self.event.fault
        peers = tuple(self.context.containers[p].address for p in fault.between if p != target)
        match = Match(direction=fault.direction, protocol=fault.protocol, ports=fault.ports, peers=peers)
        return Shape(match=match, effect=self.effect, stream=self.event.stream)

    def _link(self, container: Container) -> Link:
        """Measure over packets that the fault matches: on a port of its own, and from its peer where it has one."""
        fault = self.event.fault
        ports = tuple(p for p in fault.ports if p in container.ports) or fault.ports or container.ports
        port = ports[0] if ports else _ANY_PORT if fault.protocol == "tcp" else 0
        netns = None
        for peer in fault.between:
            if peer != container.service:
                state = self.context.engine.inspect(self.context.containers[peer].id)
                netns = namespace_of_pid(visible_pid(state))
        return Link(address=container.address, netns=netns, port=port)

    def ways(self) -> int:
        """How often a measured round trip is struck: per direction, and by both ends where a pair is struck."""
        return (2 if self.event.fault.direction == "both" else 1) * max(1, len(self.event.fault.between))

    def verify(self) -> Evidence:
        """Hold when the effect was measured on the way to every target."""
        facts: dict[str, Json] = {}
        if self._refusals:
            facts["refused_rungs"] = "; ".join(self._refusals)
        weak = [reason for hit in self.hits if (reason := self.prove(hit, facts))]
        return Evidence(holds=not weak and bool(self.hits), facts=facts, reason="; ".join(weak))

    def revert(self) -> None:
        """Take the effect away on every target; all are tried, whatever fails."""
        failures = []
        for hit in reversed(self.hits):
            if hit.traffic is None:
                continue
            try:
                hit.traffic.remove()
            except EngineError as err:
                failures.append(err.message)
            if hit.shape is not None:
                hit.company.shapes.remove(hit.shape)
                hit.shape = None
        if failures:
            raise EngineError("; ".join(failures))

    def verify_reversal(self) -> Evidence:
        """Hold when nothing of it is left and the link is as before; say where the effect ended before that."""
        facts: dict[str, Json] = {}
        left: list[str] = []
        lapses: list[str] = []
        for hit in self.hits:
            if hit.traffic is not None:
                facts.update({f"{hit.name}.{key}": value for key, value in hit.traffic.figures.items()})
                lapses.extend(f"{hit.name}: {lapse}" for lapse in hit.traffic.lapses)
                left.extend(f"{hit.name}: {what}" for what in _leftovers(hit.traffic))
            state = self._state(hit)
            if state != "same":
                facts[f"{hit.name}.state"] = state
            if words := interrupted(self.context, hit.name, hit.state.id, hit.state.started_at):
                lapses.append(f"{hit.name}: {words}")
            if state == "same" and hit.traffic is not None and (found := self.residue(hit, facts)):
                left.append(found)
            hit.place.close()
        reason = f"still there: {', '.join(left)}" if left else ""
        return Evidence(holds=not left, facts=facts, reason=reason, lapsed="; ".join(lapses))

    def _state(self, hit: Hit) -> str:
        try:
            now = self.context.engine.inspect(hit.state.id)
        except EngineError:
            return "gone"
        if now.status != "running":
            return now.status
        return "same" if now.started_at == hit.state.started_at else "restarted"

    def deaf(self, hit: Hit, facts: dict[str, Json]) -> str:
        """Return that nobody answers any more, unless another fault may be why: then our own listing is the proof."""
        if hit.company.shapes or silenced(hit.state.id):
            facts[f"{hit.name}.link_after"] = "not answered, under another fault"
            return ""
        return f"{hit.name} does not answer any more"

    def recovery(self) -> Recovery | None:
        """Nothing has to recover from what happened to packets."""
        return None


def _leftovers(traffic: Traffic) -> tuple[str, ...]:
    try:
        return traffic.leftovers()
    except (CapabilityError, NetworkError) as err:
        return (err.message,)


def refuse_udp(event: FaultEvent) -> None:
    """Refuse what cannot be measured across the link: nobody answers a datagram as a rule."""
    if event.fault.verify and event.fault.protocol == "udp":
        raise CapabilityError(
            f"{event.fault.kind} on udp alone cannot be measured across the link",
            remedy="use protocol any or tcp, or `verify: false` with a reason",
        )
