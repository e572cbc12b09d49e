"""What must hold of a system that is well, before, during and after a scenario (spec.md section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cleanroom.quantity import Duration
from cleanroom.spec.probe import Probe
from cleanroom.spec.source import NOWHERE, Position

Phase: TypeAlias = Literal["before", "after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyState:
    """Probes, and when they are asked."""

    probes: tuple[Probe, ...]
    when: tuple[Phase, ...] = ("before", "after")
    during: Duration | None = None
    """The interval at which they are asked while the steps run; None: not then."""
    at: Position = field(default=NOWHERE, compare=False)
