"""Between our values and the Engine API's JSON; pure functions."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

from cleanroom.engine.ports import Attachment, Command, ContainerState, HealthCheck

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.engine.ports import ContainerSpec

# Where an engine looks for programs when nobody says it.
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NANO: Final = 10**9
# The driver `local` keeps bytes as they are (json-file replaces what is not UTF-8). A service that floods its output
# must not fill the disk; two files, so that the newest 32 MiB are always there.
_LOG: Final = {"Type": "local", "Config": {"max-size": "32m", "max-file": "2", "compress": "false"}}


def container_body(spec: ContainerSpec, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the body of `POST /containers/create`; what the spec leaves open is left to the image and the engine."""
    config: dict[str, Any] = {
        "Image": spec.image,
        "Labels": {**spec.labels, **labels},
        "Env": [f"{name}={value}" for name, value in sorted(spec.environment.items())],
        "HostConfig": _host_config(spec),
    }
    if spec.command is not None:
        config["Cmd"] = list(spec.command)
    if spec.entrypoint is not None:
        config["Entrypoint"] = list(spec.entrypoint)
    words = {
        "Hostname": spec.hostname,
        "User": spec.user,
        "WorkingDir": spec.working_dir,
        "StopSignal": spec.stop_signal,
    }
    config.update({key: value for key, value in words.items() if value})
    if spec.network:
        endpoint = {"IPAMConfig": {"IPv4Address": spec.address}} if spec.address else {}
        config["NetworkingConfig"] = {"EndpointsConfig": {spec.network: endpoint}}
    return config


def network_body(
    name: str, labels: Mapping[str, str], *, bridge: str, subnet: str, gateway: str, mtu: int | None
) -> dict[str, Any]:
    """Return the keyword arguments of docker-py's `create_network` for an isolated bridge network."""
    options = {
        "com.docker.network.bridge.name": bridge,
        "com.docker.network.bridge.enable_ip_masquerade": "false",
    }
    if mtu is not None:
        options["com.docker.network.driver.mtu"] = str(mtu)
    pool = {"Subnet": str(ipaddress.ip_network(subnet)), "Gateway": gateway}
    return {
        "name": name,
        "driver": "bridge",
        "options": options,
        "ipam": {"Driver": "default", "Config": [pool]},
        "check_duplicate": True,
        "enable_ipv6": False,
        "labels": dict(labels),
    }


def state_of(found: Mapping[str, Any]) -> ContainerState:
    """Return the state in the answer of `GET /containers/{id}/json`."""
    state = found["State"]
    networks = (found.get("NetworkSettings") or {}).get("Networks") or {}
    addresses = [str(n.get("IPAddress") or "") for n in networks.values()]
    return ContainerState(
        id=str(found["Id"]),
        name=str(found["Name"]).lstrip("/"),
        status=state["Status"],
        pid=int(state.get("Pid") or 0),
        exit_code=int(state.get("ExitCode") or 0),
        oom_killed=bool(state.get("OOMKilled")),
        started_at=str(state.get("StartedAt") or ""),
        finished_at=str(state.get("FinishedAt") or ""),
        restart_count=int(found.get("RestartCount") or 0),
        address=next((address for address in addresses if address), ""),
        health=str((state.get("Health") or {}).get("Status") or "none"),
    )


def command_of(found: Mapping[str, Any]) -> Command:
    """Return what is executed, in the answer of `GET /containers/{id}/json`."""
    pairs = (str(entry).partition("=") for entry in (found.get("Config") or {}).get("Env") or ())
    path = next((value for name, _, value in pairs if name == "PATH"), _PATH)
    words = (str(found["Path"]), *(str(word) for word in found.get("Args") or ()))
    return Command(words=words, path=tuple(path.split(":")))


def health_check_of(found: Mapping[str, Any]) -> HealthCheck | None:
    """Return the health check in the answer of `GET /containers/{id}/json`; None where there is none."""
    check = (found.get("Config") or {}).get("Healthcheck") or {}
    kind, *words = check.get("Test") or ("NONE",)
    if kind not in ("CMD", "CMD-SHELL") or not words:
        return None
    seconds = {name: int(check.get(name) or 30 * 10**9) / 10**9 for name in ("Interval", "Timeout")}
    return HealthCheck(
        words=tuple(str(word) for word in words), shell=kind == "CMD-SHELL", path=command_of(found).path,
        interval=seconds["Interval"], timeout=seconds["Timeout"], retries=int(check.get("Retries") or 3),
    )  # fmt: skip


def volumes_of(found: Mapping[str, Any]) -> dict[str, str]:
    """Return path → name of the volumes in the answer of `GET /containers/{id}/json`."""
    mounts = found.get("Mounts") or ()
    return {str(m["Destination"]): str(m["Name"]) for m in mounts if m.get("Type") == "volume"}


def attachments_of(found: Mapping[str, Any]) -> tuple[Attachment, ...]:
    """Return the networks in the answer of `GET /containers/{id}/json`."""
    networks = (found.get("NetworkSettings") or {}).get("Networks") or {}
    own = str(found["Id"])[:12]  # the engine adds it by itself
    return tuple(
        Attachment(
            network=name,
            address=str(one.get("IPAddress") or ""),
            mac=str(one.get("MacAddress") or ""),
            aliases=tuple(sorted(str(alias) for alias in one.get("Aliases") or () if alias != own)),
        )
        for name, one in sorted(networks.items())
    )


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    host: dict[str, Any] = {
        "NetworkMode": spec.network or "none",
        "Init": spec.init,
        "LogConfig": _LOG,
        "RestartPolicy": {"Name": spec.restart_policy, "MaximumRetryCount": _retries(spec)},
    }
    optional: tuple[tuple[str, Any], ...] = (
        ("NanoCpus", None if spec.cpus is None else round(spec.cpus * _NANO)),
        ("CpusetCpus", spec.cpuset or None),
        ("Memory", spec.memory),
        ("MemorySwap", spec.memory_swap),
        ("PidsLimit", spec.pids),
        ("CgroupParent", spec.cgroup_parent or None),
        ("CapAdd", list(spec.cap_add) or None),
        ("Dns", list(spec.dns) or None),
        ("VolumesFrom", [spec.volumes_from] if spec.volumes_from else None),
        ("Tmpfs", {path: f"size={size}" for path, size in spec.tmpfs.items()} or None),
        (
            "Mounts",
            [{"Type": "bind", "Source": m.source, "Target": m.target, "ReadOnly": m.read_only} for m in spec.mounts]
            or None,
        ),
        ("Ulimits", None if spec.nofile is None else [{"Name": "nofile", "Soft": spec.nofile, "Hard": spec.nofile}]),
    )
    host.update({key: value for key, value in optional if value is not None})
    return host


def _retries(spec: ContainerSpec) -> int:
    # The engine refuses a count with any other policy.
    return spec.restart_max if spec.restart_policy == "on-failure" else 0
