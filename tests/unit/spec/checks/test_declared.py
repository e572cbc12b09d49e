from __future__ import annotations

import pytest

from cleanroom.spec.checks.declared import declared_by_all, declared_in
from cleanroom.spec.checks.suite import _looks
from cleanroom.spec.fault import Fault
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.shapes.chaos import fault
from tests.unit.spec.shapes.reading import accepted, node_of

SCENARIO = """\
chaos: [{id: kill, fault: container.kill, target: db}, {id: broken, fault: nonsense}, {fault: nameless}]
steps:
  - {name: load, workload: {mix: [{step: {name: one}}]}}
  - {name: more, workload: {journal: orders, vars: {sku: uuid}, mix: []}}
  - {name: both, parallel: [{name: left, snapshot: {id: before}}, {name: right}]}
property: {oracle: {name: reference}}
"""


@pytest.fixture
def kill():
    read = accepted(fault, "{id: kill, fault: container.kill, target: db}")
    assert isinstance(read, Fault)
    return read


def test_what_is_written_is_declared_at_any_depth_and_even_where_it_is_broken(kill):
    declared = declared_in(Scenario(name="s", chaos=(kill,)), node_of(SCENARIO), ("db",))
    assert dict(declared.faults) == {"kill": kill, "broken": None}
    assert set(declared.steps) == {"load", "one", "more", "both", "left", "right", "reference"}
    assert (declared.journals, declared.snapshots, declared.services) == (("load", "orders"), ("before",), ("db",))
    assert dict(declared.groups) == {"load": ("worker",), "orders": ("worker", "sku")}
    assert dict(declared_in(None, node_of(SCENARIO), ()).faults) == {"kill": None, "broken": None}


def test_a_suite_declares_what_all_of_its_scenarios_do(kill):
    broken = declared_in(None, node_of(SCENARIO), ())
    whole = declared_in(Scenario(name="s", chaos=(kill,)), node_of("chaos: [{id: kill}]\nsteps: [{name: last}]"), ())
    together = declared_by_all((broken, whole), ("db",))
    assert dict(together.faults) == {"kill": kill, "broken": None}
    assert together.steps == (*broken.steps, "last")
    assert together.services == ("db",)
    assert dict(together.groups) == dict(broken.groups)


@pytest.mark.parametrize(
    ("scenario", "is_looking"),
    [
        ("steps: [{name: a, sleep: 1s}]", False),
        ("steps: [{http: {json: {expect: 1}}, retry: {}}]", False),
        ("chaos: [{at: {when: {expect: 1}}}]", False),
        ("expect: {outcome: passed}", True),
        ("steady_state: {probes: [{tcp: {}}]}", True),
        ("property: {given: {}}", False),
        ("property: {oracle: {name: a}}", True),
        ("steps: [{name: a, expect: {status: 200}}]", True),
        ("steps: [{name: a, wait_for: {tcp: {}}}]", True),
        ("steps: [{parallel: [{name: a}, {parallel: [{expect: {status: 200}}]}]}]", True),
        ("steps: [{workload: {mix: [{step: {expect: {status: 200}}}]}}]", True),
        ("steps: [{sql: {sessions: [{steps: [{sql: x}]}, {steps: [{expect: {rows: 1}}]}]}}]", True),
    ],
)
def test_a_scenario_looks_where_an_expectation_or_a_probe_decides(scenario, is_looking):
    assert _looks(node_of(scenario)) is is_looking
