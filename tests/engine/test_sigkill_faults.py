"""SIGKILL in the middle of nine faults of nine kinds: of the launcher, of the worker in the cell, of the whole cell."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import docker
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cells import drop_cache
from fault_specs import TARGET
from images import make_images
from remains import Inside, host_rules, inside, names, remains, since_boot, supervised
from runs import Started, owned_by, start, until, write

# What make test has no time for is in make test-full.
pytestmark = pytest.mark.full

LIMIT = 10
# A launcher that lives tells of what happened, and ends the rest in order.
ENDING = 60

MIX = """
cleanroom: 1
meta: {name: mix}
services:
  one:
    image: "cleanroom-tests/target:1"
    command: [sh, -c, "mkdir -p /srv/in; exec python3 server.py"]
    ready: [{http: {port: 8080, path: /ok}}]
    tmpfs: {/data: 8MiB}
  two: {image: "cleanroom-tests/target:1", ready: [{http: {port: 8080, path: /ok}}]}
  three: {image: "cleanroom-tests/target:1", ready: [{http: {port: 8080, path: /ok}}]}
scenarios:
  - name: all at once
    timeout: 60s
    chaos:
      - {id: late, fault: network.latency, target: one, delay: 40ms, ports: [8080], at: 0s, for: 6s}
      - {id: apart, fault: network.partition, groups: [[one], [two]], at: 100ms, for: 6s}
      - {id: busy, fault: resource.cpu_stress, target: two, at: 200ms, for: 6s}
      - {id: out, fault: resource.fd_exhaustion, target: two, leave: 16, at: 300ms, for: 6s}
      - {id: bad, fault: filesystem.io_error, target: one, path: /srv/in, operations: [fsync], at: 400ms, for: 6s}
      - {id: slow, fault: http.delay, target: one, delay: 100ms, at: 500ms, for: 6s}
      - {id: ahead, fault: clock.skew, target: three, offset: 3650d, at: 600ms, for: 6s}
      - {id: full, fault: resource.disk_full, target: one, path: /data, at: 700ms, for: 6s}
      - {id: still, fault: container.pause, target: three, at: 800ms, for: 6s}
    steps:
      - {name: hold, sleep: 12s, timeout: 20s}
      - {name: after, http: {service: one, port: 8080, path: /ok}, expect: {status: 200}}
determinism: {iterations: 1}
"""
HELPERS = ("faults.traffic.crew", "faults.filesystem.worker", "faults.proxy", "faults.resource.stress")
"""What runs beside the services while all faults are on: the queue's worker, the server of files, proxy, stressor."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When the kill comes: `seconds` after a line of the output."""

    line: str
    seconds: float = 0.0
    hold: bool = False
    """Whether every fault is on then."""


INJECTION = tuple(
    Moment(f"fault {one}:", seconds)
    for one, seconds in (
        ("late", 0.02), ("apart", 0.02), ("busy", 0.05), ("out", 0.02), ("bad", 0.1), ("slow", 0.15), ("ahead", 0.02),
        ("full", 0.05), ("still", 0.0),
    )
)  # fmt: skip
HOLD = tuple(Moment("fault still:", seconds, hold=True) for seconds in (2.0, 2.5, 3.0, 3.5))
REVERSAL = tuple(
    Moment(f"ok fault {one}:", seconds)
    for one, seconds in (
        ("late", 0.0), ("apart", 0.05), ("busy", 0.0), ("ahead", 0.2), ("full", 0.0), ("still", 0.0), ("out", 0.1),
    )
)  # fmt: skip
MOMENTS = (*HOLD[:2], *INJECTION, *HOLD[2:], *REVERSAL)
KINDS = (("launcher", "cell"), ("worker", "cell"), ("launcher", "own"), ("worker", "own"))
POINTS = [
    pytest.param(
        victim, mode, moment, id=f"{victim}-{mode}-{moment.line.rstrip(':').replace(' ', '-')}-{moment.seconds:g}",
        marks=() if index < 2 else pytest.mark.full,
    )
    for index, (moment, (victim, mode)) in enumerate(zip(MOMENTS, cycle(KINDS)))
]  # fmt: skip
assert len(POINTS) == 20


@pytest.fixture(scope="module")
def workspace(engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One for all runs, so that they share the image cache, as the runs of a user do."""
    make_images(engine, (TARGET,))
    folder = tmp_path_factory.mktemp("struck")
    write(folder, "cell", MIX)
    # What alters clocks comes with the image of the cell.
    write(folder, "own", "".join(line for line in MIX.splitlines(keepends=True) if "clock.skew" not in line))
    yield folder
    drop_cache(str(folder))


def begin(mode: str, workspace: Path, out: Path) -> Started:
    arguments = (f"{mode}.cleanroom.yaml", "--engine", mode, "--state-dir", str(workspace / "state"))
    return start(*arguments, out=out, cwd=workspace)


def look(run: Started, moment: Moment, docker_host: str, workspace: Path) -> tuple[set[str], Inside]:
    run.wait_for(moment.line)
    time.sleep(moment.seconds)
    # The folders of runs that were killed before are there until somebody sweeps them.
    (one,) = (found for found in names(run.process.pid, docker_host, workspace) if supervised(found))
    runs = {one}
    cell = inside(one)
    if moment.hold:
        assert cell.runs(*HELPERS) == set(HELPERS), "what must be gone afterwards must be there before"
        assert sum("server.py" in what for _, what in cell.processes.values()) >= 3
    return runs, cell


@pytest.mark.parametrize(("victim", "mode", "moment"), POINTS)
def test_nothing_outlives_a_cell_that_is_struck_in_mid_fault(
    victim: str, mode: str, moment: Moment, workspace: Path, tmp_path: Path, docker_host: str
):
    with begin(mode, workspace, tmp_path) as run:
        pid = run.process.pid
        runs, cell = look(run, moment, docker_host, workspace)
        if victim == "worker":
            os.kill(cell.worker, signal.SIGKILL)
            killed = since_boot()
            run.process.communicate(timeout=ENDING)
            assert run.process.returncode not in (0, 1, 2), "a run that was cut off has no verdict"
        else:
            run.process.kill()
            killed = since_boot()
    assert_gone(runs, cell, (docker_host, pid), killed)


def assert_gone(runs: set[str], cell: Inside, who: tuple[str, int], killed: float) -> None:
    docker_host, pid = who
    left: list[str] = []

    def gone() -> bool:
        nonlocal left
        runs.update(thing["run"] for thing in owned_by(docker_host, pid))
        # Other tests beside this one have bridges, too.
        rules = [rule for rule in host_rules() if any(f"clr-{run[:4]}-" in rule for run in runs)]
        left = remains(runs, docker_host, pid) + cell.left(killed) + rules
        return not left

    assert until(gone, LIMIT), f"{left} is left after {since_boot() - killed:.0f} s"


def test_nothing_outlives_a_cell_that_the_engine_kills_during_a_pause(
    workspace: Path, tmp_path: Path, docker_host: str
):
    with begin("cell", workspace, tmp_path) as run:
        pid = run.process.pid
        runs, cell = look(run, Moment("fault still:", 2.0, hold=True), docker_host, workspace)
        (container,) = [one["raw"]["Id"] for one in owned_by(docker_host, pid) if one["kind"] == "container"]
        client = docker.APIClient(docker_host, version="auto", timeout=30)
        killed = since_boot()
        try:
            client.kill(container)
        except docker.errors.APIError:
            pass  # the engine gives up on what is frozen; whose cell it was does not
        finally:
            client.close()
        run.process.communicate(timeout=ENDING)
        assert run.process.returncode not in (0, 1, 2)
    assert_gone(runs, cell, (docker_host, pid), killed)
