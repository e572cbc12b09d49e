"""What a client of the system under test can reach: the services of one environment, and nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cleanroom.errors import EngineError
from cleanroom.quantity import Duration

if TYPE_CHECKING:
    # Not loaded otherwise: every driver of a workload imports this module, and waits for it.
    from cleanroom.clock import Clock
    from cleanroom.engine.ports import ContainerSpec, Engine
    from cleanroom.spec.selector import Selector
    from cleanroom.spec.step import RunAction


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A running service as faults and clients see it."""

    service: str
    id: str
    address: str
    ports: tuple[int, ...] = ()
    """TCP ports that the service's readiness names; a place to measure from outside."""


class Stopping(Protocol):
    """The request to stop a run, as a client sees it: whoever waits, waits on this."""

    @property
    def requested(self) -> bool:
        """Whether the run has been asked to stop."""

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds`; return whether the run has been asked to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long one action may take, and how long its processes have between SIGTERM and SIGKILL."""

    timeout: Duration
    grace: Duration = Duration(2 * 10**9)


def _nowhere(_action: RunAction, _context: str) -> ContainerSpec:
    raise EngineError("a one-shot container has no place here", remedy="use `run` in the steps of a scenario")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """One environment as its clients see it."""

    engine: Engine
    containers: Mapping[str, Container]
    """Every service of the environment by name."""
    clock: Clock
    stop: Stopping
    folder: str = "."
    """Where the spec lies: files that an action names are relative to it."""
    spans: Callable[[Selector], int] = lambda _selector: 0
    """How many spans of services have arrived so far that the selectors select."""
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait
    """Wait for an event, at most so many seconds."""

    place: Callable[[RunAction, str], ContainerSpec] = _nowhere
    """How a one-shot container is to be made, given the trace context of its step."""

    @property
    def addresses(self) -> Mapping[str, str]:
        """The address of every service by name."""
        return {name: container.address for name, container in self.containers.items()}
