"""`network.bandwidth`: no more than so many bits a second pass; proven by a transfer across the link."""

from __future__ import annotations

from typing import cast

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError, NetworkError
from cleanroom.faults import needs
from cleanroom.faults.base import FaultContext
from cleanroom.faults.network.emulated import Emulated, Hit, refuse_udp
from cleanroom.faults.rung import Ladder, Rung
from cleanroom.faults.traffic.shape import Bandwidth, Way
from cleanroom.network.namespace import namespace_of_pid
from cleanroom.network.transfer import WINDOW, transfer
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Rate, Size

# What the rate carries in 20 ms, and never less than one frame with its header.
_BURSTS_A_SECOND = 50
_LEAST_BURST = 1600
_QUICK, _LONG = 0.2, 1.0
# A tenth of a second's worth under way keeps the link busy.
_WINDOWS_A_SECOND, _LEAST_WINDOW, _MOST_WINDOW = 10, 8192, 1 << 22
_LOOK, _LOOKS = 0.02, 100
# Slower, a second's worth is too few packets; faster, this machine is the limit.
SLOWEST, FASTEST = Rate(10**5), Rate(10**9)
_LEAST, _MOST = 0.7, 1.1
# The link must carry so much more without the limit than with it.
_CONTRAST = 1.5


class Narrow(Emulated):
    """`network.bandwidth(rate, burst)` on every target of the event."""

    def __init__(self, event: FaultEvent, context: FaultContext, rate: Bandwidth) -> None:
        super().__init__(event, context, rate, ("htb",))
        self._rate = rate
        self._before: dict[tuple[str, Way], float] = {}

    def _ways(self) -> tuple[Way, ...]:
        direction = self.event.fault.direction
        return ("egress", "ingress") if direction == "both" else (direction,)

    def _carried(self, hit: Hit, way: Way, seconds: float, skip: int = 0, window: int = WINDOW) -> float:
        ports = self.event.fault.ports
        return transfer(
            namespace_of_pid(hit.state.pid), hit.link.netns, hit.link.address, out=way == "egress",
            port=ports[0] if ports else 0, seconds=seconds, skip=skip, window=window,
        )  # fmt: skip

    def _drain(self, hit: Hit) -> dict[str, Json]:
        """Wait until what we sent is gone, for it would be in the way; return the kernel's figures."""
        counted: dict[str, Json] = {}
        for _ in range(_LOOKS):
            counted = hit.traffic.counters() if hit.traffic is not None else {}
            waiting = [value for key, value in counted.items() if key.endswith(".backlog") and value]
            if not waiting:
                break
            self.context.clock.sleep(_LOOK)
        return counted

    def look(self, hit: Hit) -> None:
        """Measure what the link carries; raises `EngineError` when that is no more than the limit."""
        for way in self._ways():
            found = self._before[hit.name, way] = self._carried(hit, way, _QUICK)
            if self.event.fault.verify and found < _CONTRAST * self._rate.bits:
                raise EngineError(f"{hit.name}: the link carries {_mbit(found)} Mbit/s, so a limit could not be seen")

    def prove(self, hit: Hit, facts: dict[str, Json]) -> str:
        """Hold when a transfer is as fast as the limit."""
        expected = facts["expected_mbit"] = _mbit(self._rate.bits)
        counted: dict[str, Json] = {}
        for way in self._ways():
            # A share of the limit, whatever its rate: the burst and the connection's own beginning are over then.
            skip, window = 2 * self._rate.burst + self._rate.bits // 80, self._rate.bits // _WINDOWS_A_SECOND
            found = self._carried(hit, way, _LONG, skip, max(_LEAST_WINDOW, min(_MOST_WINDOW, window // 8)))
            counted = self._drain(hit)
            facts[f"{hit.name}.{way}_before_mbit"] = _mbit(self._before[hit.name, way])
            facts[f"{hit.name}.{way}_during_mbit"] = _mbit(found)
            if not _LEAST <= found / self._rate.bits <= _MOST:
                return f"{hit.name}: {way} carried {_mbit(found)} Mbit/s, expected {expected}"
        facts.update({f"{hit.name}.{key}": value for key, value in counted.items()})
        return "" if counted else f"{hit.name}: the limit is not there"

    def residue(self, hit: Hit, facts: dict[str, Json]) -> str:
        """Return whether the link still carries no more than the limit."""
        for way in self._ways():
            try:
                found = self._carried(hit, way, _QUICK)
            except NetworkError:
                return self.deaf(hit, facts)
            facts[f"{hit.name}.{way}_after_mbit"] = _mbit(found)
            if found < _MOST * self._rate.bits and not hit.company.shapes:
                return f"{hit.name} is still slow"
        return ""


def _mbit(bits: float) -> float:
    return round(bits / 10**6, 3)


def rate_of(event: FaultEvent) -> Bandwidth:
    """Return the limit that the event's parameters describe."""
    rate = cast("Rate", event.parameters["rate"])
    burst = cast("Size | None", event.parameters.get("burst"))
    carried = rate.bits // 8 // _BURSTS_A_SECOND
    return Bandwidth(bits=rate.bits, burst=max(_LEAST_BURST, carried if burst is None else burst.bytes))


def open_bandwidth(event: FaultEvent, context: FaultContext) -> Narrow:
    """Return the fault; raises `CapabilityError` for a backend that it does not have and for what cannot be proven."""
    rate = rate_of(event)
    fault = Narrow(event, context, rate)
    refuse_udp(event)
    if event.fault.verify and not SLOWEST.bits <= rate.bits <= FASTEST.bits:
        raise CapabilityError(
            "network.bandwidth: only rates from 100 kbit to 1 gbit can be measured across the link",
            remedy="take such a rate, or say `verify: false` with a reason",
        )
    return fault


LADDER = Ladder(
    kind="network.bandwidth",
    rungs=(
        Rung(
            name="htb",
            mechanism="a class of tc htb in the one tree of the target's interface; what comes in, through ifb",
            needs=(needs.TC, needs.HTB),
            proof="a transfer across the link, before, during and after",
        ),
    ),
    open=open_bandwidth,
)
