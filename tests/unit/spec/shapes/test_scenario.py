from __future__ import annotations

import pytest

from cleanroom.quantity import Duration
from cleanroom.spec.generator import IntegerGenerator
from cleanroom.spec.probe import Probe, TcpProbe
from cleanroom.spec.property import Property
from cleanroom.spec.query import ExecAction
from cleanroom.spec.scenario import ExpectedFailure, KnownFailure, Scenario
from cleanroom.spec.shapes.scenario import scenario
from cleanroom.spec.steady_state import SteadyState
from cleanroom.spec.step import SleepAction, Step
from tests.unit.spec.shapes.reading import accepted, deferred, read

S = 10**9
WAIT = Step(name="w", action=SleepAction(duration=Duration(S)))
ASK = Probe(question=TcpProbe(service="a", port=1))
REST = "steps: [{name: w, sleep: 1s}]"

ORACLE = "oracle: {name: o, exec: {service: a, command: [b, '{{ example }}']}}"


def with_(**values):
    return Scenario(**{"name": "x", "steps": (WAIT,), **values})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("description: d, tags: [a, b]", with_(description="d", tags=("a", "b"))),
        ("timeout: 2s", with_(timeout=Duration(2 * S))),
        ("deadline: 60s", with_(deadline=Duration(60 * S))),
        ("steady_state: {probes: [{tcp: {service: a, port: 1}}]}", with_(steady_state=SteadyState(probes=(ASK,)))),
        (
            "steady_state: {probes: [{tcp: {service: a, port: 1}}], when: [after], during: {interval: 200ms}}",
            with_(steady_state=SteadyState(probes=(ASK,), when=("after",), during=Duration(S // 5))),
        ),
        ("expect_failure: true", with_(expect_failure=ExpectedFailure())),
        ("expect_failure: {reason: r}", with_(expect_failure=ExpectedFailure(reason="r"))),
        ("expect_failure: false", with_()),
        ("known_failure: {reason: r}", with_(known_failure=KnownFailure(reason="r"))),
        ("known_failure: {reason: r, strict: false}", with_(known_failure=KnownFailure(reason="r", strict=False))),
        ("allow_inconclusive: {reason: r}", with_(allow_inconclusive="r")),
        ("property: {given: {n: integer}}", with_(property=Property(given={"n": IntegerGenerator()}))),
        (
            f"property: {{given: {{n: integer}}, examples: 9, isolation: example, shrink: {{budget: 0}}, {ORACLE}}}",
            with_(
                property=Property(
                    given={"n": IntegerGenerator()},
                    examples=9,
                    isolation="example",
                    shrink=Duration(0),
                    oracle=Step(name="o", action=ExecAction(service="a", command=("b", "{{ example }}"))),
                )
            ),
        ),
        ("vary: [start_order, cpus]", with_(vary=("start_order", "cpus"))),
        ("chaos: []", with_()),
    ],
)
def test_each_key_has_its_place_in_the_model(source, expected):
    assert accepted(scenario, f"{{name: x, {source}, {REST}}}") == expected


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{name: x}", ("missing-key", 2, 2)),
        ("{" + REST + "}", ("missing-key", 2, 2)),
        ("{name: x, steps: []}", ("empty-list", 2, 19)),
        ("{name: x, deadline: 61s, " + REST + "}", ("contradiction", 2, 12)),
        ("{name: x, timeout: 1s, deadline: 2s, " + REST + "}", ("contradiction", 2, 25)),
        ("{name: x, deadline: 0, " + REST + "}", ("wrong-value", 2, 22)),
        ("{name: x, steady_state: {probes: []}, " + REST + "}", ("empty-list", 2, 35)),
        ("{name: x, steady_state: {when: [after]}, " + REST + "}", ("missing-key", 2, 26)),
        (
            "{name: x, steady_state: {probes: [{tcp: {service: a, port: 1}}], when: [after, after]}, " + REST + "}",
            ("duplicate-phase", 2, 81),
        ),
        ("{name: x, steady_state: {probes: [{exit: 0}]}, " + REST + "}", ("unknown-key", 2, 37)),
        ("{name: x, expect_failure: maybe, " + REST + "}", ("wrong-type", 2, 28)),
        ("{name: x, expect_failure: true, known_failure: {reason: r}, " + REST + "}", ("contradiction", 2, 34)),
        ("{name: x, known_failure: {strict: true}, " + REST + "}", ("missing-key", 2, 27)),
        ("{name: x, property: {}, " + REST + "}", ("missing-key", 2, 22)),
        ("{name: x, property: {given: {a: uuid}, examples: 0}, " + REST + "}", ("wrong-value", 2, 51)),
        ("{name: x, property: {given: {a: uuid}, isolation: none}, " + REST + "}", ("wrong-value", 2, 52)),
        ("{name: x, property: {given: {a: uuid}, oracle: {name: o, sleep: 1s}}, " + REST + "}", ("one-of", 2, 49)),
        ("{name: x, vary: [start], " + REST + "}", ("wrong-value", 2, 19)),
        ("{name: x, vary: [cpus, cpus], " + REST + "}", ("duplicate-nuisance", 2, 25)),
        ("{name: x, faults: [], " + REST + "}", ("unknown-key", 2, 12)),
    ],
)
def test_a_scenario_that_does_not_fit_is_refused_where_it_stands(source, found):
    assert found in read(scenario, source).found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("description: d, tags: [a], timeout: 1s, allow_inconclusive: {reason: r}", []),
        ("deadline: 1s", []),
        ("steady_state: {probes: [{tcp: {service: a, port: 1}}]}", []),
        ("expect_failure: {reason: r}", []),
        ("known_failure: {reason: r}", []),
        ("property: {given: {a: uuid}}", []),
        ("vary: [cpus]", []),
    ],
)
def test_run_refuses_what_it_cannot_carry_out(source, found):
    assert [words for _, words in deferred(scenario, f"{{name: x, {source}, {REST}}}")] == found


def test_examples_are_known_only_in_a_scenario_with_a_property():
    step = "steps: [{name: w, http: {service: a, body: '{{ example }}'}}]"
    assert read(scenario, f"{{name: x, {step}}}").codes == ["out-of-place-name"]
    assert not read(scenario, f"{{name: x, property: {{given: {{a: uuid}}}}, {step}}}").problems


def test_all_steps_are_those_inside_others_and_the_oracle_too():
    found = accepted(
        scenario,
        "{name: x, steps: [{name: a, parallel: [{name: b, sleep: 1s}]}, {name: c, sleep: 1s}], "
        "property: {given: {n: uuid}, oracle: {name: o, exec: {service: s, command: t}}}}",
    )
    assert [step.name for step in found.all_steps()] == ["a", "b", "c", "o"]
