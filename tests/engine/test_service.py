from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from cleanroom.clock import SystemClock
from cleanroom.engine.client import DockerEngine
from cleanroom.engine.images import Preparation, image_key, prepare_images, required_images
from cleanroom.engine.service import (
    Placed,
    Placement,
    Stage,
    container_name,
    remove_services,
    restart_service,
    start_services,
    stop_services,
)
from cleanroom.errors import EngineError
from cleanroom.quantity import Duration
from cleanroom.spec.comparator import equal_to
from cleanroom.spec.probe import HttpProbe, LogProbe, Probe, Question, TcpProbe
from cleanroom.spec.query import ExecAction, HttpAction
from cleanroom.spec.service import Build, Service
from cleanroom.spec.source import Position
from cleanroom.spec.suite import Suite

# Answers each connection as a web server would that wants a trace to be named (the image has no other server).
SERVER = r"""
use IO::Socket::INET; $| = 1;
sleep 0.3; my $s = IO::Socket::INET->new(LocalPort => 8080, Listen => 9, ReuseAddr => 1) or die; print "listening\n";
while (my $c = $s->accept) {
  my $head = ""; while (my $l = <$c>) { $head .= $l; last if $l =~ /^\r?\n$/ }
  my $ok = $head =~ /traceparent: 00-a-b-01/ && $head =~ m{^GET /health };
  print $c "HTTP/1.1 ", ($ok ? "204 No Content" : "500 No"), "\r\nConnection: close\r\n\r\n"; close $c }
"""
PERL = ("perl", "-e", SERVER)


@pytest.fixture
def network(engine: DockerEngine, token: str) -> Iterator[str]:
    name = f"clr-test-svc-{token}"
    engine.create_network(name, bridge=f"clr-s{token}", subnet="10.213.251.0/24", gateway="10.213.251.1")
    yield name
    engine.remove_network(name)


Place = Callable[..., dict[str, Placed]]


@pytest.fixture
def place(engine: DockerEngine, network: str, token: str) -> Iterator[Place]:
    """Give services their places in order; their containers are removed afterwards."""
    names: list[str] = []

    def give(*services: Service) -> dict[str, Placed]:
        found = {}
        for host, service in enumerate(services, start=10):
            name = container_name(token, 0, service.name, secrets.token_hex(4))
            names.append(name)
            found[service.name] = Placed(
                service=service,
                placement=Placement(
                    container=name,
                    image="debian:trixie-slim",
                    network=network,
                    address=f"10.213.251.{host}",
                    traceparent="00-a-b-01",
                ),
            )
        return found

    yield give
    assert remove_services(engine, names) == ()


def service(name: str, *command: str, ready: tuple[Question, ...] = (), timeout: int = 20) -> Service:
    at = Position("s.yaml", 7, 3)
    limit = Duration(timeout * 10**9)
    probes = tuple(Probe(question=question, at=at) for question in ready)
    return Service(name=name, image="debian:trixie-slim", command=command, ready=probes, ready_timeout=limit, at=at)


@pytest.mark.parametrize(
    "probe",
    [
        TcpProbe(port=8080),
        HttpProbe(request=HttpAction(port=8080, path="/health"), status=equal_to(204)),
        LogProbe(matches="^listen"),
        ExecAction(command=("sh", "-c", 'test "$TRACEPARENT" = 00-a-b-01')),
    ],
)
def test_a_service_is_ready_when_it_answers(engine: DockerEngine, place: Place, probe: Question) -> None:
    (started,) = start_services(Stage(engine, SystemClock()), (("web",),), place(service("web", *PERL, ready=(probe,))))
    assert engine.inspect(started.container).address == started.address == "10.213.251.10"


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        (TcpProbe(port=8081), "a TCP connection to port 8081"),
        (HttpProbe(request=HttpAction(port=8080, path="/else"), status=equal_to(204)), "status 204 for GET /else"),
        (LogProbe(matches="never"), "'never' in its output"),
        (ExecAction(command=("false",)), "exit code 0 of 'false'"),
    ],
)
def test_a_service_that_answers_otherwise_is_not_ready(
    engine: DockerEngine, place: Place, probe: Question, expected: str
) -> None:
    system = place(service("web", *PERL, ready=(probe,), timeout=2))
    with pytest.raises(
        EngineError, match=f"s.yaml:7:3: service web was not ready within 2s: expected {expected}"
    ) as caught:
        start_services(Stage(engine, SystemClock()), (("web",),), system)
    assert "    listening" in caught.value.message


def test_a_service_that_ends_is_shown_with_its_last_words(engine: DockerEngine, place: Place) -> None:
    system = place(service("db", "sh", "-c", "echo no such table; exit 9", ready=(TcpProbe(port=1),)))
    with pytest.raises(EngineError, match=r"ended with exit code 9 before it was ready(.|\n)*    no such table"):
        start_services(Stage(engine, SystemClock()), (("db",),), system)


def test_waves_start_stop_and_start_again(engine: DockerEngine, place: Place) -> None:
    system = place(service("db", *PERL, ready=(TcpProbe(port=8080),)), service("web", "sleep", "300"))
    stage, waves = Stage(engine, SystemClock()), (("db",), ("web",))
    db, web = start_services(stage, waves, system)
    assert web.start_ns >= db.ready_ns
    engine.kill(db.container)
    assert engine.wait(db.container, Duration(5 * 10**9)) == 137
    assert restart_service(stage, system["db"], db.container).container == db.container
    running = {s.service: (system[s.service].service, s.container) for s in (db, web)}
    stopped = stop_services(stage, waves, running)
    assert [(s.service, s.exit_code, s.trouble) for s in stopped] == [("web", 143, ""), ("db", 143, "")]


def test_a_built_image_is_found_again_until_its_context_changes(
    engine: DockerEngine, api: docker.APIClient, token: str, tmp_path: Path
) -> None:
    context = tmp_path / "c"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM debian:trixie-slim\nCOPY . /here\n")
    built = Service(name="app", build=Build(context="c"))
    suite = Suite(name=f"t{token}", file="s.yaml", services=(built,))
    lines: list[str] = []
    how = Preparation(log=lines.append)
    tags = set()
    try:
        for content in ("1", "1", "2"):
            (context / "file").write_text(content)
            tags.add(prepare_images(engine, required_images([suite], tmp_path), how)[image_key(built)])
        assert len(tags) == 2
        assert [line for line in lines if "unchanged" in line]
        assert all(engine.image_fingerprint(tag) for tag in tags)
        assert len({engine.image_fingerprint(tag) for tag in tags}) == 2
    finally:
        for tag in tags:
            api.remove_image(tag)
