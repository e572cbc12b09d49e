"""Five iterations of the quickstart's services without faults: testcontainers, plain API calls, and this program.

Each iteration makes a network, starts the database and the service on it, waits until both answer, places one order and
removes everything. The two loops do only that; `cleanroom run` also proves the isolation, collects telemetry, judges
and reports. Every way runs once unmeasured first, so that images and caches are warm for all of them.

Needs an engine (DOCKER_HOST or the default socket), the packages of requirements/bench.lock, and for the third way the
image that CLEANROOM_IMAGE names. Exits 1 when cleanroom's iterations are not ahead of the testcontainers loop.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

# testcontainers' own clean-up container is one more image to pull; the loop below removes what it starts itself.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")

import docker
import requests
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import HttpWaitStrategy, LogMessageWaitStrategy

ROOT = Path(__file__).resolve().parents[1]
IMAGES = {name: f"cleanroom-bench-{name}" for name in ("db", "api")}
ORDER = {"item": "book", "quantity": 2}
READY_S = 60.0
POLL_S = 0.02
# The loops have nobody to send spans to: without this the service would try to, and stop later.
ENVIRONMENT = {"OTEL_TRACES_EXPORTER": "none"}


def build() -> None:
    """Build both images on the engine at hand; the layers stay as its cache."""
    for name, tag in IMAGES.items():
        context = str(ROOT / "examples" / "quickstart" / name)
        command = ("docker", "build", "--quiet", "--network", "host", "--tag", tag, context)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "DOCKER_BUILDKIT": "0"})


def place_order(url: str) -> None:
    """Place one order; raises unless it was stored."""
    response = requests.post(f"{url}/orders", json=ORDER, timeout=READY_S)
    assert response.status_code == requests.codes.created, response.text


def with_testcontainers() -> None:
    """One iteration as a test with testcontainers does it, with its waiting strategies polling as often as ours."""
    ready = LogMessageWaitStrategy("ready to accept connections").with_poll_interval(POLL_S)
    answers = HttpWaitStrategy(8080, "/health").with_poll_interval(POLL_S)
    with Network() as network:
        database = DockerContainer(IMAGES["db"]).with_network(network).with_network_aliases("db").waiting_for(ready)
        with database:
            api = DockerContainer(IMAGES["api"]).with_network(network).with_exposed_ports(8080).waiting_for(answers)
            for name, value in ENVIRONMENT.items():
                api.with_env(name, value)
            with api:
                place_order(f"http://{api.get_container_host_ip()}:{api.get_exposed_port(8080)}")


def with_api_calls() -> None:
    """One iteration in plain calls of the engine's API: the least that any program could do."""
    client = docker.from_env()
    name = f"cleanroom-bench-{uuid.uuid4().hex[:8]}"
    network = client.networks.create(name)
    started = []
    try:
        database = client.containers.create(IMAGES["db"], name=f"{name}-db", network=network.id)
        started.append(database)
        database.start()
        wait_until(lambda: b"ready to accept connections" in database.logs())
        hosts = {"db": address(database, name)}
        api = client.containers.create(
            IMAGES["api"], name=f"{name}-api", network=network.id, environment=ENVIRONMENT, extra_hosts=hosts
        )
        started.append(api)
        api.start()
        url = f"http://{address(api, name)}:8080"
        wait_until(lambda: requests.get(f"{url}/health", timeout=READY_S).ok)
        place_order(url)
    finally:
        for container in reversed(started):
            container.remove(force=True, v=True)
        network.remove()
        client.close()


def address(container: docker.models.containers.Container, network: str) -> str:
    """Return the container's address on the network."""
    container.reload()
    found: str = container.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    """Ask until it holds; raises after a minute."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except requests.ConnectionError:
            pass  # not listening yet: asked again below
        time.sleep(POLL_S)
    raise TimeoutError(f"not ready within {READY_S:g} s")


def loop(iteration: Callable[[], None], times: int) -> float:
    """Return the seconds that `times` iterations take, one after the other, after one that is not measured."""
    iteration()
    began = time.monotonic()
    for _ in range(times):
        iteration()
    return time.monotonic() - began


def with_cleanroom(engine: str, times: int) -> tuple[float, dict[str, float]]:
    """Return the seconds of a whole `cleanroom run` with a warm image cache, and of each of its phases."""
    with tempfile.TemporaryDirectory() as out:
        command = (
            sys.executable, "-m", "cleanroom.cli.main", "run", "benchmarks/bench.cleanroom.yaml", "--root", str(ROOT),
            "--engine", engine, "--iterations", str(times), "--out", out, "--progress", "quiet",
        )  # fmt: skip
        elapsed = 0.0
        for _ in ("warm", "measured"):
            began = time.monotonic()
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
            elapsed = time.monotonic() - began
            assert done.returncode == 0, f"cleanroom run exited {done.returncode}:\n{done.stdout}\n{done.stderr}"
        timings: dict[str, float] = json.loads((Path(out) / "report.json").read_text())["timings"]
    return elapsed, timings


def row(name: str, seconds: float, times: int, base: float) -> None:
    """Print one way, and how many times faster than the testcontainers loop it is."""
    print(f"{name:<34}{seconds:8.2f} s{seconds / times:10.2f} s{base / seconds:11.2f}x")


def main() -> int:
    """Measure the three ways one after the other, print them, and say whether cleanroom's iterations are ahead."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=5, choices=range(1, 101), metavar="N")
    parser.add_argument("--engine", default="auto", help="as of `cleanroom run`")
    arguments = parser.parse_args()
    times: int = arguments.iterations
    build()
    containers = loop(with_testcontainers, times)
    calls = loop(with_api_calls, times)
    whole, phases = with_cleanroom(arguments.engine, times)
    own = phases["iterations"]
    print(f"{times} iterations, {os.cpu_count()} CPUs{'':<16}in all     each   vs testcontainers")
    row("testcontainers, a plain loop", containers, times, containers)
    row("engine API, a plain loop", calls, times, containers)
    row("cleanroom, its iterations", own, times, containers)
    row("cleanroom, the whole command", whole, times, containers)
    print("phases of cleanroom: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in phases.items()))
    return 0 if own < containers else 1


if __name__ == "__main__":
    sys.exit(main())
