"""A probe's question: of whom it is, what its value is judged by, and how it reads."""

from __future__ import annotations

from dataclasses import replace

from cleanroom.spec.comparator import Comparator, at_least_one, describe, equal_to
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
    Question,
    SpanProbe,
    TcpProbe,
    service_asked,
)
from cleanroom.spec.query import ExecAction, RedisAction, SqlAction
from cleanroom.text import one_line

_MOST = 100
_OPEN = Comparator(tests=(("eq", True),))


def of_service(question: Question, service: str) -> Question:
    """Return the question with its implied service named."""
    match question:
        case SpanProbe() | ExitProbe() | HealthcheckProbe():
            return question
        case HttpProbe():
            request = question.request
            implied = service and not request.service and not request.url
            return replace(question, request=replace(request, service=service)) if implied else question
        case _:
            return replace(question, service=service) if service and not question.service else question


def to_service(question: Question, service: str) -> Question:
    """Return the question put to another service than it names, e.g. to one of several replicas."""
    match question:
        case SpanProbe() | ExitProbe() | HealthcheckProbe():
            return question
        case HttpProbe():
            return replace(question, request=replace(question.request, service=service))
        case _:
            return replace(question, service=service)


def wanted_of(probe: Probe) -> Comparator | None:  # noqa: PLR0911 - a return for each kind
    """Return what judges the value of the question; None: nothing, the question itself must succeed."""
    match probe.question:
        case LogProbe(count=count):
            return probe.tolerance or count or at_least_one()
        case ContainerProbe(wanted=wanted) | CgroupProbe(wanted=wanted) | FileProbe(wanted=wanted):
            return wanted
        case ClockProbe(offset=offset):
            return offset
        case SpanProbe():
            return probe.tolerance or at_least_one()
        case ExitProbe(code=code):
            return equal_to(code)
        case HealthcheckProbe():
            return equal_to("healthy")
        case TcpProbe():
            return probe.tolerance or _OPEN
        case _:
            return probe.tolerance


def describe_question(question: Question, service: str = "") -> str:
    """Return the question in words, e.g. `tcp db port 5432`; `service` is the implied one of a readiness."""
    kind, words = _words(question)
    return " ".join(word for word in (kind, service_asked(question) or service, one_line(words, _MOST)) if word)


def _words(question: Question) -> tuple[str, str]:  # noqa: C901, PLR0911, PLR0912 - a branch for each kind
    match question:
        case ExecAction():
            return "exec", " ".join(question.command)
        case TcpProbe():
            return "tcp", f"port {question.port}"
        case HttpProbe(request=request):
            return "http", f"{request.method} {request.url or f'port {request.port} {request.path}'}"
        case SqlAction():
            return "sql", question.query or question.file
        case RedisAction():
            return "redis", "; ".join(" ".join(command) for command in question.commands)
        case LogProbe():
            return "log", f"/{question.matches}/"
        case ContainerProbe():
            return "container", f"{question.what} {describe(question.wanted)}"
        case CgroupProbe():
            return "cgroup", f"{question.what} {describe(question.wanted)}"
        case FileProbe():
            return "file", f"{question.path} {question.what} {describe(question.wanted)}"
        case ClockProbe():
            return "clock", f"offset {describe(question.offset)}"
        case SpanProbe(selector=selector):
            return "span", str(selector.name or "")
        case ExitProbe():
            return "exit", str(question.code)
        case HealthcheckProbe():
            return "healthcheck", ""
