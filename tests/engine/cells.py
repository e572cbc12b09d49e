"""What the tests of real cells share: a worker that runs a nested engine, and a look at what exists of a run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from cleanroom.engine.cache import cache_volume
from cleanroom.engine.leftovers import HostTraces, find
from cleanroom.engine.raw import RawEngine
from cleanroom.engine.sweep import left_of_run

ROOT = Path(__file__).resolve().parents[2]
# An image that any nested engine can run without a registry: made from the cell's own shell, in milliseconds.
WORKER = """
import os, subprocess, sys, time
from pathlib import Path
from cleanroom.engine.cell import CellFacts, SOCKET
from cleanroom.engine.private import private_engine
from cleanroom.engine.raw import RawEngine
facts = CellFacts.from_environment(os.environ)
def say(text):
    print(text, flush=True)
say("worker")
with private_engine(facts) as engine:
    say(f"engine {engine.daemon.version}")
    say(f"before {len(engine.before.removed)} {engine.before.wiped}")
    api = RawEngine(engine.daemon.address)
    if api.image("shell:1") is None:
        say("importing")
        names = [p for p in ("bin/sh", "bin/sleep", "bin/cat", "lib64") if Path("/", p).exists()]
        names += [str(p)[1:] for p in Path("/lib/x86_64-linux-gnu").glob("lib[cm].so.6")]
        tar = subprocess.run(("tar", "-C", "/", "--dereference", "-c", *names), check=True, capture_output=True).stdout
        api._api.import_image_from_data(tar, repository="shell", tag="1")
    body = {"Image": "shell:1", "Cmd": ["/bin/sh", "-c", f"echo inner; sleep 3600 # {facts.run}"],
            "Labels": {"a": "b"}, "HostConfig": {"NetworkMode": "none", "Memory": 64 << 20, "NanoCpus": 10**9}}
    container = api.create("inner", body)
    api.start(container)
    say("running")
    try:
        EXTRA
    finally:
        api.remove(container)
"""
LAUNCH = """
import os, signal, sys
from cleanroom.engine.launcher import CellRun, LaunchOptions
from cleanroom.engine.namespaces import ProcessRun
mode, workspace, out, state, image, worker, scope = sys.argv[1:8]
options = LaunchOptions(workspace=workspace, worker=("-c", worker), out=out, image=image, state_dir=state,
    cache=bool(scope), cache_scope=scope, sink=lambda data: (sys.stdout.buffer.write(data), sys.stdout.flush()))
signal.signal(signal.SIGINT, lambda *_: options.interrupt.fire())
run = CellRun(options) if mode == "cell" else ProcessRun(options, kind="namespaces")
print("run", run.run, flush=True)
PATCH
result = run.go()
print("result", result.exit_code, result.privilege, result.left, result.notes, flush=True)
"""


def image() -> str:
    """The image of the cell under test; the tests of this folder cannot run without one."""
    return os.environ["CLEANROOM_IMAGE"]


def worker(extra: str = "time.sleep(3600)") -> str:
    return WORKER.replace("EXTRA", extra.strip().replace("\n", "\n    "))


class Launched:
    """A launcher in a process of its own, to be killed."""

    def __init__(self, mode: str, folder: Path, *, code: str, patch: str = "", scope: str = "") -> None:
        workspace = folder / "workspace"
        workspace.mkdir(exist_ok=True)
        (workspace / "spec.txt").write_text("hello")
        self.out = folder / "out"
        self.mode = mode
        argv = (mode, str(workspace), str(self.out), str(folder / "state"), image(), code, scope)
        self.process = subprocess.Popen(
            (sys.executable, "-c", LAUNCH.replace("PATCH", patch), *argv),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "ACTIONS_RUNTIME_TOKEN": "s3cret", "GITHUB_TOKEN": "s3cret"},
        )
        self.lines: list[str] = []
        self.run = self.wait_for("run ").split()[1]

    def wait_for(self, start: str) -> str:
        """Read lines until one starts so."""
        while line := self.process.stdout.readline().decode("utf-8", "replace"):
            self.lines.append(line.rstrip())
            if line.startswith(start):
                return line.rstrip()
        raise AssertionError(f"the launcher ended without a line {start!r}:\n" + "\n".join(self.lines))

    def finish(self) -> str:
        """Wait for its end and return all that it wrote."""
        rest = self.process.stdout.read().decode("utf-8", "replace")
        self.process.stdout.close()
        self.process.wait(60)
        return "\n".join((*self.lines, rest))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def existing(run: str) -> list[str]:
    """What exists of a run: in the outer engine, on the host, and as processes."""
    engine = RawEngine()
    try:
        found = [f"engine: {name}" for name in left_of_run(engine, run)]
    finally:
        engine.close()
    found += [f"host: {name}" for name in find(HostTraces(run=run))]
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if f"CLEANROOM_RUN={run}".encode() in text or f"# {run}".encode() in text:
            found.append(f"process: {entry.name}")
    return found


def gone_within(run: str, seconds: float) -> list[str]:
    """Wait until nothing of a run exists; return what is left after `seconds`."""
    end = time.monotonic() + seconds
    while (left := existing(run)) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def drop_cache(scope: str) -> None:
    engine = RawEngine()
    end = time.monotonic() + 10
    try:
        # A cell that was killed a moment ago still holds it.
        while cache_volume(scope) in {volume["Name"] for volume in engine.volumes({})} and time.monotonic() < end:
            engine.remove_volume(cache_volume(scope))
            time.sleep(0.1)
    finally:
        engine.close()
