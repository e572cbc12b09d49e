"""`dependency.down(mode)`: who depends on the service cannot reach it, in one of four ways; each is a fault of its own.

It stays down for the whole window: a restart policy is not woken, since an engine takes its own kill for a wanted stop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from cleanroom.errors import CapabilityError
from cleanroom.faults.base import ActiveFault, FaultContext
from cleanroom.faults.container.kill import open_kill
from cleanroom.faults.container.pause import open_pause
from cleanroom.faults.network.blackhole import open_blackhole
from cleanroom.faults.network.refuse import open_refuse
from cleanroom.faults.rung import pinned
from cleanroom.plan.model import FaultEvent
from cleanroom.spec.fault import ParameterValue

_NONE: Final[Mapping[str, ParameterValue]] = MappingProxyType({})
_KILL: Final[Mapping[str, ParameterValue]] = MappingProxyType({"signal": "KILL", "revive": "start"})
WAYS: Final[
    Mapping[str, tuple[str, str, Mapping[str, ParameterValue], Callable[[FaultEvent, FaultContext], ActiveFault]]]
] = MappingProxyType(
    {
        "kill": ("api", "container.kill", _KILL, open_kill),
        "pause": ("api", "container.pause", _NONE, open_pause),
        "refuse": ("nftables", "network.refuse", _NONE, open_refuse),
        "blackhole": ("nftables", "network.blackhole", _NONE, open_blackhole),
    }
)
"""Mode → rung, the fault that does it, its parameters, and who opens that."""


def open_down(event: FaultEvent, context: FaultContext) -> ActiveFault:
    """Return the fault that does what `mode` says; raises `CapabilityError` when its rung is not the pinned one."""
    mode = str(event.parameters["mode"])
    rung, kind, parameters, opener = WAYS[mode]
    if pinned(event, "api", "nftables") not in ("", rung):
        raise CapabilityError(f"mode {mode} is done by backend {rung} only", remedy=f"use backend auto or {rung}")
    # What comes to the service is struck; its own requests go on.
    fault = replace(event.fault, kind=kind, parameters=parameters, direction="ingress", backend="auto")
    return opener(replace(event, fault=fault, parameters=parameters), context)
