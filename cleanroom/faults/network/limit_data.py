"""`network.limit_data`: connections are closed once so many bytes have passed."""

from __future__ import annotations

from cleanroom.faults.base import FaultContext
from cleanroom.faults.proxy.fault import Deed, ProxyFault, open_proxy
from cleanroom.faults.proxy.limits import MOST_BYTES
from cleanroom.faults.proxy.prove import prove_limit_data
from cleanroom.faults.proxy.rungs import PROXY
from cleanroom.faults.rung import Ladder
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Size


def deed_of(event: FaultEvent) -> Deed:
    """Return what the parameters say."""
    limit = event.parameters["bytes"]
    assert isinstance(limit, Size)  # noqa: S101 - the shape of the parameter
    return Deed(
        parameters={"bytes": limit.bytes}, trial={"bytes": min(limit.bytes, MOST_BYTES)}, prove=prove_limit_data
    )  # fmt: skip


def open_limit_data(event: FaultEvent, context: FaultContext) -> ProxyFault:
    """Return the fault; raises `CapabilityError`."""
    return open_proxy(event, context, deed_of(event))


LADDER = Ladder(kind="network.limit_data", rungs=(PROXY,), open=open_limit_data)
