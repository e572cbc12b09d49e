"""A fault's rungs: the mechanisms that can do it, what each needs of a machine, and what proves its effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cleanroom.errors import CapabilityError
from cleanroom.faults.base import ActiveFault, FaultContext
from cleanroom.plan.model import FaultEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One mechanism of a fault; `needs` names what a machine must have, for `doctor`."""

    name: str
    mechanism: str
    needs: tuple[str, ...]
    proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """A fault's rungs, the best first, and how it is opened.

    `open` chooses the rung for an event and raises `CapabilityError`, with each rung's reason, when none can do it.
    """

    kind: str
    rungs: tuple[Rung, ...]
    open: Callable[[FaultEvent, FaultContext], ActiveFault]


def pinned(event: FaultEvent, *rungs: str) -> str:
    """Return the rung that `backend` pins, "" for auto; raises `CapabilityError` for one that is none of `rungs`."""
    wanted = event.fault.backend
    if wanted not in ("auto", *rungs):
        names = ("auto", *rungs)
        raise CapabilityError(
            f"{event.fault.kind} has no backend {wanted!r}", remedy=f"use {', '.join(names[:-1])} or {names[-1]}"
        )
    return "" if wanted == "auto" else wanted
