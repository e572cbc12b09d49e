"""`network.loss`: packets vanish, by a seeded share, every nth, or in bursts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from cleanroom.canonical import Json
from cleanroom.faults import needs
from cleanroom.faults.base import FaultContext
from cleanroom.faults.network.emulated import Hit
from cleanroom.faults.network.sampled import Sampled, Sign, netem_rung, queue_rung
from cleanroom.faults.rung import Ladder, Rung
from cleanroom.faults.traffic.shape import Every, Gilbert, Loss
from cleanroom.network.volley import Volley
from cleanroom.plan.model import FaultEvent

_RUNGS = ("netem", "nfqueue", "nftables")
_PROOF = "packets sent across the link that have no answer, and the mechanism's own count of lost ones"


class Lossy(Sampled):
    """`network.loss(percent | every | gilbert)` on every target of the event."""

    def scrutinise(self, hit: Hit, during: Volley, counted: dict[str, Json]) -> str:  # noqa: ARG002 - the count decides
        """Every nth is exact: neither one more nor one less."""
        packets, lost = counted.get("packets"), counted.get("bitten")
        if isinstance(self.effect, Every) and isinstance(packets, int) and isinstance(lost, int):
            # Each direction of a filter counts by itself.
            least = packets // self.effect.nth - (self.ways() - 1)
            if not least <= lost <= packets // self.effect.nth:
                return f"{lost} of {packets} packets to {hit.name} were lost, which is not every {self.effect.nth}th"
        return ""


def loss_of(event: FaultEvent) -> Loss | Every | Gilbert:
    """Return the loss that the event's parameters describe."""
    parameters = event.parameters
    if parameters.get("every") is not None:
        return Every(nth=cast("int", parameters["every"]))
    if parameters.get("gilbert") is not None:
        return Gilbert(**cast("Mapping[str, float]", parameters["gilbert"]))
    return Loss(percent=float(cast("float", parameters["percent"])))


def open_loss(event: FaultEvent, context: FaultContext) -> Lossy:
    """Return the fault; raises `CapabilityError` for a backend that it does not have and for what cannot be proven."""
    effect = loss_of(event)
    if isinstance(effect, Every):
        share, bursts = 1 / effect.nth, 1.0
    elif isinstance(effect, Gilbert):
        share, bursts = effect.percent / 100, effect.p / 100 if not effect.good else 0.99
    else:
        share, bursts = effect.percent / 100, 1.0
    sign = Sign(word="lost", seen=lambda found: found.lost, share=share, bursts=bursts)
    return Lossy(event, context, effect, _RUNGS, sign)


LADDER = Ladder(
    kind="network.loss",
    rungs=(
        netem_rung(_PROOF),
        queue_rung("loses packets", _PROOF),
        Rung(
            name="nftables",
            mechanism="a table at the interface's own hooks; numgen counts packets through a seeded table of indices",
            needs=(needs.NFT, needs.NETDEV, needs.NUMGEN),
            proof=_PROOF,
        ),
    ),
    open=open_loss,
)
