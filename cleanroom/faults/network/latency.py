"""Faults of the network family; the effect is a round trip measured across the link, before and while it is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from cleanroom.canonical import Json
from cleanroom.drive.reach import Container
from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError, EngineError, NetworkError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.link import Link
from cleanroom.faults.traffic.draw import delay_at_least
from cleanroom.faults.traffic.netem import NetemTraffic
from cleanroom.faults.traffic.place import Inside, Place
from cleanroom.faults.traffic.queue import QueueTraffic
from cleanroom.faults.traffic.shape import Delay, Distribution, Match, Shape
from cleanroom.faults.victim import visible_pid
from cleanroom.network.namespace import namespace_of_pid
from cleanroom.network.ports import Rtt
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration

# Without jitter every packet is late, so even the fastest of five round trips shows the delay: load only adds to it.
SAMPLES = 5
# With jitter the median counts; eleven packets of which at most 15 % are faster: it is one of those once in 400 times.
SAMPLES_WITH_JITTER = 11
FASTER = 0.15
SHARE = 0.8
# Below this, a busy machine's own delays look the same: the evidence would be noise.
RESOLUTION = Duration(10**6)
# A port that nobody listens on is as good as any: its refusal is a round trip as well.
_ANY_PORT = 9


class Traffic(Protocol):
    """A mechanism that applies one shape to one container."""

    backend: str
    figures: dict[str, Json]
    lapses: list[str]
    """Why it was not in force, as asked, all the time until `remove`."""

    def apply(self) -> None:
        """Apply it as a whole; raises `CapabilityError` when this machine cannot."""

    def remove(self) -> None:
        """Take it away as a whole; safe to call twice."""

    def leftovers(self) -> tuple[str, ...]:
        """Return what of it is still there."""


RUNGS: tuple[tuple[str, Callable[[Inside, Shape], Traffic]], ...] = (("netem", NetemTraffic), ("nfqueue", QueueTraffic))


@dataclass(slots=True)
class _Hit:
    """One target: where it is, what its link was like, and what was done to it."""

    name: str
    place: Place
    state: ContainerState
    link: Link
    before: Rtt
    traffic: Traffic | None = None


class Latency:
    """`network.latency(delay, jitter, distribution, correlation)` on every target of the event."""

    def __init__(self, event: FaultEvent, context: FaultContext) -> None:
        self._event = event
        self._context = context
        self._rungs = tuple((n, make) for n, make in RUNGS if event.fault.backend in ("auto", n))
        self._delay = delay_of(event)
        self._hits: list[_Hit] = []
        self._refusals: list[str] = []
        self.backend = event.fault.backend

    @property
    def _samples(self) -> int:
        return SAMPLES_WITH_JITTER if self._delay.jitter.ns else SAMPLES

    def inject(self) -> None:
        """Measure the link as it is, then apply the delay with the first rung that this machine has."""
        for name in self._event.targets:
            container = self._context.containers[name]
            state = self._context.engine.inspect(container.id)
            link = self._link(container)
            place = Place(namespace_of_pid(visible_pid(state)))
            hit = _Hit(name, place, state, link, Rtt(samples=(), lost=0, timeout=self._timeout()))
            self._hits.append(hit)
            # The pid was that container's before its namespace was opened, and is so still: nothing else was opened.
            visible_pid(state)
            hit.before = hit.link.measure(self._samples, self._timeout())
            if not hit.before.samples:
                raise EngineError(f"{name} does not answer, so a delay on it could not be seen")
        for hit in self._hits:
            self._first_rung(hit)

    def _first_rung(self, hit: _Hit) -> None:
        refusals = []
        for name, make in self._rungs:
            traffic = make(hit.place, self._shape(hit.name))
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
            return
        raise CapabilityError(
            f"no rung of network.latency works here: {'; '.join(refusals)}",
            remedy="`cleanroom doctor` says what each rung needs",
        )

    def _shape(self, target: str) -> Shape:
        fault = self._event.fault
        peers = tuple(self._context.containers[p].address for p in fault.between if p != target)
        match = Match(direction=fault.direction, protocol=fault.protocol, ports=fault.ports, peers=peers)
        return Shape(match=match, delay=self._delay, stream=self._event.stream)

    def _link(self, container: Container) -> Link:
        """Measure over packets that the fault matches: on a port of its own, and from its peer where it has one."""
        fault = self._event.fault
        ports = tuple(p for p in fault.ports if p in container.ports) or fault.ports or container.ports
        port = ports[0] if ports else _ANY_PORT if fault.protocol == "tcp" else 0
        netns = None
        for peer in fault.between:
            if peer != container.service:
                state = self._context.engine.inspect(self._context.containers[peer].id)
                netns = namespace_of_pid(visible_pid(state))
        return Link(address=container.address, netns=netns, port=port)

    def _ways(self) -> int:
        """How often a measured round trip is delayed: per direction, and by both ends where a pair is struck."""
        return (2 if self._event.fault.direction == "both" else 1) * max(1, len(self._event.fault.between))

    def _timeout(self) -> Duration:
        return Duration(2 * 10**9 + 2 * self._ways() * (self._delay.delay.ns + 4 * self._delay.jitter.ns))

    def _expected_ns(self) -> int:
        return self._ways() * _certain_ns(self._delay)

    def _fastest_ns(self, found: Rtt) -> int:
        return found.median_ns if self._delay.jitter.ns else min(found.samples)

    def verify(self) -> Evidence:
        """Hold when the round trip to every target grew by most of what the delay certainly adds."""
        expected = self._expected_ns()
        facts: dict[str, Json] = {"expected_ms": expected / 10**6}
        if self._refusals:
            facts["refused_rungs"] = "; ".join(self._refusals)
        weak = []
        for hit in self._hits:
            during = hit.link.measure(self._samples, self._timeout())
            facts[f"{hit.name}.rtt_before_ms"] = _ms(hit.before)
            facts[f"{hit.name}.rtt_during_ms"] = _ms(during)
            facts[f"{hit.name}.measured_over"] = hit.link.name
            if not hit.before.samples or len(during.samples) <= self._samples // 2:
                weak.append(f"{hit.name} answered {len(during.samples)} of {self._samples} times")
                continue
            grown = self._fastest_ns(during) - min(hit.before.samples)
            if grown < SHARE * expected or expected < RESOLUTION.ns:
                weak.append(f"{hit.name} by {grown / 10**6:.1f} ms")
        reason = f"the round trip did not grow by {expected / 10**6:g} ms: {', '.join(weak)}" if weak else ""
        return Evidence(holds=not weak and bool(self._hits), facts=facts, reason=reason)

    def revert(self) -> None:
        """Take the delay away on every target; all are tried, whatever fails."""
        failures = []
        for hit in reversed(self._hits):
            if hit.traffic is None:
                continue
            try:
                hit.traffic.remove()
            except EngineError as err:
                failures.append(err.message)
        if failures:
            raise EngineError("; ".join(failures))

    def verify_reversal(self) -> Evidence:
        """Hold when no rule or discipline is left and the round trip is back; say where the delay ended before that."""
        facts: dict[str, Json] = {}
        left: list[str] = []
        lapses: list[str] = []
        for hit in self._hits:
            if hit.traffic is not None:
                facts.update({f"{hit.name}.{key}": value for key, value in hit.traffic.figures.items()})
                lapses.extend(f"{hit.name}: {lapse}" for lapse in hit.traffic.lapses)
                left.extend(f"{hit.name}: {what}" for what in _leftovers(hit.traffic))
            state = self._state(hit)
            if state != "same":
                facts[f"{hit.name}.state"] = state
            if state == "restarted":
                lapses.append(f"{hit.name}: it was restarted under the delay, and ran on without it")
            if state == "same" and hit.traffic is not None:
                left.extend(self._residue(hit, facts))
            hit.place.close()
        reason = f"still there: {', '.join(left)}" if left else ""
        return Evidence(holds=not left, facts=facts, reason=reason, lapsed="; ".join(lapses))

    def _residue(self, hit: _Hit, facts: dict[str, Json]) -> tuple[str, ...]:
        after = hit.link.measure(self._samples, self._timeout())
        facts[f"{hit.name}.rtt_after_ms"] = _ms(after)
        if not after.samples:
            return (f"{hit.name} does not answer any more",)
        # Two directions are two mechanisms: one of them left behind would show one way's growth.
        allowed = SHARE * _certain_ns(self._delay)
        slow = self._fastest_ns(after) - min(hit.before.samples) >= allowed
        return (f"{hit.name} is still slow",) if slow else ()

    def _state(self, hit: _Hit) -> str:
        try:
            now = self._context.engine.inspect(hit.state.id)
        except EngineError:
            return "gone"
        if now.status != "running":
            return now.status
        return "same" if now.started_at == hit.state.started_at else "restarted"

    def recovery(self) -> Recovery | None:
        """Nothing has to recover from a delay."""
        return None


def _leftovers(traffic: Traffic) -> tuple[str, ...]:
    try:
        return traffic.leftovers()
    except (CapabilityError, NetworkError) as err:
        return (err.message,)


def _ms(found: Rtt) -> float | None:
    return round(found.median_ns / 10**6, 3) if found.samples else None


def _certain_ns(delay: Delay) -> int:
    """Return what one direction adds to nearly every round trip."""
    return delay_at_least(delay, FASTER) if delay.jitter.ns else delay.delay.ns


def delay_of(event: FaultEvent) -> Delay:
    """Return the delay that the event's parameters describe."""
    parameters = event.parameters
    return Delay(
        delay=cast("Duration", parameters["delay"]),
        jitter=cast("Duration", parameters.get("jitter", Duration(0))),
        distribution=cast("Distribution", parameters.get("distribution", "uniform")),
        correlation=float(cast("float", parameters.get("correlation", 0.0))),
    )


def open_latency(event: FaultEvent, context: FaultContext) -> Latency:
    """Return the fault; raises `CapabilityError` for a backend that it does not have and for what cannot be proven."""
    fault = event.fault
    if fault.backend not in ("auto", *(name for name, _ in RUNGS)):
        names = ", ".join(name for name, _ in RUNGS)
        raise CapabilityError(f"network.latency has no backend {fault.backend!r}", remedy=f"use auto, {names}")
    if fault.verify and fault.protocol == "udp":
        raise CapabilityError(
            "a delay on udp alone cannot be measured across the link",
            remedy="use protocol any or tcp, or `verify: false` with a reason",
        )
    delay = delay_of(event)
    if fault.verify and _certain_ns(delay) < RESOLUTION.ns:
        raise CapabilityError(
            f"a delay of {delay.delay} with a jitter of {delay.jitter} adds less than {RESOLUTION} to too many packets "
            "to be told from the machine's own delays",
            remedy="make the delay longer or the jitter smaller, or say `verify: false` with a reason",
        )
    return Latency(event, context)
