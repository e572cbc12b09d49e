"""What the tests of whole runs share: `cleanroom run` as a process of its own, its report, and what it left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import docker

from cleanroom.engine.identity import OWNER_LABEL, RUN_LABEL, decode_owner

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "debian:trixie-slim"
COMMAND = (sys.executable, "-u", "-m", "cleanroom.cli.main", "run")
Json = dict[str, Any]

# Sends one span, given as the rest of its JSON, to the collector: bash and the variables that every service has.
EMIT = r"""
export LC_ALL=C
IFS=- read -r _ trace parent _ <<<"$TRACEPARENT"
host=${OTEL_EXPORTER_OTLP_ENDPOINT#http://}
now=$(date +%s%N)
id=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
service='{"attributes":[{"key":"service.name","value":{"stringValue":"'$OTEL_SERVICE_NAME'"}}]}'
ids='"traceId":"'$trace'","spanId":"'$id'","parentSpanId":"'$parent'"'
times='"startTimeUnixNano":"'$now'","endTimeUnixNano":"'$((now + 1000))'"'
spans='[{"scope":{"name":"bash"},"spans":[{'$ids,$times,'"kind":1,'$1'}]}]'
body='{"resourceSpans":[{"resource":'$service',"scopeSpans":'$spans'}]}'
exec 3<>"/dev/tcp/${host%:*}/${host#*:}"
printf '%s\r\n' 'POST /v1/traces HTTP/1.1' 'Host: collector' 'Content-Type: application/json' \
    "Content-Length: ${#body}" 'Connection: close' '' >&3
printf %s "$body" >&3
read -r _ status _ <&3
[ "$status" = 200 ]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A run that has ended."""

    code: int
    pid: int
    stdout: bytes
    stderr: bytes
    out: Path

    @property
    def report(self) -> Json:
        return read(self.out / "report.json")

    @property
    def said(self) -> str:
        """Everything that it wrote, for the message of an assertion."""
        return (self.stdout + b"\n--- stderr\n" + self.stderr).decode("utf-8", "replace")

    def suite(self, name: str) -> Json:
        found = [suite for suite in self.report["suites"] if suite["name"] == name]
        # Without what was said, a run that came to nothing leaves nobody the wiser.
        assert found, f"the run has no suite {name!r}:\n{self.said}"
        return found[0]


@dataclass(slots=True, kw_only=True)
class Started:
    """A run that is under way."""

    process: subprocess.Popen[bytes]
    out: Path
    lines: list[str] = field(default_factory=list)

    def wait_for(self, text: str) -> None:
        """Read its output until a line has `text` in it."""
        while line := self.process.stdout.readline():
            self.lines.append(line.decode("utf-8", "replace").rstrip())
            if text in self.lines[-1]:
                return
        raise AssertionError(f"the run ended without a line with {text!r}:\n" + "\n".join(self.lines))

    def finish(self) -> int:
        """Read the rest and return its exit code."""
        self.lines += self.process.stdout.read().decode("utf-8", "replace").splitlines()
        return self.process.wait(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it, if it has not ended yet."""
        self.process.kill()
        self.process.communicate()


def start(
    *arguments: str, out: Path, cwd: Path = ROOT, environment: Mapping[str, str] | None = None, split: bool = False
) -> Started:
    """Start `cleanroom run`; its standard error goes with its output unless `split`."""
    process = subprocess.Popen(
        (*COMMAND, *arguments, "--out", str(out), "--progress", "plain"),
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if split else subprocess.STDOUT,
    )
    return Started(process=process, out=out)


def cleanroom(
    *arguments: str,
    out: Path,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    patience: float = 280,
) -> Ran:
    """Run `cleanroom run` to its end, which may take `patience` seconds."""
    process = start(*arguments, out=out, cwd=cwd, environment=environment, split=True).process
    stdout, stderr = process.communicate(timeout=patience)
    return Ran(code=process.returncode, pid=process.pid, stdout=stdout, stderr=stderr, out=out)


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def findings(value: Any) -> Iterator[Json]:
    """Yield every finding in a part of a report."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key == "findings":
                yield from below
            else:
                yield from findings(below)
    elif isinstance(value, list):
        for below in value:
            yield from findings(below)


def line_of(path: Path, text: str) -> int:
    """The number of the one line of a file that has `text` in it."""
    found = [n for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if text in line]
    assert len(found) == 1, f"{path}: {text!r} stands on lines {found}"
    return found[0]


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.cleanroom.yaml"
    path.write_text(text.strip("\n") + "\n", encoding="utf-8")
    return path


def until(condition: Any, seconds: float) -> Any:
    """Call `condition` until it returns something true; returns what it returned last."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def descendants(pid: int) -> Sequence[int]:
    """The living processes below `pid`."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found, todo = [], [pid]
    while todo:
        todo += (below := parents.get(todo.pop(), []))
        found += below
    return found


def owned_by(docker_host: str, pid: int) -> tuple[Json, ...]:
    """What exists in an engine that the launcher with this pid made: each with `kind`, `name`, `run` and `raw`."""
    client = docker.APIClient(docker_host, version="auto")
    chosen = {"label": RUN_LABEL}
    try:
        found = [("container", str(c["Id"]), c) for c in client.containers(all=True, filters=chosen)]
        found += [("network", str(n["Name"]), n) for n in client.networks(filters=chosen)]
        found += [("volume", str(v["Name"]), v) for v in client.volumes(filters=chosen)["Volumes"] or ()]
    finally:
        client.close()
    labels = {name: raw.get("Labels") or {} for _, name, raw in found}
    return tuple(
        {"kind": kind, "name": name, "run": labels[name][RUN_LABEL], "raw": raw}
        for kind, name, raw in found
        if (owner := decode_owner(labels[name].get(OWNER_LABEL, ""))) and owner.pid == pid
    )
