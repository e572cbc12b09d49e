"""Runs in the machine with the other kernel, as root, in a folder that `run.sh` has filled; needs Python and an engine.

Runs the specs of all faults in cells, the kernel's emulator by itself, and one cell that is privileged. Prints one line
for each fault: its rung, and whether it was proven. Exits 1 when one was not that should be.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path.cwd()
TREE, OUT = HERE / "tree", HERE / "out"
IMAGE = os.environ.get("CLEANROOM_IMAGE", "cleanroom-action:dev")
LIMIT = int(os.environ.get("CLEANROOM_KERNEL_LIMIT", "900"))
# What is begun when the limit comes may end.
GRACE = 300
STRETCH = int(os.environ.get("CLEANROOM_KERNEL_STRETCH", "6"))
FAMILIES = os.environ.get("CLEANROOM_KERNEL_FAMILIES", "").split()
CONTROLS = os.environ.get("CLEANROOM_KERNEL_CONTROLS", "") == "1"
SOCKET = "/var/run/docker.sock"
PYTHON = "/opt/cleanroom/bin/python"
SPECS = Path("tests/specs/faults")
# To start a cell takes minutes there. So: few cells, and of each family what the kernel has a part in.
CHOSEN = {
    "limits": (
        "container/oom", "container/pause", "resource/*", "process/fork_bomb",
    ),
    "network": (
        "network/latency", "network/corrupt", "network/duplicate", "network/reorder", "network/bandwidth",
        "network/loss", "network/flap", "network/partition", "network/refuse", "network/reset", "kernel/*",
    ),
    "others": (
        "container/kill", "container/restart", "process/signal", "process/zombies", "filesystem/io_error",
        "filesystem/io_delay", "filesystem/read_only", "filesystem/lock", "clock/skew", "composite/concurrent",
        "custom/custom", "dependency/down", "http/abort", "dns/*", "overlapping/three",
    ),
    "services": ("database/lock", "cache/slow", "credentials/rotate", "broker/memory_alarm"),
}  # fmt: skip
PRIVILEGED = ("container/oom", "container/pause", "filesystem/io_error", "network/latency", "resource/pids_limit")
# Where the kernel has them, these come first; a lower rung would be one that was refused.
RUNGS = {
    "network.latency": "netem", "network.corrupt": "netem", "network.duplicate": "netem", "network.reorder": "netem",
    "network.bandwidth": "htb",
}  # fmt: skip
ROW = "{:<28} {:<11} {:<10} {}"


@dataclass(frozen=True)
class Row:
    """One fault of one spec, and whether what must be seen of it was seen."""

    fault: str
    rung: str
    verdict: str
    where: str
    holds: bool = False

    def __str__(self) -> str:
        return ROW.format(
            self.fault, self.rung or "-", self.verdict if self.holds else self.verdict.upper(), self.where
        )


def say(text: str) -> None:
    """Print at once: what was seen is seen, even when time runs out."""
    print(text, flush=True)


def stretched(text: str) -> str:
    """Return a spec with longer time limits: this machine is emulated, and slow."""

    def longer(found: re.Match[str]) -> str:
        return f"{found[1]}{float(found[2]) * STRETCH:g}{found[3]}"

    return re.sub(r"(\btimeout: )([0-9.]+)(ms|s|m)\b", longer, text)


def container(name: str, *command: str, options: Sequence[str] = (), entry: str = "") -> int:
    """Run the image with the engine's socket; its output goes to a file, its end is printed when it fails."""
    log = OUT / f"{name}.log"
    # The name tells what to end when time is up: a client that dies leaves its container.
    argv = [
        "docker", "run", "--rm", "--name", f"kernel-{name}", "--volume", f"{SOCKET}:{SOCKET}",
        "--volume", f"{TREE}:/tree", "--volume", f"{OUT}:/out", "--workdir", "/tree",
        "--env", f"CLEANROOM_IMAGE={IMAGE}", *options, *(("--entrypoint", entry) if entry else ()), IMAGE, *command,
    ]  # fmt: skip
    with log.open("wb") as file:
        try:
            most = LIMIT + GRACE
            code = subprocess.run(argv, stdout=file, stderr=subprocess.STDOUT, timeout=most, check=False).returncode
        except subprocess.TimeoutExpired:
            subprocess.run(("docker", "rm", "--force", f"kernel-{name}"), capture_output=True, check=False, timeout=60)
            say(f"{name}: no end after {LIMIT + GRACE} s")
            code = 124
    return code


def run_specs(name: str, specs: Sequence[Path], *, privileged: bool = False) -> Iterator[Row]:
    """Run these specs in one cell; yield what was seen of each fault."""
    began = time.monotonic()
    command = ("run", *map(str, specs), "--out", f"/out/{name}", "--jobs", "2", "--progress", "plain")
    command += ("--budget", f"{LIMIT}s")
    if privileged:
        code = container(name, "-I", "/tree/tests/kernel/privileged.py", *command, entry=PYTHON)
    else:
        code = container(name, *command)
    say(f"# {name}: {len(specs)} specs, exit {code}, {time.monotonic() - began:.0f} s")
    report = OUT / name / "report.json"
    if not report.exists():
        say((OUT / f"{name}.log").read_text(errors="replace")[-3000:])
        yield Row(name, "", "no report", f"exit {code}")
        return
    found = json.loads(report.read_text(encoding="utf-8"))
    seen = {suite["file"]: suite for suite in found["suites"]}
    if privileged:
        said = found["engine"]["privileges"]
        yield Row("cell", said, "made", "an engine that refuses the list of capabilities", said == "privileged")
    for spec in specs:
        suite = seen.get(str(spec))
        if suite is None:
            yield Row(str(spec), "", "not run", "the report has no such suite")
        else:
            yield from rows(spec, suite)


def rows(spec: Path, suite: dict[str, Any]) -> Iterator[Row]:
    """Yield what was seen of each fault of a spec; of a control, that it was not taken for proven."""
    where, verdict = f"{spec.parent.name}/{spec.name.partition('.')[0]}", suite["verdict"]
    faults = [
        fault
        for scenario in suite["scenarios"]
        for one in scenario["iterations"][:1]
        for fault in one.get("faults", [])
    ]
    if spec.name.startswith("control-"):
        bare = [fault for fault in faults if not fault["verified"]]
        holds = verdict in ("inconclusive", "fail") and bool(bare)
        kind, rung = (bare[0]["fault"], bare[0]["backend"]) if bare else (where, "")
        yield Row(kind, rung, "prevented" if holds else "not prevented", f"{where}: {verdict}", holds)
        return
    drawn = [fault for fault in faults if fault["drawn"]]
    for fault in drawn:
        kind, rung = fault["fault"], fault["backend"]
        proven = fault["verified"] and fault["reverted"] and bool(fault["evidence"])
        wanted = RUNGS.get(kind, rung)
        why = "" if proven else f": {fault['reason']}"
        why += "" if rung == wanted else f": {wanted} was to be used; {fault['evidence'].get('refused_rungs', '')}"
        holds = proven and rung == wanted
        yield Row(kind, rung, "proven" if proven else "not proven", where + why, holds)
    if verdict != "pass" or not drawn:
        iterations = [one for scenario in suite["scenarios"] for one in scenario["iterations"]]
        findings = [text for found in (suite, *iterations) for text in told(found)]
        yield Row(where, "", verdict, "; ".join(findings)[:600] or "no fault came")


def told(found: dict[str, Any]) -> Iterator[str]:
    """Yield what a report says of why a suite or an iteration is not as it should be."""
    for one in (*found.get("findings", []), found.get("trouble")):
        if one:
            yield str(one.get("message", one))


def emulator() -> Iterator[Row]:
    """Run the kernel's emulator by itself; yield what was seen of each of its effects."""
    options = ("--privileged", "--network", "none")
    code = container("netem", "-I", "/tree/tests/kernel/netem.py", options=options, entry=PYTHON)
    text = (OUT / "netem.log").read_text(errors="replace")
    try:
        report = json.loads(text.splitlines()[-1])
    except (ValueError, IndexError):
        yield Row("netem", "", "no report", f"exit {code}: {text[-600:]}")
        return
    for name, found in report.items():
        holds = found.pop("holds")
        facts = ", ".join(f"{key} {value}" for key, value in found.items())
        yield Row(name, "htb" if name == "bandwidth" else "netem", "seeded" if holds else "not as seeded", facts, holds)


def by_groups() -> Iterator[Row]:
    """Run the faults that work by control groups without a cell; yield what was seen of each."""
    shared = ("/sys/fs/cgroup", "/var/lib/docker")
    mounts = [word for path in shared for word in ("--volume", f"{path}:{path}")]
    options = ("--privileged", "--pid", "host", "--cgroupns", "host", "--network", "host", *mounts)
    code = container("lives", "-I", "/tree/tests/kernel/lives.py", options=options, entry=PYTHON)
    text = (OUT / "lives.log").read_text(errors="replace")
    lines = [line for line in text.splitlines() if line.startswith("{")]
    for line in lines:
        found = json.loads(line)
        facts = ", ".join(f"{key} {value}" for key, value in found.get("evidence", {}).items())
        holds = bool(found["holds"])
        where = f"no cell: {facts}" if holds else f"no cell: {found['why']}"
        yield Row(found["fault"], found["rung"], "proven" if holds else "not proven", where, holds)
    if not lines or code not in (0, 1):
        yield Row("lives", "", "no end", f"exit {code}: {text[-600:]}")


def host() -> str:
    """Return what this machine is."""
    version = ("docker", "version", "--format", "Docker {{.Server.Version}}")
    engine = subprocess.run(version, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    groups = "v2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "v1"
    return f"kernel {platform.release()}, {engine}, cgroup {groups}, {os.cpu_count()} processors"


def specs_of(patterns: Sequence[str]) -> list[Path]:
    """Return the specs that are meant, by `family/name`; those of `kernel` are for rungs of that kernel alone."""
    found: list[Path] = []
    for pattern in patterns:
        family, _, name = pattern.partition("/")
        folder = Path("tests/kernel/specs") if family == "kernel" else SPECS / family
        found += sorted(folder.glob(f"{name}.cleanroom.yaml"))
    return [spec for spec in dict.fromkeys(found) if CONTROLS or not spec.name.startswith("control-")]


def cells() -> dict[str, Sequence[str]]:
    """Return what is to be run in each cell: the choice, all that there is, or what is named."""
    if not FAMILIES:
        return dict(CHOSEN)
    named = [*sorted(path.name for path in SPECS.iterdir()), "kernel"] if FAMILIES == ["all"] else FAMILIES
    found: dict[str, Sequence[str]] = {name: (f"{name}/*",) for name in named if "/" not in name}
    single = [name for name in named if "/" in name]
    return {"named": single, **found} if single else found


def main() -> int:
    """Print the table; what is in capitals is not as it must be."""
    OUT.mkdir(exist_ok=True)
    if (images := HERE / "images.tar").exists():
        subprocess.run(("docker", "load", "--quiet", "--input", str(images)), check=True, timeout=LIMIT)
        images.unlink()
    say(host())
    for path in (*TREE.glob("tests/specs/faults/*/*.yaml"), *TREE.glob("tests/kernel/specs/*.yaml")):
        path.write_text(stretched(path.read_text(encoding="utf-8")), encoding="utf-8")
    os.chdir(TREE)
    table: list[Row] = []

    def add(rows: Iterator[Row]) -> None:
        for row in rows:
            table.append(row)
            say(str(row))

    say(ROW.format("fault", "rung", "verdict", "spec"))
    if FAMILIES in ([], ["all"]):
        add(emulator())
        add(by_groups())
    for name, patterns in cells().items():
        add(run_specs(name, specs_of(patterns)))
    add(run_specs("privileged", specs_of(PRIVILEGED), privileged=True))
    bad = sum(not row.holds for row in table)
    say(f"{len(table) - bad} as they must be, {bad} not")
    return 1 if bad or not table else 0


if __name__ == "__main__":
    sys.exit(main())
