"""A fault as a spec declares it (spec.md section 8); when and whom it strikes is drawn by `cleanroom.plan`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from cleanroom.quantity import Duration, Rate, Size
from cleanroom.spec.comparator import Comparator
from cleanroom.spec.instant import Instant
from cleanroom.spec.probe import Probe
from cleanroom.spec.query import ExecAction
from cleanroom.spec.source import NOWHERE, Position
from cleanroom.spec.target import Target

Quantity: TypeAlias = bool | int | float | str | Duration | Size | Rate | Instant
ParameterValue: TypeAlias = (
    Quantity | tuple[Quantity, ...] | tuple[tuple[str, ...], ...] | Mapping[str, float] | Mapping[str, str] | ExecAction
    | Comparator
)  # fmt: skip

NO_OFFSET = Duration(0)
MOST_TICKS = 10_000
"""Of a monkey: each is an event of the plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtOffset:
    """From the scenario's first step."""

    offset: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class AtStep:
    """Synchronous with a step: before it starts, after it has ended, or `offset` after it started."""

    moment: Literal["before", "after", "during"]
    step: str
    offset: Duration = NO_OFFSET


@dataclass(frozen=True, slots=True, kw_only=True)
class AtProbe:
    """`{when: probe}`: as soon as the probe holds, or `offset` after that; repeated occurrences follow on that."""

    probe: Probe
    offset: Duration = NO_OFFSET


@dataclass(frozen=True, slots=True, kw_only=True)
class AtManual:
    """Injected by an `inject` step, or by a composite fault, only."""


Moment: TypeAlias = AtOffset | AtStep | AtProbe | AtManual


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """`repeat:`: occurrences after the first, `every` apart, `times` in all."""

    every: Duration
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One entry of `chaos:`; `kind` is `family.name`, e.g. `network.latency`; parameters carry their defaults."""

    id: str
    kind: str
    target: Target | None = None
    between: tuple[str, ...] = ()
    direction: Literal["egress", "ingress", "both"] = "egress"
    ports: tuple[int, ...] = ()
    protocol: Literal["tcp", "udp", "any"] = "any"
    parameters: Mapping[str, ParameterValue] = field(default_factory=lambda: MappingProxyType({}))
    moment: Moment
    duration: Duration | None = None
    """`for:`; None with `until_step` empty: until the scenario's steps end."""
    until_step: str = ""
    """`until: {step: x}`: reverted just before that step starts."""
    probability: float = 1.0
    repeat: Repeat | None = None
    backend: str = "auto"
    verify: bool = True
    verify_reason: str = ""
    allow_inconclusive: str = ""
    at: Position = field(default=NOWHERE, compare=False)
