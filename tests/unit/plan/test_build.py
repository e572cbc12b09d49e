from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.errors import SpecError, UsageError
from cleanroom.plan.build import build_plan, start_waves
from cleanroom.quantity import Duration
from cleanroom.spec.fault import Repeat
from cleanroom.spec.service import Service
from cleanroom.spec.source import Position
from cleanroom.spec.suite import Determinism
from tests.unit.plan.suites import fault, scenario, suite

GOLDEN = suite(
    scenario("an order is stored", fault("slow-db", probability=0.5, repeat=Repeat(every=Duration(1), times=3)))
)


def services(**depends_on):
    return tuple(Service(name=name, image=name, depends_on=tuple(of)) for name, of in depends_on.items())


def test_golden_digests_hold_until_a_schema_number_changes():
    plan = build_plan(GOLDEN)
    assert plan.schedule_digest == "sha256:ed8c3ec03f0cfbebe7dbfa6c56a24e98ba8efedfe183f1361d317d6acc9e08cd"
    assert plan.plan_digest == "sha256:8a91497e2fff0d947d08d9782faae14c2d9852fa742f04ca1b5ec9e15643ba7a"


@pytest.mark.parametrize(
    ("caller", "spec", "expected"), [(7, 5, 7), (None, 5, 5), (None, None, 42), (0, 5, 0), (None, 0, 0)]
)
def test_seed_precedence(caller, spec, expected):
    assert build_plan(replace(GOLDEN, determinism=Determinism(seed=spec)), seed=caller).seed == expected


def test_a_random_seed_must_have_been_drawn_by_the_caller():
    random = replace(GOLDEN, determinism=Determinism(random_seed=True))
    assert build_plan(random, seed=3).seed == 3
    with pytest.raises(UsageError, match="no seed was drawn"):
        build_plan(random)


def test_iterations_come_from_the_caller_else_from_the_spec_and_are_bounded():
    assert build_plan(GOLDEN).iterations == 5
    assert build_plan(GOLDEN, iterations=2).iterations == 2
    for wrong in (0, 101):
        with pytest.raises(UsageError, match="expected 1 to 100"):
            build_plan(GOLDEN, iterations=wrong)


def test_the_schedule_digest_depends_on_seed_and_faults_and_on_nothing_else():
    plan = build_plan(GOLDEN)
    other_services = replace(GOLDEN, services=(*GOLDEN.services, Service(name="new", image="new")), description="x")
    assert build_plan(other_services).schedule_digest == plan.schedule_digest
    assert build_plan(other_services).plan_digest != plan.plan_digest
    assert build_plan(GOLDEN, iterations=2).schedule_digest == plan.schedule_digest
    assert build_plan(GOLDEN, seed=43).schedule_digest != plan.schedule_digest
    changed = replace(GOLDEN, scenarios=(scenario("an order is stored", fault("slow-db", direction="both")),))
    assert build_plan(changed).schedule_digest != plan.schedule_digest


def test_moving_a_block_in_the_file_changes_no_digest():
    moved = replace(
        GOLDEN, at=Position("x", 9, 9), services=tuple(replace(s, at=Position("x", 1, 1)) for s in GOLDEN.services)
    )
    assert build_plan(moved).plan_digest == build_plan(GOLDEN).plan_digest


def test_waves_follow_dependencies_and_sort_by_name():
    found = start_waves(services(web=["api"], api=["db", "cache"], db=[], cache=[], alone=[]))
    assert found == (("alone", "cache", "db"), ("api",), ("web",))


def test_a_cycle_is_named():
    with pytest.raises(SpecError, match=r"(a → b → c → a|b → c → a → b|c → a → b → c)"):
        start_waves(services(a=["b"], b=["c"], c=["a"]))


def test_an_unknown_dependency_is_named():
    with pytest.raises(SpecError, match="'api' depends on 'bd', which is not a service"):
        start_waves(services(api=["bd"], db=[]))


def test_addresses_are_in_order_of_name_from_ten():
    assert dict(build_plan(GOLDEN).addresses) == {"api": 10, "db": 11, "web": 12}


def test_more_services_than_addresses_are_refused():
    names = tuple(f"s{index}" for index in range(246))
    assert max(build_plan(suite(services=names[:245])).addresses.values()) == 254
    with pytest.raises(SpecError, match=r":\d+:\d+: 246 containers"):
        build_plan(suite(services=names))
