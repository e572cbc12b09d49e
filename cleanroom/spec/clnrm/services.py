"""The predecessor's services and containers as ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cleanroom.spec.clnrm.report import Findings

SHELL = "shell"
DEFAULT_IMAGE = "alpine:latest"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_BARE = re.compile(r"(?:.*/)?(?:alpine|busybox|debian|ubuntu|bash)(?::[^/]*)?")
_STAY: tuple[str, ...] = ("sleep", "infinity")
_SILENT = frozenset({"plugin", "type", "ports"})


def services(tables: Mapping[str, Any], where: str, findings: Findings) -> dict[str, dict[str, Any]]:
    """Return the services of the table `where`; those without an image cannot be started, and are noted."""
    made: dict[str, dict[str, Any]] = {}
    for name, table in tables.items():
        here = f"{where}.{name}"
        image = table.get("image") if isinstance(table, Mapping) else None
        if not isinstance(image, str) or not image:
            findings.not_taken(here, "it names no image")
        elif not _NAME.fullmatch(service_name(name)):
            findings.not_taken(here, "its name cannot be that of a service")
        else:
            made[service_name(name)] = _service(table, here, findings)
    for name, one in made.items():
        wanted = one.get("depends_on", [])
        one["depends_on"] = [other for other in wanted if other in made and other != name]
        if not one["depends_on"]:
            del one["depends_on"]
    return made


def service_name(name: str) -> str:
    """Return the name of a service as it can be a host name here."""
    return name.lower().replace(".", "-")


def shell() -> dict[str, Any]:
    """Return the service in which steps run that name none."""
    return {"image": DEFAULT_IMAGE, "command": list(_STAY), "telemetry": {"inject": False}}


def _service(table: Mapping[str, Any], here: str, findings: Findings) -> dict[str, Any]:
    made: dict[str, Any] = {"image": table["image"]}
    command = table.get("args", table.get("command"))
    if _is_command(command):
        made["command"] = command if isinstance(command, str) else list(command)
        findings.never(f"{here}.{'args' if 'args' in table else 'command'}", "the container was started without it")
    elif _BARE.fullmatch(table["image"]):
        made["command"] = list(_STAY)
        findings.changed(f"{here}.image", "its image ends at once by itself, so it is kept running for steps")
    variables = {**_table(table, "env"), **_table(table, "environment")}
    if variables:
        made["environment"] = {key: str(value) for key, value in variables.items()}
    for key in ("workdir", "working_dir"):
        if isinstance(table.get(key), str) and table[key].startswith("/"):
            made["working_dir"] = table[key]
    if _are_texts(table.get("depends_on")):
        made["depends_on"] = [service_name(name) for name in table["depends_on"]]
    check = table.get("health_check", table.get("healthcheck"))
    probe = check.get("cmd") if isinstance(check, Mapping) else check
    if _is_command(probe):
        made["ready"] = [{"exec": probe}]
        findings.never(f"{here}.health_check", "nothing waited for a service to be ready")
    taken = {"image", "args", "command", "env", "environment", "workdir", "working_dir", "depends_on"}
    taken |= {"health_check", "healthcheck"} if "ready" in made else set()
    for key in table:
        if key not in taken | _SILENT:
            findings.ignored(f"{here}.{key}", _reason(key))
    return made


def _reason(key: str) -> str:
    reasons = {
        "volumes": "a path of the machine is no part of a run; name a folder of the repository in volumes",
        "wait_for_span": "write ready: [{span: {name: …}}]",
        "wait_for_span_timeout_secs": "write ready_timeout",
        "limits": "write limits",
        "resources": "write limits",
    }
    return reasons.get(key, "there is nothing like it")


def _is_command(value: Any) -> bool:  # noqa: ANN401 -- as TOML has it
    return _are_texts(value) or (isinstance(value, str) and bool(value))


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key)
    return value if isinstance(value, Mapping) else {}


def _are_texts(value: Any) -> bool:  # noqa: ANN401 -- as TOML has it
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)
