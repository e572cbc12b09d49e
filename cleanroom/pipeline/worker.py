"""The inside of a cell: engine, images, network, collector, proof, iterations; in that order, and back."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from cleanroom.clock import Clock, SystemClock
from cleanroom.engine.cache import CacheProof
from cleanroom.engine.cell import RUNTIME, CellFacts
from cleanroom.engine.cgroup import gauge_of
from cleanroom.engine.client import DockerEngine
from cleanroom.engine.control import WorkerLink
from cleanroom.engine.identity import RUN_LABEL
from cleanroom.engine.images import Preparation, image_key, prepare_images, required_images
from cleanroom.engine.ports import Inventory
from cleanroom.engine.private import private_engine
from cleanroom.errors import CapabilityError
from cleanroom.faults.ladder import open_fault, prepared
from cleanroom.network.ports import Network, Proof
from cleanroom.network.proof import prove
from cleanroom.network.session import NetworkOptions, open_network
from cleanroom.pipeline.admission import Admission
from cleanroom.pipeline.options import RunOptions
from cleanroom.pipeline.probe import ContainerProbe
from cleanroom.pipeline.suites import Loaded
from cleanroom.run.events import Event, Listener
from cleanroom.run.journal import Journal
from cleanroom.run.ports import Ports
from cleanroom.run.record import CleanupRecord, SessionRecord, SuiteRecord, Trouble
from cleanroom.run.session import SessionOptions, run_suites
from cleanroom.run.skipped import Skipped
from cleanroom.run.stop import Stop
from cleanroom.run.tracing import AttributeScalar
from cleanroom.run.trouble import trouble_of
from cleanroom.spec.suite import Suite
from cleanroom.telemetry.selftrace import SelfTrace
from cleanroom.telemetry.session import TelemetrySession, start_telemetry
from cleanroom.validate.resilience.told import told
from cleanroom.validate.settle import Settling

MAX_SLOTS = 16
# What leads a person from the shell of the run to where containers have the pids that the engine says.
_ENTRANCES = {
    "container": "docker exec -it {host}",
    "namespaces": "nsenter --target $(pgrep -f 'cleanroom.engine.supervisor namespaces' | tail -n 1) --pid --mount --",
    "host": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What a worker needs besides its options."""

    facts: CellFacts
    link: WorkerLink | None
    listen: Listener
    stop: Stop
    journal: Path
    clock: Clock = field(default_factory=SystemClock)


class Worker:
    """One run inside a cell; `run` never raises a `CleanroomError`: trouble is in the record."""

    def __init__(self, loaded: Loaded, inside: Inside) -> None:
        self._loaded = loaded
        self._options: RunOptions = loaded.options
        self._in = inside
        self._timings: dict[str, float] = {}
        self._record = SessionRecord(
            engine_mode={"container": "cell", "namespaces": "own"}.get(inside.facts.kind, inside.facts.kind),
            privileges=inside.facts.privilege,
            pass_rates=loaded.options.pass_rates,
        )
        self._admission = Admission(loaded.options, inside.clock)
        self._journal = Journal(inside.journal)

    def run(self) -> SessionRecord:
        """Do everything and return what happened; whatever was started has ended."""
        trouble: Trouble | None = None
        try:
            with ExitStack() as stack:
                self._go(stack)
        except Exception as err:  # noqa: BLE001 - a defect ends in a report and a clean engine too
            trouble = trouble_of(err)
        record = replace(
            self._record,
            trouble=self._record.trouble or trouble,
            interrupted=self._in.stop.requested,
            skipped=(*self._loaded.skipped, *self._unreached()),
            timings=dict(self._timings),
        )
        self._journal.session(record)
        return record

    def _unreached(self) -> tuple[Skipped, ...]:
        return self._admission.skipped(self._loaded.plans, self._record.suites, interrupted=self._in.stop.requested)

    def _phase(self, name: str) -> AbstractContextManager[None]:
        return _Phase(name, self._in, self._timings)

    def _go(self, stack: ExitStack) -> None:
        with self._phase("engine"):
            engine = self._engine(stack)
        with self._phase("images"):
            images = self._images(engine)
        self._in.stop.check()
        width = self._width()
        with self._phase("network"):
            options = NetworkOptions(
                run_id=self._in.facts.run[:4], slots=width, directory=self._directory("network"),
                in_cell=self._in.facts.kind == "container",
            )  # fmt: skip
            network = stack.enter_context(open_network(options))
        with self._phase("collector"):
            telemetry = self._telemetry(stack, network)
        with self._phase("proof"):
            self._record = replace(self._record, proof=self._prove(engine, network))
        self._in.stop.check()
        before = engine.inventory()
        ports = self._ports(engine, network, telemetry, images)
        with self._phase("iterations"):
            suites = self._suites(ports, telemetry, width)
        self._record = replace(self._record, suites=suites)
        with self._phase("cleanup"):
            self._record = replace(self._record, cleanup=self._left(engine, before, suites))

    def _engine(self, stack: ExitStack) -> DockerEngine:
        facts = self._in.facts
        labels = {RUN_LABEL: facts.run}
        if facts.kind == "host":
            self._record = replace(self._record, image_cache="off")
            engine = stack.enter_context(DockerEngine(os.environ.get("DOCKER_HOST", ""), labels=labels))
            self._record = replace(self._record, engine_version=engine.version())
            return engine
        # Before the engine starts: it writes its empty index at once.
        warm = any(Path(facts.data_root, "image").glob("*/imagedb/content/sha256/*"))
        private = stack.enter_context(private_engine(facts))
        self._note_cache(private.before, warm=warm)
        for warning in private.daemon.warnings:
            self._in.listen(Event(kind="warning", text=warning, subject="engine"))
        self._record = replace(self._record, engine_version=private.daemon.version)
        return stack.enter_context(DockerEngine(private.daemon.address, labels=labels))

    def _note_cache(self, proof: CacheProof, *, warm: bool) -> None:
        cached = bool(self._in.facts.cache)
        state = "off" if not cached else "wiped" if proof.wiped else "warm" if warm else "cold"
        self._record = replace(self._record, image_cache=state)
        if cached and proof.removed:
            text = f"the image cache was emptied of {len(proof.removed)} things that an earlier run had left"
            self._in.listen(Event(kind="warning", text=text))

    def _images(self, engine: DockerEngine) -> Callable[[Suite, str], str]:
        needs = required_images(self._loaded.suites, Path(self._options.root))
        seed = self._in.link.request_images if self._in.link is not None else None
        how = Preparation(
            seed=seed, auth=self._options.registry_auth,
            log=lambda line: self._in.listen(Event(kind="phase", text=line, subject="images")),
        )  # fmt: skip
        ready: Mapping[str, str] = prepare_images(engine, needs, how)
        return lambda suite, service: ready[image_key(suite.service(service))]

    def _width(self) -> int:
        """Return how many iterations run at a time: what was asked for, else CPUs + 1, as they mostly wait."""
        most = max((p.iterations for p in self._loaded.plans), default=1)
        wanted = self._options.jobs or max(
            (p.suite.determinism.parallel or _cpus() + 1 for p in self._loaded.plans), default=1
        )
        return max(1, min(most, wanted, MAX_SLOTS))

    def _telemetry(self, stack: ExitStack, network: Network) -> TelemetrySession:
        found = shutil.which("otelcol")
        embedded = any(s.otel.collector == "embedded" for s in self._loaded.suites)
        if found is None and not embedded:
            self._in.listen(
                Event(kind="warning", text="no otelcol on PATH: the embedded receiver takes OTLP", subject="collector")
            )
        return stack.enter_context(
            start_telemetry(
                [(slot.index, slot.gateway) for slot in network.slots()],
                collector=None if embedded or found is None else Path(found),
                directory=self._directory("collector"),
                clock=self._in.clock,
            )
        )

    def _prove(self, engine: DockerEngine, network: Network) -> Proof:
        """Prove every slot, after one another in no order that matters; the report gets all vectors."""
        probe = ContainerProbe(engine, self._in.facts.run[:4])
        slots = [slot.index for slot in network.slots()]
        with ThreadPoolExecutor(max_workers=len(slots)) as pool:
            proofs = list(pool.map(lambda slot: prove(network, probe, slot=slot), slots))
        whole = Proof(vectors=tuple(v for p in proofs for v in p.vectors), dropped=sum(p.dropped for p in proofs))
        if whole.ways_out:
            open_ones = ", ".join(f"{v.protocol} {v.destination}:{v.port}" for v in whole.vectors if v.open)
            self._record = replace(self._record, proof=whole)
            raise CapabilityError(
                f"the network is not isolated, so nothing was started: {open_ones}",
                remedy="`cleanroom doctor` says what this machine's packet filter can do",
            )
        return whole

    def _ports(
        self, engine: DockerEngine, network: Network, telemetry: TelemetrySession, images: Callable[[Suite, str], str]
    ) -> Ports:
        settling = Settling()
        return Ports(
            engine=engine,
            telemetry=telemetry,
            network=network,
            clock=self._in.clock,
            open_fault=open_fault,
            prepared=prepared,
            settled=settling,
            arrived=settling.selected,
            listen=self._in.listen,
            stop=self._in.stop,
            token=lambda: secrets.token_hex(4),
            run_id=self._in.facts.run[:4],
            proof=self._record.proof,
            images=images,
            gauge=gauge_of,
            figures=told,
            workspace=self._options.root,
            entrance=_ENTRANCES[self._in.facts.kind].format(host=socket.gethostname()),
            keep=self._options.keep,
            controls=self._directory("clocks"),
            example=json.loads(self._options.example) if self._options.example else None,
        )

    def _directory(self, name: str) -> Path:
        """Make a directory that the engine sees as well."""
        parent = Path(RUNTIME) if self._in.facts.kind != "host" else self._in.journal.parent
        (parent / name).mkdir(parents=True, exist_ok=True)
        return parent / name

    def _suites(self, ports: Ports, telemetry: TelemetrySession, width: int) -> tuple[SuiteRecord, ...]:
        def start_trace(environment: str, common: Mapping[str, AttributeScalar]) -> SelfTrace:
            return SelfTrace(telemetry.runner_endpoint(environment), {}, common, self._in.clock)

        options = SessionOptions(parallel=width, admit=self._admission)
        return run_suites(ports, self._loaded.plans, options, self._journal, start_trace)

    def _left(self, engine: DockerEngine, before: Inventory, suites: tuple[SuiteRecord, ...]) -> CleanupRecord:
        """Return what the whole run made and took away; `left` is measured by inventories, not added up."""
        every = [s.cleanup for suite in suites for i in suite.iterations for s in i.scenarios]
        made = Inventory(
            containers=tuple(sorted({n for c in every for n in c.created.containers})),
            networks=tuple(sorted({n for c in every for n in c.created.networks})),
        )
        left = engine.inventory().minus(before)
        processes = tuple(sorted({p for c in every for p in c.processes_left}))
        return CleanupRecord(
            trigger="interrupt" if self._in.stop.requested else "normal",
            created=made, removed=made.minus(left), left=left,
            processes_left=processes, duration_ns=sum(c.duration_ns for c in every),
        )  # fmt: skip


def _cpus() -> int:
    return len(os.sched_getaffinity(0))


class _Phase:
    """Tells of a phase, and how long it took."""

    def __init__(self, name: str, inside: Inside, timings: dict[str, float]) -> None:
        self._name = name
        self._inside = inside
        self._timings = timings
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = self._inside.clock.monotonic()
        self._inside.listen(Event(kind="phase", text=self._name, subject=self._name))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        seconds = self._inside.clock.monotonic() - self._began
        self._timings[self._name] = seconds
        self._inside.listen(Event(kind="phase", text=self._name, subject=self._name, seconds=seconds, ok=kind is None))
