"""The shape of `services` (spec.md section 2)."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.document import Scalar, Table
from cleanroom.spec.operand import shown
from cleanroom.spec.probe import ExitProbe, HealthcheckProbe, HttpProbe, TcpProbe
from cleanroom.spec.query import ExecAction, RedisAction, SqlAction
from cleanroom.spec.service import Build, Limits, Restart, Service, Telemetry
from cleanroom.spec.shapes.clock import clock, timezone
from cleanroom.spec.shapes.distinct import distinct
from cleanroom.spec.shapes.mock import mock
from cleanroom.spec.shapes.otel import PROTOCOLS
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.shapes.probe import ready
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import (
    Shape,
    boolean,
    choice,
    fixed_text,
    integer,
    items,
    name,
    number,
    pattern_text,
    scalar_text,
    table,
    text,
)
from cleanroom.spec.shapes.value import (
    command,
    container_files,
    container_sizes,
    duration,
    positive_duration,
    positive_size,
    size,
    variables,
)
from cleanroom.spec.shapes.volume import capability, container_path, volume

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.document import Entry, Node
    from cleanroom.spec.shapes.place import Place

MOST_REPLICAS = 100
LONGEST_NAME = 63
_SERVICE_NAME = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_NAME = re.compile(_SERVICE_NAME)
_RESERVED = ("localhost",)
_host = pattern_text(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", "a host name of letters, digits and hyphens",
    example="db", runtime=True,
)  # fmt: skip
_SIGNALS = (
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS", r"RTMIN(?:\+\d{1,2})?", r"RTMAX(?:-\d{1,2})?",
)  # fmt: skip
_signal = pattern_text(
    rf"(?:SIG)?(?:{'|'.join(_SIGNALS)})|[1-9]|[1-5]\d|6[0-4]", "a signal such as SIGTERM, in capitals", example="SIGINT"
)  # fmt: skip
"""Signals by the names and numbers of the kernel: any other is found out only when the service is to end."""
_OF_PROCESSES = (ExecAction, ExitProbe, HealthcheckProbe)
_OF_THE_RUNNING = (ExecAction, HealthcheckProbe, HttpProbe, RedisAction, SqlAction, TcpProbe)
_OF_A_MOCK = frozenset({
    "mock", "depends_on", "hostname", "labels", "limits", "ready", "ready_timeout", "telemetry", "clock", "timezone",
})  # fmt: skip
"""Keys that mean something for a service without a container of its own."""

_OURS = "cleanroom."
"""How the labels begin that the runner itself sets."""
_labels = table(
    scalar_text,
    lambda key: f"begins with {_OURS}, as the labels of the runner do" if key.startswith(_OURS) else "",
    keys={"pattern": r"^(?!cleanroom\.)"},
)

_BUILD = Record(
    place="services.<name>.build",
    doc="An image that is built from a folder of the repository.",
    keys={
        "context": Key(
            fixed_text, "The folder that is built from, inside the repository, relative to the spec.",
            example="./db", errors=("missing-path", "outside"),
        ),
        "dockerfile": Key(
            fixed_text, "The Dockerfile, relative to the context.", default="Dockerfile",
            example="Dockerfile.test", errors=("missing-path", "outside"),
        ),
        "args": Key(variables, "Build arguments.", default="{}", example='{VERSION: "1"}'),
        "target": Key(fixed_text, "The stage that is built; the last one without it.", example="run"),
    },
    required=("context",),
)  # fmt: skip
_LIMITS = Record(
    place="services.<name>.limits",
    doc="What the processes of one container may use; enforced by its cgroup.",
    keys={
        "cpus": Key(number(0, above=True), "Processors, as a number.", example="0.5"),
        "memory": Key(positive_size, "Memory, in bytes.", example="128MiB"),
        "swap": Key(
            size, "Swap beyond the memory, in bytes; with `memory` alone there is none.", example="0"
        ),
        "pids": Key(integer(1), "Processes and threads.", example="100"),
        "nofile": Key(integer(1), "Open files of one process.", example="1024"),
    },
    needs=MappingProxyType({"swap": "memory"}),
)  # fmt: skip
_TELEMETRY = Record(
    place="services.<name>.telemetry",
    doc="Whether and how the service is told where its telemetry goes.",
    keys={
        "inject": Key(boolean, "Whether the standard `OTEL_*` variables are set.", default="true", example="false"),
        "protocol": Key(
            choice(*PROTOCOLS), "The protocol that the service speaks.", default="http/protobuf",
            errors=("contradiction",),
        ),
        "service_name": Key(name, "`service.name` of its resource; the name of the service without it.", example="db"),
    },
)  # fmt: skip
_RESTART = Record(
    place="services.<name>.restart",
    doc="What the engine does when the service ends by itself.",
    keys={
        "policy": Key(
            choice("no", "on-failure", "always"),
            "`no` leaves it ended, `on-failure` starts it again after a failure, `always` in any case.",
            example="on-failure",
        ),
        "max": Key(
            integer(1), "How often it is started again, at most; only with `on-failure`.",
            example="3", errors=("contradiction",),
        ),
    },
    required=("policy",),
)  # fmt: skip


def _telemetry(node: Node, place: Place) -> Telemetry:
    fields = _TELEMETRY(node, place)
    found = Telemetry(**fields.values)
    if "protocol" in fields.written and not found.inject:
        message = f"{place.path} names a protocol, and nothing is injected that would tell the service of it"
        place.log.report("contradiction", fields.node.key_at("protocol"), message, expected="inject: true")
    return found


def _restart(node: Node, place: Place) -> Restart:
    fields = _RESTART(node, place)
    values = fields.values
    if "max" in fields.written and values["policy"] != "on-failure":
        at = fields.node.key_at("max")
        message = f"{place.path} limits restarts that the policy {values['policy']} does not count"
        place.log.report("contradiction", at, message, expected="policy: on-failure")
        raise RefusedError
    return Restart(**values)


SERVICE = Record(
    place="services.<name>",
    doc="A part of the system under test: a container of an image, a container of an image that is built, or a mock.",
    keys={
        "image": Key(fixed_text, "The image that it runs.", example="postgres:17"),
        "build": Key(_BUILD.making(Build), "Builds the image that it runs.", example="{context: ./db}"),
        "mock": Key(
            mock, "The runner plays the service itself. Keys about a container's processes do not stand beside it.",
            example="{routes: [{reply: {status: 200}}]}", later=True,
        ),
        "command": Key(
            command, "The command, instead of the image's own.", example="[postgres, -c, fsync=off]"
        ),
        "entrypoint": Key(command, "The entrypoint, instead of the image's own.", example="[docker-entrypoint.sh]"),
        "environment": Key(
            variables, "Environment variables. They win over those that the runner sets.",
            default="{}", example="{POSTGRES_PASSWORD: x}",
        ),
        "user": Key(text, "The user, and its group after a colon, by name or number.", example="postgres"),
        "working_dir": Key(container_path, "The working directory, absolute.", example="/srv"),
        "hostname": Key(_host, "The container's own host name; the name of the service without it."),
        "stop_signal": Key(_signal, "The signal that asks it to end; the image's own without it, else SIGTERM."),
        "stop_grace": Key(
            duration, "How long it has to end by itself before SIGKILL.", default="2s", example="10s"
        ),
        "init": Key(
            boolean, "Whether a small init process forwards signals and collects ended children.",
            default="true", example="false",
        ),
        "depends_on": Key(
            distinct(items(fixed_text), "dependency"),
            "Services that are ready before this one starts. A cycle is an error that names it.",
            default="[]", example="[cache]", errors=("unknown-service", "dependency-cycle"),
        ),
        "ready": Key(
            items(ready, at_least=1),
            "What must hold before the service counts as ready, one after the other. Without it: it is running, and "
            "still running 200 ms later. With `exit` it is a one-shot service, ready when it has ended so.",
            example="[{tcp: 5432}]", errors=("contradiction",),
        ),
        "ready_timeout": Key(
            positive_duration, "How long all of `ready` may take.", default="30s", example="1m"
        ),
        "tmpfs": Key(
            container_sizes, "Absolute paths that are kept in memory, each with its size in bytes.",
            default="{}", example="{/var/lib/postgresql: 256MiB}",
        ),
        "volumes": Key(
            items(volume), "Copies of files of the repository, and volumes that are fresh for each environment.",
            default="[]", example="[{source: ./fixtures, target: /fixtures}]", later=True, errors=("duplicate-target",),
        ),
        "files": Key(
            container_files, "Absolute paths of files that are put into the container, with their content.",
            default="{}", example='{/etc/app.toml: "x = 1"}',
        ),
        "limits": Key(
            _LIMITS.making(Limits), "What its processes may use; unlimited without it.",
            default="{}", example="{cpus: 0.5, memory: 128MiB}",
        ),
        "capabilities": Key(
            distinct(items(capability), "capability"),
            "All the Linux capabilities that its processes may have, without the prefix `CAP_`; the engine's own set "
            "without it. Those that reach beyond the container are refused.",
            example="[NET_BIND_SERVICE]", later=True,
        ),
        "restart": Key(
            Shape(_restart, "a mapping", _RESTART), "What the engine does when it ends by itself.",
            default='{policy: "no"}', example="{policy: on-failure, max: 3}",
        ),
        "replicas": Key(
            integer(1, MOST_REPLICAS),
            "How many containers it has; more than one are called after it, with `-1`, `-2` and so on. Templates in it "
            "know `replica`, the number, and `peers`, all names.",
            default="1", example="3", later=True, errors=("duplicate-service",),
        ),
        "labels": Key(
            _labels, "Labels of its containers; a fault can select its target by one.",
            default="{}", example="{tier: storage}",
        ),
        "telemetry": Key(
            Shape(_telemetry, "a mapping", _TELEMETRY), "Whether and how it is told where its telemetry goes.",
            default="{}", example="{protocol: grpc}",
        ),
        "clock": Key(
            clock,
            "What its wall clock says: `real`, `frozen`, or `at` an instant, ahead by an `offset`, or faster by `rate`."
            " Without it the machine's time, or that of `determinism.freeze_clock`.",
            example='{at: "2025-01-01T00:00:00Z"}',
        ),
        "timezone": Key(timezone, "Its time zone, as `TZ`.", default="UTC"),
    },
    exactly_one=("image", "build", "mock"),
    names_with=MappingProxyType({"replicas": frozenset({"replica", "peers"})}),
    advice=MappingProxyType({
        "ports": "services reach each other on every port; nothing is published to the machine",
        "healthcheck": "write it as a readiness check: ready: [{healthcheck: true}]",
        "networks": "each environment has one isolated network of its own",
        "env": "did you mean environment?",
        "env_file": "write the variables in environment",
        "container_name": "containers are reached by the name of their service; hostname sets their own",
        "privileged": "no service may reach the cell that it runs in; capabilities names what one may have",
        "cap_add": "capabilities names all that the service has",
        "cap_drop": "capabilities names all that the service has",
        "expose": "services reach each other on every port",
        "deploy": "write replicas and limits in the service itself",
        "ulimits": "write limits: {nofile: …, pids: …}",
        "network_mode": "each environment has one isolated network of its own",
        "hosts": "it belongs in mock: the names that the mock answers for",
    }),
)  # fmt: skip


def _service(entry: Entry, place: Place) -> Service:
    node = entry.value
    fields = SERVICE(node, place)
    if "mock" in fields.written:
        for key in sorted(fields.written - _OF_A_MOCK):
            message = f"{place.path} is a mock, which has no {key} of its own"
            place.log.report("contradiction", fields.node.key_at(key), message, suggestion=f"take {key} out")
    fields.only(SERVICE.exactly_one)
    service = Service(name=entry.key, at=entry.at, **fields.values)
    _check_ready(service, place.key("ready"))
    return service


def _check_ready(service: Service, place: Place) -> None:
    """Refuse what cannot hold: asking a container that has ended, or a mock about its processes."""
    ended: int | None = None
    for probe in service.ready:
        question = probe.question
        message = ""
        if service.mock is not None and isinstance(question, _OF_PROCESSES):
            message = "a mock has no processes of its own"
        elif ended is not None and isinstance(question, _OF_THE_RUNNING):
            message = "the service has ended when this is asked, because exit stands before it"
        elif isinstance(question, ExitProbe):
            if ended is not None and ended != question.code:
                message = f"the service has ended with {ended} already, because that stands before it"
            ended = question.code
        if message:
            place.log.report("contradiction", probe.at, f"{place.path} cannot hold: {message}")


def _services(node: Node, place: Place) -> Mapping[str, Service]:
    if not isinstance(node, Table):
        raise place.wrong(node, "a mapping from names to services")
    if not node.entries:
        raise place.wrong(node, "at least one service", code="empty-list")
    read: dict[str, Service] = {}
    for entry in node.entries:
        if not _NAME.fullmatch(entry.key) or entry.key in _RESERVED:
            expected = "at most 63 lower-case letters, digits, _ and -, usable as a host name"
            message = f"{shown(entry.key)} cannot be the name of a service"
            place.log.report("wrong-value", entry.at, message, expected=expected)
        if isinstance(entry.value, Scalar) and entry.value.value is None:
            message = f"{place.path}.{entry.key} is empty"
            place.log.report("missing-key", entry.at, message, expected="image, build or mock")
            continue
        try:
            read[entry.key] = _service(entry, place.key(entry.key))
        except RefusedError:
            continue
    return MappingProxyType(read)


services = Shape(
    _services,
    "a mapping from names to services",
    {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": f"^{_SERVICE_NAME}$", "not": {"enum": list(_RESERVED)}},
        "additionalProperties": SERVICE,
    },
    example='{db: {image: "postgres:17"}}',
)
"""Names usable as host names, each with its service; broken ones are reported and left out."""
