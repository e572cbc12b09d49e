"""The engine at DOCKER_HOST (or the default socket). Without one these tests fail; they are never skipped."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator

import docker
import pytest

from cleanroom.engine.client import DockerEngine
from cleanroom.engine.ports import ContainerSpec

IMAGE = "debian:trixie-slim"
LABEL = "cleanroom.test"


@pytest.fixture(scope="session")
def docker_host() -> str:
    return os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")


@pytest.fixture(scope="session")
def token() -> str:
    """What tells this session's objects from everything else in the engine."""
    return secrets.token_hex(4)


@pytest.fixture(scope="session")
def engine(docker_host: str, token: str) -> Iterator[DockerEngine]:
    """The engine at hand; at the end nothing that bears this session's label may exist in it."""
    with DockerEngine(docker_host, labels={LABEL: token}) as found:
        yield found
    left = labelled(docker_host, token)
    assert left == [], f"the tests left {left} in the engine"


@pytest.fixture
def api(docker_host: str) -> Iterator[docker.APIClient]:
    """A client of its own, to look at the engine past the code under test."""
    client = docker.APIClient(docker_host, version="auto")
    yield client
    client.close()


@pytest.fixture
def run(engine: DockerEngine, token: str) -> Iterator[Callable[..., str]]:
    """Create and start a container from keywords of `ContainerSpec`; it is removed after the test."""
    made: list[str] = []

    def start(*command: str, start: bool = True, **options: object) -> str:
        values: dict[str, object] = {"name": f"clr-test-{token}-{secrets.token_hex(4)}", "image": IMAGE, **options}
        container = engine.create(ContainerSpec(command=command, **values))  # type: ignore[arg-type]
        made.append(container)
        if start:
            engine.start(container)
        return container

    yield start
    for container in made:
        engine.remove(container)


def labelled(docker_host: str, token: str) -> list[str]:
    client = docker.APIClient(docker_host, version="auto")
    try:
        wanted = {"label": f"{LABEL}={token}"}
        containers = [str(c["Names"]) for c in client.containers(all=True, filters=wanted)]
        return containers + [str(n["Name"]) for n in client.networks(filters=wanted)]
    finally:
        client.close()
