"""`network.flap`: the link goes down and comes up again, at moments that are fixed when it begins."""

from __future__ import annotations

from typing import cast

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults import needs
from cleanroom.faults.base import FaultContext
from cleanroom.faults.network.emulated import Emulated, Hit, refuse_udp
from cleanroom.faults.rung import Ladder, Rung
from cleanroom.faults.traffic.nft import FilterTraffic, Flapping
from cleanroom.faults.traffic.shape import Flap
from cleanroom.network.volley import Volley, volley
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration

_SAMPLES = 5
_PATIENCE = Duration(10**9)
# Within a shorter phase it cannot be seen that nobody answers.
SHORTEST = Duration(100 * 10**6)
# Nobody waits longer than this for the link to come up: then its end shows that it does.
_LONGEST_WAIT = 5 * 10**9
_ATTEMPTS = 20


class Flapper(Emulated):
    """`network.flap(up, down)` on every target of the event."""

    def __init__(self, event: FaultEvent, context: FaultContext, flap: Flap) -> None:
        super().__init__(event, context, flap, ("nftables",))
        self._flap = flap

    def _fire(self, hit: Hit, patience: Duration) -> Volley:
        fault = self.event.fault
        port = fault.ports[0] if fault.ports else 0 if fault.protocol == "tcp" else None
        return volley(hit.link.netns, hit.link.address, _SAMPLES, patience, port=port)

    def look(self, hit: Hit) -> None:
        """Raise `EngineError` when nobody answers although the link is up."""
        if not self._fire(hit, _PATIENCE).answered:
            raise EngineError(f"{hit.name} does not answer, so that nothing could be seen on the way to it")

    def prove(self, hit: Hit, facts: dict[str, Json]) -> str:
        """Hold when nobody answers while the link is down, and somebody does when it is up."""
        flapping = hit.traffic.flapping if isinstance(hit.traffic, FilterTraffic) else None
        if flapping is None:
            return f"{hit.name} was not struck"
        down = self._phase(hit, flapping, down=True)
        facts[f"{hit.name}.answered_down"] = down
        if down is None:
            return f"{hit.name}: no phase in which the link is down could be measured"
        if down:
            return f"{hit.name} answered {down} of {_SAMPLES} times although the link was down"
        if self._flap.down.ns > _LONGEST_WAIT:
            return ""
        up = facts[f"{hit.name}.answered_up"] = self._phase(hit, flapping, down=False)
        return "" if up else f"{hit.name} did not answer when the link was up"

    def _phase(self, hit: Hit, flapping: Flapping, *, down: bool) -> int | None:
        """Return how many of a few packets were answered within one such phase; None when none lasted for them."""
        for _ in range(_ATTEMPTS):
            before = flapping.phase(down=down)
            left = flapping.left(before)
            if left >= min(self._flap.down.ns, self._flap.up.ns) // 2:
                found = self._fire(hit, Duration(min(left * 3 // 4, _PATIENCE.ns // 2)))
                if len(flapping.moments) == before and flapping.left(before) > 0:
                    return found.answered
            if not flapping.wait(before):
                return None
        return None

    def residue(self, hit: Hit, facts: dict[str, Json]) -> str:
        """Return whether the link is still down."""
        after = self._fire(hit, _PATIENCE)
        facts[f"{hit.name}.answered_after"] = after.answered
        return "" if after.answered else self.deaf(hit, facts)


def open_flap(event: FaultEvent, context: FaultContext) -> Flapper:
    """Return the fault; raises `CapabilityError` for a backend that it does not have and for what cannot be proven."""
    parameters = event.parameters
    flap = Flap(up=cast("Duration", parameters["up"]), down=cast("Duration", parameters["down"]))
    fault = Flapper(event, context, flap)
    refuse_udp(event)
    if event.fault.verify and min(flap.up, flap.down) < SHORTEST:
        raise CapabilityError(
            f"network.flap: a phase of less than {SHORTEST} is too short to be measured",
            remedy="make it longer, or say `verify: false` with a reason",
        )
    return fault


LADDER = Ladder(
    kind="network.flap",
    rungs=(
        Rung(
            name="nftables",
            mechanism="a table at the interface's own hooks, whose one rule comes and goes",
            needs=(needs.NFT, needs.NETDEV),
            proof="packets sent across the link are lost while it is down and answered while it is up",
        ),
    ),
    open=open_flap,
)
