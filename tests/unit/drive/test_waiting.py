from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.drive.waiting import wait_until
from cleanroom.quantity import Duration
from cleanroom.spec.comparator import equal_to
from cleanroom.spec.probe import LogProbe, Probe
from cleanroom.spec.query import ExecAction
from tests.fakes import FakeClock, result
from tests.unit.drive.scenes import reach_of
from tests.unit.drive.test_ask import world

MS = 10**6


class Sleeper(FakeClock):
    """Notes how long was slept in all."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        super().sleep(seconds)


def scene(codes):
    """A container that answers with these exit codes, the last one for ever; and a clock that only sleeping moves."""
    engine, clock = world(), Sleeper()
    left = list(codes)
    engine.answer = lambda *_: result(left.pop(0) if len(left) > 1 else left[0])

    def wait(_news, seconds):
        clock.pauses[-1] += seconds
        FakeClock.sleep(clock, seconds)
        return False

    return replace(reach_of({"db": ("c", "")}, engine), clock=clock, wait=wait), clock


PROBE = Probe(question=ExecAction(service="db", command=("x",)), interval=Duration(100 * MS))


def test_what_holds_is_asked_once():
    reach, clock = scene([0])
    assert wait_until(reach, PROBE, "tp", Duration(10**9)).ok
    assert clock.pauses == []


def test_pauses_grow_from_5_ms_to_the_interval():
    reach, clock = scene([1] * 12 + [0])
    assert wait_until(reach, PROBE, "tp", Duration(10**10)).ok
    assert clock.pauses[0] == pytest.approx(0.005)
    assert clock.pauses == sorted(clock.pauses)
    assert max(clock.pauses) == clock.pauses[-1] == pytest.approx(0.1)


def test_what_never_holds_says_what_it_found_last():
    reach, _ = scene([3])
    found = wait_until(reach, PROBE, "tp", Duration(300 * MS))
    assert (found.ok, found.error_type) == (False, "timeout")
    assert found.why.startswith("not within 300ms (asked ")
    assert found.why.endswith("times): the command exited with 3")


def test_an_interruption_ends_it():
    reach, _ = scene([1])
    reach.stop.request()
    assert not wait_until(reach, PROBE, "tp", Duration(10**12)).ok


def test_news_of_the_container_ends_a_pause_and_is_followed_no_longer():
    engine = world(log=b"")
    following = []

    def follow(kind):
        def start(_container, sink):
            following.append(kind)
            sink("die" if kind == "events" else b"ready\n")
            return lambda: following.remove(kind)

        return start

    engine.follow_events, engine.follow_logs = follow("events"), follow("logs")
    waited = []

    def wait(news, _seconds):
        waited.append(sorted(following))
        engine.containers["c"].log = b"ready\n"
        return news.is_set()

    reach = replace(reach_of({"db": ("c", "")}, engine), wait=wait)
    probe = Probe(question=LogProbe(service="db", matches="ready", count=equal_to(1)), interval=Duration(100 * MS))
    # The first pause is never cut short, so that a service that says much cannot make it spin.
    assert wait_until(reach, probe, "tp", Duration(60 * 10**9)).ok
    assert waited in ([["events", "logs"]], [["events", "logs"]] * 2)
    assert following == []
