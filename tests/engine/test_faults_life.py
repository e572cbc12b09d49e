"""Faults end with what is around them: a request to stop, an engine that dies, a service that goes by itself."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import docker
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fault_specs import SPECS, TARGET, faults_of
from images import make_images
from runs import ROOT, Ran, cleanroom, owned_by, start, until, write

BUDGET = 7.5
"""What a runner gives a process that it asks to stop."""
FAULTS = """
cleanroom: 1
meta: {name: life}
services:
  one: {image: "cleanroom-tests/target:1", ready: [{http: {port: 8080, path: /ok}}]}
  two: {image: "cleanroom-tests/target:1", ready: [{http: {port: 8080, path: /ok}}]}
scenarios:
  - name: disturbed
    chaos:
      - {id: slow, fault: network.latency, target: one, delay: 50ms, ports: [8080], at: {before_step: hold}}
      - {id: still, fault: container.pause, target: two, at: {before_step: hold}}
    steps:
      - {name: hold, sleep: 40s, timeout: 50s}
      - {name: ask, http: {service: one, port: 8080, path: /ok}, expect: {status: 200}}
determinism: {iterations: 1}
"""
GOES = """
cleanroom: 1
meta: {name: goes}
services:
  one:
    image: "cleanroom-tests/target:1"
    command: [sh, -c, "python3 server.py & sleep 5; exit 3"]
    ready: [{http: {port: 8080, path: /ok}}]
scenarios:
  - name: disturbed
    chaos:
      - {id: slow, fault: network.latency, target: one, delay: 50ms, ports: [8080], at: {before_step: hold}}
    steps:
      - {name: before, http: {service: one, port: 8080, path: /ok}, expect: {status: 200}}
      - {name: hold, sleep: 6s}
determinism: {iterations: 1}
"""


pytestmark = pytest.mark.usefixtures("target")


@pytest.fixture(scope="module")
def target(engine):
    make_images(engine, (TARGET,))


def shown(line: str) -> bool:
    return " fault " in line and "network.latency on one" in line and " ok " not in line


def test_an_interrupt_in_mid_fault_takes_everything_away_within_the_runners_budget(tmp_path: Path, docker_host: str):
    spec = write(tmp_path, "life", FAULTS)
    with start(spec.name, out=tmp_path / "out", cwd=tmp_path) as run:
        run.wait_for("fault still: container.pause on two")
        assert any(shown(line) for line in run.lines), run.lines
        time.sleep(1.5)
        begun = time.monotonic()
        run.process.send_signal(signal.SIGINT)
        code = run.finish()
        took = time.monotonic() - begun
        pid = run.process.pid
    assert code == 130, run.lines
    assert took < BUDGET + 2, took
    ran = Ran(code=code, pid=pid, stdout="\n".join(run.lines).encode(), stderr=b"", out=tmp_path / "out")
    slow, still = faults_of(ran, "life")
    assert (slow["verified"], slow["reverted"], slow["reversal"] != {}) == (True, True, True), slow
    assert (still["verified"], still["reverted"]) == (True, True), still
    # In reverse: what came last went first.
    assert int(still["window"]["end_ns"]) <= int(slow["window"]["end_ns"])
    assert owned_by(docker_host, pid) == ()


def test_an_engine_that_dies_while_a_fault_is_active_is_a_clear_error_and_no_hang(tmp_path: Path, docker_host: str):
    spec = write(tmp_path, "life", FAULTS.replace("40s", "5s"))
    with start(spec.name, "--engine", "cell", out=tmp_path / "out", cwd=tmp_path) as run:
        run.wait_for("fault still: container.pause on two")
        time.sleep(1)
        cells = [one["raw"]["Id"] for one in owned_by(docker_host, run.process.pid) if one["kind"] == "container"]
        client = docker.APIClient(docker_host, version="auto")
        try:
            for cell in cells:
                ask = client.exec_create(cell, ["sh", "-c", "kill -9 $(pidof dockerd containerd)"])
                client.exec_start(ask["Id"])
        finally:
            client.close()
        begun = time.monotonic()
        code = run.finish()
        pid = run.process.pid
    said = "\n".join(run.lines)
    assert code not in (0, 1, 2), said
    assert time.monotonic() - begun < 60
    assert "engine" in said.lower()
    assert until(lambda: owned_by(docker_host, pid) == (), 10)


def test_a_service_that_goes_by_itself_while_a_fault_is_active_is_a_finding(tmp_path: Path):
    spec = write(tmp_path, "goes", GOES)
    ran = cleanroom(spec.name, out=tmp_path / "out", cwd=tmp_path)
    assert ran.code == 1, ran.said
    assert b"service one had ended by itself" in ran.stdout
    (slow,) = faults_of(ran, "goes")
    assert slow["reverted"], slow


@pytest.mark.parametrize(("name", "count", "iterations"), [
    ("three", 3, 2), pytest.param("ten", 10, 5, marks=pytest.mark.full),
])  # fmt: skip
def test_faults_that_overlap_are_all_proven_and_taken_away_and_every_iteration_is_the_same(
    tmp_path: Path, name: str, count: int, iterations: int
):
    spec = SPECS / "overlapping" / f"{name}.cleanroom.yaml"
    ran = cleanroom(str(spec.relative_to(ROOT)), out=tmp_path)
    suite = ran.suite(name)
    assert (ran.code, suite["verdict"]) == (0, "pass"), ran.said
    digests = {iteration["digests"]["digest"] for iteration in suite["iterations"]}
    assert (len(suite["iterations"]), len(digests)) == (iterations, 1)
    for scenario in suite["scenarios"]:
        for iteration in scenario["iterations"]:
            assert len(iteration["faults"]) == count
            for fault in iteration["faults"]:
                assert (fault["verified"], fault["reverted"], bool(fault["evidence"])) == (True, True, True), fault
