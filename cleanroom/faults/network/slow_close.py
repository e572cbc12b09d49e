"""`network.slow_close`: a connection stays open for a time after one side has closed."""

from __future__ import annotations

from cleanroom.faults.base import FaultContext
from cleanroom.faults.proxy.fault import Deed, ProxyFault, open_proxy
from cleanroom.faults.proxy.limits import LONGEST_NS
from cleanroom.faults.proxy.prove import prove_slow_close
from cleanroom.faults.proxy.rungs import PROXY
from cleanroom.faults.rung import Ladder
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration


def deed_of(event: FaultEvent) -> Deed:
    """Return what the parameters say."""
    delay = event.parameters["delay"]
    assert isinstance(delay, Duration)  # noqa: S101 - the shape of the parameter
    return Deed(
        parameters={"delay_ns": delay.ns}, trial={"delay_ns": min(delay.ns, LONGEST_NS)}, prove=prove_slow_close
    )  # fmt: skip


def open_slow_close(event: FaultEvent, context: FaultContext) -> ProxyFault:
    """Return the fault; raises `CapabilityError`."""
    return open_proxy(event, context, deed_of(event))


LADDER = Ladder(kind="network.slow_close", rungs=(PROXY,), open=open_slow_close)
