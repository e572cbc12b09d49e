"""When a service is ready (spec.md section 2, `ready`): tcp, http, log, exec, exit, or still running after 200 ms.

Whatever else a probe may ask (databases, files, figures) is asked through a port: who speaks to them lies above.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from cleanroom import text
from cleanroom.clock import Clock, Deadline
from cleanroom.engine.ports import ContainerState, Engine, ExecSpec
from cleanroom.errors import EngineError, InterruptedRunError
from cleanroom.quantity import Duration
from cleanroom.spec.comparator import describe, judge
from cleanroom.spec.probe import ContainerProbe, ExitProbe, HttpProbe, LogProbe, Probe, Question, TcpProbe
from cleanroom.spec.query import ExecAction

if TYPE_CHECKING:
    from collections.abc import Callable

    from cleanroom.spec.service import Service
    from cleanroom.spec.source import Position

LOG_TAIL: Final = 4096
_STEADY_S: Final = 0.2
_FIRST_S: Final = 0.005
_ATTEMPT_S: Final = 2.0
_FIRST_ERROR: Final = 400
_KEPT_LOG: Final = 256 * 1024
_OVER: Final = frozenset({"exited", "dead", "removing"})


class Abort(Protocol):
    """Tells a waiting thread to give up; `threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether to give up now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyCheck:
    """A started service whose readiness is awaited; `traceparent` (may be empty) goes with http and exec probes."""

    service: Service
    container: str
    address: str
    traceparent: str = ""


class Asking(Protocol):
    """Asks a service a probe that this module cannot ask itself."""

    def __call__(self, check: ReadyCheck, probe: Probe) -> str:
        """Ask once, within the probe's `timeout`; return "" when it holds, else the question and why it does not."""


def await_ready(
    engine: Engine, clock: Clock, check: ReadyCheck, abort: Abort | None = None, ask: Asking | None = None
) -> None:
    """Return when every readiness of the service holds.

    Raises `EngineError` with the service's position, its exit code and the end of its log when it ends first or
    `ready_timeout` passes, `InterruptedRunError` when `abort` is set.
    """
    deadline = Deadline.after(clock, check.service.ready_timeout.seconds)
    waiting = _Waiting(engine, clock, check, deadline, abort or threading.Event(), ask)
    if not check.service.ready:
        waiting.until_steady()
    for probe in check.service.ready:
        waiting.until(probe)


@dataclass(frozen=True, slots=True)
class _Waiting:
    engine: Engine
    clock: Clock
    check: ReadyCheck
    deadline: Deadline
    abort: Abort
    ask: Asking | None

    def until(self, probe: Probe) -> None:
        question = probe.question
        if isinstance(question, ExitProbe):
            self._until_exit(question, probe.at)
        elif not _plain(probe):
            self._until_answered(probe)
        elif isinstance(question, LogProbe):
            self._until_log(question, probe)
        else:
            self._poll(lambda: self._try(question), lambda: _describe(question), probe)

    def _until_answered(self, probe: Probe) -> None:
        if (ask := self.ask) is None:
            # A probe must never count as held because there is nobody to ask it.
            raise EngineError(f"there is nobody here to ask a readiness by {type(probe.question).__name__}")
        said = ""

        def held() -> bool:
            nonlocal said
            left = Duration(max(10**6, int(self.deadline.remaining() * 1e9)))
            found = ask(self.check, replace(probe, timeout=min(probe.timeout, left)))
            # An attempt that the end itself cut short tells less than the one before it.
            said = said if found and said and left < probe.timeout else found
            return not found

        self._poll(held, lambda: said, probe)

    def until_steady(self) -> None:
        """Wait for the default: running, and still running 200 ms later."""
        always = Probe(question=ExecAction(command=()), at=self.check.service.at)
        self._poll(lambda: self._state().status == "running", lambda: "running", always)
        self.clock.sleep(_STEADY_S)
        if self._state().status != "running":
            raise self._failure(f"did not stay up for {_STEADY_S * 1000:g} ms", self.check.service.at)

    def _until_exit(self, probe: ExitProbe, at: Position) -> None:
        code: int | None = None
        while code is None:
            if self.abort.is_set():
                raise InterruptedRunError(f"waiting for service {self.check.service.name} was given up")
            if self.deadline.expired():
                raise self._failure(self._late(f"ended with exit code {probe.code}"), at)
            piece = min(_ATTEMPT_S / 4, max(0.001, self.deadline.remaining()))
            code = self.engine.wait(self.check.container, Duration(int(piece * 1e9)))
        if code != probe.code:
            raise self._failure(f"should have ended with exit code {probe.code}, but ended with {code}", at)

    def _until_log(self, question: LogProbe, probe: Probe) -> None:
        seen = bytearray()
        lock = threading.Lock()
        changed = threading.Event()

        def sink(data: bytes) -> None:
            with lock:
                seen.extend(data)
                del seen[: max(0, len(seen) - _KEPT_LOG)]
            changed.set()

        pattern = re.compile(question.matches)

        def found() -> bool:
            if not changed.is_set():
                return False
            changed.clear()
            with lock:
                said = bytes(seen)
            return pattern.search(said.decode("utf-8", "replace")) is not None

        stop = self.engine.follow_logs(self.check.container, sink)
        try:
            self._poll(found, lambda: _describe(question), probe)
        finally:
            stop()

    def _try(self, question: Question) -> bool:
        patience = min(_ATTEMPT_S, max(0.001, self.deadline.remaining()))
        match question:
            case TcpProbe():
                return _tcp(self.check.address, question.port, patience)
            case HttpProbe():
                return _http(self.check, question, patience)
            case ExecAction():
                return self._exec(question)
            case _:
                return False

    def _exec(self, probe: ExecAction) -> bool:
        environment = {"TRACEPARENT": self.check.traceparent} if self.check.traceparent else {}
        left = Duration(max(10**6, int(self.deadline.remaining() * 1e9)))
        spec = ExecSpec(
            command=probe.command, environment=environment, timeout=left, grace=Duration(10**8), max_bytes=4096
        )
        try:
            return self.engine.execute(self.check.container, spec).exit_code == 0
        except EngineError:
            # A container that has ended refuses commands: the state that is looked at next says so better.
            if self._state().status in {"running", "created"}:
                raise
            return False

    def _poll(self, attempt: Callable[[], bool], wanted: Callable[[], str], probe: Probe) -> None:
        pause, at = _FIRST_S, probe.at
        # What a one-shot service said before its end still counts.
        may_end = any(_of_an_end(probe.question) for probe in self.check.service.ready)
        while True:
            if self.abort.is_set():
                raise InterruptedRunError(f"waiting for service {self.check.service.name} was given up")
            state = self._state()
            over = state.status in _OVER and not may_end
            if not over and attempt():
                return
            if over:
                raise self._failure(f"ended with exit code {state.exit_code} before it was ready", at, state)
            if self.deadline.expired():
                raise self._failure(self._late(wanted()), at, state)
            self.clock.sleep(min(pause, self.deadline.remaining()))
            pause = min(pause * 1.5, probe.interval.seconds)

    def _late(self, wanted: str) -> str:
        return f"was not ready within {self.check.service.ready_timeout}: expected {wanted}"

    def _state(self) -> ContainerState:
        return self.engine.inspect(self.check.container)

    def _failure(self, what: str, at: Position, state: ContainerState | None = None) -> EngineError:
        service = self.check.service
        where = at if at.line else service.at
        seen = state or self._state()
        facts = f"status {seen.status}, exit code {seen.exit_code}" + (", out of memory" if seen.oom_killed else "")
        return EngineError(
            f"{prefix(where)}service {service.name} {what} ({facts})\n{log_excerpt(self.engine, self.check.container)}",
            remedy="correct the service so that it starts, or its `ready` and `ready_timeout`",
        )


def _plain(probe: Probe) -> bool:
    """Whether the probe is one of those that are asked here, as fast as can be."""
    question = probe.question
    if probe.tolerance is not None:
        return False
    match question:
        case ExecAction():
            return question == ExecAction(command=question.command)
        case LogProbe():
            return question.count is None
        case _:
            return isinstance(question, TcpProbe | HttpProbe)


def _of_an_end(question: Question) -> bool:
    """Whether a container that has ended may be what the readiness waits for."""
    if not isinstance(question, ContainerProbe):
        return isinstance(question, ExitProbe)
    return question.what == "exit_code" or (question.what == "state" and judge(question.wanted, "exited").holds)


def prefix(at: Position) -> str:
    """Return `file:line:column: ` of a position, or "" for a value that stands in no file."""
    return f"{at}: " if at.line else ""


def log_excerpt(engine: Engine, container: str) -> str:
    """Return the indented, cleaned, bounded end of a container's log, or why there is none; raises nothing of ours."""
    try:
        said = text.tail(engine.logs(container, LOG_TAIL), LOG_TAIL).strip()
    except EngineError as err:
        return f"  its log could not be read: {err.message}"
    if not said:
        return "  its log is empty"
    return "  the end of its log:\n" + "\n".join(f"    {line}" for line in said.splitlines())


def _tcp(address: str, port: int, patience: float) -> bool:
    try:
        with socket.create_connection((address, port), timeout=patience):
            return True
    except OSError:
        return False


def _http(check: ReadyCheck, probe: HttpProbe, patience: float) -> bool:
    headers = {"traceparent": check.traceparent} if check.traceparent else {}
    request = probe.request
    connection = http.client.HTTPConnection(check.address, request.port, timeout=patience)
    with contextlib.closing(connection):
        try:
            connection.request("GET", request.path, headers={"User-Agent": "cleanroom", **headers})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False
    return judge(probe.status, status).holds if probe.status is not None else status < _FIRST_ERROR


def _describe(probe: Question) -> str:
    match probe:
        case TcpProbe():
            return f"a TCP connection to port {probe.port}"
        case HttpProbe():
            wanted = "below 400" if probe.status is None else describe(probe.status)
            return f"status {wanted} for GET {probe.request.path} on port {probe.request.port}"
        case LogProbe():
            return f"{probe.matches!r} in its output"
        case ExecAction():
            return f"exit code 0 of {' '.join(probe.command)!r}"
        case ExitProbe():
            return f"exit code {probe.code}"
        case _:
            return f"what {type(probe).__name__} asks"
