"""`network.slice`: what is sent arrives in small pieces."""

from __future__ import annotations

from cleanroom.faults.base import FaultContext
from cleanroom.faults.proxy.fault import Deed, ProxyFault, open_proxy
from cleanroom.faults.proxy.limits import LONGEST_NS, MOST_PIECE
from cleanroom.faults.proxy.prove import prove_slice
from cleanroom.faults.proxy.rungs import PROXY
from cleanroom.faults.rung import Ladder
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration, Size


def deed_of(event: FaultEvent) -> Deed:
    """Return what the parameters say."""
    size, delay = event.parameters["size"], event.parameters["delay"]
    assert isinstance(size, Size)  # noqa: S101 - the shape of the parameter
    assert isinstance(delay, Duration)  # noqa: S101 - the same
    return Deed(
        parameters={"size": size.bytes, "delay_ns": delay.ns},
        trial={"size": min(size.bytes, MOST_PIECE), "delay_ns": min(delay.ns, LONGEST_NS)},
        prove=prove_slice,
    )


def open_slice(event: FaultEvent, context: FaultContext) -> ProxyFault:
    """Return the fault; raises `CapabilityError`."""
    return open_proxy(event, context, deed_of(event))


LADDER = Ladder(kind="network.slice", rungs=(PROXY,), open=open_slice)
