"""What this machine can do, found out by doing it: engines, privileges, the packet filter, every rung of a fault."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from cleanroom.engine.conversation import Interrupt
from cleanroom.engine.launcher import LaunchOptions, launch
from cleanroom.engine.modes import Facts, choose_mode, gather_facts
from cleanroom.errors import CleanroomError
from cleanroom.faults.ladder import LADDERS

_TIMEOUT = 15
# Each is tried in a network namespace of its own, which is gone afterwards.
_ALONE = ("unshare", "--net")
_TRIALS: Mapping[str, tuple[str, ...]] = {
    "nftables": (*_ALONE, "nft", "add", "table", "inet", "cleanroom_doctor"),
    "kernel sch_netem": (*_ALONE, "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"),
    "kernel nfnetlink_queue": (
        *_ALONE, "iptables", "-t", "mangle", "-A", "OUTPUT", "-j", "NFQUEUE", "--queue-num", "77", "--queue-bypass",
    ),
    "bridge": (*_ALONE, "ip", "link", "add", "clr-doctor", "type", "bridge"),
}  # fmt: skip
_REMEDIES: Mapping[str, str] = {
    "nftables": "the isolated network needs nft and a kernel with nf_tables: install nftables, load nf_tables",
    "kernel sch_netem": "load it on the host (modprobe sch_netem; Ubuntu: linux-modules-extra); nfqueue does without",
    "kernel nfnetlink_queue": "install iptables and load xt_NFQUEUE and nfnetlink_queue on the host",
    "bridge": "the isolated network needs iproute2 and a kernel with bridges",
    "tc": "install iproute2",
    "iptables": "install iptables",
    "otelcol": "without the collector the embedded receiver takes OTLP; the action's image has it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing that was tried: whether it works, what was seen, and what to do where it does not."""

    name: str
    works: bool
    seen: str = ""
    remedy: str = ""


def diagnose_outside(environment: Mapping[str, str]) -> tuple[Diagnosis, ...]:
    """Return what the machine offers to a launcher."""
    facts: Facts = gather_facts(environment)
    found = [
        Diagnosis(
            name="docker engine", works=not facts.engine_trouble, seen=facts.engine_trouble or "answers",
            remedy="" if not facts.engine_trouble else "start an engine, or set DOCKER_HOST to its address",
        ),
        Diagnosis(
            name="private engine (--engine own)", works=facts.root and facts.dockerd and facts.unshare and facts.linux,
            seen=f"root: {_yes(facts.root)}, dockerd: {_yes(facts.dockerd)}, unshare: {_yes(facts.unshare)}",
            remedy="" if facts.root and facts.dockerd else "run as root, with Docker Engine (Debian: docker.io)",
        ),
    ]  # fmt: skip
    try:
        mode = choose_mode("auto", facts)
    except CleanroomError as err:
        found.append(Diagnosis(name="engine mode auto", works=False, seen=err.message, remedy=err.remedy))
    else:
        found.append(Diagnosis(name="engine mode auto", works=True, seen=f"takes {mode}"))
    return tuple(found)


def diagnose_inside() -> tuple[Diagnosis, ...]:
    """Return what can be done where we are: inside a cell, or as root on a bare machine."""
    found = [_tool(name) for name in ("tc", "iptables", "otelcol")]
    found += [_trial(name, argv) for name, argv in _TRIALS.items()]
    known = {d.name: d for d in found}
    for ladder in LADDERS:
        for rung in ladder.rungs:
            missing = [n for n in rung.needs if n in known and not known[n].works]
            found.append(
                Diagnosis(
                    name=f"{ladder.kind}: {rung.name}", works=not missing,
                    seen=f"lacks {', '.join(missing)}" if missing else rung.mechanism,
                    remedy="; ".join(_REMEDIES.get(n, "") for n in missing),
                )
            )  # fmt: skip
    return tuple(found)


def diagnose_cell(image: str, engine: str) -> tuple[Diagnosis, ...]:
    """Return what can be done inside a real cell of `image`, made for this question and gone afterwards."""
    said = bytearray()
    try:
        mode = choose_mode(engine, gather_facts(os.environ))
        with tempfile.TemporaryDirectory(prefix="cleanroom-doctor-") as folder:
            result = launch(
                mode,
                LaunchOptions(
                    workspace=folder, worker=("-m", "cleanroom.cli.main", "doctor", "--inside"), out=f"{folder}/out",
                    sink=said.extend, image=image, cache=False, interrupt=Interrupt(),
                ),
            )  # fmt: skip
        rows = json.loads(said.decode("utf-8", "replace"))
    except (CleanroomError, ValueError) as err:
        return (Diagnosis(name="cell", works=False, seen=str(err), remedy="build the image: `make image`"),)
    cell = Diagnosis(name="cell", works=True, seen=f"made with {result.privilege}")
    return (cell, *(Diagnosis(**row) for row in rows))


def as_json(found: tuple[Diagnosis, ...]) -> str:
    """Return the diagnoses as `diagnose_cell` reads them."""
    return json.dumps([asdict(d) for d in found])


def render(found: tuple[Diagnosis, ...]) -> str:
    """Return the diagnoses for people, one line each and the remedy below where there is one."""
    width = max((len(d.name) for d in found), default=0)
    lines = []
    for one in found:
        lines.append(f"{'ok ' if one.works else 'no '} {one.name:<{width}}  {one.seen}".rstrip())
        if not one.works and one.remedy:
            lines.append(f"    {'':<{width}} → {one.remedy}")
    return "\n".join(lines) + "\n"


def _tool(name: str) -> Diagnosis:
    path = shutil.which(name)
    return Diagnosis(
        name=name, works=path is not None, seen=path or "not on PATH", remedy="" if path else _REMEDIES[name]
    )


def _trial(name: str, argv: tuple[str, ...]) -> Diagnosis:
    words = _words(lambda: subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT, check=False))
    return Diagnosis(name=name, works=not words, seen=words or "works", remedy=_REMEDIES[name] if words else "")


def _words(call: Callable[[], subprocess.CompletedProcess[str]]) -> str:
    try:
        done = call()
    except (OSError, subprocess.TimeoutExpired) as err:
        return str(err)
    if done.returncode == 0:
        return ""
    return " ".join((done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").split())


def _yes(value: bool) -> str:
    return "yes" if value else "no"
