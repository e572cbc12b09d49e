"""The probes of a readiness, asked by the clients that also ask those of steps and steady states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cleanroom.drive.ask import ask
from cleanroom.drive.reach import Container, Reach
from cleanroom.engine.ready import ReadyCheck
from cleanroom.engine.service import Placement
from cleanroom.errors import CleanroomError
from cleanroom.plan.model import Plan
from cleanroom.run.ports import Ports
from cleanroom.spec.probe import Probe
from cleanroom.spec.selector import Selector
from cleanroom.spec.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Who asks in one environment; `environment` is its id, `others` gives the services that are ready already."""

    ports: Ports
    plan: Plan
    environment: str
    others: Callable[[], Mapping[str, Container]]

    def ask(self, check: ReadyCheck, probe: Probe) -> str:
        """Ask once; return "" when it holds, else the question and why it does not. Never raises."""
        name = check.service.name
        own = Container(service=name, id=check.container, address=check.address)
        reach = Reach(
            engine=self.ports.engine, containers={**self.others(), name: own}, clock=self.ports.clock,
            stop=self.ports.stop, folder=str(Path(self.ports.workspace, self.plan.suite.file).parent),
            spans=self._arrived,
        )  # fmt: skip
        answer = ask(reach, probe, check.traceparent, name)
        return "" if answer.ok else f"{answer.question}: {answer.why}"

    def now(self, service: Service, container: str, place: Placement) -> str:
        """Ask all that the service is ready by, once; return "" when all of it holds, else the first that does not."""
        try:
            status = self.ports.engine.inspect(container).status
        except CleanroomError as err:
            return err.message
        if status != "running":
            return f"it does not run ({status})"
        check = ReadyCheck(
            service=service, container=container, address=place.address, traceparent=place.traceparent
        )  # fmt: skip
        return next((why for probe in service.ready if (why := self.ask(check, probe))), "")

    def _arrived(self, selector: Selector) -> int:
        return self.ports.arrived(self.ports.telemetry.payloads(self.environment), selector)
