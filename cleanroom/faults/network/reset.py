"""`network.reset`: connections are reset once so many bytes have passed."""

from __future__ import annotations

from cleanroom.faults.base import FaultContext
from cleanroom.faults.proxy.fault import Deed, ProxyFault, open_proxy
from cleanroom.faults.proxy.limits import MOST_BYTES
from cleanroom.faults.proxy.prove import Seen, prove_reset
from cleanroom.faults.proxy.rungs import PROXY
from cleanroom.faults.rung import Ladder
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Size


def deed_of(event: FaultEvent) -> Deed:
    """Return what the parameters say."""
    after = event.parameters["after"]
    assert isinstance(after, Size)  # noqa: S101 - the shape of the parameter
    return Deed(
        parameters={"after": after.bytes},
        trial={"after": min(after.bytes, MOST_BYTES)},
        prove=prove_reset,
        at_once=None if after.bytes else Seen({"bytes": 0, "ended": "reset"}),
    )


def open_reset(event: FaultEvent, context: FaultContext) -> ProxyFault:
    """Return the fault; raises `CapabilityError`."""
    return open_proxy(event, context, deed_of(event))


LADDER = Ladder(kind="network.reset", rungs=(PROXY,), open=open_reset)
