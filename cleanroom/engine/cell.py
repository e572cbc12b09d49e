"""How a cell is made: one container that may run a nested engine, with as little privilege as that takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from cleanroom.engine.identity import OWNER_LABEL, ROLE_LABEL, RUN_LABEL, Owner
from cleanroom.errors import UsageError

# A nested dockerd needs SYS_ADMIN (mounts, namespaces) and NET_ADMIN (bridges, nftables, NFQUEUE, tc); SYS_PTRACE lets
# us
# enter the namespaces of services that run as another user. The rest is what an engine gives every container, and must
# be
# ours for the nested engine to be able to give it. SYS_RESOURCE is not in the list: it is missing on machines that run
# engines inside sandboxes, and nothing here needs it.
CAPABILITIES = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_ADMIN",
    "SYS_CHROOT",
    "SYS_PTRACE",
)
# systempaths: runc mounts a fresh /proc for nested containers, which the kernel allows only where ours has nothing
# masked.
SECURITY_OPTIONS = ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined")
DEVICE_RULE = "a *:* rwm"
DATA_ROOT = "/var/lib/docker"
WORKSPACE = "/workspace"
REPORT = "/report"
RUNTIME = "/run/cleanroom"
SOCKET = f"{RUNTIME}/docker.sock"
PYTHON = ("/opt/cleanroom/bin/python", "-I")
SUPERVISOR = ("-m", "cleanroom.engine.supervisor")
_NEVER = ("ACTIONS_", "INPUT_", "GITHUB_TOKEN", "RUNNER_", "DOCKER_")

Privilege: TypeAlias = Literal["capabilities", "privileged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSpec:
    """What makes one cell different from another."""

    run: str
    image: str
    owner: Owner
    privilege: Privilege = "capabilities"
    cache: str = ""
    """Name of the volume for the nested data root; "" for an anonymous one that goes away with the cell."""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Labels besides ours, e.g. the workflow runner's."""
    python: tuple[str, ...] = PYTHON
    network: str = ""
    """Network of the outer engine for the preparation phase; "" for its default."""


def container_name(spec: CellSpec) -> str:
    """Return the cell's name; the holder of a cache has a fixed one, the lock that only one run can have."""
    return cache_holder(spec.cache) if spec.cache else f"cleanroom-cell-{spec.run}"


def cache_holder(volume: str) -> str:
    """Return the name of the one container that may use the cache `volume`."""
    return f"cleanroom-cache-holder-{volume}"


def create_body(spec: CellSpec) -> dict[str, object]:
    """Return the body of `POST /containers/create` for a cell.

    Standard input stays open for one attached client only, so that the engine closes it when the launcher dies;
    nothing of our own environment goes in; no port is published and nothing of the host is mounted.
    """
    host: dict[str, object] = {
        "AutoRemove": True,
        "Init": False,
        "LogConfig": {"Type": "none", "Config": {}},
        "Tmpfs": {"/run": "exec,mode=755", "/tmp": "exec,mode=1777"},  # noqa: S108 - inside the cell
        "PublishAllPorts": False,
        "RestartPolicy": {"Name": "no"},
    }
    if spec.privilege == "privileged":
        host["Privileged"] = True
    else:
        host |= {
            "CapDrop": ["ALL"],
            "CapAdd": list(CAPABILITIES),
            "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
            # What the engine's own client turns `systempaths=unconfined` into.
            "MaskedPaths": [],
            "ReadonlyPaths": [],
            "DeviceCgroupRules": [DEVICE_RULE],
        }
    labels = {**spec.labels, RUN_LABEL: spec.run, OWNER_LABEL: spec.owner.encode()}
    # A volume without a source is anonymous: it is removed with the cell. With our labels it can be found if it is not.
    volume: dict[str, object] = {"Type": "volume", "Target": DATA_ROOT}
    volume |= {"Source": spec.cache} if spec.cache else {"VolumeOptions": {"Labels": labels}}
    host["Mounts"] = [volume]
    if spec.network:
        host["NetworkMode"] = spec.network
    return {
        "Image": spec.image,
        "Hostname": "cell",
        "Entrypoint": [*spec.python, *SUPERVISOR],
        "Cmd": ["container"],
        "User": "0:0",
        "WorkingDir": "/",
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "Env": [f"{name}={value}" for name, value in sorted(cell_environment(spec).items())],
        "Labels": {**labels, ROLE_LABEL: "cell"},
        "HostConfig": host,
        "StopSignal": "SIGKILL",
    }


def cell_environment(spec: CellSpec) -> dict[str, str]:
    """Return what the program inside is told of the cell it lives in; `CellFacts.from_environment` reads it."""
    return {
        "CLEANROOM_CELL": "container",
        "CLEANROOM_RUN": spec.run,
        "CLEANROOM_CACHE": spec.cache,
        "CLEANROOM_DATA_ROOT": DATA_ROOT,
        "CLEANROOM_PRIVILEGE": spec.privilege,
        "CLEANROOM_REPORT": REPORT,
        "CLEANROOM_WORKSPACE": WORKSPACE,
    }


def worker_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return `extra` when nothing in it belongs to the workflow runner or to another engine.

    Raises `UsageError` naming the first variable that must never get into a cell.
    """
    for name in sorted(extra):
        if name.upper().startswith(_NEVER):
            raise UsageError(
                f"the variable {name} must not reach a cell: it may hold a credential of the workflow",
                remedy="pass it under another name (not ACTIONS_*, INPUT_*, RUNNER_*, DOCKER_*, GITHUB_TOKEN)",
            )
    return dict(extra)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFacts:
    """What the worker knows of the cell that it runs in."""

    kind: Literal["container", "namespaces", "host"]
    run: str
    workspace: str
    report: str
    data_root: str
    cache: str
    """Name of the image cache that the data root is, "" when the data root is fresh."""
    privilege: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> CellFacts | None:
        """Return the facts the supervisor put into the environment; None outside of a cell."""
        kind = environment.get("CLEANROOM_CELL", "")
        if kind not in {"container", "namespaces", "host"}:
            return None
        return cls(
            kind=kind,  # type: ignore[arg-type]  # narrowed by the membership test above
            run=environment.get("CLEANROOM_RUN", ""),
            workspace=environment.get("CLEANROOM_WORKSPACE", WORKSPACE),
            report=environment.get("CLEANROOM_REPORT", REPORT),
            data_root=environment.get("CLEANROOM_DATA_ROOT", DATA_ROOT),
            cache=environment.get("CLEANROOM_CACHE", ""),
            privilege=environment.get("CLEANROOM_PRIVILEGE", ""),
        )
