"""A suite: one spec file, loaded, rendered and checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from cleanroom.spec.contract import Contract
from cleanroom.spec.determinism import Determinism
from cleanroom.spec.environment import Cleanup, EnvironmentLimits, Network
from cleanroom.spec.otel import Otel
from cleanroom.spec.source import NOWHERE, Position, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.expect import Expect
    from cleanroom.spec.scenario import Scenario
    from cleanroom.spec.service import Service

Tier: TypeAlias = Literal["smoke", "full", "weekly"]
TIERS: tuple[Tier, ...] = ("smoke", "full", "weekly")
"""How often a suite is worth its time; each tier includes those before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`report`: globs of the names whose values no report shows."""

    redact: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeSource:
    """`compose`: the Compose file that adds services, and what of it is left out on purpose."""

    file: str
    services: tuple[str, ...] | None = None
    """None: all that its profiles activate."""
    profiles: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One spec file as frozen values; every cross-reference in it has been checked."""

    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    file: str
    """Path of the spec file relative to the workspace root, forward slashes."""
    tier: Tier = "full"
    required: bool = True
    """Whether the call fails when this suite does."""
    environment: Literal["scenario", "suite"] = "scenario"
    limits: EnvironmentLimits = field(default_factory=EnvironmentLimits)
    network: Network = field(default_factory=Network)
    cleanup: Cleanup = field(default_factory=Cleanup)
    report: Report = field(default_factory=Report)
    compose: ComposeSource | None = None
    """Where some of the services come from; they stand in `services` like all others."""
    contracts: Contract | None = None
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
