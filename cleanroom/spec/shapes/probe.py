"""The shape of probes (spec.md section 4), and of `ready`, in which the service is implied (section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cleanroom.spec.comparator import Comparator, equal_to
from cleanroom.spec.probe import (
    CgroupProbe,
    ClockProbe,
    ContainerProbe,
    ExitProbe,
    FileProbe,
    HealthcheckProbe,
    HttpProbe,
    LogProbe,
    Probe,
    SpanProbe,
    TcpProbe,
)
from cleanroom.spec.query import ExecAction, HttpAction, RedisAction, SqlAction
from cleanroom.spec.shapes.comparison import comparator
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.shapes.query import (
    EXEC_KEYS,
    HTTP_KEYS,
    exec_action,
    http_request,
    ready_redis,
    ready_sql,
    redis_action,
    service,
    sql,
)
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.selector import selector
from cleanroom.spec.shapes.shape import Shape, boolean, either, integer, pattern_text, regex, true
from cleanroom.spec.shapes.value import command, port, positive_duration

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.probe import Question
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.record import Fields

_STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
_HEALTHS = ("none", "starting", "healthy", "unhealthy")
_path = pattern_text(r"/[^\x00-\x1f]*", "an absolute path inside the container", example="/var/lib/app/state.json")
_status = comparator("count")
_flag: Shape[Comparator] = Shape(
    lambda node, place: Comparator(tests=(("eq", boolean(node, place)),), at=node.at), boolean.words, boolean.schema,
    example="true",
)  # fmt: skip

_MATCHES = Key(regex, "A regular expression searched for in every line of the output.", example='"ready to accept"')
_COUNT = Key(comparator("count"), "In how many lines it must be found.", default="{gte: 1}", example="0")
_CONTAINER_KEYS = {
    "state": Key(comparator(words=_STATES), "The state of the container.", example="running"),
    "health": Key(comparator(words=_HEALTHS), "What the health check of its image reports.", example="healthy"),
    "restarts": Key(comparator("count"), "How often the engine has restarted it.", example="0"),
    "oom_killed": Key(_flag, "Whether the kernel killed it for lack of memory.", example="false"),
    "exit_code": Key(comparator("count"), "The exit code of a container that has ended.", example="0"),
}
_CGROUP_KEYS = {
    "throttled": Key(comparator("duration"), "For how long it was denied the CPU.", example="{lte: 1s}"),
    "memory_peak": Key(comparator("size"), "The most memory it has used.", example="{lte: 128MiB}"),
    "memory_current": Key(comparator("size"), "The memory it uses now.", example="{lte: 128MiB}"),
    "oom_kill": Key(comparator("count"), "How many of its processes were killed for lack of memory.", example="0"),
    "pids": Key(comparator("count"), "How many processes and threads it has now.", example="{lte: 100}"),
}
_FILE_FACTS = {
    "exists": Key(_flag, "Whether there is such a file."),
    "sha256": Key(comparator("text"), "The SHA-256 of its content in lower-case hexadecimal digits.",
                  example="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    "size": Key(comparator("size"), "Its size.", example="{gt: 0}"),
}  # fmt: skip
_FILE_KEYS = {"path": Key(_path, "The absolute path inside the container."), **_FILE_FACTS}
_CLOCK_KEYS = {
    "offset": Key(comparator("duration"), "How far it is from the machine's clock, in either direction.",
                  example="{lte: 100ms}"),
}  # fmt: skip
_PORT = Key(port, "The port.", example="5432")


def _facts(made: type, facts: tuple[str, ...]) -> Any:  # noqa: ANN401 -- a reader of Fields for each class
    """Return the reader of a record in which exactly one of `facts` holds a comparator."""

    def read(fields: Fields) -> object:
        what, wanted = fields.only(facts)
        rest = {name: value for name, value in fields.values.items() if name not in facts}
        return made(what=what, wanted=wanted, **rest)

    return read


def _asked(place: str, doc: str, keys: dict[str, Key], **rules: Any) -> Record:  # noqa: ANN401 -- fields of Record
    """Return the record of a question to a named service, or to the implied one where `place` is in `ready`."""
    if place.startswith("services."):
        return Record(place=place, doc=doc, keys=keys, **rules)
    required = ("service", *rules.pop("required", ()))
    return Record(place=place, doc=doc, keys={"service": service, **keys}, required=required, **rules)


def _questions(prefix: str) -> dict[str, Key]:
    """Return the questions that are asked in the same words of a named service and of the implied one."""
    container, cgroup, file = tuple(_CONTAINER_KEYS), tuple(_CGROUP_KEYS), tuple(_FILE_FACTS)
    return {
        "container": Key(
            _asked(f"{prefix}container", "What the engine says of a service's container.", _CONTAINER_KEYS,
                   exactly_one=container).into(_facts(ContainerProbe, container)),
            "One fact that the engine knows of the container.", example=_example(prefix, "state: running"),
        ),
        "cgroup": Key(
            _asked(f"{prefix}cgroup", "What the kernel says of a service's control group.", _CGROUP_KEYS,
                   exactly_one=cgroup).into(_facts(CgroupProbe, cgroup)),
            "One figure of the control group.", example=_example(prefix, "pids: {lte: 100}"),
        ),
        "file": Key(
            _asked(f"{prefix}file", "A file inside a service's container.", _FILE_KEYS, required=("path",),
                   exactly_one=file).into(_facts(FileProbe, file)),
            "One fact about a file inside the container.", example=_example(prefix, "path: /run/ready, exists: true"),
        ),
        "clock": Key(
            _asked(f"{prefix}clock", "The clock that a service sees.", _CLOCK_KEYS,
                   required=("offset",)).making(ClockProbe),
            "The service's clock.", example=_example(prefix, "offset: {lte: 100ms}"),
        ),
        "span": Key(
            selector.then(lambda found: SpanProbe(selector=found)),
            "A span that these selectors select has arrived; its value is how many have.",
            example="{name: server.start}",
        ),
    }  # fmt: skip


def _example(prefix: str, rest: str) -> str:
    return f"{{{rest}}}" if prefix.startswith("services.") else f"{{service: db, {rest}}}"


_TCP = Record(
    place="a probe.tcp",
    doc="A TCP connection in a probe.",
    keys={"service": service, "port": _PORT},
    required=("service", "port"),
)
_LOG = Record(
    place="a probe.log",
    doc="What a service has written to its standard output and error.",
    keys={"service": service, "matches": _MATCHES, "count": _COUNT},
    required=("service", "matches"),
)
_HTTP = Record(
    place="a probe.http",
    doc="A request in a probe: the keys of a step's `http`, and `status`.",
    keys={**HTTP_KEYS, "status": Key(_status, "The status of the response; by default any below 400.", example="200")},
    exactly_one=("service", "url"),
    at_most_one=(("json", "body", "form"), ("url", "port"), ("url", "path")),
)
_READY_TCP = Record(
    place="services.<name>.ready[].tcp", doc="A TCP connection.", keys={"port": _PORT}, required=("port",)
)
_READY_HTTP = Record(
    place="services.<name>.ready[].http",
    doc="A GET request to the service.",
    keys={
        "port": Key(port, "The port that the service listens on.", example="8080"),
        "path": HTTP_KEYS["path"],
        "status": Key(_status, "The status of the response.", default="200", example="{lt: 500}"),
    },
    required=("port",),
)
_READY_LOG = Record(
    place="services.<name>.ready[].log",
    doc="What the service has written to its standard output and error.",
    keys={"matches": _MATCHES, "count": Key(_COUNT.shape, _COUNT.doc, _COUNT.default, "{gte: 2}")},
    required=("matches",),
)
_READY_EXEC = Record(
    place="services.<name>.ready[].exec",
    doc="A command inside the service's container.",
    keys=EXEC_KEYS,
    required=("command",),
)


def _http(node: Node, place: Place) -> HttpProbe:
    fields = _HTTP(node, place)
    return HttpProbe(request=http_request(fields, place), status=fields.values.get("status"))


def _ready_http(fields: Fields) -> HttpProbe:
    status = fields.take("status", equal_to(200))
    return HttpProbe(request=HttpAction(**fields.values), status=status)


_PROBE_QUESTIONS = {
    "exec": Key(
        exec_action, "A command exits 0; its value is what it prints, without the last line break.",
        example="{service: db, command: [pg_isready]}",
    ),
    "tcp": Key(
        _TCP.making(TcpProbe),
        "A TCP connection succeeds; its value is whether it does, so that `tolerance: false` wants a closed port.",
        example="{service: db, port: 5432}",
    ),
    "http": Key(
        Shape(_http, "a mapping", _HTTP), "A request is answered; its value is the body, parsed where it is JSON.",
        example="{service: api, path: /health}",
    ),
    "sql": Key(
        sql, "A query succeeds; its value is the first column of the first row.",
        example='{service: db, query: "select count(*) from orders"}',
    ),
    "redis": Key(
        redis_action, "Commands succeed; its value is the reply to the last one.",
        example="{service: cache, command: [PING]}",
    ),
    "log": Key(
        _LOG.making(LogProbe), "The output of a service has matching lines; its value is how many.",
        example="{service: api, matches: started}",
    ),
    **_questions("a probe."),
}  # fmt: skip
_READY_QUESTIONS = {
    "tcp": Key(
        either(
            "a port, or {port: …}",
            scalar=port.then(lambda number: TcpProbe(port=number)), mapping=_READY_TCP.making(TcpProbe),
        ),
        "A TCP connection to this port succeeds.", example="5432",
    ),
    "http": Key(
        _READY_HTTP.into(_ready_http), "A GET request is answered with `status`.", example="{port: 8080, path: /health}"
    ),
    "log": Key(
        either(
            "a regular expression, or {matches: …}",
            scalar=regex.then(lambda found: LogProbe(matches=found)), mapping=_READY_LOG.making(LogProbe),
        ),
        "A regular expression is found in the service's output.", example='"ready to accept connections"',
    ),
    "exec": Key(
        either(
            "a list of arguments, text for `sh -c`, or {command: …}",
            scalar=command.then(lambda found: ExecAction(command=found)),
            sequence=command.then(lambda found: ExecAction(command=found)),
            mapping=_READY_EXEC.making(ExecAction),
        ),
        "A command exits 0 inside the service's container.", example="[pg_isready]",
    ),
    "exit": Key(
        integer(0, 255).then(lambda code: ExitProbe(code=code)),
        "The container has ended with this code: a service that works once is ready when it is done.", example="0",
    ),
    "healthcheck": Key(
        true.then(lambda _true: HealthcheckProbe()), "The health check of the service's image reports healthy.",
    ),
    "sql": Key(ready_sql, "A query succeeds.", example='{query: "select 1"}'),
    "redis": Key(ready_redis, "Commands succeed.", example="{command: [PING]}"),
    **_questions("services.<name>.ready[]."),
}  # fmt: skip
_TOLERANCE = "What judges the value of the question, besides what the question itself requires."


def _common(*, later: bool) -> dict[str, Key]:
    return {
        "tolerance": Key(comparator(), _TOLERANCE, example="{lte: 10}", errors=("contradiction",)),
        "timeout": Key(positive_duration, "How long one attempt may take.", "2s", "500ms", later=later),
        "interval": Key(positive_duration, "The pause between two attempts.", "100ms", "50ms"),
        "optional": Key(
            boolean, "Whether its failure only degrades the outcome (`degraded`).", default="false", later=later
        ),
    }  # fmt: skip


PROBE_KEYS = {**_PROBE_QUESTIONS, **_common(later=False)}
QUESTIONS = tuple(_PROBE_QUESTIONS)
_PROBE = Record(
    place="a probe",
    doc="One question to the system under test, and what its answer must be; used by steady states, `wait_for`, "
    "snapshots, the moments of faults, and invariants.",
    keys=PROBE_KEYS,
    exactly_one=QUESTIONS,
)
_READY = Record(
    place="services.<name>.ready[]",
    doc="One readiness of a service: a probe in which the service is implied. It is asked until it holds or "
    "`ready_timeout` passes.",
    keys={**_READY_QUESTIONS, **_common(later=True)},
    exactly_one=tuple(_READY_QUESTIONS),
)


def takes_tolerance(question: Question) -> bool:
    """Whether a probe may judge the value of the question, which does not say itself what it must be."""
    if isinstance(question, LogProbe):
        return question.count is None
    return isinstance(question, TcpProbe | HttpProbe | ExecAction | SqlAction | RedisAction | SpanProbe)


def probe_of(fields: Fields, place: Place, asked: tuple[str, ...]) -> Probe:
    """Return the probe that a record with one of the questions `asked` read; raises RefusedError."""
    name, question = fields.only(asked)
    if "tolerance" in fields.written and not takes_tolerance(question):
        at = fields.node.key_at("tolerance")
        message = f"{place.path}.{name} says itself what it expects, and tolerance would say it again"
        place.log.report("contradiction", at, message, suggestion="take tolerance out")
        raise RefusedError
    common = {key: value for key, value in fields.values.items() if key not in asked}
    return Probe(question=question, at=fields.node.at, **common)


probe: Shape[Probe] = Shape(lambda node, place: probe_of(_PROBE(node, place), place, QUESTIONS), "a probe", _PROBE)
"""A probe that names its service."""
ready: Shape[Probe] = Shape(
    lambda node, place: probe_of(_READY(node, place), place, _READY.exactly_one), "a mapping", _READY
)
"""One item of a service's `ready`."""
