"""A suite: one spec file, loaded, rendered and checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from cleanroom.quantity import Duration
from cleanroom.spec.source import NOWHERE, Position, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.expect import Expect
    from cleanroom.spec.scenario import Scenario
    from cleanroom.spec.service import Service

SETTLE_TIMEOUT = Duration(5 * 10**9)
SETTLE_QUIET = Duration(200 * 10**6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """One entry of `normalize.replace`: a regular expression in attribute values and names, and what stands for it."""

    pattern: str
    replacement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalize:
    """`determinism.normalize` (spec.md section 7)."""

    drop: tuple[str, ...] = ()
    replace: tuple[Replacement, ...] = ()
    keep: tuple[str, ...] = ()
    siblings: Literal["unordered", "by_start"] = "unordered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Determinism:
    """`determinism` (spec.md section 7). `seed` None: 42 unless the caller gives one."""

    iterations: int = 5
    seed: int | None = None
    random_seed: bool = False
    identical: bool = True
    parallel: int | None = None
    normalize: Normalize = field(default_factory=Normalize)
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """`otel.settle`: how long positive expectations are waited for after the steps, and the quiet time that ends it."""

    timeout: Duration = SETTLE_TIMEOUT
    quiet: Duration = SETTLE_QUIET


@dataclass(frozen=True, slots=True, kw_only=True)
class Otel:
    """`otel` (spec.md section 3)."""

    collector: Literal["bundled", "embedded"] = "bundled"
    settle: Settle = field(default_factory=Settle)
    resource: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One spec file as frozen values; every cross-reference in it has been checked."""

    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    file: str
    """Path of the spec file relative to the workspace root, forward slashes."""
    environment: Literal["scenario", "suite"] = "scenario"
    services: tuple[Service, ...] = ()
    scenarios: tuple[Scenario, ...] = ()
    expect: Expect | None = None
    determinism: Determinism = field(default_factory=Determinism)
    otel: Otel = field(default_factory=Otel)
    instance: Mapping[str, bool | int | float | str] = field(default_factory=lambda: MappingProxyType({}))
    """The combination of `matrix` that this suite is, in the order of the file; empty without a matrix."""
    unavailable: tuple[Problem, ...] = field(default=(), compare=False)
    """What the spec asks for and `run` cannot carry out in this version (code `not-available`), by position."""
    at: Position = field(default=NOWHERE, compare=False)

    def service(self, name: str) -> Service:
        """Return the service called `name`; raises KeyError."""
        return next(s for s in self.services if s.name == name)
