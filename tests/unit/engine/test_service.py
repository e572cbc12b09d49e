from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

import pytest

from cleanroom.clock import SystemClock
from cleanroom.engine.ports import ContainerSpec, ContainerState, Mount
from cleanroom.engine.service import (
    Placed,
    Placement,
    Stage,
    container_name,
    container_spec,
    remove_services,
    replace_service,
    start_services,
    stop_services,
)
from cleanroom.errors import EngineError, InterruptedRunError
from cleanroom.quantity import Duration, Size
from cleanroom.spec.probe import ExitProbe, Probe
from cleanroom.spec.service import Limits, Restart, Service
from cleanroom.spec.source import Position
from tests.fakes import FakeEngine


@dataclass
class Engine:
    """Remembers the order of what it is asked; services are one-shot and end at once with code 0, or as told."""

    bad_create: frozenset[str] = frozenset()
    bad_start: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    acts: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, act: str, name: str, bad: frozenset[str] = frozenset()) -> None:
        with self.lock:
            self.acts.append((act, name))
        if name in bad:
            raise EngineError(f"cannot {act} {name}", remedy="do better")

    def create(self, spec: ContainerSpec) -> str:
        self.note("create", spec.name, self.bad_create)
        return spec.name

    def start(self, container: str) -> None:
        self.note("start", container, self.bad_start)

    def wait(self, container: str, timeout: Duration) -> int | None:
        if container in self.never:
            threading.Event().wait(timeout.seconds)
            return None
        self.note("ready", container)
        return 0

    def logs(self, _container: str, _max_bytes: int) -> bytes:
        return b"last words\n"

    def stop(self, container: str, grace: Duration) -> None:
        self.note(f"stop {grace}", container, self.bad_start)

    def remove(self, container: str) -> None:
        self.note("remove", container, self.bad_start)

    def inspect(self, container: str) -> ContainerState:
        return ContainerState(
            id=container, name=container, status="exited", pid=0, exit_code=143, oom_killed=False,
            started_at="", finished_at="", restart_count=0, address="",
        )  # fmt: skip


def placed(name: str, **options: object) -> Placed:
    ready = (Probe(question=ExitProbe()),)
    service = Service(name=name, image="i", ready=ready, at=Position("a.yaml", 2, 3), **options)  # type: ignore[arg-type]
    return Placed(
        service=service, placement=Placement(container=name, image="i:1", network="n", address="198.51.100.10")
    )


def stage(engine: Engine, abort: threading.Event | None = None) -> Stage:
    return Stage(engine, SystemClock(), abort=abort)  # type: ignore[arg-type]


SYSTEM = {name: placed(name) for name in ("api", "cache", "db", "web")}
WAVES = (("cache", "db"), ("api",), ("web",))


def test_everything_a_service_says_reaches_its_container() -> None:
    service = Service(
        name="db",
        image="pg",
        command=("run",),
        entrypoint=("sh",),
        environment={"A": "own"},
        user="u",
        working_dir="/w",
        stop_signal="SIGINT",
        init=False,
        tmpfs={"/t": Size(5)},
        files={"/f": "é"},
        limits=Limits(cpus=0.5, memory=Size(100), swap=Size(20), pids=3, nofile=4),
        restart=Restart(policy="on-failure", max=2),
        labels={"tier": "storage"},
    )
    place = Placement(
        container="clr-1",
        image="pg:1",
        network="n",
        address="198.51.100.10",
        resolv_conf="/r",
        environment={"A": "ours", "OTEL": "x"},
        cgroup_parent="/g",
    )
    assert container_spec(Placed(service=service, placement=place)) == ContainerSpec(
        name="clr-1",
        image="pg:1",
        command=("run",),
        entrypoint=("sh",),
        environment={"A": "own", "OTEL": "x"},
        hostname="db",
        user="u",
        working_dir="/w",
        init=False,
        stop_signal="SIGINT",
        tmpfs={"/t": 5},
        mounts=(Mount(source="/r", target="/etc/resolv.conf"),),
        files={"/f": "é".encode()},
        network="n",
        address="198.51.100.10",
        cpus=0.5,
        memory=100,
        memory_swap=120,
        pids=3,
        nofile=4,
        restart_policy="on-failure",
        restart_max=2,
        labels={"tier": "storage", "cleanroom.service": "db"},
        cgroup_parent="/g",
    )


def test_a_memory_limit_without_swap_gives_none_and_no_limit_sets_none() -> None:
    limited = container_spec(placed("a", limits=Limits(memory=Size(100))))
    assert (limited.memory, limited.memory_swap) == (100, 100)
    free = container_spec(placed("a", limits=Limits(swap=Size(5))))
    assert (free.memory, free.memory_swap) == (None, None)


def test_names_of_containers_say_whose_they_are() -> None:
    assert container_name("ab12", 3, "db", "0011ffee") == "clr-ab12-3-db-0011ffee"


def test_a_wave_starts_after_the_one_before_is_ready() -> None:
    engine = Engine()
    started = start_services(stage(engine), WAVES, SYSTEM)
    assert [s.service for s in started] == ["cache", "db", "api", "web"]
    order = [act for act in engine.acts if act[0] != "create"]
    assert {act[1] for act in order[:4]} == {"cache", "db"}
    assert order[4:] == [("start", "api"), ("ready", "api"), ("start", "web"), ("ready", "web")]
    assert all(s.ready_ns >= s.start_ns for s in started)


def test_a_service_that_cannot_be_created_stops_the_start_of_the_others() -> None:
    engine = Engine(bad_create=frozenset({"web"}), never=frozenset({"db"}))
    with pytest.raises(EngineError, match=r"a\.yaml:2:3: service web: cannot create web") as caught:
        start_services(stage(engine), WAVES, SYSTEM)
    assert caught.value.remedy == "do better"
    assert ("start", "api") not in engine.acts


def test_a_service_that_cannot_be_started_is_named_with_the_end_of_its_log() -> None:
    engine = Engine(bad_start=frozenset({"db"}), never=frozenset({"cache"}))
    with pytest.raises(EngineError, match="service db: cannot start db\n  the end of its log:\n    last words"):
        start_services(stage(engine), WAVES, SYSTEM)


def test_an_interrupt_ends_the_waiting() -> None:
    abort = threading.Event()
    threading.Timer(0.1, abort.set).start()
    with pytest.raises(InterruptedRunError):
        start_services(stage(Engine(never=frozenset({"db"})), abort), WAVES, SYSTEM)


def test_services_stop_in_reverse_with_their_grace_and_tell_how_they_ended() -> None:
    engine = Engine()
    running = {name: (p.service, name) for name, p in SYSTEM.items() if name != "cache"}
    stopped = stop_services(stage(engine), WAVES, running)
    assert engine.acts == [("stop 2s", "web"), ("stop 2s", "api"), ("stop 2s", "db")]
    assert [(s.service, s.exit_code, s.trouble) for s in stopped] == [
        ("web", 143, ""),
        ("api", 143, ""),
        ("db", 143, ""),
    ]


def test_a_service_that_cannot_be_stopped_or_removed_does_not_keep_the_others() -> None:
    engine = Engine(bad_start=frozenset({"api"}))
    stopped = stop_services(stage(engine), WAVES, {name: (p.service, name) for name, p in SYSTEM.items()})
    assert [(s.service, s.trouble) for s in stopped if s.trouble] == [("api", "cannot stop 2s api")]
    assert ("stop 2s", "db") in engine.acts
    assert remove_services(engine, SYSTEM) == ("cannot remove api",)  # type: ignore[arg-type]
    assert ("remove", "web") in engine.acts


@pytest.mark.parametrize(("keep", "volumes", "calls"), [
    (True, {"/data": "v"}, ["volumes", "rename", "create", "remove"]),
    (True, {}, ["volumes", "remove", "create"]),
    (False, {"/data": "v"}, ["remove", "create"]),
])  # fmt: skip
def test_another_container_takes_the_name_and_where_asked_the_volumes(keep, volumes, calls):
    engine = FakeEngine(networks={"n"})
    old = engine.create(container_spec(placed("db")))
    (name,) = engine.containers
    engine.containers[name].volumes = volumes
    engine.calls.clear()
    made = replace_service(
        engine, placed("db"), old, keep_volumes=keep, change=lambda spec: replace(spec, user="somebody")
    )
    assert engine.calls == calls
    assert list(engine.containers) == [name]
    assert (engine.containers[name].id, engine.containers[name].spec.user) == (made, "somebody")
    assert engine.containers[name].spec.volumes_from == (old if keep and volumes else "")
