"""`network.reorder`: packets overtake others, which are held back."""

from __future__ import annotations

from typing import cast

from cleanroom.errors import CapabilityError
from cleanroom.faults.base import FaultContext
from cleanroom.faults.network.sampled import Sampled, Sign, netem_rung, queue_rung
from cleanroom.faults.rung import Ladder
from cleanroom.faults.traffic.shape import Reorder
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration

_PROOF = "answers that arrive before those to earlier packets"
# Of packets that are sent as fast as they go, the next may be as far behind on a busy machine.
_SHORTEST = Duration(20 * 10**6)
# A share of those that overtake has nobody before it who was held.
_SEEN = 0.5


def open_reorder(event: FaultEvent, context: FaultContext) -> Sampled:
    """Return the fault; raises `CapabilityError` for a backend that it does not have and for what cannot be proven."""
    parameters = event.parameters
    effect = Reorder(
        percent=float(cast("float", parameters["percent"])), gap=cast("int", parameters.get("gap", 1)),
        delay=cast("Duration", parameters["delay"]),
    )  # fmt: skip
    if effect.share >= 1:
        raise CapabilityError(
            "network.reorder: when every packet overtakes there is none to be overtaken",
            remedy="give a percent below 100, or a gap of 2 or more",
        )
    if event.fault.verify and effect.delay < _SHORTEST:
        raise CapabilityError(
            f"network.reorder: of packets that are held for less than {_SHORTEST} too few are overtaken to be seen",
            remedy="make the delay longer, or say `verify: false` with a reason",
        )
    return Overtaking(event, context, effect)


class Overtaking(Sampled):
    """`network.reorder(percent, gap, delay)` on every target of the event."""

    def __init__(self, event: FaultEvent, context: FaultContext, effect: Reorder) -> None:
        # With few that overtake or few that are held there are as few that are seen to.
        share = _SEEN * min(effect.share, 1 - effect.share)
        sign = Sign(word="early", seen=lambda found: found.overtaken, share=share, uneven=True)
        super().__init__(event, context, effect, ("netem", "nfqueue"), sign)


LADDER = Ladder(
    kind="network.reorder",
    rungs=(netem_rung(_PROOF), queue_rung("holds packets back", _PROOF)),
    open=open_reorder,
)
