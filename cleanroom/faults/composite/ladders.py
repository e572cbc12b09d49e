"""The family composite has no rungs of its own: the run begins and ends the parts, each on one of its."""

from __future__ import annotations

from typing import NoReturn

from cleanroom.errors import CapabilityError
from cleanroom.faults.base import FaultContext
from cleanroom.faults.rung import Ladder
from cleanroom.plan.model import FaultEvent


def _refuse(event: FaultEvent, _context: FaultContext) -> NoReturn:
    raise CapabilityError(f"{event.fault.kind} is made of other faults: each of them is opened by itself")


LADDERS: tuple[Ladder, ...] = tuple(
    Ladder(kind=f"composite.{name}", rungs=(), open=_refuse) for name in ("monkey", "cascade", "concurrent", "sweep")
)
