"""What surrounds services: nuisances by iteration, drawn from the seed, and what cannot vary or be altered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.errors import SpecError, UsageError
from cleanroom.plan.build import build_plan
from cleanroom.plan.surroundings import ZONES, clock_of, nuisances, start_waves, variation
from cleanroom.quantity import Duration
from cleanroom.spec.clock_setting import ClockAt, ClockOffset, FrozenClock, RealClock
from cleanroom.spec.determinism import Determinism, Normalize
from cleanroom.spec.instant import Instant
from tests.unit.plan.suites import scenario, suite

ALL = ("start_order", "hostname", "timezone", "locale", "cpus")


def varied(*chosen, iterations=6, own=(), **fields):
    one, two = scenario("one"), replace(scenario("two"), vary=own)
    return suite(one, two, determinism=Determinism(iterations=iterations, vary=chosen, **fields))


def test_the_first_iteration_is_the_control_and_each_later_one_varies_one_nuisance():
    plan = build_plan(varied(*ALL, iterations=8))
    found = [one.nuisance if (one := variation(plan, "one", index)) else "" for index in range(8)]
    assert found == ["", *ALL, "", ""]


def test_a_scenario_varies_its_own_after_those_of_the_suite():
    whole = varied("timezone", own=("timezone", "cpus"))
    assert nuisances(whole, "one") == ("timezone",)
    assert nuisances(whole, "two") == ("timezone", "cpus")
    plan = build_plan(whole)
    assert variation(plan, "one", 2) is None
    assert variation(plan, "two", 2).nuisance == "cpus"


def test_what_is_drawn_is_fixed_by_the_seed_and_is_not_what_the_control_has():
    plan = build_plan(varied(*ALL), seed=7)
    again, other = build_plan(varied(*ALL), seed=7), [build_plan(varied(*ALL), seed=seed) for seed in range(20)]
    for index in range(1, 6):
        assert variation(plan, "one", index) == variation(again, "two", index)
    assert len({variation(one, "one", 2).hostnames["api"] for one in other}) == 20
    assert {variation(one, "one", 3).value for one in other} <= set(ZONES)
    assert len({variation(one, "one", 3).value for one in other}) > 1
    assert all(variation(one, "one", 1).order != ("api", "db", "web") for one in other)


def test_services_start_one_after_another_in_every_iteration_where_their_order_varies():
    plan = build_plan(varied("start_order", "hostname"))
    assert start_waves(plan, "one", 0) == start_waves(plan, "one", 2) == (("api",), ("db",), ("web",))
    assert start_waves(plan, "one", 1) == tuple((name,) for name in variation(plan, "one", 1).order)
    assert start_waves(build_plan(varied("hostname")), "one", 0) == (("api", "db", "web"),)


@pytest.mark.parametrize("fields", [{"iterations": 2}, {"iterations": 3, "own": ("locale",)}])
def test_there_are_more_iterations_than_nuisances(fields):
    whole = varied("hostname", "timezone", **{"iterations": 9, **fields})
    with pytest.raises(UsageError, match="the first of which is the control"):
        build_plan(whole)


def test_the_order_of_services_that_have_only_one_cannot_vary():
    whole = suite(scenario("one"), services=("db",), determinism=Determinism(vary=("start_order",)))
    with pytest.raises(SpecError, match="start_order cannot vary"):
        build_plan(whole)


def test_a_scenario_of_a_shared_environment_cannot_vary_alone():
    with pytest.raises(SpecError, match="cannot vary alone"):
        build_plan(replace(varied(own=("hostname",)), environment="suite"))


def test_a_clock_is_the_services_own_else_that_of_all():
    whole = suite(scenario("one"), determinism=Determinism(freeze_clock=Instant(5)))
    db = whole.services[0]
    assert clock_of(whole, db) == ClockAt(at=Instant(5))
    assert clock_of(whole, replace(db, clock=RealClock())) == RealClock()
    assert clock_of(suite(scenario("one")), db) == RealClock()


def with_clock(whole, setting):
    return replace(whole, services=(replace(whole.services[0], clock=setting), *whole.services[1:]))


def test_what_has_to_know_the_time_is_refused_where_a_clock_does_not_tell_it():
    ordered = suite(scenario("one"), determinism=Determinism(normalize=Normalize(siblings="by_start")))
    offset = ClockOffset(offset=Duration(10**9))
    with pytest.raises(SpecError, match="by_start"):
        build_plan(with_clock(ordered, FrozenClock()))
    assert build_plan(with_clock(ordered, offset))
    shared = suite(scenario("one"), scenario("two"), environment="suite")
    with pytest.raises(SpecError, match="does not tell in which"):
        build_plan(with_clock(shared, FrozenClock()))
    assert build_plan(with_clock(shared, offset))
