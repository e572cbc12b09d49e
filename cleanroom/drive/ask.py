"""One probe, asked once (spec.md section 4, "Probes")."""

from __future__ import annotations

import errno
import socket
from dataclasses import replace

from cleanroom.canonical import Json
from cleanroom.drive.act import carry_out
from cleanroom.drive.answer import Answer, Fact
from cleanroom.drive.cgroup import ask_cgroup
from cleanroom.drive.container import OVER, ask_container, ask_log
from cleanroom.drive.file import ask_file
from cleanroom.drive.question import describe_question, of_service, wanted_of
from cleanroom.drive.reach import Limits, Reach
from cleanroom.drive.service_clock import ask_clock
from cleanroom.errors import CleanroomError
from cleanroom.quantity import Duration, Size
from cleanroom.spec.comparator import equal_to, judge
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

GRACE = Duration(10**8)
_TEXT_VALUES = {ExecAction: "what `exec` printed is text", RedisAction: "some replies of Redis are text"}


def ask(reach: Reach, probe: Probe, context: str, service: str = "") -> Answer:
    """Ask once, within the probe's `timeout`, as part of the trace that `context` names; never raises.

    `service` is the implied one of a readiness.
    """
    asked = reach.clock.now_ns()
    question = of_service(probe.question, service)
    try:
        fact = _fact(reach, question, probe.timeout, context, service)
    except CleanroomError as err:
        fact = Fact(present=False, error_type="engine", why=err.message)
    ok, why = _judged(probe, question, fact)
    return Answer(
        ok=ok,
        value=as_json(fact.value) if fact.present else None,
        why="" if ok else one_line(why, 400),
        error_type="" if ok else fact.error_type,
        asked_ns=asked,
        rows=fact.rows,
        truncated=fact.truncated,
        optional=probe.optional,
        question=describe_question(question, service),
        service=service_asked(question) or service,
        at=probe.at,
    )


def _fact(reach: Reach, question: Question, timeout: Duration, context: str, service: str) -> Fact:  # noqa: C901, PLR0911 - a branch for each kind
    limits = Limits(timeout=timeout, grace=GRACE)
    match question:
        case ExecAction() | SqlAction() | RedisAction():
            result = carry_out(reach, question, limits, context)
            return Fact(
                value=result.value, present=not result.error_type, error_type=result.error_type, why=result.message,
                rows=result.rows, truncated=result.truncated,
            )  # fmt: skip
        case HttpProbe():
            return _http(reach, question, limits, context)
        case TcpProbe():
            return ask_tcp(reach.containers[question.service].address, question.port, timeout)
        case LogProbe():
            return ask_log(reach.engine, reach.containers[question.service].id, question)
        case ContainerProbe():
            return ask_container(reach.engine, reach.containers[question.service].id, question)
        case CgroupProbe():
            return ask_cgroup(reach.engine.inspect(reach.containers[question.service].id), question.what)
        case FileProbe():
            return ask_file(reach.engine.inspect(reach.containers[question.service].id), question, timeout)
        case ClockProbe():
            return ask_clock(reach, question.service, timeout, context)
        case SpanProbe():
            return Fact(value=reach.spans(question.selector))
        case ExitProbe():
            return _exit(reach, service)
        case HealthcheckProbe():
            return ask_container(
                reach.engine, reach.containers[service].id, ContainerProbe(what="health", wanted=equal_to("healthy"))
            )


def _http(reach: Reach, question: HttpProbe, limits: Limits, context: str) -> Fact:
    result = carry_out(reach, question.request, limits, context)
    fact = Fact(value=result.value, truncated=result.truncated)
    if result.status is None:
        return Fact(present=False, error_type=result.error_type, why=result.message)
    if question.status is None:
        return fact if not result.error_type else replace(fact, error_type=result.error_type, why=result.message)
    judged = judge(question.status, result.status)
    return fact if judged.holds else replace(fact, error_type="http_status", why=f"status: {judged.reason}")


def ask_tcp(address: str, port: int, timeout: Duration) -> Fact:
    """Connect and hang up; the value is whether that worked."""
    try:
        with socket.create_connection((address, port), timeout=timeout.seconds):
            return Fact(value=True)
    except TimeoutError:
        return Fact(value=False, error_type="timeout", why=f"no connection to port {port} within {timeout}")
    except ConnectionRefusedError:
        return Fact(value=False, error_type="connection_refused", why=f"port {port} refused the connection")
    except OSError as err:
        kind = "connection_reset" if err.errno == errno.ECONNRESET else "network_failure"
        return Fact(value=False, error_type=kind, why=f"port {port} could not be reached: {err.strerror or err}")


def _exit(reach: Reach, service: str) -> Fact:
    state = reach.engine.inspect(reach.containers[service].id)
    if state.status not in OVER:
        return Fact(present=False, why=f"the container has not ended: it is {state.status}")
    return Fact(value=state.exit_code)


def _judged(probe: Probe, question: Question, fact: Fact) -> tuple[bool, str]:
    """Return whether the probe holds, and if not why."""
    wanted = wanted_of(probe)
    # Of a TCP connection the failure itself is a value: `tolerance: false` wants a closed port.
    if fact.error_type and not isinstance(question, TcpProbe | FileProbe):
        return False, fact.why
    if wanted is None:
        return True, ""
    judged = judge(wanted, fact.value, present=fact.present)
    if judged.holds and fact.error_type and isinstance(question, FileProbe) and fact.error_type != "not_found":
        return False, fact.why
    if judged.holds:
        if fact.truncated:
            return _of_a_part(question, fact)
        return True, ""
    why = judged.reason
    if judged.reason.startswith("cannot compare text"):
        why += f" ({_TEXT_VALUES.get(type(question), 'the value is text')}: compare it with text)"
    return False, f"{why}: {fact.why}" if fact.why and fact.why not in why else why


def _of_a_part(question: Question, fact: Fact) -> tuple[bool, str]:
    """Judge an answer of which only a part was read: at least one line was found, or nothing can be said."""
    if isinstance(question, LogProbe) and question.count is None and isinstance(fact.value, int) and fact.value > 0:
        return True, ""
    return False, f"the answer is too long to be judged: only a part of its {', '.join(fact.truncated)} was read"


def as_json(value: object) -> Json:
    """Return a value as a record keeps it: durations in nanoseconds, sizes in bytes."""
    if isinstance(value, Duration):
        return value.ns
    if isinstance(value, Size):
        return value.bytes
    return value  # type: ignore[return-value]  # every other fact is of JSON already
