from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from cleanroom.errors import SpecError
from cleanroom.plan.timeline import draw
from cleanroom.quantity import Duration
from cleanroom.spec.fault import AtManual, AtOffset, Fault
from cleanroom.spec.target import Target
from tests.unit.plan.suites import MS, fault, scenario, suite

S = 10**9


def composite(kind, parameters, **fields):
    values = {"target": None, "kind": f"composite.{kind}", "parameters": MappingProxyType(parameters), **fields}
    values.setdefault("moment", AtOffset(offset=Duration(0)))
    return Fault(id=values.pop("id", "c"), **values)


def monkey(**fields):
    weights = fields.pop("weights", {"container.pause": 1.0, "a": 3.0})
    parameters = {"rate": 0.5, "every": Duration(S), "weights": weights, "max_concurrent": 1}
    parameters |= {key: fields.pop(key) for key in list(fields) if key in parameters}
    return composite("monkey", parameters, **{"target": Target(all=True), "duration": Duration(1000 * S), **fields})


PART = fault("a", moment=AtManual(), duration=Duration(S))


def drawn(*chaos, seed=42, services=("db", "api", "web")):
    (found,) = draw(suite(scenario("s", *chaos), services=services), seed)
    return next(event for event in found.events if event.fault.kind.startswith("composite."))


def test_a_monkey_has_every_tick_in_the_plan_with_who_and_what_drawn():
    ticks = drawn(PART, monkey()).inner
    assert [tick.moment for tick in ticks] == [AtOffset(offset=Duration(k * S)) for k in range(1000)]
    assert 420 < sum(tick.drawn for tick in ticks) < 580
    assert 650 < sum(tick.fault.id == "a" for tick in ticks) < 850
    paused = [tick for tick in ticks if tick.fault.kind == "container.pause"]
    assert {tick.targets for tick in paused} == {("api",), ("db",), ("web",)}
    assert all(tick.fault.duration == Duration(S) for tick in paused)
    assert len({tick.stream for tick in ticks}) == 1000


def test_a_monkey_keeps_its_bound_on_faults_at_a_time():
    long = replace(PART, duration=Duration(10 * S))
    for most in (1, 3):
        ticks = drawn(long, monkey(weights={"a": 1.0}, rate=1.0, max_concurrent=most, target=None)).inner
        begins = [k for k, tick in enumerate(ticks) if tick.drawn]
        assert max(sum(b <= k < b + 10 for b in begins) for k in range(1000)) == most


def test_a_monkey_without_a_duration_goes_on_until_the_scenario_times_out():
    assert len(drawn(PART, monkey(duration=None)).inner) == 60
    with pytest.raises(SpecError, match="60000 ticks, expected at most 10000"):
        drawn(PART, monkey(duration=None, every=Duration(MS)))


def test_another_seed_draws_another_monkey_and_one_fault_more_changes_nothing():
    assert drawn(PART, monkey()) == drawn(PART, monkey())
    assert drawn(PART, monkey()) == drawn(PART, fault("more"), monkey())
    assert [t.drawn for t in drawn(PART, monkey(), seed=1).inner] != [t.drawn for t in drawn(PART, monkey()).inner]


def test_concurrent_faults_have_the_window_of_the_composite():
    other = fault("b", target=Target(service="api"), moment=AtManual())
    event = drawn(PART, other, composite("concurrent", {"faults": ("a", "b")}, duration=Duration(5 * S)))
    assert [part.fault.id for part in event.inner] == ["a", "b"]
    assert all(part.fault.duration == Duration(5 * S) for part in event.inner)
    assert event.targets == ("db", "api")
    alone = drawn(PART, other, composite("concurrent", {"faults": ("a", "b")}))
    assert [part.fault.duration for part in alone.inner] == [Duration(S), None]


def test_a_sweep_has_one_case_for_each_value():
    parameters = {"fault": "a", "parameter": "delay", "values": ("100ms", "1s")}
    event = drawn(PART, composite("sweep", parameters))
    assert [part.parameters["delay"] for part in event.inner] == [Duration(100 * MS), Duration(S)]
    assert [part.occurrence for part in event.inner] == [0, 1]
    parameters = {"fault": "network.loss", "parameter": "percent", "values": (5, "10%")}
    event = drawn(composite("sweep", parameters, target=Target(service="db")))
    assert [part.parameters["percent"] for part in event.inner] == [5.0, 10.0]
    assert event.inner[0].targets == ("db",)


def test_a_cascade_strikes_its_root():
    event = drawn(composite("cascade", {"root": "db", "dependents": ("api",), "delay": Duration(0)}))
    assert [(part.fault.kind, part.targets) for part in event.inner] == [("container.kill", ("db",))]
    event = drawn(PART, composite("cascade", {"root": "a", "dependents": ("api",), "delay": Duration(0)}))
    assert [part.fault.id for part in event.inner] == ["a"]


def test_parts_of_an_undrawn_composite_are_not_drawn_either():
    outer = composite("concurrent", {"faults": ("c2",)}, probability=0.0)
    inner = composite("concurrent", {"faults": ("a",)}, id="c2", moment=AtManual())
    event = drawn(outer, inner, PART)
    assert not event.drawn
    assert not event.inner[0].drawn
    assert not event.inner[0].inner[0].drawn


def test_a_composite_of_itself_is_refused():
    with pytest.raises(SpecError, match="c → c2 → c"):
        drawn(composite("concurrent", {"faults": ("c2",)}), composite("concurrent", {"faults": ("c",)}, id="c2"))
    with pytest.raises(SpecError, match="'nobody', which is not there"):
        drawn(composite("concurrent", {"faults": ("nobody",)}))
