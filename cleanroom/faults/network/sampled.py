"""Faults that strike a share of the packets: proven by what becomes of many packets of ours across the link."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults import needs
from cleanroom.faults.base import FaultContext
from cleanroom.faults.network.emulated import Emulated, Hit, refuse_udp
from cleanroom.faults.rung import Rung
from cleanroom.faults.silence import silenced
from cleanroom.faults.traffic.shape import Effect, Reorder
from cleanroom.network.volley import Volley, volley
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration

_FEWEST, MOST = 60, 2000
# So many packets are struck on average: that none is, happens once in 160,000 times.
_STRUCK = 12
# A sound fault is outside its band once in 100,000 times.
OUTSIDE = 1e-5
_PATIENCE = Duration(10**9)
_ALL = 0.999


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """How a fault of this kind shows in what came back."""

    word: str
    seen: Callable[[Volley], int]
    share: float
    """The share of packets that are struck in one direction, from 0 to 1."""
    bursts: float = 1.0
    """The chance for each packet that a burst begins: 1 where packets are struck one by one."""
    uneven: bool = False
    """Whether `share` is but the least."""


class Sampled(Emulated):
    """One such fault on every target of the event."""

    def __init__(
        self, event: FaultEvent, context: FaultContext, effect: Effect, rungs: tuple[str, ...], sign: Sign
    ) -> None:
        """Raise `CapabilityError` for a backend that it does not have, and for what cannot be proven."""
        super().__init__(event, context, effect, rungs)
        self._sign = sign
        self._before: dict[str, Volley] = {}
        refuse_udp(event)
        if event.fault.verify and self._wanted() > MOST:
            raise CapabilityError(
                f"{event.fault.kind}: so few packets are struck that {MOST} of ours would not show it",
                remedy="strike more of them, or say `verify: false` with a reason",
            )

    @property
    def _share(self) -> float:
        return float(1 - (1 - self._sign.share) ** self.ways())

    def _wanted(self) -> int:
        rarest = min(self._share, self._sign.bursts)
        return max(_FEWEST, math.ceil(_STRUCK / rarest))

    def _fire(self, hit: Hit) -> Volley:
        fault = self.event.fault
        port = fault.ports[0] if fault.ports else 0 if fault.protocol == "tcp" else None
        own = self.effect.delay.ns if isinstance(self.effect, Reorder) else 0
        patience = Duration(_PATIENCE.ns + 2 * (self.ways() * own + hit.company.delay_ns()))
        return volley(hit.link.netns, hit.link.address, min(MOST, self._wanted()), patience, port=port)

    def look(self, hit: Hit) -> None:
        """Send the packets without the fault; raises `EngineError` when nobody answers."""
        before = self._before[hit.name] = self._fire(hit)
        if not before.answered:
            raise EngineError(f"{hit.name} does not answer, so that nothing could be seen on the way to it")

    def prove(self, hit: Hit, facts: dict[str, Json]) -> str:
        """Hold when as many packets were struck as must be, and the mechanism itself struck some."""
        during, before = self._fire(hit), self._before[hit.name]
        word, found = self._sign.word, self._sign.seen(during)
        counted = hit.traffic.counters() if hit.traffic is not None else {}
        facts["expected_percent"] = round(100 * self._share, 2)
        facts[f"{hit.name}.sent"] = during.sent
        facts[f"{hit.name}.{word}_before"] = self._sign.seen(before)
        facts[f"{hit.name}.{word}_during"] = found
        facts[f"{hit.name}.damaged_during"] = during.damaged
        facts.update({f"{hit.name}.{key}": value for key, value in counted.items()})
        low, high = band(during.sent, self._share)
        if self._sign.bursts < 1:
            low = 1
        if self._sign.uneven or self._sign.bursts < 1:
            high = during.sent
        if not during.answered and self._share < _ALL:
            return f"{hit.name} did not answer at all"
        if found < max(1, low):
            return f"of {during.sent} packets to {hit.name} {found} were {word}, expected at least {max(1, low)}"
        if found > high and hit.company.shapes == [hit.shape]:
            return f"of {during.sent} packets to {hit.name} {found} were {word}, expected at most {high}"
        if not counted or not counted.get("bitten", True):
            what = f"struck none of {counted['packets']} packets" if counted else "is not there to say what it struck"
            return f"the mechanism on {hit.name} {what}"
        if "bitten" not in counted and self._sign.seen(before) >= found:
            return f"as many packets to {hit.name} were {word} before the fault"
        return self.scrutinise(hit, during, counted)

    def scrutinise(self, hit: Hit, during: Volley, counted: dict[str, Json]) -> str:  # noqa: ARG002 - for subclasses
        """Return what else of the evidence does not hold, or nothing."""
        return ""

    def residue(self, hit: Hit, facts: dict[str, Json]) -> str:
        """Return whether packets are still struck; where another fault is active, only whether somebody answers."""
        after = self._fire(hit)
        found = self._sign.seen(after)
        facts[f"{hit.name}.{self._sign.word}_after"] = found
        if not after.answered:
            return self.deaf(hit, facts)
        low, _ = band(after.sent, self._sign.share)
        alone = not hit.company.shapes and not silenced(hit.state.id)
        struck = alone and found >= max(1, low) and found > self._sign.seen(self._before[hit.name])
        return f"packets to {hit.name} are still {self._sign.word}" if struck else ""


def band(count: int, share: float, outside: float = OUTSIDE) -> tuple[int, int]:
    """Return the least and the most of `count` that are struck, but for `outside` of the times on either side."""
    if share >= 1:
        return count, count
    chance = [_chance(count, number, share) for number in range(count + 1)]
    return _tail(chance, outside), count - _tail(chance[::-1], outside)


def _chance(count: int, number: int, share: float) -> float:
    if share <= 0:
        return float(number == 0)
    choices = math.lgamma(count + 1) - math.lgamma(number + 1) - math.lgamma(count - number + 1)
    return math.exp(choices + number * math.log(share) + (count - number) * math.log(1 - share))


def _tail(chances: list[float], outside: float) -> int:
    total = 0.0
    for number, chance in enumerate(chances):
        total += chance
        if total > outside:
            return number
    return len(chances) - 1


def netem_rung(proof: str, but: str = "") -> Rung:
    """Return the kernel's own emulator as a rung, proven so; `but` is what of it no seed decides."""
    return Rung(
        name="netem", mechanism=f"tc qdisc netem with a seed, in the one tree of the target's interface{but}",
        needs=needs.EMULATOR, proof=proof,
    )  # fmt: skip


def queue_rung(what: str, proof: str) -> Rung:
    """Return our queue as a rung, which does `what`, proven so."""
    return Rung(
        name="nfqueue", mechanism=f"iptables NFQUEUE in the target's namespace and our queue, which {what} by index",
        needs=needs.QUEUE, proof=proof,
    )  # fmt: skip
