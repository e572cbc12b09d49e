"""`cache.slow(delay)`: every exchange with the cache waits: what it answers is late on the network."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from cleanroom.faults.base import ActiveFault, FaultContext
from cleanroom.faults.cache.client import Cache
from cleanroom.faults.network.latency import open_latency
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration


def open_slow(event: FaultEvent, context: FaultContext) -> ActiveFault:
    """Return the delay of what the cache sends from its port; raises `CapabilityError` as `network.latency` does.

    A pipeline of commands waits once, as its replies travel together.
    """
    ports = tuple(sorted({Cache(context, target).port for target in event.targets}))
    parameters = MappingProxyType({
        "delay": event.parameters["delay"], "jitter": Duration(0), "distribution": "uniform", "correlation": 0.0
    })  # fmt: skip
    fault = replace(event.fault, ports=ports, protocol="tcp", direction="egress", parameters=parameters)
    return open_latency(replace(event, fault=fault, parameters=parameters), context)
