"""`network.duplicate`: packets arrive twice."""

from __future__ import annotations

from typing import cast

from cleanroom.faults.base import FaultContext
from cleanroom.faults.network.sampled import Sampled, Sign, netem_rung, queue_rung
from cleanroom.faults.rung import Ladder
from cleanroom.faults.traffic.shape import Duplicate
from cleanroom.plan.model import FaultEvent

_PROOF = "packets sent across the link that are answered twice, and the mechanism's own count of copies"


def open_duplicate(event: FaultEvent, context: FaultContext) -> Sampled:
    """Return the fault; raises `CapabilityError` for a backend that it does not have and for what cannot be proven."""
    effect = Duplicate(percent=float(cast("float", event.parameters["percent"])))
    sign = Sign(word="doubled", seen=lambda found: found.duplicated, share=effect.percent / 100)
    return Sampled(event, context, effect, ("netem", "nfqueue"), sign)


LADDER = Ladder(
    kind="network.duplicate",
    rungs=(netem_rung(_PROOF), queue_rung("sends packets once more", _PROOF)),
    open=open_duplicate,
)
