"""How often a suite runs, and what must be the same each time (spec.md section 7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cleanroom.quantity import Duration
from cleanroom.spec.instant import Instant
from cleanroom.spec.source import NOWHERE, Position

Nuisance: TypeAlias = Literal["start_order", "hostname", "timezone", "locale", "cpus"]
Compared: TypeAlias = Literal["trace", "steps", "output"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """One entry of `normalize.replace`: a regular expression in attribute values and names, and what stands for it."""

    pattern: str
    replacement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """`durations: {bucket: …}`: durations are compared in steps of this width."""

    bucket: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalize:
    """`determinism.normalize`: what is taken out of a trace before its digest."""

    drop: tuple[str, ...] = ()
    drop_spans: tuple[str, ...] = ()
    """Globs of the names of services' spans that are left out; what is below them moves up."""
    replace: tuple[Replacement, ...] = ()
    keep: tuple[str, ...] = ()
    siblings: Literal["unordered", "by_start"] = "unordered"
    durations: Literal["drop"] | Buckets = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Determinism:
    """`determinism`. `seed` None: 42 unless the caller gives one."""

    iterations: int = 5
    seed: int | None = None
    random_seed: bool = False
    identical: bool = True
    freeze_clock: Instant | None = None
    """What the clock of every service without a setting of its own is set to."""
    parallel: int | None = None
    normalize: Normalize = field(default_factory=Normalize)
    vary: tuple[Nuisance, ...] = ()
    compare: tuple[Compared, ...] = ("trace", "steps")
    at: Position = field(default=NOWHERE, compare=False)
