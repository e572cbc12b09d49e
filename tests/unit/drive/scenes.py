"""What a client can reach, without an environment."""

from __future__ import annotations

from collections.abc import Mapping

from cleanroom.clock import SystemClock
from cleanroom.drive.reach import Container, Reach
from cleanroom.run.stop import Stop
from tests.fakes import FakeEngine


def reach_of(services: Mapping[str, tuple[str, str]], engine: FakeEngine | None = None) -> Reach:
    """Return the reach of `services`: name → (container, address)."""
    containers = {name: Container(service=name, id=id_, address=at) for name, (id_, at) in services.items()}
    return Reach(engine=engine or FakeEngine(), containers=containers, clock=SystemClock(), stop=Stop())
