"""What a run tells of its workloads and its services: on the scenario's span, as measurements, in its record."""

from __future__ import annotations

from cleanroom.run.record import ScenarioRecord
from cleanroom.spec.expect import Expect
from cleanroom.spec.resilience import ResourceExpectation
from cleanroom.validate.resilience.told import Told
from tests.unit.run.test_usage import Played, use
from tests.unit.run.worlds import behaving, shop
from tests.unit.validate.builders import AT


def figures(record: ScenarioRecord):
    assert record.name
    return (
        Told(journal="orders", figure="latency.p99", value=0.4, unit="s", words="400ms"),
        Told(journal="orders", figure="operations", value=20, unit="{operation}", words="20"),
    )


def test_figures_are_on_the_scenarios_span_and_measured(tmp_path):
    world = behaving(more={"figures": figures})
    record = world.iterate(tmp_path)
    assert record.trouble is None
    (tracer,) = world.tracers
    (span,) = tracer.named("cleanroom.scenario")
    assert span.attributes["figure.orders.latency.p99"] == 0.4
    where = {"cleanroom.scenario": record.scenarios[0].name, "cleanroom.journal": "orders"}
    assert tracer.measured == [
        ("cleanroom.resilience.latency.p99", "s", 0.4, where),
        ("cleanroom.resilience.operations", "{operation}", 20, where),
    ]


def test_services_are_watched_where_a_spec_expects_something_of_what_they_use(tmp_path):
    expect = Expect(resources=(ResourceExpectation(service="api", at=AT),), at=AT)
    watched = behaving(shop(expect=expect), more={"gauge": lambda _state: Played(use(peak=77))})
    record = watched.iterate(tmp_path / "watched")
    assert {s.name: s.resources.memory_peak for s in record.scenarios[0].services} == {"api": 77, "db": 77}
    unwatched = behaving(more={"gauge": lambda _state: Played(use())}).iterate(tmp_path / "unwatched")
    assert {s.resources for s in unwatched.scenarios[0].services} == {None}
