# ruff: noqa: ARG002 - the ports fix the arguments, and a fake needs few of them
"""An engine, a network, telemetry, a clock, a tracer and faults that a test can look into and break at any call."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from cleanroom.engine.ports import (
    BuildSpec,
    ContainerSpec,
    ContainerState,
    ExecResult,
    ExecSpec,
    Inventory,
    Output,
)
from cleanroom.errors import EngineError, NetworkError, TelemetryError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.network.ports import Drop, Proof, Slot, Vector
from cleanroom.plan.build import build_plan
from cleanroom.plan.model import FaultEvent, Plan
from cleanroom.quantity import Duration
from cleanroom.run.events import Event
from cleanroom.run.iteration import Iteration
from cleanroom.run.journal import Journal
from cleanroom.run.ports import Ports
from cleanroom.run.record import IterationRecord
from cleanroom.run.stop import Stop
from cleanroom.spec.suite import Suite
from cleanroom.telemetry.ports import Payload
from cleanroom.telemetry.registry import check_attributes, check_event, check_parent
from cleanroom.trace.model import Origin, Span, StatusCode
from tests.unit.validate.builders import otlp, own

Crash = Literal["before", "after", "dead"]
TICK = 0.001


class FakeClock:
    """Every look at it takes a millisecond, so that no loop that waits for a moment is endless; sleeping takes none."""

    def __init__(self, at: float = 1000.0) -> None:
        self._at = at
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        with self._lock:
            self._at += TICK
            return self._at

    def now_ns(self) -> int:
        return int(self.monotonic() * 1e9)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._at += max(0.0, seconds)


@dataclass
class FakeContainer:
    id: str
    spec: ContainerSpec
    status: Any = "created"
    exit_code: int = 0
    oom_killed: bool = False
    starts: int = 0
    log: bytes = b"said something\n"
    health: str = "none"
    volumes: Mapping[str, str] = field(default_factory=dict)


@dataclass
class FakeEngine:
    """Obeys `engine.ports.Engine`; call number `crash_at` (from 0) raises, before or after it did its work.

    "dead": that call and every later one fails, as with an engine that is gone.
    """

    crash_at: int | None = None
    crash: Crash = "before"
    answer: Callable[[str, ExecSpec], ExecResult] | None = None
    calls: list[str] = field(default_factory=list)
    containers: dict[str, FakeContainer] = field(default_factory=dict)
    networks: set[str] = field(default_factory=set)
    images: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._ids = itertools.count(1)

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        with self._lock:
            index = len(self.calls)
            self.calls.append(name)
            hit = self.crash_at is not None and (
                index == self.crash_at or (self.crash == "dead" and index > self.crash_at)
            )
            if hit and self.crash != "after":
                raise EngineError(f"call {index} ({name}) failed")
            yield
            if hit:
                raise EngineError(f"the answer to call {index} ({name}) was lost")

    def _find(self, container: str) -> FakeContainer:
        for one in self.containers.values():
            if container in (one.id, one.spec.name):
                return one
        raise EngineError(f"no such container: {container}")

    def version(self) -> str:
        with self._call("version"):
            return "26.1.5"

    def create(self, spec: ContainerSpec) -> str:
        with self._call("create"):
            if spec.network not in self.networks:
                raise EngineError(f"no such network: {spec.network}")
            # No process of this machine has such an id in its cgroup.
            identifier = f"fa4e{next(self._ids):060x}"
            self.containers[spec.name] = FakeContainer(id=identifier, spec=spec)
            return identifier

    def start(self, container: str) -> None:
        with self._call("start"):
            found = self._find(container)
            found.status, found.starts = "running", found.starts + 1

    def stop(self, container: str, grace: Duration) -> None:
        with self._call("stop"):
            self._end(container, 0)

    def kill(self, container: str, signal: str = "KILL") -> None:
        with self._call("kill"):
            self._end(container, 137)

    def _end(self, container: str, code: int) -> None:
        found = self._find(container)
        if found.status == "running":
            found.status, found.exit_code = "exited", code

    def pause(self, container: str) -> None:
        with self._call("pause"):
            self._find(container).status = "paused"

    def unpause(self, container: str) -> None:
        with self._call("unpause"):
            self._find(container).status = "running"

    def rename(self, container: str, name: str) -> None:
        with self._call("rename"):
            found = self._find(container)
            del self.containers[found.spec.name]
            found.spec = replace(found.spec, name=name)
            self.containers[name] = found

    def volumes(self, container: str) -> Mapping[str, str]:
        with self._call("volumes"):
            return dict(self._find(container).volumes)

    def remove(self, container: str) -> None:
        with self._call("remove"):
            for name, one in list(self.containers.items()):
                if container in (one.id, name):
                    del self.containers[name]

    def inspect(self, container: str) -> ContainerState:
        with self._call("inspect"):
            found = self._find(container)
            return ContainerState(
                id=found.id, name=found.spec.name, status=found.status, pid=4711 if found.status == "running" else 0,
                exit_code=found.exit_code, oom_killed=found.oom_killed, started_at=f"start {found.starts}",
                finished_at="", restart_count=0, address=found.spec.address, health=found.health,
            )  # fmt: skip

    def wait(self, container: str, timeout: Duration) -> int | None:
        with self._call("wait"):
            found = self._find(container)
            return None if found.status == "running" else found.exit_code

    def logs(self, container: str, max_bytes: int = 1 << 20) -> bytes:
        with self._call("logs"):
            return self._find(container).log[-max_bytes:]

    def output(self, container: str, max_bytes: int = 1 << 20) -> Output:
        with self._call("output"):
            log = self._find(container).log
            return Output(stdout=log[:max_bytes], stderr=b"", truncated=("stdout",) if len(log) > max_bytes else ())

    def follow_logs(self, container: str, sink: Callable[[bytes], None]) -> Callable[[], None]:
        with self._call("follow_logs"):
            sink(self._find(container).log)
            return lambda: None

    def follow_events(self, container: str, sink: Callable[[str], None]) -> Callable[[], None]:
        with self._call("follow_events"):
            self._find(container)
            return lambda: None

    def execute(self, container: str, spec: ExecSpec) -> ExecResult:
        with self._call("execute"):
            found = self._find(container)
            if found.status != "running":
                raise EngineError(f"container {found.spec.name} is not running")
            return self.answer(found.spec.labels["cleanroom.service"], spec) if self.answer else result()

    def create_network(self, name: str, *, bridge: str, subnet: str, gateway: str) -> None:
        with self._call("create_network"):
            self.networks.add(name)

    def remove_network(self, name: str) -> None:
        with self._call("remove_network"):
            if any(c.spec.network == name for c in self.containers.values()):
                raise EngineError(f"network {name} has active endpoints")
            self.networks.discard(name)

    def inventory(self) -> Inventory:
        with self._call("inventory"):
            return self.held()

    def held(self) -> Inventory:
        """What it really holds, without a call."""
        return Inventory(containers=tuple(sorted(self.containers)), networks=tuple(sorted(self.networks)))

    def has_image(self, reference: str) -> bool:
        with self._call("has_image"):
            return reference in self.images

    def image_id(self, reference: str) -> str:
        with self._call("image_id"):
            return f"sha256:{reference}" if reference in self.images else ""

    def pull(self, reference: str, auth: Mapping[str, str] | None = None) -> None:
        with self._call("pull"):
            self.images.add(reference)

    def build(self, spec: BuildSpec, log: Callable[[str], None]) -> str:
        with self._call("build"):
            self.images.add(spec.tag)
            return f"sha256:{spec.tag}"


def result(code: int | None = 0, stdout: bytes = b"", stderr: bytes = b"", **kw: Any) -> ExecResult:
    """How a command ended: well, unless said otherwise."""
    defaults: dict[str, Any] = {"truncated": False, "timed_out": False, "killed": False, "duration_ns": 5}
    return ExecResult(exit_code=code, stdout=stdout, stderr=stderr, **{**defaults, **kw})


@dataclass
class FakeNetwork:
    """One bridge per slot; `fail` names a method that raises."""

    count: int = 2
    fail: str = ""
    seen: tuple[Drop, ...] = ()
    opened: dict[int, Mapping[str, str]] = field(default_factory=dict)
    forgotten: list[tuple[int, str]] = field(default_factory=list)

    def _may(self, method: str) -> None:
        if method == self.fail:
            raise NetworkError(f"the network's {method} failed")

    def slots(self) -> tuple[Slot, ...]:
        return tuple(
            Slot(index=i, bridge=f"clr-fake-{i}", subnet=f"10.213.{i}.0/24", gateway=f"10.213.{i}.1")
            for i in range(self.count)
        )

    def open(self, slot: int, names: Mapping[str, str]) -> None:
        self._may("open")
        self.opened[slot] = names

    def resolv_conf(self, slot: int) -> str:
        self._may("resolv_conf")
        return f"/fake/{slot}/resolv.conf"

    def forget(self, slot: int, address: str) -> None:
        self._may("forget")
        self.forgotten.append((slot, address))

    def drops(self, slot: int) -> tuple[Drop, ...]:
        self._may("drops")
        return self.seen

    def close(self, slot: int) -> tuple[Drop, ...]:
        self._may("close")
        self.opened.pop(slot, None)
        return self.seen


@dataclass
class FakeTelemetry:
    """Files what tests give it under environments; `fail` names a method that raises."""

    fail: str = ""
    filed: dict[str, list[Payload]] = field(default_factory=dict)
    current: dict[int, str] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)

    def _may(self, method: str) -> None:
        if method == self.fail:
            raise TelemetryError(f"telemetry's {method} failed")

    def arrive(self, environment: str, payload: Payload) -> None:
        self.filed.setdefault(environment, []).append(replace(payload, environment=environment))

    def open(self, slot: int, environment: str) -> None:
        self._may("open")
        self.current[slot] = environment

    def endpoint(self, slot: int, protocol: str) -> str:
        self._may("endpoint")
        return f"http://10.213.{slot}.1:{4317 if protocol == 'grpc' else 4318}"

    def runner_endpoint(self, environment: str) -> str:
        return f"http://127.0.0.1/runner/{environment}"

    def payloads(self, environment: str) -> tuple[Payload, ...]:
        self._may("runner_payloads" if environment.endswith("-runner") else "payloads")
        return tuple(self.filed.get(environment, ()))

    def drain(self, slot: int, timeout: Duration) -> None:
        self._may("drain")

    def close(self, slot: int, environment: str) -> tuple[Payload, ...]:
        self._may("close")
        self.current.pop(slot, None)
        self.closed.append(environment)
        return tuple(self.filed.get(environment, ()))

    def late(self, environment: str) -> int:
        self._may("late")
        return 0

    def check(self) -> None:
        self._may("check")


class FakeSpan:
    """A span that holds itself to the registry, and its tracer to ending it once."""

    def __init__(self, tracer: FakeTracer, span: Span) -> None:
        self._tracer = tracer
        self.span = span
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.message = ""
        self.ended = False

    @property
    def name(self) -> str:
        return self.span.name

    @property
    def attributes(self) -> Mapping[str, Any]:
        return self.span.attributes

    @property
    def failed(self) -> bool:
        return self.span.status is StatusCode.ERROR

    @property
    def trace_id(self) -> str:
        return self.span.trace_id

    @property
    def span_id(self) -> str:
        return self.span.span_id

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-01"

    def _alive(self) -> None:
        if self.ended:
            raise ValueError(f"span {self.name!r} has ended already")

    def set(self, attributes: Mapping[str, Any]) -> None:
        self._alive()
        check_attributes(self.name, attributes)
        self.span = replace(self.span, attributes={**self.span.attributes, **attributes})

    def event(self, name: str, attributes: Mapping[str, Any]) -> None:
        self._alive()
        check_event(self.name, name)
        check_attributes(self.name, attributes)
        self.events.append((name, attributes))

    def error(self, message: str) -> None:
        self._alive()
        self.message = self.message or message
        self.span = replace(self.span, status=StatusCode.ERROR)

    def end(self, at_ns: int | None = None) -> None:
        self._alive()
        self.ended = True
        self.span = replace(self.span, end_ns=at_ns if at_ns is not None else self._tracer.clock.now_ns())


class FakeTracer:
    """Makes spans after the registry of the runner's own; flushed ones arrive at the fake telemetry as OTLP."""

    def __init__(self, telemetry: FakeTelemetry, environment: str, common: Mapping[str, Any], clock: FakeClock) -> None:
        self._telemetry = telemetry
        self.environment = environment
        self._common = dict(common)
        self.clock = clock
        self.trace_id = hashlib.sha256(environment.encode()).hexdigest()[:32]
        self.spans: list[FakeSpan] = []
        self._lock = threading.Lock()
        self._noise = itertools.count(1)
        self.closed = False
        self.measured: list[tuple[str, str, float, dict[str, Any]]] = []

    def start(
        self, name: str, attributes: Mapping[str, Any], *, parent: FakeSpan | None, start_ns: int | None = None
    ) -> FakeSpan:
        check_parent(name, parent.name if parent else "")
        scenario = parent.attributes.get("cleanroom.scenario") if parent else None
        inherited = {"cleanroom.scenario": scenario} if scenario else {}
        given = {**self._common, **inherited, **attributes}
        check_attributes(name, given)
        with self._lock:
            made = own(
                len(self.spans) + 1, name, attrs=given, start=start_ns or self.clock.now_ns(), trace=self.trace_id
            )
            opened = FakeSpan(self, replace(made, parent_id=parent.span_id if parent else "", end_ns=0))
            self.spans.append(opened)
        return opened

    def issue_trace(self) -> tuple[str, str]:
        trace_id = f"{0xF00D:04x}{next(self._noise):028x}"
        return trace_id, f"00-{trace_id}-{1:016x}-01"

    def measure(self, name: str, unit: str, value: float, attributes: Mapping[str, Any]) -> None:
        with self._lock:
            self.measured.append((name, unit, value, dict(attributes)))

    def flush(self) -> None:
        self._telemetry._may("flush")
        ended = [s.span for s in self.spans if s.ended]
        if ended:
            self._telemetry.arrive(self.environment, otlp(*ended, origin=Origin.RUNNER))

    def close(self) -> None:
        self.closed = True

    def named(self, name: str) -> list[FakeSpan]:
        return [s for s in self.spans if s.name == name]


@dataclass
class FakeFault:
    """A fault that does nothing but be in place or not, asking the engine at each stage as a real one does."""

    event: FaultEvent
    context: FaultContext
    story: list[str] = field(default_factory=list)
    holds: bool = True
    stays: bool = False
    fail: str = ""
    backend: str = "fake"
    in_place: bool = False
    comes_back: Recovery | None = None

    def _do(self, what: str) -> None:
        self.story.append(f"{what} {self.event.key}")
        if what == self.fail:
            raise EngineError(f"{what} of {self.event.key} failed")
        for target in self.event.targets:
            self.context.engine.inspect(self.context.containers[target].id)

    def inject(self) -> None:
        self._do("inject")
        self.in_place = True

    def verify(self) -> Evidence:
        self._do("verify")
        return Evidence(holds=self.holds, facts={"rtt_ms": 12.5}, reason="" if self.holds else "nothing changed")

    def revert(self) -> None:
        self._do("revert")
        self.in_place = self.stays

    def verify_reversal(self) -> Evidence:
        self._do("verify_reversal")
        return Evidence(holds=not self.in_place, facts={"rules": 0}, reason="a rule is left" if self.in_place else "")

    def recovery(self) -> Recovery | None:
        return self.comes_back


@dataclass
class World:
    """Everything that `run` needs, fake, around one suite."""

    suite: Suite
    engine: FakeEngine = field(default_factory=FakeEngine)
    network: FakeNetwork = field(default_factory=FakeNetwork)
    telemetry: FakeTelemetry = field(default_factory=FakeTelemetry)
    clock: FakeClock = field(default_factory=FakeClock)
    stop: Stop = field(default_factory=Stop)
    faults: list[FakeFault] = field(default_factory=list)
    tracers: list[FakeTracer] = field(default_factory=list)
    heard: list[Event] = field(default_factory=list)
    shape: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of every FakeFault."""
    settled: Callable[..., bool] = lambda *_: True
    more: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of Ports besides."""

    def __post_init__(self) -> None:
        self._tokens = itertools.count(1)

    def open_fault(self, event: FaultEvent, context: FaultContext) -> FakeFault:
        made = FakeFault(event, context, **self.shape)
        self.faults.append(made)
        return made

    def start_trace(self, environment: str, common: Mapping[str, Any]) -> FakeTracer:
        made = FakeTracer(self.telemetry, environment, common, self.clock)
        self.tracers.append(made)
        return made

    @property
    def ports(self) -> Ports:
        return Ports(
            engine=self.engine, telemetry=self.telemetry, network=self.network, clock=self.clock,
            open_fault=self.open_fault, settled=self.settled, listen=self.heard.append, stop=self.stop,
            token=lambda: f"{next(self._tokens):08x}", run_id="0123", proof=PROOF, **self.more,
        )  # fmt: skip

    @property
    def plan(self) -> Plan:
        return build_plan(self.suite)

    def iterate(self, directory: Path, index: int = 0, slot: int = 0) -> IterationRecord:
        """Run one iteration with its journal in `directory`."""
        return Iteration(self.ports, self.plan, Journal(directory), self.start_trace).run(index, slot)


PROOF = Proof(
    vectors=(Vector(protocol="tcp", destination="198.51.100.1", port=80, open=False, detail="timed out"),), dropped=1
)
