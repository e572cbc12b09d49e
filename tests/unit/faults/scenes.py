"""Events, a context and an engine to try faults on, without an engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

from cleanroom.drive.reach import Container
from cleanroom.engine.ports import ContainerState
from cleanroom.faults.base import FaultContext
from cleanroom.network.ports import Slot
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration
from cleanroom.spec.fault import AtManual, Fault

EPOCH = "2026-01-02T03:04:05.000000000Z"
EPOCH_NS = 1767323045 * 10**9
NEVER = "0001-01-01T00:00:00Z"


class Time:
    """A clock that moves when somebody sleeps; `later` runs what is due on the way."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.later: list[tuple[float, Callable[[], None]]] = []

    def now_ns(self) -> int:
        return EPOCH_NS + round(self.seconds * 10**9)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        end = self.seconds + max(seconds, 0.001)
        for entry in sorted(self.later, key=lambda e: e[0]):
            if entry[0] <= end:
                self.later.remove(entry)
                self.seconds = entry[0]
                entry[1]()
        self.seconds = end

    def stamp(self) -> str:
        """The present as an engine writes it: nanoseconds and a Z."""
        return f"2026-01-02T03:04:{5 + self.seconds:012.9f}Z"


class Engine:
    """Containers that do what the test tells them when they are struck."""

    def __init__(self, time: Time, *names: str) -> None:
        self.time = time
        self.states = {
            name: ContainerState(
                id=name, name=f"clr-{name}", status="running", pid=100, exit_code=0, oom_killed=False,
                started_at=EPOCH, finished_at=NEVER, restart_count=0, address="10.0.0.10",
            )
            for name in names
        }  # fmt: skip
        self.on_kill: Callable[[str, str], None] = lambda name, _: self.end(name)
        self.kills: list[tuple[str, str]] = []
        self.revived: list[str] = []
        self.stops: list[tuple[str, Duration]] = []
        self.on_stop: Callable[[str], None] = lambda name: self.end(name, 143)
        self.mounted: dict[str, dict[str, str]] = {}

    def inspect(self, container: str) -> ContainerState:
        return self.states[container]

    def kill(self, container: str, signal: str = "KILL") -> None:
        self.kills.append((container, signal))
        self.on_kill(container, signal)

    def start(self, container: str) -> None:
        self.begin(container)

    def stop(self, container: str, grace: Duration) -> None:
        self.stops.append((container, grace))
        self.on_stop(container)

    def pause(self, container: str) -> None:
        self.states[container] = replace(self.states[container], status="paused")

    def unpause(self, container: str) -> None:
        self.states[container] = replace(self.states[container], status="running")

    def volumes(self, container: str) -> dict[str, str]:
        return self.mounted.get(container, {})

    def end(self, name: str, exit_code: int = 137, status: str = "exited") -> None:
        self.states[name] = replace(
            self.states[name], status=status, pid=0, exit_code=exit_code, finished_at=self.time.stamp()
        )  # type: ignore[arg-type]

    def begin(self, name: str, *, restarts: int = 0) -> None:
        before = self.states[name]
        self.states[name] = replace(
            before, status="running", pid=before.pid + 101, started_at=self.time.stamp(),
            restart_count=before.restart_count + restarts,
        )  # fmt: skip

    def revive(self, name: str) -> None:
        self.revived.append(name)
        self.time.seconds += 0.25
        if self.states[name].status != "running":
            self.begin(name)


def context(engine: Engine, *, policy: tuple[str, ...] = (), ports: tuple[int, ...] = ()) -> FaultContext:
    """The services of `engine`; a container's id is the service's name."""
    return FaultContext(
        engine=engine,  # type: ignore[arg-type]
        clock=engine.time,
        slot=Slot(index=0, bridge="clr-ab12-0", subnet="10.0.0.0/24", gateway="10.0.0.1"),
        containers={
            name: Container(service=name, id=name, address=f"10.0.0.{10 + number}", ports=ports)
            for number, name in enumerate(engine.states)
        },
        revive=engine.revive,
        policy_restarts=dict.fromkeys(policy, True),
    )


def event(kind: str, *targets: str, parameters: dict[str, object] | None = None, **options: object) -> FaultEvent:
    values = MappingProxyType(dict(parameters or {}))
    fault = Fault(id="f", kind=kind, moment=AtManual(), parameters=values, **options)  # type: ignore[arg-type]
    return FaultEvent(
        fault=fault, scenario="s", occurrence=0, stream="ab" * 32, drawn=True, targets=targets, moment=fault.moment,
        parameters=values,
    )  # type: ignore[arg-type]  # fmt: skip


def kill(*targets: str, backend: str = "auto", **parameters: object) -> FaultEvent:
    values: dict[str, object] = {"signal": "KILL", "revive": "default", **parameters}
    return event("container.kill", *targets, parameters=values, backend=backend)


def latency(
    *targets: str, delay: int = 100, jitter: int = 0, distribution: str = "uniform", **options: object
) -> FaultEvent:
    """Times in milliseconds."""
    values: dict[str, object] = {
        "delay": Duration(delay * 10**6), "jitter": Duration(jitter * 10**6), "distribution": distribution,
        "correlation": 0.0,
    }  # fmt: skip
    return event("network.latency", *targets, parameters=values, **options)
