"""`network.latency`; the effect is a round trip measured across the link, before and while it is there."""

from __future__ import annotations

from typing import cast

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults import needs
from cleanroom.faults.base import FaultContext
from cleanroom.faults.network.emulated import Emulated, Hit, refuse_udp
from cleanroom.faults.rung import Ladder, Rung
from cleanroom.faults.traffic.draw import delay_at_least
from cleanroom.faults.traffic.shape import Delay, Distribution
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
_RUNGS = ("netem", "nfqueue")


class Latency(Emulated):
    """`network.latency(delay, jitter, distribution, correlation)` on every target of the event."""

    def __init__(self, event: FaultEvent, context: FaultContext, delay: Delay) -> None:
        super().__init__(event, context, delay, _RUNGS)
        self._delay = delay
        self._before: dict[str, Rtt] = {}

    @property
    def _samples(self) -> int:
        return SAMPLES_WITH_JITTER if self._delay.jitter.ns else SAMPLES

    def _timeout(self, hit: Hit) -> Duration:
        own = self._delay.delay.ns + 4 * self._delay.jitter.ns
        return Duration(2 * 10**9 + 2 * self.ways() * own + 2 * hit.company.delay_ns())

    def _fastest_ns(self, found: Rtt) -> int:
        return found.median_ns if self._delay.jitter.ns else min(found.samples)

    def look(self, hit: Hit) -> None:
        """Measure the round trip; raises `EngineError` when there is none."""
        before = self._before[hit.name] = hit.link.measure(self._samples, self._timeout(hit))
        if not before.samples:
            raise EngineError(f"{hit.name} does not answer, so a delay on it could not be seen")

    def prove(self, hit: Hit, facts: dict[str, Json]) -> str:
        """Hold when the round trip grew by most of what the delay certainly adds."""
        before, passed = self._before[hit.name], hit.passed()
        during = hit.link.measure(self._samples, self._timeout(hit))
        passed = hit.passed() - passed
        expected = self.ways() * certain_ns(self._delay)
        facts["expected_ms"] = expected / 10**6
        facts[f"{hit.name}.rtt_before_ms"] = _ms(before)
        facts[f"{hit.name}.rtt_during_ms"] = _ms(during)
        facts[f"{hit.name}.measured_over"] = hit.link.name
        if len(during.samples) <= self._samples // 2:
            return f"{hit.name} answered {len(during.samples)} of {self._samples} times"
        grown = self._fastest_ns(during) - min(before.samples)
        if grown < SHARE * expected or expected < RESOLUTION.ns:
            return (
                f"the round trip to {hit.name} did not grow by {expected / 10**6:g} ms, but by {grown / 10**6:.1f} ms"
            )
        if passed < len(during.samples):
            return (
                f"of {len(during.samples)} round trips to {hit.name} {passed} packets passed the mechanism: "
                "something else made them slow"
            )
        return ""

    def residue(self, hit: Hit, facts: dict[str, Json]) -> str:
        """Return whether the link is still slow."""
        after = hit.link.measure(self._samples, self._timeout(hit))
        facts[f"{hit.name}.rtt_after_ms"] = _ms(after)
        if not after.samples:
            return self.deaf(hit, facts)
        # Two directions are two mechanisms: one of them left behind would show one way's growth.
        allowed = SHARE * certain_ns(self._delay) + 2 * max(0, hit.company.delay_ns() - hit.others_ns)
        slow = self._fastest_ns(after) - min(self._before[hit.name].samples) >= allowed
        return f"{hit.name} is still slow" if slow else ""


def _ms(found: Rtt) -> float | None:
    return round(found.median_ns / 10**6, 3) if found.samples else None


def certain_ns(delay: Delay) -> int:
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
    delay = delay_of(event)
    fault = Latency(event, context, delay)
    refuse_udp(event)
    if event.fault.verify and certain_ns(delay) < RESOLUTION.ns:
        raise CapabilityError(
            f"a delay of {delay.delay} with a jitter of {delay.jitter} adds less than {RESOLUTION} to too many packets "
            "to be told from the machine's own delays",
            remedy="make the delay longer or the jitter smaller, or say `verify: false` with a reason",
        )
    return fault


LADDER = Ladder(
    kind="network.latency",
    rungs=(
        Rung(
            name="netem",
            mechanism="tc qdisc netem with a seed, in the one tree of the target's interface",
            needs=needs.EMULATOR,
            proof="round trip measured across the link",
        ),
        Rung(
            name="nfqueue",
            mechanism="iptables NFQUEUE in the target's namespace and our queue, delays by packet index",
            needs=needs.QUEUE,
            proof="round trip measured across the link",
        ),
    ),
    open=open_latency,
)
