"""The shape of `services` (spec.md section 2)."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.document import Scalar, Table
from cleanroom.spec.operand import shown
from cleanroom.spec.probe import ExecProbe, ExitProbe, HttpProbe, LogProbe, Ready, TcpProbe
from cleanroom.spec.service import Build, Limits, Restart, Service, Telemetry
from cleanroom.spec.shapes.shape import (
    Record,
    RefusedError,
    boolean,
    choice,
    integer,
    items,
    name,
    number,
    pattern_text,
    regex,
    text,
)
from cleanroom.spec.shapes.value import (
    command,
    container_files,
    container_sizes,
    duration,
    port,
    positive_duration,
    positive_size,
    size,
    texts,
    variables,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.document import Entry, Node
    from cleanroom.spec.shapes.shape import Place

_SERVICE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_RESERVED = ("localhost",)
_host = pattern_text(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", "a host name of letters, digits and hyphens")
_signal = pattern_text(r"(?:SIG)?[A-Z][A-Z0-9+]{1,11}|\d{1,2}", "a signal such as SIGTERM")
_path = pattern_text(r"/[^\x00-\x1f]*", "an absolute path inside the container")

_BUILD = Record(
    place="services.<name>.build",
    keys={"context": text, "dockerfile": text, "args": variables, "target": text},
    required=("context",),
)
_LIMITS = Record(
    place="services.<name>.limits",
    keys={
        "cpus": number(0, above=True),
        "memory": positive_size,
        "swap": size,
        "pids": integer(1),
        "nofile": integer(1),
    },
)
_TELEMETRY = Record(
    place="services.<name>.telemetry",
    keys={"inject": boolean, "protocol": choice("grpc", "http/protobuf", "http/json"), "service_name": name},
)
_RESTART = Record(
    place="services.<name>.restart",
    keys={"policy": choice("no", "on-failure", "always"), "max": integer(1)},
    required=("policy",),
)
_HTTP_READY = Record(
    place="services.<name>.ready[].http",
    keys={"port": port, "path": text, "status": integer(100, 599)},
    required=("port",),
)
_READY = Record(
    place="services.<name>.ready[]",
    keys={
        "tcp": port,
        "http": lambda node, place: HttpProbe(**_HTTP_READY(node, place).values, at=node.at),
        "log": regex,
        "exec": command,
        "exit": integer(0, 255),
    },
    later=frozenset({
        "healthcheck", "span", "sql", "redis", "container", "cgroup", "file", "clock",
        "tolerance", "timeout", "interval", "optional",
    }),
)  # fmt: skip


def _build(node: Node, place: Place) -> Build:
    return Build(**_BUILD(node, place).values)


def _restart(node: Node, place: Place) -> Restart:
    fields = _RESTART(node, place)
    values = fields.values
    if "max" in values and values["policy"] != "on-failure":
        at = fields.node.key_at("max")
        message = f"{place.path} limits restarts that the policy {values['policy']} does not count"
        place.log.report("contradiction", at, message, expected="policy: on-failure")
        raise RefusedError
    return Restart(**values)


def _ready(node: Node, place: Place) -> Ready:
    fields = _READY(node, place)
    if fields.written & _READY.later:
        raise RefusedError
    if len(fields.written) != 1:
        raise place.wrong(node, "exactly one of tcp, http, log, exec or exit", code="one-of")
    if not fields.values:
        raise RefusedError
    ((probe, value),) = fields.values.items()
    match probe:
        case "tcp":
            return TcpProbe(port=value, at=node.at)
        case "log":
            return LogProbe(matches=value, at=node.at)
        case "exec":
            return ExecProbe(command=value, at=node.at)
        case "exit":
            return ExitProbe(code=value, at=node.at)
        case _:
            http: HttpProbe = value
            return http


SERVICE = Record(
    place="services.<name>",
    keys={
        "image": text,
        "build": _build,
        "command": command,
        "entrypoint": command,
        "environment": variables,
        "user": text,
        "working_dir": _path,
        "hostname": _host,
        "stop_signal": _signal,
        "stop_grace": duration,
        "init": boolean,
        "depends_on": texts,
        "ready": items(_ready, at_least=1),
        "ready_timeout": positive_duration,
        "tmpfs": container_sizes,
        "files": container_files,
        "limits": lambda node, place: Limits(**_LIMITS(node, place).values),
        "restart": _restart,
        "labels": words,
        "telemetry": lambda node, place: Telemetry(**_TELEMETRY(node, place).values),
    },
    later=frozenset({"mock", "volumes", "capabilities", "replicas", "clock", "timezone", "hosts", "contracts"}),
    advice=MappingProxyType({
        "ports": "services reach each other on every port; nothing is published to the machine",
        "healthcheck": "write it as a readiness check: ready: [{exec: [...]}]",
        "networks": "each environment has one isolated network of its own",
        "env": "did you mean environment?",
    }),
)  # fmt: skip
RECORDS = (SERVICE, _BUILD, _LIMITS, _TELEMETRY, _RESTART, _READY, _HTTP_READY)


def _service(entry: Entry, place: Place) -> Service:
    node = entry.value
    fields = SERVICE(node, place)
    sources = fields.written & {"image", "build", "mock"}
    if len(sources) != 1:
        suggestion = "name an image, or a build context" if not sources else "keep one of them"
        raise place.wrong(node, "exactly one of image and build", code="one-of", suggestion=suggestion)
    return Service(name=entry.key, at=entry.at, **fields.values)


def services(node: Node, place: Place) -> Mapping[str, Service]:
    """Read `services`: names usable as host names, each with its service; broken ones are reported and left out."""
    if not isinstance(node, Table):
        raise place.wrong(node, "a mapping from names to services")
    if not node.entries:
        raise place.wrong(node, "at least one service", code="empty-list")
    read: dict[str, Service] = {}
    for entry in node.entries:
        if not _SERVICE_NAME.fullmatch(entry.key) or entry.key in _RESERVED:
            expected = "at most 63 lower-case letters, digits, _ and -, usable as a host name"
            message = f"{shown(entry.key)} cannot be the name of a service"
            place.log.report("wrong-value", entry.at, message, expected=expected)
        if isinstance(entry.value, Scalar) and entry.value.value is None:
            place.log.report("missing-key", entry.at, f"{place.path}.{entry.key} is empty", expected="image or build")
            continue
        try:
            read[entry.key] = _service(entry, place.key(entry.key))
        except RefusedError:
            continue
    return MappingProxyType(read)
