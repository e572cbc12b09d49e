"""One environment: a suite's services, fresh, in one slot of the network, from first container to proof of absence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from cleanroom.drive.reach import Container
from cleanroom.engine.clock_control import ClockControl
from cleanroom.engine.ports import ContainerSpec, Inventory
from cleanroom.engine.processes import processes_of
from cleanroom.engine.service import (
    Placed,
    Placement,
    Stage,
    Started,
    await_service,
    container_name,
    remove_services,
    replace_service,
    restart_service,
    start_services,
    stop_services,
)
from cleanroom.errors import EngineError, ExitCode, NetworkError
from cleanroom.network.ports import Drop, Slot
from cleanroom.plan.model import Plan
from cleanroom.quantity import Duration
from cleanroom.run.closed import UNSEEN, Before, Closed
from cleanroom.run.events import Event
from cleanroom.run.output import read_output
from cleanroom.run.ports import Ports
from cleanroom.run.readiness import Readiness
from cleanroom.run.record import CleanupRecord, ServiceRecord, Trouble
from cleanroom.run.replacement import Replacements
from cleanroom.run.shots import Shots
from cleanroom.run.surroundings import Surroundings
from cleanroom.run.tracing import AttributeScalar, OpenSpan, Tracer, span
from cleanroom.run.trouble import recorded, trouble_of
from cleanroom.run.usage import usage_watch
from cleanroom.spec.probe import port_asked
from cleanroom.spec.service import Service
from cleanroom.spec.step import RunAction
from cleanroom.telemetry.ports import Payload
from cleanroom.telemetry.variables import telemetry_variables

REMOVALS = 2
"""How often a teardown is tried: an engine that failed once may have been busy, one that fails twice is broken."""
DRAIN_TIMEOUT = Duration(10 * 10**9)


class Environment:
    """Opened once, closed once; `close` works after any failure of `open`."""

    def __init__(self, ports: Ports, plan: Plan, tracer: Tracer, *, slot: int, scene: tuple[int, str, str]) -> None:
        """`scene` is whom it is for: the 0-based iteration, the scenario or `suite`, and which part of it or ``."""
        self._ports = ports
        self._plan = plan
        self._tracer = tracer
        self._scene = scene
        self.id = f"{plan.suite.name}-{scene[0]}-{scene[1]}{scene[2]}"
        self.slot: Slot = ports.network.slots()[slot]
        self._network = f"clr-{ports.run_id}-{slot}-{ports.token()}"
        self._shots = Shots(ports, plan, self.slot, self._network)
        self.noise: list[str] = []
        self._placed: dict[str, Placed] = {}
        self._started: dict[str, Started] = {}
        self._earlier = Replacements(ports.engine)
        self._opened = False
        self._timings: dict[str, float] = {}
        self._usage = usage_watch(ports.engine, ports.gauge, plan.suite)
        self._surroundings = Surroundings(ports, plan, scene[:2], self.id)
        self._forget = ports.stop.register(self._abort)

    @property
    def containers(self) -> Mapping[str, Container]:
        """Every running service as faults and steps see it."""
        found = {}
        for name, started in self._started.items():
            probes = self._plan.suite.service(name).ready
            ports = tuple(port for probe in probes if (port := port_asked(probe.question)))
            found[name] = Container(service=name, id=started.container, address=started.address, ports=ports)
        return found

    @property
    def clocks(self) -> Mapping[str, ClockControl]:
        """The clocks that faults can alter, by service."""
        return self._surroundings.controls

    def place(self, action: RunAction, context: str) -> ContainerSpec:
        """Return how a one-shot container in this environment is to be made."""
        return self._shots.place(self._placed, action, context)

    def _address(self, service: str) -> str:
        return self.slot.address(self._plan.addresses[service])

    def _place(self, service: Service) -> Placed:
        suite = self._plan.suite
        endpoint = self._ports.telemetry.endpoint(self.slot.index, service.telemetry.protocol)
        name = container_name(self._ports.run_id, self.slot.index, service.name, self._ports.token())
        placement = Placement(
            container=name,
            image=self._ports.images(suite, service.name),
            network=self._network,
            address=self._address(service.name),
            dns=(self.slot.gateway,),
            resolv_conf=self._ports.network.resolv_conf(self.slot.index),
            environment=telemetry_variables(service, endpoint, suite.otel.resource, self._plan.seed),
            cgroup_parent=self._ports.cgroup_parent,
            traceparent=self.issue(),
        )
        return Placed(service=service, placement=self._surroundings.placed(service, placement))

    def issue(self) -> str:
        """Return a `traceparent` for traffic whose amount depends on timing: in judging, out of the digest."""
        trace_id, traceparent = self._tracer.issue_trace()
        self.noise.append(trace_id)
        return traceparent

    def open(self, parent: OpenSpan) -> None:
        """Start everything and wait until it is ready; raises `EngineError`, `InterruptedRunError`: then close it."""
        clock, suite = self._ports.clock, self._plan.suite
        began = clock.monotonic()
        proof = self._ports.proof
        facts = {"services": tuple(sorted(s.name for s in suite.services))}
        measured = {"proof.vectors": len(proof.vectors), "proof.ways_out": proof.ways_out} if proof else {}
        with span(self._tracer, "cleanroom.environment", {**facts, **measured}, parent) as opened:
            self._ports.telemetry.open(self.slot.index, self.id)
            self._opened = True
            self._surroundings.begin()
            self._ports.network.open(self.slot.index, {s.name: self._address(s.name) for s in suite.services})
            self._ports.engine.create_network(
                self._network, bridge=self.slot.bridge, subnet=self.slot.subnet, gateway=self.slot.gateway
            )
            self._placed = {s.name: self._place(s) for s in suite.services}
            for started in start_services(self._stage(), self._surroundings.waves, self._placed):
                self._started[started.service] = started
                if self._usage is not None:
                    self._usage.begin(started.service, started.container)
                self._tell_started(started, opened)
            self._surroundings.prove(self._started)
        self._timings["start"] = clock.monotonic() - began

    def _stage(self) -> Stage:
        ask = self._readiness().ask
        return Stage(self._ports.engine, self._ports.clock, self._progress, _StopFlag(self._ports), ask)

    def _readiness(self) -> Readiness:
        return Readiness(ports=self._ports, plan=self._plan, environment=self.id, others=lambda: self.containers)

    def ready(self, service: str) -> str:
        """Ask the service's readiness once; return "" when it is ready, else why not."""
        placed, started = self._placed[service], self._started[service]
        return self._readiness().now(placed.service, started.container, placed.placement)

    def _progress(self, service: str, phase: str) -> None:
        if phase in ("starting", "stopping"):
            self._tell(service, phase)

    def _tell(self, service: str, text: str, seconds: float | None = None) -> None:
        self._ports.listen(
            Event(
                kind="service", text=text, suite=self._plan.suite.name, iteration=self._scene[0],
                scenario=self._scene[1], subject=service, seconds=seconds, ok=None if seconds is None else True,
            )
        )  # fmt: skip

    def _tell_started(self, started: Started, parent: OpenSpan) -> None:
        facts: dict[str, AttributeScalar] = {
            "service": started.service, "image": started.image, "ready_ms": started.ready_ms
        }  # fmt: skip
        opened = self._tracer.start("cleanroom.service.start", facts, parent=parent, start_ns=started.start_ns)
        opened.end(started.ready_ns)
        self._tell(started.service, "ready", started.ready_ms / 1000)

    def way_in(self, service: str) -> str:
        """Return the command that opens a shell in a service, from where the run was started."""
        pid = self._ports.engine.inspect(self._started[service].container).pid
        return f"{self._ports.entrance} nsenter --target {pid} --mount --uts --ipc --net --pid -- sh".strip()

    def revive(self, service: str) -> None:
        """Start a dead service again, unless it runs, and wait until it is ready (a fault's end)."""
        before = self._started[service]
        if self._ports.engine.inspect(before.container).status == "running":
            self._forget_address(before)
            await_service(self._stage(), self._placed[service], before.container)
            return
        started = restart_service(
            self._stage(), self._placed[service], before.container, lambda: self._forget_address(before)
        )
        self._started[service] = replace(before, ready_ns=started.ready_ns)

    def recreate(
        self, service: str, *, keep_volumes: bool, change: Callable[[ContainerSpec], ContainerSpec] = lambda spec: spec
    ) -> Container:
        """Put another container of the same declaration, with `change`, in a service's place; it is not started."""
        before = self._started[service]
        self._earlier.leaves(service, before.container)
        made = replace_service(
            self._ports.engine, self._placed[service], before.container, keep_volumes=keep_volumes, change=change
        )
        self._started[service] = replace(before, container=made)
        if self._usage is not None:
            self._usage.replaced(service, made)
        return self.containers[service]

    def _forget_address(self, service: Started) -> None:
        """Ask anew for a service that is back; where the bridge is not ours to change, it is only found later."""
        with suppress(NetworkError):
            self._ports.network.forget(self.slot.index, service.address)

    def _abort(self) -> None:
        """Kill every container, so that nobody goes on waiting for one: the run is to stop."""
        for started in list(self._started.values()):
            try:
                self._ports.engine.kill(started.container)
            except EngineError as err:
                # It may have ended by itself a moment ago; the teardown looks at what is left in any case.
                self._ports.listen(Event(kind="warning", text=err.message, subject=started.service))

    def close(self, parent: OpenSpan, trigger: str) -> Closed:
        """Stop, drain, remove, and prove that nothing is left; trouble is in what it returns."""
        troubles: list[Trouble] = []
        with span(self._tracer, "cleanroom.cleanup", {"trigger": trigger}, parent) as opened:
            began = self._ports.clock.monotonic()
            services: tuple[ServiceRecord, ...] = ()
            with recorded(troubles):
                services = self._stop(opened, troubles)
            self._timings["stop"] = self._ports.clock.monotonic() - began
            payloads, late = self._collect(troubles)
            egress = self._egress(troubles)
            cleanup = self._remove(trigger, began, troubles)
            self._mark(opened, cleanup)
        self._forget()
        self._surroundings.end()
        return Closed(
            services=services, egress=egress, cleanup=cleanup, payloads=payloads, late=late,
            noise_traces=tuple(self.noise), trouble=troubles[0] if troubles else None, timings=dict(self._timings),
        )  # fmt: skip

    def _stop(self, parent: OpenSpan, troubles: list[Trouble]) -> tuple[ServiceRecord, ...]:
        suite = self._plan.suite
        running = {n: (suite.service(n), s.container) for n, s in self._started.items()}
        used = self._usage.finish() if self._usage is not None else {}
        before = self._before_stop(troubles)
        ended = {s.service: s for s in stop_services(self._stage(), self._plan.start_order, running)}
        records = []
        for name, started in sorted(self._started.items()):
            stopped = ended[name]
            facts: dict[str, AttributeScalar] = {
                "service": name, "image": started.image, "oom_killed": stopped.oom_killed
            }  # fmt: skip
            if stopped.exit_code is not None:
                facts["exit_code"] = stopped.exit_code
            opened = self._tracer.start("cleanroom.service.stop", facts, parent=parent, start_ns=stopped.start_ns)
            if stopped.trouble:
                opened.error(stopped.trouble)
                troubles.append(Trouble(exit_code=int(ExitCode.ENGINE), message=f"service {name}: {stopped.trouble}"))
            opened.end(stopped.end_ns)
            self._tell(name, "stopped", (stopped.end_ns - stopped.start_ns) / 10**9)
            output = self._earlier.output(name, read_output(self._ports.engine, started.container))
            records.append(
                ServiceRecord(
                    name=name, image=started.image, address=started.address, container=started.container,
                    hostname=self._surroundings.hostname(suite.service(name)), ready_ms=started.ready_ms,
                    clock=self._surroundings.clocks.get(name), surroundings=self._surroundings.found.get(name, {}),
                    exit_code=stopped.exit_code, oom_killed=stopped.oom_killed, resources=used.get(name), **output,
                    **before.get(name, UNSEEN),
                )
            )  # fmt: skip
        return (*records, *self._unready())

    def _before_stop(self, troubles: list[Trouble]) -> Mapping[str, Before]:
        """Look at all services before the first is stopped: the end of one must not look like that of another."""
        found: dict[str, Before] = {}
        for name, started in self._started.items():
            with recorded(troubles):
                state = self._ports.engine.inspect(started.container)
                status = "" if state.status == "running" else state.status
                found[name] = {"ended_early": status, "restarts": state.restart_count + self._earlier.restarts(name)}
        return found

    def _unready(self) -> tuple[ServiceRecord, ...]:
        """Return what is known of services of an environment that never opened: their logs say why."""
        records = []
        for name, placed in sorted(self._placed.items()):
            if name in self._started:
                continue
            place = placed.placement
            try:
                state = self._ports.engine.inspect(place.container)
            except EngineError:
                # It was never created: the trouble that kept it from that is told already.
                continue
            output = read_output(self._ports.engine, state.id)
            records.append(
                ServiceRecord(
                    name=name, image=place.image, address=place.address, container=state.id,
                    hostname=placed.service.hostname or name,
                    exit_code=None if state.status == "running" else state.exit_code,
                    oom_killed=state.oom_killed, **output,
                )
            )  # fmt: skip
        return tuple(records)

    def _collect(self, troubles: list[Trouble]) -> tuple[tuple[Payload, ...], int]:
        """Wait at the barrier, then take what arrived; a collector that died is trouble, never a pass."""
        if not self._opened:
            return (), 0
        began = self._ports.clock.monotonic()
        telemetry = self._ports.telemetry
        payloads: tuple[Payload, ...] = ()
        late = 0
        with recorded(troubles):
            telemetry.check()
            telemetry.drain(self.slot.index, DRAIN_TIMEOUT)
        with recorded(troubles):
            payloads = telemetry.close(self.slot.index, self.id)
            late = telemetry.late(self.id)
        self._timings["drain"] = self._ports.clock.monotonic() - began
        return payloads, late

    def _egress(self, troubles: list[Trouble]) -> tuple[Drop, ...]:
        drops: tuple[Drop, ...] = ()
        if self._opened:
            with recorded(troubles):
                drops = self._ports.network.close(self.slot.index)
        return drops

    @property
    def _names(self) -> Inventory:
        """All that can exist of this environment: its containers and its network, by name."""
        names = {p.placement.container for p in self._placed.values()} | self._shots.names | self._earlier.names
        return Inventory(containers=tuple(sorted(names)), networks=(self._network,) if self._opened else ())

    def _ours(self, troubles: list[Trouble]) -> Inventory | None:
        """Return what exists in the engine of this environment; None when the engine does not say."""
        try:
            everything = self._ports.engine.inventory()
        except Exception as err:  # noqa: BLE001 - as in `recorded`
            troubles.append(trouble_of(err))
            return None
        names = self._names
        return Inventory(
            containers=tuple(n for n in everything.containers if n in names.containers),
            networks=tuple(n for n in everything.networks if n in names.networks),
        )

    def _remove(self, trigger: str, began: float, troubles: list[Trouble]) -> CleanupRecord:
        engine = self._ports.engine
        start = self._ports.clock.monotonic()
        created = self._ours(troubles)
        left: Inventory | None = None
        for _attempt in range(REMOVALS):
            refused = remove_services(engine, self._names.containers)
            troubles.extend(Trouble(exit_code=int(ExitCode.ENGINE), message=words) for words in refused)
            with recorded(troubles):
                engine.remove_network(self._network)
            left = self._ours(troubles)
            if left is not None and left.empty:
                break
        # What the engine does not vouch for counts as left: absence is proven, never assumed.
        left = self._names if left is None else left
        created = Inventory() if created is None else created
        processes: tuple[str, ...] = ()
        with recorded(troubles):
            processes = processes_of((*(s.container for s in self._started.values()), *self._earlier.containers))
        self._timings["cleanup"] = self._ports.clock.monotonic() - start
        return CleanupRecord(
            trigger=_trigger(trigger), created=created, removed=created.minus(left), left=left,
            processes_left=processes, duration_ns=int((self._ports.clock.monotonic() - began) * 10**9),
        )  # fmt: skip

    def _mark(self, opened: OpenSpan, cleanup: CleanupRecord) -> None:
        left = len(cleanup.left.containers) + len(cleanup.left.networks) + len(cleanup.processes_left)
        opened.set(
            {
                "containers": len(cleanup.removed.containers), "networks": len(cleanup.removed.networks), "volumes": 0,
                "processes": len(self._started), "parallel": True, "success": cleanup.success, "left": left,
            }
        )  # fmt: skip
        if not cleanup.success:
            opened.error("something is left")


class _StopFlag:
    """The run's stop as the engine's services understand it."""

    def __init__(self, ports: Ports) -> None:
        self.is_set = lambda: ports.stop.requested


def _trigger(text: str) -> Literal["normal", "failure", "timeout", "interrupt"]:
    known: tuple[Literal["failure", "timeout", "interrupt"], ...] = ("failure", "timeout", "interrupt")
    return next((one for one in known if one == text), "normal")
