"""Services of a spec as containers: what is created, started in waves, stopped in reverse."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeVar

from cleanroom.clock import Clock
from cleanroom.engine.ports import ContainerSpec, Engine, Mount
from cleanroom.engine.ready import Abort, Asking, ReadyCheck, await_ready, log_excerpt, prefix
from cleanroom.errors import CleanroomError, EngineError, InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cleanroom.spec.service import Service

_T = TypeVar("_T")
_MAX_THREADS: Final = 16
_RESOLV_CONF: Final = "/etc/resolv.conf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a service is to run and as what; `environment` lies under the service's own, which wins."""

    container: str
    """Name of the container, `clr-<run>-<slot>-<service>-<8 hex>`: see `container_name`."""
    image: str
    """A reference or id that the engine has."""
    network: str
    address: str
    resolv_conf: str = ""
    """Path on the engine's file system; "" leaves the engine's own."""
    environment: Mapping[str, str] = field(default_factory=dict)
    dns: tuple[str, ...] = ()
    cgroup_parent: str = ""
    traceparent: str = ""
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Variables that win over the service's own: what this iteration varies, and what preloads a clock."""
    hostname: str = ""
    """Instead of the service's own; "" leaves that."""
    cpuset: str = ""
    mounts: tuple[Mount, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Besides the service's own, which win."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A service with its place."""

    service: Service
    placement: Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A service that is ready; times in nanoseconds since the epoch, `start_ns` when its start was asked for."""

    service: str
    container: str
    """Id of the container."""
    name: str
    address: str
    image: str
    start_ns: int
    ready_ns: int

    @property
    def ready_ms(self) -> float:
        """Milliseconds from the start to readiness."""
        return (self.ready_ns - self.start_ns) / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """How a service ended when it was stopped; `trouble` is the engine's words when it could not be."""

    service: str
    exit_code: int | None
    oom_killed: bool
    start_ns: int
    end_ns: int
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """What starting and stopping happen on; `progress` hears (service, created|starting|ready|stopping|stopped)."""

    engine: Engine
    clock: Clock
    progress: Callable[[str, str], None] = lambda _service, _phase: None
    abort: Abort | None = None
    ask: Asking | None = None
    """Asks the probes of a readiness that need a client, e.g. of a database."""


def container_name(run: str, slot: int, service: str, token: str) -> str:
    """Return the unguessable name of a container; `token` is 8 random hex digits."""
    return f"clr-{run}-{slot}-{service}-{token}"


def container_spec(placed: Placed) -> ContainerSpec:
    """Return how the container of a service is to be made.

    A memory limit without `swap` gives no swap at all, so that the limit is what the processes can have.
    """
    service, place = placed.service, placed.placement
    limits = service.limits
    memory = limits.memory.bytes if limits.memory else None
    swap = limits.swap.bytes if limits.swap else 0
    return ContainerSpec(
        name=place.container,
        image=place.image,
        command=service.command,
        entrypoint=service.entrypoint,
        environment={**place.environment, **service.environment, **place.overrides},
        hostname=place.hostname or service.hostname or service.name,
        user=service.user,
        working_dir=service.working_dir,
        init=service.init,
        stop_signal=service.stop_signal,
        tmpfs={path: size.bytes for path, size in sorted(service.tmpfs.items())},
        mounts=(*_resolver(place), *place.mounts),
        files={**place.files, **{path: content.encode() for path, content in sorted(service.files.items())}},
        network=place.network,
        address=place.address,
        dns=place.dns,
        cpus=limits.cpus,
        cpuset=place.cpuset,
        memory=memory,
        memory_swap=None if memory is None else memory + swap,
        pids=limits.pids,
        nofile=limits.nofile,
        restart_policy=service.restart.policy,
        restart_max=service.restart.max,
        labels={**service.labels, "cleanroom.service": service.name},
        cgroup_parent=place.cgroup_parent,
    )


def _resolver(place: Placement) -> tuple[Mount, ...]:
    return (Mount(source=place.resolv_conf, target=_RESOLV_CONF),) if place.resolv_conf else ()


def start_services(stage: Stage, waves: Sequence[Sequence[str]], placed: Mapping[str, Placed]) -> tuple[Started, ...]:
    """Create all services at once and start them wave by wave: a wave begins when the one before it is ready.

    Returns them in the order of the waves. Raises the first error by that order (`EngineError`; `InterruptedRunError`
    when the stage's abort is set); containers may exist then under the names of their placements: `remove_services`.
    """
    names = [name for wave in waves for name in wave]
    if not names:
        return ()
    failed = threading.Event()
    abort = _Either(failed, stage.abort)
    with ThreadPoolExecutor(max_workers=min(_MAX_THREADS, 2 * len(names))) as pool:

        def submit(task: Callable[..., _T], *arguments: object) -> Future[_T]:
            future = pool.submit(task, stage, *arguments, abort)
            future.add_done_callback(lambda done: failed.set() if done.exception() else None)
            return future

        try:
            created = {name: submit(_create, placed[name]) for name in names}
            started: list[Started] = []
            for wave in waves:
                runs = [submit(_start, placed[name], created[name]) for name in wave]
                _raise_first((*created.values(), *runs))
                started += [run.result() for run in runs]
        except BaseException:
            failed.set()
            raise
    return tuple(started)


def restart_service(
    stage: Stage, placed: Placed, container: str, running: Callable[[], None] = lambda: None
) -> Started:
    """Start a stopped service again in its old container and wait until it is ready; raises `EngineError`.

    `running` is called between the two.
    """
    done: Future[str] = Future()
    done.set_result(container)
    return _start(stage, placed, done, stage.abort or threading.Event(), running)


def replace_service(
    engine: Engine,
    placed: Placed,
    container: str,
    *,
    keep_volumes: bool,
    change: Callable[[ContainerSpec], ContainerSpec],
) -> str:
    """Remove a service's container and return the id of another with the same name, address and, if kept, volumes.

    It is made from the same declaration, with `change`, and not started. Raises `EngineError`; then there is neither.
    """
    spec = change(container_spec(placed))
    with _named(placed.service):
        if not keep_volumes or not engine.volumes(container):
            engine.remove(container)
            return engine.create(spec)
        # A volume without a name lives as long as a container has it: for a moment both do.
        engine.rename(container, f"{spec.name}-old")
        try:
            return engine.create(replace(spec, volumes_from=container))
        finally:
            engine.remove(container)


def await_service(stage: Stage, placed: Placed, container: str, abort: Abort | None = None) -> None:
    """Wait until a service that was started is ready; raises as `await_ready` does."""
    place = placed.placement
    check = ReadyCheck(
        service=placed.service, container=container, address=place.address, traceparent=place.traceparent
    )
    await_ready(stage.engine, stage.clock, check, abort or stage.abort, stage.ask)


def stop_services(
    stage: Stage, waves: Sequence[Sequence[str]], services: Mapping[str, tuple[Service, str]]
) -> tuple[Stopped, ...]:
    """Stop services (name → service, container) in reverse waves, each wave at once: signal, `stop_grace`, SIGKILL.

    Never raises `EngineError`: what could not be stopped says so in its `trouble`.
    """
    stopped: list[Stopped] = []
    with ThreadPoolExecutor(max_workers=_MAX_THREADS) as pool:
        for wave in reversed(waves):
            present = [name for name in wave if name in services]
            stopped += pool.map(lambda name: _stop(stage, *services[name]), present)
    return tuple(stopped)


def remove_services(engine: Engine, containers: Iterable[str]) -> tuple[str, ...]:
    """Kill and remove containers (names or ids) at once; return the engine's words for each that could not be."""

    def remove(container: str) -> str:
        try:
            engine.remove(container)
        except EngineError as err:
            return err.message
        return ""

    with ThreadPoolExecutor(max_workers=_MAX_THREADS) as pool:
        return tuple(words for words in pool.map(remove, containers) if words)


@dataclass(frozen=True, slots=True)
class _Either:
    failed: threading.Event
    outer: Abort | None

    def is_set(self) -> bool:
        return self.failed.is_set() or (self.outer is not None and self.outer.is_set())


def _create(stage: Stage, placed: Placed, abort: Abort) -> str:
    if abort.is_set():
        raise InterruptedRunError(f"creating service {placed.service.name} was given up")
    with _named(placed.service):
        container = stage.engine.create(container_spec(placed))
    stage.progress(placed.service.name, "created")
    return container


def _start(
    stage: Stage, placed: Placed, created: Future[str], abort: Abort, running: Callable[[], None] = lambda: None
) -> Started:
    container, service = created.result(), placed.service
    if abort.is_set():
        raise InterruptedRunError(f"starting service {service.name} was given up")
    stage.progress(service.name, "starting")
    began = stage.clock.now_ns()
    with _named(service):
        try:
            stage.engine.start(container)
        except EngineError as err:
            excerpt = log_excerpt(stage.engine, container)
            raise EngineError(f"{err.message}\n{excerpt}", remedy=err.remedy) from err
    running()
    place = placed.placement
    await_service(stage, placed, container, abort)
    stage.progress(service.name, "ready")
    return Started(
        service=service.name,
        container=container,
        name=place.container,
        address=place.address,
        image=place.image,
        start_ns=began,
        ready_ns=stage.clock.now_ns(),
    )


@contextlib.contextmanager
def _named(service: Service) -> Iterator[None]:
    """Add the service and its position to an error of the engine."""
    try:
        yield
    except EngineError as err:
        raise EngineError(f"{prefix(service.at)}service {service.name}: {err.message}", remedy=err.remedy) from err


def _raise_first(futures: Sequence[Future[str] | Future[Started]]) -> None:
    """Wait for all, then raise the first error that is not merely the giving up that another one caused."""
    errors = [error for future in futures if (error := future.exception()) is not None]
    own = [error for error in errors if not isinstance(error, InterruptedRunError)]
    for error in own or errors:
        raise error


def _stop(stage: Stage, service: Service, container: str) -> Stopped:
    began = stage.clock.now_ns()
    stage.progress(service.name, "stopping")
    code: int | None = None
    oom, trouble = False, ""
    try:
        stage.engine.stop(container, service.stop_grace)
        state = stage.engine.inspect(container)
        code, oom = state.exit_code, state.oom_killed
    except CleanroomError as err:
        trouble = err.message
    stage.progress(service.name, "stopped")
    return Stopped(
        service=service.name,
        exit_code=code,
        oom_killed=oom,
        start_ns=began,
        end_ns=stage.clock.now_ns(),
        trouble=trouble,
    )
