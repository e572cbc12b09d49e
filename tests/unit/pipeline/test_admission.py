from __future__ import annotations

from dataclasses import replace

from cleanroom.pipeline.admission import Admission
from cleanroom.quantity import Duration
from cleanroom.run.record import SuiteRecord
from tests.unit.pipeline.specs import options
from tests.unit.validate.builders import iteration, otlp, plan, record, scenario, served, step, suite

SERVED = record(payloads=(otlp(served()),))
FAILED = replace(SERVED, outcome="failed", steps=(step("place", "failed"),))


class Clock:
    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def now_ns(self):
        return int(self.now * 10**9)

    def sleep(self, seconds):
        self.now += seconds


def ran(one, *, required=True, name="shop"):
    whole = replace(suite(scenario(expect=None)), required=required, name=name)
    return SuiteRecord(plan=plan(whole), iterations=(iteration(0, one),))


def test_nothing_starts_after_the_budget_and_it_is_named(tmp_path):
    clock = Clock()
    admission = Admission(options(tmp_path, budget=Duration(10 * 10**9)), clock)
    first, second = ran(SERVED, name="first"), ran(SERVED, name="second")
    assert admission(first.plan, [])
    clock.now = 9.9
    assert admission(first.plan, [])
    clock.now = 10.0
    assert not admission(second.plan, [first])
    (skipped,) = admission.skipped((first.plan, second.plan), (first,), interrupted=False)
    assert (skipped.suite, skipped.kind, skipped.why) == ("second", "budget", "the time budget of 10s was used up")
    assert [s.name for s in skipped.scenarios] == [second.plan.suite.scenarios[0].name]


def test_nothing_starts_after_so_many_failed_scenarios(tmp_path):
    admission = Admission(options(tmp_path, max_failures=2), Clock())
    bad, good, optional = ran(FAILED), ran(SERVED), ran(FAILED, required=False)
    assert admission(bad.plan, [bad, good, optional])
    assert admission(bad.plan, [bad, good, optional, optional])
    assert not admission(good.plan, [bad, good, optional, optional, bad])
    (skipped,) = admission.skipped((good.plan,), (), interrupted=False)
    assert (skipped.kind, skipped.why) == ("failures", "2 scenarios had failed, and 2 end the run")


def test_suites_that_an_interrupt_or_trouble_kept_from_starting_are_named(tmp_path):
    admission = Admission(options(tmp_path), Clock())
    one = ran(SERVED)
    assert [s.kind for s in admission.skipped((one.plan,), (), interrupted=True)] == ["interrupted"]
    assert [s.kind for s in admission.skipped((one.plan,), (), interrupted=False)] == ["trouble"]
    assert admission.skipped((one.plan,), (one,), interrupted=True) == ()
