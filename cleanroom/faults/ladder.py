"""The one table of faults: which rungs each has, what each rung needs, and what proves the effect."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from cleanroom.errors import CapabilityError
from cleanroom.faults.base import ActiveFault, FaultContext
from cleanroom.faults.broker import ladders as broker
from cleanroom.faults.cache import ladders as cache
from cleanroom.faults.clock import ladders as clock
from cleanroom.faults.composite import ladders as composite
from cleanroom.faults.container import ladders as container
from cleanroom.faults.credentials import ladders as credentials
from cleanroom.faults.custom import ladders as custom
from cleanroom.faults.database import ladders as database
from cleanroom.faults.dependency import ladders as dependency
from cleanroom.faults.dns import ladders as dns
from cleanroom.faults.filesystem import ladders as filesystem
from cleanroom.faults.http import ladders as http
from cleanroom.faults.network import ladders as network
from cleanroom.faults.process import ladders as process
from cleanroom.faults.resource import ladders as resource
from cleanroom.faults.rung import Ladder
from cleanroom.faults.traffic import crew
from cleanroom.plan.model import FaultEvent

LADDERS: tuple[Ladder, ...] = (
    *container.LADDERS,
    *process.LADDERS,
    *network.LADDERS,
    *dns.LADDERS,
    *http.LADDERS,
    *resource.LADDERS,
    *filesystem.LADDERS,
    *clock.LADDERS,
    *dependency.LADDERS,
    *database.LADDERS,
    *cache.LADDERS,
    *broker.LADDERS,
    *credentials.LADDERS,
    *custom.LADDERS,
    *composite.LADDERS,
)
_QUEUED = frozenset(ladder.kind for ladder in LADDERS if any(rung.name == "nfqueue" for rung in ladder.rungs))


def prepared(events: Sequence[FaultEvent]) -> AbstractContextManager[None]:
    """Return a block in which what these faults need beside the services is started already; it ends with the block."""
    parts = (part for event in events if event.drawn for part in event.walk())
    queued = any(part.fault.kind in _QUEUED and part.fault.backend in ("auto", "nfqueue") for part in parts)
    return crew.prepared() if queued else nullcontext()


def open_fault(event: FaultEvent, context: FaultContext) -> ActiveFault:
    """Return the fault of `event`, not yet injected; raises `CapabilityError` when no rung can do it."""
    for ladder in LADDERS:
        if ladder.kind == event.fault.kind:
            return ladder.open(event, context)
    raise CapabilityError(f"{event.fault.kind} is not available in this version")
