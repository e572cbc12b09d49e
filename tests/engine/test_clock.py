"""Clocks of services, altered and proven from inside: what they say, what is made of it, and whom they cannot reach."""

from __future__ import annotations

import io
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import docker
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from runs import EMIT, IMAGE, ROOT, Ran, cleanroom, findings

SPECS = ROOT / "tests" / "specs" / "clock"
HOUR = 3600 * 10**9
# A loop around pause(2), which needs nobody's C library.
PAUSE = {
    "x86_64": (62, bytes.fromhex("b822000000 0f05 ebf7")),
    "aarch64": (183, bytes.fromhex("200080d2 010080d2 020080d2 030080d2 480980d2 010000d4 faffff17")),
}
COLLECTOR = """
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:4399"}}}}
exporters: {otlp_http: {endpoint: "http://127.0.0.1:4398"}}
service: {pipelines: {traces: {receivers: [otlp], exporters: [otlp_http]}}}
"""


def static_program() -> bytes:
    machine, code = PAUSE[platform.machine()]
    base, head = 0x400000, 64 + 56
    size = head + len(code)
    elf = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, base + head, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    elf += struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return elf + code


def program_of_the_image(docker_host: str, path: str) -> bytes:
    """A file of the action's own image."""
    client = docker.APIClient(docker_host, version="auto", timeout=120)
    container = client.create_container(os.environ.get("CLEANROOM_IMAGE", "cleanroom-action:dev"), entrypoint=["true"])
    try:
        stream, _ = client.get_archive(container, path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            return archive.extractfile(archive.getmembers()[0]).read()
    finally:
        client.remove_container(container)
        client.close()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, docker_host: str) -> Ran:
    """All specs in one run."""
    folder = tmp_path_factory.mktemp("clock")
    emit = EMIT.replace("'$1'", '"name":"' + "'$1'" + '"').strip()
    for spec in SPECS.glob("*.yaml"):
        text = spec.read_text(encoding="utf-8")
        indented = "|\n" + "\n".join(f"    {line}" for line in emit.splitlines())
        (folder / spec.name).write_text(text.replace("__EMIT__", indented), encoding="utf-8")
    context = folder / "unreached"
    context.mkdir()
    (context / "pause").write_bytes(static_program())
    (context / "otelcol").write_bytes(program_of_the_image(docker_host, "/usr/local/bin/otelcol"))
    (context / "c.yaml").write_text(COLLECTOR, encoding="utf-8")
    for name in ("pause", "otelcol"):
        (context / name).chmod(0o755)
    (context / "Dockerfile").write_text(f"FROM {IMAGE}\nCOPY pause otelcol c.yaml /\n", encoding="utf-8")
    yield cleanroom("*.cleanroom.yaml", out=folder / "out", cwd=folder)
    shutil.rmtree(folder, ignore_errors=True)


def services(ran: Ran, suite: str) -> list[dict[str, dict[str, object]]]:
    turns = ran.suite(suite)["scenarios"][0]["iterations"]
    return [{service["name"]: service for service in turn["services"]} for turn in turns]


def test_spans_of_clocks_with_an_offset_are_judged_on_the_machines_time(ran: Ran):
    suite = ran.suite("corrected")
    assert suite["verdict"] == "pass", ran.said
    assert len({i["digests"]["digest"] for i in suite["iterations"]}) == 1
    assert len(suite["iterations"]) == 3


def test_each_clock_is_in_the_report_as_it_was_measured_inside(ran: Ran):
    for found in services(ran, "corrected"):
        assert found["real"]["clock"] is None
        offsets = {name: int(found[name]["clock"]["offset_ns"]) for name in ("ahead", "behind", "past")}
        assert abs(offsets["ahead"] - HOUR) < 10**7
        assert abs(offsets["behind"] + 48 * HOUR) < 10**7
        assert offsets["past"] < -HOUR
        assert all(found[name]["clock"]["corrected"] for name in offsets)
    past = {found["past"]["clock"]["offset_ns"] for found in services(ran, "corrected")}
    assert len(past) == 3, "each environment begins at another time"


def test_times_of_clocks_that_stand_or_run_otherwise_are_judged_by_nobody(ran: Ran):
    suite = ran.suite("control-untimed")
    assert suite["exit_code"] == 1, ran.said
    found = {finding["rule"]: finding["found"] for finding in findings(suite["iterations"])}
    assert found.keys() == {"spans.duration", "order", "windows.contains"}
    assert "its clock was frozen" in found["order"]
    assert "the rate of its clock was changed" in found["order"]
    assert "the rate of its clock was changed" in found["windows.contains"]
    (services_found,) = services(ran, "control-untimed")
    assert services_found["frozen"]["clock"]["rate"] == 0
    assert services_found["fast"]["clock"]["rate"] == pytest.approx(3, abs=0.3)
    steps = suite["scenarios"][0]["iterations"][0]["steps"]
    assert {step["outcome"] for step in steps} == {"passed"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("control-static", r"process \d+ \(/pause\) is linked statically"),
        ("control-go", r"process \d+ \(/otelcol\) is written in Go"),
        ("control-ended", r"service once: it has ended"),
    ],
)
def test_a_program_that_the_clock_cannot_reach_is_told_by_name(ran: Ran, name: str, why: str):
    suite = ran.suite(name)
    assert suite["exit_code"] == 6, ran.said
    assert suite["verdict"] == "inconclusive"
    assert re.search(why, suite["trouble"]), suite["trouble"]


def test_the_reports_for_people_tell_of_the_clocks(ran: Ran):
    console, summary = ran.stdout.decode(), (ran.out / "summary.md").read_text(encoding="utf-8")
    assert "clock    each in its turn, ahead, offset 3600s: 3600.000" in console
    assert "Altered clocks" in summary
    assert "cleanroom.clock.both.frozen.iteration-1" in (ran.out / "junit.xml").read_text(encoding="utf-8")


def test_the_journal_is_judged_as_the_run_was(ran: Ran):
    command = (sys.executable, "-m", "cleanroom.cli.main", "verify", str(ran.out))
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
