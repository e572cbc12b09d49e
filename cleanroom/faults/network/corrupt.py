"""`network.corrupt`: one bit of a packet is changed and its checksum is not, so that the receiver throws it away.

Even where the sender has left the checksum to its hardware: the packet is handed over with the whole one, and a
receiver checks it (seen on veth, where nothing else ever checks). What arrives damaged is seen, too, unless a firewall
on the way has thrown it away.
"""

from __future__ import annotations

from typing import cast

from cleanroom.faults.base import FaultContext
from cleanroom.faults.network.sampled import Sampled, Sign, netem_rung, queue_rung
from cleanroom.faults.rung import Ladder
from cleanroom.faults.traffic.shape import Corrupt
from cleanroom.plan.model import FaultEvent

_PROOF = "packets sent across the link that are thrown away, and the mechanism's own count of changed ones"


def open_corrupt(event: FaultEvent, context: FaultContext) -> Sampled:
    """Return the fault; raises `CapabilityError` for a backend that it does not have and for what cannot be proven."""
    effect = Corrupt(percent=float(cast("float", event.parameters["percent"])))
    sign = Sign(word="spoilt", seen=lambda found: found.lost, share=effect.percent / 100)
    return Sampled(event, context, effect, ("netem", "nfqueue"), sign)


LADDER = Ladder(
    kind="network.corrupt",
    rungs=(netem_rung(_PROOF, but="; which bit, the kernel decides"), queue_rung("changes a bit of packets", _PROOF)),
    open=open_corrupt,
)
