"""Everything a run needs from below, in one value: ports, a clock, and the few facts that must not be drawn in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cleanroom.canonical import Json
from cleanroom.clock import Clock
from cleanroom.engine.cgroup import Gauge
from cleanroom.engine.ports import ContainerState, Engine
from cleanroom.faults.base import OpenFault
from cleanroom.network.ports import Network, Proof
from cleanroom.plan.model import FaultEvent
from cleanroom.run.events import Listener
from cleanroom.run.record import ScenarioRecord
from cleanroom.run.stop import Stop
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.selector import Selector
from cleanroom.spec.suite import Suite
from cleanroom.telemetry.ports import Payload, Telemetry


class Reading(Protocol):
    """One figure of a workload: its journal, its name, and its value in a unit of UCUM (times in seconds)."""

    @property
    def journal(self) -> str:
        """The journal of the workload."""

    @property
    def figure(self) -> str:
        """Its name in `expect.resilience`, e.g. `latency.p99`."""

    @property
    def value(self) -> float:
        """The value."""

    @property
    def unit(self) -> str:
        """The unit."""


class Settled(Protocol):
    """Whether every positive expectation of a scenario holds already; the pipeline hands it down (design section 8)."""

    def __call__(self, suite: Suite, scenario: Scenario, payloads: Sequence[Payload]) -> bool:
        """Judge what has arrived so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What one session runs on."""

    engine: Engine
    telemetry: Telemetry
    network: Network
    clock: Clock
    open_fault: OpenFault
    settled: Settled
    listen: Listener
    stop: Stop
    token: Callable[[], str]
    """A fresh unguessable hex text for the name of a container."""
    run_id: str
    arrived: Callable[[Sequence[Payload], Selector], int] = lambda _payloads, _selector: 0
    """How many of the service spans that have arrived the selectors select; the pipeline hands it down."""
    proof: Proof | None = None
    prepared: Callable[[Sequence[FaultEvent]], AbstractContextManager[None]] = lambda _events: nullcontext()
    """A block in which what these faults need beside the services is started already."""
    images: Callable[[Suite, str], str] = lambda _suite, service: service
    """The reference in the engine of the image of a suite's service."""
    gauge: Callable[[ContainerState], Gauge | None] = lambda _state: None
    """What measures the usage of a container; None where it cannot be seen."""
    figures: Callable[[ScenarioRecord], Sequence[Reading]] = lambda _record: ()
    """The figures of a scenario's workloads; the pipeline hands the computation down."""
    workspace: str = "."
    """The folder that the files of specs are relative to."""
    cgroup_parent: str = ""
    entrance: str = ""
    """What leads from the caller's shell to where containers have the pids that the engine says."""
    example: Mapping[str, Json] | None = None
    """The one example that properties with these names are run for; None: they search."""
    keep: bool = False
    """Leave the environment of the first iteration up and say how to get in."""
    controls: Path = Path("/run/cleanroom/clocks")
    """A directory on the engine's file system for the files that tell services' clocks what to say."""
