from __future__ import annotations

import pytest

from cleanroom.drive.oneshot import run_oneshot
from cleanroom.drive.reach import Limits, Reach
from cleanroom.engine.ports import ContainerSpec
from cleanroom.errors import EngineError
from cleanroom.quantity import Duration
from cleanroom.run.stop import Stop
from cleanroom.spec.step import RunAction
from tests.fakes import FakeEngine
from tests.unit.drive.scenes import reach_of

LONG = Limits(timeout=Duration(60 * 10**9))
SHORT = Limits(timeout=Duration(10**6), grace=Duration(10**6))


class Engine(FakeEngine):
    """Its containers end at once, or with the signals that it says."""

    def __init__(self, *, ends: int | None = 0, dies_of: tuple[str, ...] = ("TERM", "KILL"), oom: bool = False) -> None:
        super().__init__()
        self.ends, self.dies_of, self.oom = ends, dies_of, oom
        self.networks.add("net")
        self.refuses: int | None = None
        self.signals: list[str] = []

    def start(self, container):
        if self.refuses is not None:
            self._find(container).exit_code = self.refuses
            raise EngineError("the engine's own words")
        super().start(container)
        if self.ends is not None:
            self._over(container, self.ends)

    def _over(self, container, code):
        found = self._find(container)
        found.status, found.exit_code, found.log, found.oom_killed = "exited", code, b"said\n", self.oom

    def kill(self, container, signal="KILL"):
        self.signals.append(signal)
        if signal in self.dies_of:
            self._over(container, 143 if signal == "TERM" else 137)


def run(engine: FakeEngine, limits: Limits = LONG, stop: Stop | None = None):
    def place(action: RunAction, context: str) -> ContainerSpec:
        return ContainerSpec(name="shot", image=action.image, network="net", environment={"TRACEPARENT": context})

    found = reach_of({}, engine)
    reach = Reach(
        engine=engine, containers=found.containers, clock=found.clock, stop=stop or found.stop, place=place
    )  # fmt: skip
    result = run_oneshot(reach, RunAction(image="i:1"), limits, "00-a-b-01")
    assert engine.containers == {}, "it is removed whatever happens"
    return result


def test_what_it_said_and_how_it_ended():
    found = run(Engine())
    assert (found.exit_code, found.stdout, found.value, found.error_type) == (0, "said\n", "said", "")


@pytest.mark.parametrize(
    ("code", "oom", "kind"),
    [
        (3, False, "exit_code"), (126, False, "permission_denied"), (127, False, "not_found"), (137, False, "killed"),
        (137, True, "oom_killed"),
    ],
)  # fmt: skip
def test_error_types_are_facts_of_the_container(code, oom, kind):
    found = run(Engine(ends=code, oom=oom))
    assert (found.exit_code, found.error_type) == (code, kind)


@pytest.mark.parametrize(("code", "kind"), [(127, "not_found"), (126, "permission_denied"), (128, "engine")])
def test_a_container_that_cannot_begin_says_why(code, kind):
    engine = Engine()
    engine.refuses = code
    found = run(engine)
    assert (found.error_type, found.message) == (kind, "the engine's own words")


@pytest.mark.parametrize(
    ("dies_of", "signals", "killed"), [(("TERM", "KILL"), ["TERM"], False), (("KILL",), ["TERM", "KILL"], True)]
)
def test_out_of_time_it_is_asked_to_end_and_then_made_to(dies_of, signals, killed):
    engine = Engine(ends=None, dies_of=dies_of)
    found = run(engine, SHORT)
    assert (found.error_type, engine.signals, found.killed) == ("timeout", signals, killed)
    assert 0 < found.terminated_ns <= (found.killed_ns or found.duration_ns)


def test_it_ends_with_the_run():
    stop = Stop()
    stop.request()
    assert run(Engine(ends=None), LONG, stop).error_type == "killed"


def test_an_engine_that_fails_is_said_with_its_words():
    engine = Engine()
    engine.crash_at, engine.crash = 0, "before"
    assert run(engine).error_type == "engine"


def test_without_a_place_there_is_none():
    found = run_oneshot(reach_of({}, Engine()), RunAction(image="i"), LONG, "")
    assert (found.error_type, found.message) == ("engine", "a one-shot container has no place here")
