"""A fault's life: check the capability, inject, verify the effect, hold, revert, verify the reversal (design 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol

from cleanroom.canonical import Json
from cleanroom.clock import Clock
from cleanroom.drive.reach import Container, Reach
from cleanroom.engine.clock_control import ClockControl
from cleanroom.engine.ports import ContainerSpec, Engine
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.access import Access
from cleanroom.network.ports import Names, Slot
from cleanroom.plan.model import FaultEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Facts measured outside the system under test; `holds` says whether they prove what was to be proven."""

    holds: bool
    facts: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))
    reason: str = ""
    """Why it does not hold, for people; empty when it does."""
    lapsed: str = ""
    """Of a reversal: why the effect was not what was asked until it was taken away: then it is not proven."""


class Revive(Protocol):
    """Starts a dead service again and waits until it is ready; raises `EngineError` when it never is."""

    def __call__(self, service: str) -> None:
        """Revive `service`."""


class Recreate(Protocol):
    """Puts another container of the same declaration in a service's place."""

    def __call__(
        self, service: str, *, keep_volumes: bool, change: Callable[[ContainerSpec], ContainerSpec] = ...
    ) -> Container:
        """Remove the service's container, make the other one with `change` and return it; it is not started.

        Raises `EngineError`.
        """


def _nobody(service: str, **_: object) -> Container:
    raise EngineError(f"nobody here can make another container of {service}")


def _no_clients() -> Reach:
    raise CapabilityError("a fault has no client of the services here")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultContext:
    """What a fault may use."""

    engine: Engine
    clock: Clock
    slot: Slot
    containers: Mapping[str, Container]
    """Every service of the environment by name, as it is when it is asked for: a fault may replace one."""
    revive: Revive
    policy_restarts: Mapping[str, bool]
    """Whether the service's own restart policy brings it back."""
    recreate: Recreate = _nobody
    reach: Callable[[], Reach] = _no_clients
    """What clients can reach now; raises `CapabilityError` where there are none."""
    access: Access = field(default_factory=Access)
    """How the spec itself gets into its databases and caches."""
    clocks: Mapping[str, ClockControl] = field(default_factory=lambda: MappingProxyType({}))
    """The clocks that were prepared for faults when their services started, by service."""
    names: Names | None = None
    """The slots' resolvers; None where the services ask another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """How the target came back: counted from the fault's end, for a kill from the death (spec.md section 9)."""

    strategy: Literal["policy", "start", "heal", "failover"]
    duration_ns: int
    success: bool
    reason: str = ""
    """Why it did not come back; empty when it did."""


class ActiveFault(Protocol):
    """One occurrence of a fault on this machine; made by `cleanroom.faults.ladder.open_fault`."""

    backend: str
    """The rung used, e.g. `api`, `netem`, `nfqueue`."""

    def inject(self) -> None:
        """Apply the fault; raises `EngineError`. `revert` is safe to call whatever happened here."""

    def verify(self) -> Evidence:
        """Measure, from outside the system under test, that it bites."""

    def revert(self) -> None:
        """Take it away; safe to call twice."""

    def verify_reversal(self) -> Evidence:
        """Measure that nothing of it is left."""

    def recovery(self) -> Recovery | None:
        """How the target came back, after `verify_reversal`; None for a fault that nothing has to recover from."""


class OpenFault(Protocol):
    """Chooses the rung for an event; raises `CapabilityError` with each rung's reason when none can do it."""

    def __call__(self, event: FaultEvent, context: FaultContext) -> ActiveFault:
        """Return the fault, not yet injected."""
