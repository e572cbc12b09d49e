"""Where a scenario plays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cleanroom.drive.reach import Reach
from cleanroom.plan.model import Plan
from cleanroom.run.environment import Environment
from cleanroom.run.journal import Journal
from cleanroom.run.ports import Ports
from cleanroom.run.tracing import Tracer
from cleanroom.spec.selector import Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where a scenario plays: the plan, the iteration, the tracer and the environment."""

    ports: Ports
    plan: Plan
    iteration: int
    tracer: Tracer
    environment: Environment
    journal: Journal

    def reach(self) -> Reach:
        """Return what clients can reach now: a fault may have put another container in the place of one."""
        return Reach(
            engine=self.ports.engine, containers=self.environment.containers, clock=self.ports.clock,
            stop=self.ports.stop, place=self.environment.place,
            folder=str(Path(self.ports.workspace, self.plan.suite.file).parent), spans=self._arrived,
        )  # fmt: skip

    def _arrived(self, selector: Selector) -> int:
        return self.ports.arrived(self.ports.telemetry.payloads(self.environment.id), selector)
