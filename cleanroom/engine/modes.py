"""Which kind of cell a run gets: the facts of this machine, and the choice among them."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from cleanroom.engine.identity import own_container_id, own_layer, same_layer, same_mounts
from cleanroom.engine.raw import RawEngine
from cleanroom.engine.unixhttp import ping
from cleanroom.errors import CapabilityError, EngineError, UsageError

Mode: TypeAlias = Literal["inside", "cell", "own", "host"]
REQUESTS = ("auto", "cell", "own", "host")
DEFAULT_SOCKET = "/var/run/docker.sock"
OWN_IMAGE = "cleanroom.image=true"
"""The label that the Dockerfile gives our image, and the engine its containers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What this machine offers; `engine_trouble` is "" when an engine answers."""

    in_cell: bool
    engine_trouble: str
    linux: bool
    root: bool
    dockerd: bool
    unshare: bool


def choose_mode(requested: str, facts: Facts) -> Mode:
    """Return the mode for a request (`auto`, `cell`, `own`, `host`); `inside`: this process already is in a cell.

    Raises `UsageError` for another word, `CapabilityError` naming all that is missing and how to get it. Pure.
    """
    if requested not in REQUESTS:
        raise UsageError(f"--engine {requested!r} is not known", remedy=f"use one of {', '.join(REQUESTS)}")
    if facts.in_cell:
        return "inside"
    lacking = _lacking(facts)
    if requested == "auto":
        if not facts.engine_trouble:
            return "cell"
        if not lacking:
            return "own"
        raise CapabilityError(
            f"no way to run containers: {facts.engine_trouble}; and a private engine needs {', '.join(lacking)}",
            remedy="start a Docker engine, or set DOCKER_HOST, or run as root on Linux with Docker Engine installed",
        )
    if requested == "own":
        if lacking:
            raise CapabilityError(
                f"--engine own needs {', '.join(lacking)}",
                remedy="run as root on Linux with Docker Engine installed (Debian: docker.io), or use --engine cell",
            )
        return "own"
    if facts.engine_trouble:
        raise CapabilityError(
            f"--engine {requested} needs a Docker engine: {facts.engine_trouble}",
            remedy="start the engine, or set DOCKER_HOST to its address",
        )
    return "cell" if requested == "cell" else "host"


def gather_facts(environment: Mapping[str, str], address: str = "") -> Facts:
    """Look at this machine; asks the engine at `address` (or DOCKER_HOST, or the default socket) for its version."""
    return Facts(
        in_cell=environment.get("CLEANROOM_CELL", "") in {"container", "namespaces", "host"},
        engine_trouble=_engine_trouble(environment, address),
        linux=sys.platform == "linux",
        root=os.geteuid() == 0,
        dockerd=shutil.which("dockerd") is not None,
        unshare=shutil.which("unshare") is not None,
    )


def find_self(engine: RawEngine) -> Mapping[str, Any]:
    """Return what the engine knows of the container that we run in, an empty mapping when we run in none of it.

    The id comes from our own mounts and is believed only when the engine's container runs and has the mounts and, where
    the engine tells, the writable layer that we see; else one of our image's containers that has all of these.
    """
    try:
        mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return {}
    claimed = own_container_id(mountinfo)
    if not claimed:
        return {}
    layer = own_layer(mountinfo)
    found = engine.inspect(claimed)
    if found and _is_here(found, mountinfo) and same_layer(found, layer) is not False:
        return found
    # Some runners of workflows let the action join the job container's network, and its files of names come with it.
    for entry in engine.containers({"label": [OWN_IMAGE]}):
        found = engine.inspect(str(entry["Id"]))
        if found and _is_here(found, mountinfo) and same_layer(found, layer):
            return found
    return {}


def _is_here(found: Mapping[str, Any], mountinfo: str) -> bool:
    return bool(found["State"]["Running"]) and same_mounts(found, mountinfo)


def default_state_dir(environment: Mapping[str, str]) -> str:
    """Return where caches and runs of `own` mode live unless `--state-dir` says otherwise."""
    base = environment.get("XDG_CACHE_HOME") or str(Path(environment.get("HOME") or "~").expanduser() / ".cache")
    return str(Path(base) / "cleanroom")


def _lacking(facts: Facts) -> tuple[str, ...]:
    wanted = (
        (facts.linux, "Linux"),
        (facts.root, "root"),
        (facts.dockerd, "dockerd on PATH"),
        (facts.unshare, "unshare (util-linux) on PATH"),
    )
    return tuple(name for there, name in wanted if not there)


def _engine_trouble(environment: Mapping[str, str], address: str) -> str:
    where = address or environment.get("DOCKER_HOST", "") or f"unix://{DEFAULT_SOCKET}"
    if where.startswith("unix://"):
        path = Path(where.removeprefix("unix://"))
        try:
            kind = path.stat().st_mode
        except OSError:
            return f"there is no Docker socket at {path}"
        if not stat.S_ISSOCK(kind):
            # An engine that is asked to mount a socket that does not exist makes a folder of that name.
            return (
                f"{path} is not a socket (a runner whose engine is rootless or elsewhere mounts an empty folder there)"
            )
        return "" if ping(str(path), timeout=10) else f"nobody answers on the Docker socket {path}"
    try:
        engine = RawEngine(address, timeout=10)
        engine.version()
        engine.close()
    except EngineError as err:
        return err.message
    return ""
