"""The watch over what services use: what it makes of what gauges and the engine say."""

from __future__ import annotations

import threading

import pytest

from cleanroom.engine.cgroup import Usage
from cleanroom.errors import EngineError
from cleanroom.run.record import ResourceRecord
from cleanroom.run.usage import UsageWatch, wants_usage
from cleanroom.spec.expect import Expect
from cleanroom.spec.resilience import ResourceExpectation
from tests.unit.engine.test_cgroup import STATE
from tests.unit.validate.builders import AT, scenario, suite


class Played:
    """A gauge that says what it was given, look by look, and its last word for ever after."""

    def __init__(self, *usages):
        self._usages = usages
        self.looks = 0
        self.through = threading.Event()

    def read(self):
        usage = self._usages[min(self.looks, len(self._usages) - 1)]
        self.looks += 1
        if self.looks >= len(self._usages):
            self.through.set()
        return usage


def use(group=1, memory=10, peak=20, cpu=5, files=3, oom=0):
    return Usage(group=group, memory=memory, peak=peak, cpu_ns=cpu, files=files, oom_kills=oom)


def telling(*events):
    """An engine that tells these events at once."""

    def follow(_container, sink):
        for event in events:
            sink(event)
        return lambda: None

    return follow


def watched(*usages, state=STATE, events=()):
    gauge = Played(*usages)
    watch = UsageWatch(lambda _container: state, lambda _state: gauge, telling(*events))
    watch.begin("api", "id")
    assert gauge.through.wait(60)
    return watch.finish()["api"]


def test_a_steady_service_is_told_by_the_kernel():
    told = watched(use(), use(memory=15, cpu=9, files=8), use(memory=12, peak=30, cpu=11))
    assert (told.memory_peak, told.memory_peak_by, told.cpu_ns, told.open_files) == (30, "kernel", 11, 8)
    assert (told.memory_ready, told.memory_end, told.growth) == (10, 12, 2)
    assert (told.oom_killed, told.ends_unseen) == (False, 0)
    assert told.samples >= 3


def test_starts_again_are_added_up_and_the_peak_is_only_what_was_seen():
    told = watched(use(cpu=50, peak=90), use(group=2, cpu=7))
    assert (told.memory_peak, told.memory_peak_by, told.cpu_ns, told.ends_unseen) == (90, "samples", 57, 1)


def test_an_end_that_was_seen_says_whether_the_kernel_killed_it():
    killed = STATE.__class__(**{f: getattr(STATE, f) for f in STATE.__slots__} | {
        "status": "restarting", "oom_killed": True
    })  # fmt: skip
    told = watched(use(), None, use(group=2), state=killed)
    assert (told.oom_killed, told.ends_unseen, told.memory_peak_by) == (True, 0, "samples")
    assert watched(use(), use(oom=1)).oom_killed


def test_an_end_that_no_look_saw_is_told_by_the_engine():
    told = watched(use(), use(group=2), events=("die", "start"))
    assert (told.ends_unseen, told.oom_killed) == (0, False)
    told = watched(use(), use(group=2), events=("oom", "die", "start"))
    assert (told.ends_unseen, told.oom_killed) == (0, True)


def test_a_kernel_without_a_peak_leaves_what_was_seen():
    told = watched(use(peak=None), use(peak=None, memory=40), use(peak=None))
    assert (told.memory_peak, told.memory_peak_by) == (40, "samples")


def test_a_service_that_cannot_be_seen_says_why():
    watch = UsageWatch(lambda _container: STATE, lambda _state: None, telling())
    watch.begin("api", "id")
    assert watch.finish() == {"api": ResourceRecord(missing="its control group cannot be seen from here")}

    def broken(_container):
        raise EngineError("the engine is gone")

    watch = UsageWatch(broken, lambda _state: None, telling())
    watch.begin("api", "id")
    assert watch.finish()["api"].missing == "the engine is gone"


def test_a_service_that_ended_at_once_says_so():
    ended = STATE.__class__(**{f: getattr(STATE, f) for f in STATE.__slots__} | {"status": "exited"})
    assert watched(None, state=ended).missing == "it ended before it was looked at"


def test_a_watch_of_nothing_ends():
    assert UsageWatch(lambda _container: STATE, lambda _state: None, telling()).finish() == {}


@pytest.mark.parametrize("of", ["suite", "scenario", ""])
def test_only_a_spec_that_expects_something_is_measured(of):
    expect = Expect(resources=(ResourceExpectation(service="api", at=AT),), at=AT)
    one = suite(scenario(expect=expect if of == "scenario" else None), expect=expect if of == "suite" else None)
    assert wants_usage(one) == bool(of)
