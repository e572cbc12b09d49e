"""Faults of the network family; the effect is a round trip measured across the link, before and while it is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError, NetworkError
from cleanroom.faults.base import Container, Evidence, FaultContext, Recovery
from cleanroom.faults.traffic.netem import NetemTraffic
from cleanroom.faults.traffic.queue import QueueTraffic
from cleanroom.faults.traffic.shape import Delay, Direction, Distribution, Match, Shape
from cleanroom.network.measure import icmp_rtt, tcp_rtt
from cleanroom.network.namespace import namespace_of_pid
from cleanroom.network.ports import Rtt
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration

SAMPLES = 5
# The median of five must show most of the delay: the kernel's timers are exact to well under a millisecond.
SHARE = 0.8
RESIDUE_NS = 5 * 10**6


class Traffic(Protocol):
    """A mechanism that applies one shape to one container."""

    backend: str
    figures: dict[str, Json]

    def apply(self) -> None:
        """Apply it as a whole; raises `CapabilityError` when this machine cannot."""

    def remove(self) -> None:
        """Take it away as a whole; safe to call twice."""

    def leftovers(self) -> tuple[str, ...]:
        """Return what of it is still there."""


RUNGS: tuple[tuple[str, Callable[[int, Shape], Traffic]], ...] = (("netem", NetemTraffic), ("nfqueue", QueueTraffic))


@dataclass(frozen=True, slots=True)
class _Link:
    """Where to measure from and to: `netns` None is our own namespace, on the bridge's gateway."""

    container: Container
    netns: str | None
    port: int
    """0: an ICMP echo."""

    def measure(self, timeout: Duration) -> Rtt:
        if self.port:
            return tcp_rtt(self.netns, self.container.address, self.port, SAMPLES, timeout)
        return icmp_rtt(self.netns, self.container.address, SAMPLES, timeout)


class Latency:
    """`network.latency(delay, jitter, distribution, correlation)` on every target of the event."""

    def __init__(self, event: FaultEvent, context: FaultContext) -> None:
        self._event = event
        self._context = context
        self._rungs = tuple((n, make) for n, make in RUNGS if event.fault.backend in ("auto", n))
        self._delay = _delay_of(event)
        self._traffic: list[tuple[str, Traffic]] = []
        self._links: dict[str, _Link] = {}
        self._before: dict[str, Rtt] = {}
        self._refusals: list[str] = []
        self.backend = self._rungs[0][0] if len(self._rungs) == 1 else "auto"

    def inject(self) -> None:
        """Measure the link as it is, then apply the delay with the first rung that this machine has."""
        for name in self._event.targets:
            container = self._context.containers[name]
            self._links[name] = self._link(container)
            self._before[name] = self._links[name].measure(self._timeout())
            if not self._before[name].samples:
                raise EngineError(f"{name} does not answer, so a delay on it could not be seen")
        for name in self._event.targets:
            state = self._context.engine.inspect(self._context.containers[name].id)
            traffic = self._first_rung(state.pid, self._shape(name))
            self._traffic.append((name, traffic))
            self.backend = traffic.backend

    def _first_rung(self, pid: int, shape: Shape) -> Traffic:
        for _, make in self._rungs:
            traffic = make(pid, shape)
            try:
                traffic.apply()
            except CapabilityError as err:
                traffic.remove()
                self._refusals.append(err.message)
                continue
            return traffic
        raise CapabilityError(f"no rung of network.latency works here: {'; '.join(self._refusals)}")

    def _shape(self, target: str) -> Shape:
        fault = self._event.fault
        peers = tuple(self._context.containers[p].address for p in fault.between if p != target)
        match = Match(
            direction=cast("Direction", fault.direction), protocol=fault.protocol, ports=fault.ports, peers=peers
        )
        return Shape(match=match, delay=self._delay, stream=self._event.stream)

    def _link(self, container: Container) -> _Link:
        """Measure over packets that the fault matches: its own port where it names one, from its peer where it has one."""
        fault = self._event.fault
        ports = tuple(p for p in fault.ports if p in container.ports) or fault.ports or container.ports
        if fault.protocol == "udp":
            raise CapabilityError("a delay on udp alone cannot be measured across the link", remedy="use protocol any or tcp")
        netns = None
        for peer in fault.between:
            if peer != container.service:
                state = self._context.engine.inspect(self._context.containers[peer].id)
                netns = namespace_of_pid(state.pid)
        return _Link(container, netns, ports[0] if ports else 0)

    def _timeout(self) -> Duration:
        return Duration(2 * 10**9 + 4 * (self._delay.delay.ns + self._delay.jitter.ns))

    def _expected_ns(self) -> int:
        ways = 2 if self._event.fault.direction == "both" else 1
        return ways * max(0, self._delay.delay.ns - self._delay.jitter.ns)

    def verify(self) -> Evidence:
        """Hold when the median round trip to every target grew by most of the delay (less its jitter)."""
        facts: dict[str, Json] = {"expected_ms": self._expected_ns() / 10**6}
        if self._refusals:
            facts["refused_rungs"] = "; ".join(self._refusals)
        weak = []
        for name, link in self._links.items():
            after = link.measure(self._timeout())
            before = self._before[name].median_ns
            grown = after.median_ns - before if after.samples else 0
            facts[f"{name}.rtt_before_ms"] = round(before / 10**6, 3)
            facts[f"{name}.rtt_during_ms"] = round(after.median_ns / 10**6, 3) if after.samples else None
            facts[f"{name}.measured_over"] = f"tcp/{link.port}" if link.port else "icmp"
            if grown < SHARE * self._expected_ns() or grown <= 0:
                weak.append(f"{name} by {grown / 10**6:.1f} ms")
        reason = f"the round trip grew too little: {', '.join(weak)} of {facts['expected_ms']} ms" if weak else ""
        return Evidence(holds=not weak and bool(self._links), facts=facts, reason=reason)

    def revert(self) -> None:
        """Take the delay away on every target; all are tried, whatever fails."""
        failures = []
        for name, traffic in reversed(self._traffic):
            if self._context.engine.inspect(self._context.containers[name].id).status != "running":
                # The container ended meanwhile and its network namespace with it: there is nothing to take the delay from.
                continue
            try:
                traffic.remove()
            except EngineError as err:
                failures.append(err.message)
        if failures:
            raise EngineError("; ".join(failures))

    def verify_reversal(self) -> Evidence:
        """Hold when no rule or discipline is left and the round trip is back to where it was."""
        facts: dict[str, Json] = {}
        left = []
        for name, traffic in self._traffic:
            facts.update({f"{name}.{key}": value for key, value in traffic.figures.items()})
            if self._context.engine.inspect(self._context.containers[name].id).status != "running":
                facts[f"{name}.status"] = "ended"
                continue
            try:
                remains = traffic.leftovers()
            except NetworkError as err:
                remains = (err.message,)
            after = self._links[name].measure(self._timeout())
            facts[f"{name}.rtt_after_ms"] = round(after.median_ns / 10**6, 3) if after.samples else None
            allowed = self._before[name].median_ns + max(RESIDUE_NS, self._expected_ns() // 2)
            if remains or not after.samples or after.median_ns > allowed:
                left.append(f"{name} ({', '.join(remains) or 'still slow'})")
        return Evidence(holds=not left, facts=facts, reason=f"still there: {', '.join(left)}" if left else "")

    def recovery(self) -> Recovery | None:
        """Nothing has to recover from a delay."""
        return None


def _delay_of(event: FaultEvent) -> Delay:
    parameters = event.parameters
    jitter = parameters.get("jitter", Duration(0))
    return Delay(
        delay=cast("Duration", parameters["delay"]),
        jitter=cast("Duration", jitter),
        distribution=cast("Distribution", parameters.get("distribution", "uniform")),
        correlation=float(cast("float", parameters.get("correlation", 0.0))),
    )


def open_latency(event: FaultEvent, context: FaultContext) -> Latency:
    """Return the fault; raises `CapabilityError` for a backend that it does not have."""
    if event.fault.backend not in ("auto", *(name for name, _ in RUNGS)):
        names = ", ".join(name for name, _ in RUNGS)
        raise CapabilityError(f"network.latency has no backend {event.fault.backend!r}", remedy=f"use auto, {names}")
    return Latency(event, context)
