"""A network of a test's own in the engine, and what faults need to work in it, without a run around them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from cleanroom.clock import SystemClock
from cleanroom.drive.reach import Container
from cleanroom.engine.client import DockerEngine
from cleanroom.engine.ports import ContainerState
from cleanroom.faults.base import FaultContext
from cleanroom.network.ports import Slot
from cleanroom.plan.model import FaultEvent
from cleanroom.spec.fault import AtManual, Fault, ParameterValue
from cleanroom.spec.shapes.chaos import defaults_of
from cleanroom.spec.shapes.fault_table import FAULTS

STREAM = hashlib.sha256(b"tests").hexdigest()


@dataclass(frozen=True)
class Stage:
    engine: DockerEngine
    run: Callable[..., str]
    network: str
    slot: Slot

    def service(
        self,
        name: str,
        host: int,
        *,
        command: tuple[str, ...] = ("sleep", "600"),
        ports: tuple[int, ...] = (),
        **options: object,
    ) -> Container:
        """Start a container; `options` are those of `ContainerSpec`."""
        container = self.run(*command, network=self.network, address=self.slot.address(host), **options)
        return Container(service=name, id=container, address=self.slot.address(host), ports=ports)

    def context(self, *containers: Container, policy: bool = False) -> FaultContext:
        by_name = {c.service: c for c in containers}
        return FaultContext(
            engine=self.engine, clock=SystemClock(), slot=self.slot, containers=by_name,
            revive=lambda name: self.revive(by_name[name]),
            policy_restarts=dict.fromkeys(by_name, policy),
        )  # fmt: skip

    def revive(self, container: Container) -> None:
        if self.engine.inspect(container.id).status != "running":
            self.engine.start(container.id)

    def state(self, container: Container) -> ContainerState:
        return self.engine.inspect(container.id)


@contextmanager
def open_stage(engine: DockerEngine, run: Callable[..., str]) -> Iterator[Stage]:
    """Make the network; what was started in it is removed first at the end."""
    number, mark = 100 + secrets.randbelow(100), secrets.token_hex(3)
    slot = Slot(
        index=0, bridge=f"clr-t{mark}", subnet=f"10.217.{number}.0/24", gateway=f"10.217.{number}.1"
    )  # fmt: skip
    name = f"clr-test-{mark}"
    engine.create_network(name, bridge=slot.bridge, subnet=slot.subnet, gateway=slot.gateway)
    made: list[str] = []

    def start(*words: str, **options: object) -> str:
        made.append(run(*words, **options))
        return made[-1]

    try:
        yield Stage(engine, start, name, slot)
    finally:
        for container in made:
            engine.remove(container)
        engine.remove_network(name)


def event(fault: Fault, targets: tuple[str, ...]) -> FaultEvent:
    return FaultEvent(
        fault=fault, scenario="s", occurrence=0, stream=STREAM, drawn=True, targets=targets, moment=fault.moment,
        parameters=fault.parameters,
    )  # fmt: skip


def strike(
    kind: str, *targets: str, parameters: Mapping[str, ParameterValue] = MappingProxyType({}), **options: object
) -> FaultEvent:
    """Return an event of this kind with its default parameters and these; `options` are those of `Fault`."""
    options.setdefault("direction", FAULTS[kind].direction)
    fault = Fault(
        id="fault", kind=kind, moment=AtManual(), parameters=MappingProxyType({**defaults_of(kind), **parameters}),
        **options,
    )  # fmt: skip
    return event(fault, targets or fault.between)
