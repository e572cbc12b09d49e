"""What a service and a cell must never have: a Docker API, a way to one, or anything of the workflow's credentials."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cells import drop_cache, image
from runs import IMAGE, ROOT, Json, cleanroom, files, owned_by, read, start, write

# A name per family that must not travel, each with a value that can be found again wherever it went.
SECRETS = {
    name: f"marker-{number:02d}-of-the-job"
    for number, name in enumerate(
        (
            "ACTIONS_RUNTIME_TOKEN",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            "GITHUB_TOKEN",
            "GITHUB_ENV_SECRET",
            "INPUT_REGISTRY_AUTH",
            "RUNNER_TRACKING_ID",
            "DOCKER_AUTH_CONFIG",
            "CLEANROOM_JOB",
            "AWS_SECRET_ACCESS_KEY",
        )
    )
}
FORBIDDEN = ("ACTIONS_", "GITHUB_", "INPUT_", "RUNNER_", "DOCKER_", "AWS_", "CLEANROOM_")
GIVEN = {"CLEANROOM_SEED"}

LOOK = f"""
cleanroom: 1
meta: {{name: look}}
services:
  box: {{image: "{IMAGE}", command: [sleep, infinity]}}
scenarios:
  - name: it looks around
    steps:
      - {{name: environment of a step, exec: {{service: box, command: [env]}}}}
      - {{name: environment of a service, exec: {{service: box, command: "tr '\\\\0' '\\\\n' < /proc/1/environ"}}}}
      - {{name: sockets, exec: {{service: box, command: "find / -xdev -type s"}}}}
      - {{name: mounts, exec: {{service: box, command: [cat, /proc/self/mountinfo]}}}}
      - {{name: hold, sleep: 3s}}
expect: {{hermeticity: {{egress: none, leaks: none}}}}
determinism: {{iterations: 1}}
"""
# Runs inside the cell: who listens on TCP there, by process, and on which sockets the nested engine is to be found.
LISTENERS = r"""
import json, os
from pathlib import Path
listening = {}
for name in ("tcp", "tcp6"):
    for line in Path("/proc/net", name).read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A":
            listening[fields[9]] = f"{name} {fields[1]}"
unix = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if "docker" in line]
found = {}
for entry in Path("/proc").glob("[0-9]*"):
    try:
        argv = (entry / "cmdline").read_bytes().split(b"\0")
        ends = {os.readlink(f) for f in (entry / "fd").iterdir()}
    except OSError:
        continue
    name = os.path.basename(argv[0].decode())
    found.setdefault(name, [])
    found[name] += [at for inode, at in listening.items() if f"socket:[{inode}]" in ends]
print(json.dumps({"processes": found, "unix": unix, "listening": sorted(listening.values())}))
"""
# The action takes the image of the container that it runs in; here it runs in none and is told.
ACTION = """
import sys
from dataclasses import replace
from cleanroom.action import main
def run(options, sink, watch):
    return main._pipeline(replace(options, image=sys.argv[1]), sink, watch)
sys.exit(main.main(run=run))
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("isolation")
    write(folder, "look", LOOK)
    yield folder
    drop_cache(str(folder))


@pytest.fixture(scope="module")
def looked(workspace: Path, tmp_path_factory: pytest.TempPathFactory, docker_host: str) -> tuple[Path, Json, Json]:
    """A run that was started in the environment of a job: its report folder, who listened, and the cell itself."""
    out = tmp_path_factory.mktemp("report")
    with start("look.cleanroom.yaml", out=out, cwd=workspace, environment=SECRETS) as run:
        run.wait_for("step mounts")
        listeners, cell = inside(docker_host, run.process.pid)
        assert run.finish() == 0, "\n".join(run.lines)
    (out / "console.txt").write_text("\n".join(run.lines), encoding="utf-8")
    return out, listeners, cell


def inside(docker_host: str, pid: int) -> tuple[Json, Json]:
    client = docker.APIClient(docker_host, version="auto")
    try:
        (cell,) = [thing["name"] for thing in owned_by(docker_host, pid) if thing["kind"] == "container"]
        execution = client.exec_create(cell, ["/opt/cleanroom/bin/python", "-I", "-c", LISTENERS])
        return json.loads(client.exec_start(execution["Id"])), client.inspect_container(cell)
    finally:
        client.close()


def stdout(out: Path, step: str) -> str:
    steps = read(out / "report.json")["suites"][0]["scenarios"][0]["iterations"][0]["steps"]
    return next(found["stdout"] for found in steps if found["name"] == step)


def test_the_nested_engine_opens_no_tcp_port(looked: tuple[Path, Json, Json]):
    _, listeners, _ = looked
    processes = listeners["processes"]
    assert "/run/cleanroom/docker.sock" in listeners["unix"], "the engine was up when we looked"
    assert processes["otelcol"], "the collector listens, and a look that does not see it sees nothing"
    engine = {name: ports for name, ports in processes.items() if "docker" in name or "containerd" in name}
    assert "dockerd" in engine
    assert not any(engine.values()), engine


def test_nothing_in_the_cell_listens_on_every_address(looked: tuple[Path, Json, Json]):
    _, listeners, cell = looked
    assert listeners["listening"]
    assert [at for at in listeners["listening"] if at.split()[1].startswith(("00000000:", "0" * 32 + ":"))] == []
    assert not any((cell["NetworkSettings"]["Ports"] or {}).values()), "no port is published"


def test_the_cell_has_no_mount_of_the_host_and_no_variable_of_the_job(looked: tuple[Path, Json, Json]):
    _, _, cell = looked
    assert {mount["Type"] for mount in cell["Mounts"]} <= {"volume", "tmpfs"}
    assert not cell["HostConfig"]["Binds"]
    names = {text.partition("=")[0] for text in cell["Config"]["Env"]}
    assert "CLEANROOM_RUN" in names
    assert [name for name in names if name.startswith(("ACTIONS_", "GITHUB_", "INPUT_", "RUNNER_", "DOCKER_"))] == []


@pytest.mark.parametrize("step", ["environment of a step", "environment of a service"])
def test_a_service_has_no_variable_of_the_job(looked: tuple[Path, Json, Json], step: str):
    out, _, _ = looked
    names = {line.partition("=")[0] for line in stdout(out, step).splitlines()}
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in names, "this is the environment of a service"
    assert [name for name in names - GIVEN if name.startswith(FORBIDDEN)] == []


def test_a_service_sees_no_docker_socket(looked: tuple[Path, Json, Json]):
    out, _, _ = looked
    assert stdout(out, "sockets") == ""
    mounts = {line.split()[4] for line in stdout(out, "mounts").splitlines()}
    assert "/etc/resolv.conf" in mounts, "these are the mounts of a service"
    # The engine's own init is a program, no way to the engine.
    others = mounts - {"/usr/sbin/docker-init", "/sbin/docker-init"}
    assert [mount for mount in others if "docker" in mount or mount.startswith(("/run", "/var/run"))] == []


def test_no_secret_of_the_job_is_anywhere_in_the_report_or_the_output(looked: tuple[Path, Json, Json]):
    out, _, _ = looked
    texts = {path: path.read_bytes() for path in files(out)}
    assert len(texts) > 10, "this is a whole report"
    found = {(str(path), value) for path, text in texts.items() for value in SECRETS.values() if value.encode() in text}
    assert found == set()


def test_a_variable_that_a_spec_asks_for_does_arrive(workspace: Path, tmp_path: Path):
    """The control of the tests above: what is let in is found, by the same look."""
    spec = LOOK.replace("name: look", "name: let in").replace(
        "command: [sleep, infinity]",
        "command: [sleep, infinity], environment: {LET_IN: \"{{ env('AWS_SECRET_ACCESS_KEY') }}\"}",
    )
    write(workspace, "let-in", spec)
    chosen = ("let-in.cleanroom.yaml", "--allow-env", "AWS_SECRET_ACCESS_KEY")
    ran = cleanroom(*chosen, out=tmp_path, cwd=workspace, environment=SECRETS)
    assert ran.code == 0, ran.said
    assert f"LET_IN={SECRETS['AWS_SECRET_ACCESS_KEY']}" in stdout(tmp_path, "environment of a service")


def test_registry_credentials_are_masked_and_reach_no_service(workspace: Path, tmp_path: Path):
    """Through the action, where they are an input; the service prints whatever it is given."""
    user, password = "somebody", "pass-word-of-the-registry"
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    checkout = tmp_path / "checkout"
    write(checkout, "look", LOOK.replace("command: [env]", f'command: "env; echo {password} {basic}"'))
    output = tmp_path / "output"
    output.touch()
    done = subprocess.run(
        (sys.executable, "-c", ACTION, image()),
        cwd=checkout,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "GITHUB_WORKSPACE": str(checkout),
            "GITHUB_REPOSITORY": str(workspace),
            "GITHUB_OUTPUT": str(output),
            "INPUT_REGISTRY-AUTH": f"registry.invalid={user}:{password}",
        },
        capture_output=True,
        check=False,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said.decode("utf-8", "replace")
    shown = [line for line in said.splitlines() if password.encode() in line or basic.encode() in line]
    assert all(line.startswith(b"::add-mask::") for line in shown), shown
    assert shown, "the runner is told what to mask"
    report = checkout / "cleanroom-report"
    step = stdout(report, "environment of a step")
    assert step.rstrip().endswith("*** ***"), "it did say them, and they were masked"
    texts = {path: path.read_bytes() for path in files(report)}
    assert [path for path, text in texts.items() if password.encode() in text or basic.encode() in text] == []
    assert password not in stdout(report, "environment of a service")
