from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from cleanroom.engine.ports import ContainerState, ExecResult, ExecSpec
from cleanroom.engine.ready import Asking, ReadyCheck, await_ready
from cleanroom.errors import EngineError, InterruptedRunError
from cleanroom.quantity import Duration
from cleanroom.spec.comparator import Comparator
from cleanroom.spec.probe import ContainerProbe, ExitProbe, HealthcheckProbe, HttpProbe, LogProbe, Probe, Question
from cleanroom.spec.query import ExecAction, HttpAction, RedisAction, SqlAction
from cleanroom.spec.service import Service
from cleanroom.spec.source import Position


@dataclass
class Clock:
    at: float = 0.0

    def now_ns(self) -> int:
        return int(self.at * 1e9)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class Engine:
    """A container of which a test says, by the clock, when it runs, ends, and what it answers."""

    clock: Clock
    ends_at: float = 1e9
    code: int = 1
    log: bytes = b"one\n\x1b[31mtwo ::error::\n"
    said: tuple[bytes, ...] = ()
    answers: Callable[[float], int] = lambda _at: 1
    asked: list[ExecSpec] = field(default_factory=list)
    followers: int = 0

    def inspect(self, container: str) -> ContainerState:
        over = self.clock.at >= self.ends_at
        return ContainerState(
            id=container,
            name="n",
            status="exited" if over else "running",
            pid=0 if over else 7,
            exit_code=self.code if over else 0,
            oom_killed=False,
            started_at="",
            finished_at="",
            restart_count=0,
            address="",
        )

    def logs(self, _container: str, max_bytes: int) -> bytes:
        return self.log[-max_bytes:]

    def wait(self, _container: str, timeout: Duration) -> int | None:
        if self.ends_at <= self.clock.at + timeout.seconds:
            self.clock.at = max(self.clock.at, self.ends_at)
            return self.code
        self.clock.at += timeout.seconds
        return None

    def execute(self, _container: str, spec: ExecSpec) -> ExecResult:
        self.asked.append(spec)
        code = self.answers(self.clock.at)
        return ExecResult(
            exit_code=code, stdout=b"", stderr=b"", truncated=False, timed_out=False, killed=False, duration_ns=1
        )

    def follow_logs(self, _container: str, sink: Callable[[bytes], None]) -> Callable[[], None]:
        self.followers += 1
        for chunk in self.said:
            sink(chunk)

        def stop() -> None:
            self.followers -= 1

        return stop


def wait(
    engine: Engine, *asked: Question | Probe, abort: threading.Event | None = None, ask: Asking | None = None
) -> float:
    at = Position("a.yaml", 9, 5)
    ready = tuple(one if isinstance(one, Probe) else Probe(question=one, at=at) for one in asked)
    service = Service(name="db", ready=ready, ready_timeout=Duration(3 * 10**9), at=Position("a.yaml", 4, 3))
    check = ReadyCheck(service=service, container="c", address="198.51.100.1", traceparent="00-1-2-01")
    await_ready(engine, engine.clock, check, abort, ask)  # type: ignore[arg-type]
    return engine.clock.at


def test_without_ready_a_service_must_run_and_still_run_after_200_ms() -> None:
    assert wait(Engine(Clock())) == pytest.approx(0.2)
    with pytest.raises(
        EngineError, match=r"a\.yaml:4:3: service db did not stay up for 200 ms .*exit code 1"
    ) as caught:
        wait(Engine(Clock(), ends_at=0.1))
    assert "    two ::error::" in caught.value.message
    assert "\x1b" not in caught.value.message


def test_exec_is_asked_until_it_answers_0_with_the_trace_it_was_given() -> None:
    engine = Engine(Clock(), answers=lambda at: 0 if at > 1 else 1)
    assert 1 < wait(engine, ExecAction(command=("ok",))) < 1.2
    assert len(engine.asked) > 5
    assert engine.asked[0].environment == {"TRACEPARENT": "00-1-2-01"}


def test_a_service_that_is_never_ready_is_named_with_the_probes_line() -> None:
    probe = ExecAction(command=("pg_isready", "-q"))
    expected = r"a\.yaml:9:5: service db was not ready within 3s: expected exit code 0 of 'pg_isready -q'"
    with pytest.raises(EngineError, match=expected):
        wait(Engine(Clock()), probe)


def test_a_service_that_ends_first_is_named_with_its_exit_code_at_once() -> None:
    engine = Engine(Clock(), ends_at=0.5, code=42)
    with pytest.raises(EngineError, match="ended with exit code 42 before it was ready"):
        wait(engine, ExecAction(command=("ok",)))
    assert engine.clock.at < 0.7


def test_log_is_found_across_chunks_and_is_not_followed_any_longer() -> None:
    engine = Engine(Clock(), said=(b"ready to acc", b"ept \xff connections"))
    assert wait(engine, LogProbe(matches="ready to accept .* connections")) == 0
    assert engine.followers == 0


def test_log_that_never_comes_is_an_error() -> None:
    engine = Engine(Clock(), said=(b"something else",))
    with pytest.raises(EngineError, match="expected 'ready' in its output"):
        wait(engine, LogProbe(matches="ready"))
    assert engine.followers == 0


def test_exit_wants_its_code() -> None:
    assert wait(Engine(Clock(), ends_at=1.0, code=0), ExitProbe()) == pytest.approx(1.0)
    with pytest.raises(EngineError, match="should have ended with exit code 0, but ended with 3"):
        wait(Engine(Clock(), ends_at=1.0, code=3), ExitProbe())
    with pytest.raises(EngineError, match="was not ready within 3s: expected ended with exit code 0"):
        wait(Engine(Clock()), ExitProbe())


def test_what_a_one_shot_service_said_before_its_end_counts() -> None:
    engine = Engine(Clock(), ends_at=0.0, code=0, said=(b"migrated",))
    assert wait(engine, LogProbe(matches="migrated"), ExitProbe()) == 0
    with pytest.raises(EngineError, match="ended with exit code 0 before it was ready"):
        wait(Engine(Clock(), ends_at=0.0, code=0, said=(b"migrated",)), LogProbe(matches="migrated"))


def test_waiting_can_be_given_up() -> None:
    abort = threading.Event()
    abort.set()
    for probe in (ExecAction(command=("x",)), ExitProbe(), LogProbe(matches="x")):
        with pytest.raises(InterruptedRunError):
            wait(Engine(Clock()), probe, abort=abort)


@pytest.mark.parametrize(
    ("wanted", "status", "expected"),
    [
        (None, 399, None),
        (None, 400, "status below 400 for GET /up on port 8080"),
        (Comparator(tests=(("lt", 300),)), 204, None),
        (Comparator(tests=(("eq", 200),)), 204, "status 200 for GET /up on port 8080"),
    ],
)
def test_http_wants_its_status(
    monkeypatch: pytest.MonkeyPatch, wanted: Comparator | None, status: int, expected: str | None
) -> None:
    asked: list[tuple[str, str]] = []

    class Connection:
        def __init__(self, _host: str, port: int, timeout: float) -> None:
            assert (port, timeout > 0) == (8080, True)

        def request(self, method: str, path: str, headers: dict[str, str]) -> None:
            assert headers["traceparent"] == "00-1-2-01"
            asked.append((method, path))

        def getresponse(self) -> SimpleNamespace:
            return SimpleNamespace(status=status)

        def close(self) -> None:
            pass

    monkeypatch.setattr("http.client.HTTPConnection", Connection)
    probe = HttpProbe(request=HttpAction(port=8080, path="/up"), status=wanted)
    if expected is None:
        assert wait(Engine(Clock()), probe) == 0
    else:
        with pytest.raises(EngineError, match=f"expected {expected}"):
            wait(Engine(Clock()), probe)
    assert set(asked) == {("GET", "/up")}


def test_a_probe_that_nobody_is_there_to_ask_never_counts_as_held() -> None:
    with pytest.raises(EngineError, match="nobody here to ask a readiness by HealthcheckProbe"):
        wait(Engine(Clock()), HealthcheckProbe())


@dataclass
class Asked:
    """Answers by the clock, after an attempt that takes `takes` seconds or its whole time."""

    clock: Clock
    answer: Callable[[float], str]
    takes: float = 0.0
    probes: list[Probe] = field(default_factory=list)

    def __call__(self, check: ReadyCheck, probe: Probe) -> str:
        assert (check.container, check.traceparent) == ("c", "00-1-2-01")
        self.probes.append(probe)
        self.clock.at += min(self.takes, probe.timeout.seconds)
        return "it took too long" if probe.timeout.seconds < self.takes else self.answer(self.clock.at)


@pytest.mark.parametrize(
    "asked",
    [
        SqlAction(query="select 1", port=5432),
        RedisAction(commands=(("PING",),)),
        HealthcheckProbe(),
        LogProbe(matches="up", count=Comparator(tests=(("gte", 2),))),
        ExecAction(command=("id",), user="postgres"),
        Probe(question=ExecAction(command=("id",)), tolerance=Comparator(tests=(("eq", "7"),))),
    ],
)
def test_what_needs_a_client_is_asked_through_the_port_until_it_holds(asked: Question | Probe) -> None:
    clock = Clock()
    ask = Asked(clock, lambda at: "" if at > 1 else "not yet")
    assert 1 < wait(Engine(clock), asked, ask=ask) < 1.2
    assert ask.probes[0] == (asked if isinstance(asked, Probe) else Probe(question=asked))


def test_a_pause_grows_to_the_interval() -> None:
    clock = Clock()
    ask = Asked(clock, lambda at: "" if at > 2.5 else "not yet")
    wait(Engine(clock), Probe(question=HealthcheckProbe(), interval=Duration(10**9)), ask=ask)
    assert len(ask.probes) < 20


def test_one_that_is_late_says_what_was_found_while_there_was_time() -> None:
    clock = Clock()
    with pytest.raises(EngineError, match=r"a\.yaml:9:5: .* not ready within 3s: expected sql: no table stock \("):
        wait(Engine(clock), SqlAction(query="x"), ask=Asked(clock, lambda _at: "sql: no table stock", takes=1.5))


def test_a_readiness_of_an_ended_container_waits_for_the_end() -> None:
    clock = Clock()
    ask = Asked(clock, lambda at: "" if at > 1 else "not ended")
    ended = ContainerProbe(what="exit_code", wanted=Comparator(tests=(("eq", 0),)))
    assert wait(Engine(clock, ends_at=0.5, code=0), ended, ask=ask) > 1
    clock = Clock()
    runs = ContainerProbe(what="state", wanted=Comparator(tests=(("eq", "running"),)))
    with pytest.raises(EngineError, match="ended with exit code 3 before it was ready"):
        wait(Engine(clock, ends_at=0.5, code=3), runs, ask=Asked(clock, lambda _at: "no"))
