from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.quantity import Duration
from cleanroom.spec.generator import (
    BooleanGenerator,
    ChoiceWeightedGenerator,
    FloatGenerator,
    IdentifierGenerator,
    IntegerGenerator,
    ListGenerator,
    OneOfGenerator,
    SequenceGenerator,
    TableDefinitionGenerator,
    TextGenerator,
    UuidGenerator,
    WeightedChoice,
)
from cleanroom.spec.query import HttpAction
from cleanroom.spec.retry import Retry
from cleanroom.spec.shapes.generator import generator, generators
from cleanroom.spec.shapes.workload import workload
from cleanroom.spec.step import Step, WorkloadAction
from cleanroom.spec.workload import Operation, Workload
from tests.unit.spec.shapes.reading import accepted, read

MIX = "mix: [{step: {name: r, http: {service: a}}}]"
READ = Step(name="r", action=HttpAction(service="a"))


def loaded(**values):
    return WorkloadAction(workload=Workload(**{"mix": (Operation(step=READ),), **values}))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("operations: 9", loaded(operations=9)),
        ("duration: 2s", loaded(duration=Duration(2 * 10**9))),
        ("operations: 9, workers: 100, barrier: true", loaded(operations=9, workers=100, barrier=True)),
        ("operations: 9, rate: 50", loaded(operations=9, rate=50.0)),
        ("operations: 9, think: 10ms", loaded(operations=9, think=Duration(10**7))),
        ("operations: 9, vars: {n: integer}", loaded(operations=9, vars={"n": IntegerGenerator()})),
        ("operations: 9, retry: {attempts: 2}", loaded(operations=9, retry=Retry(attempts=2))),
        ("operations: 9, journal: j", loaded(operations=9, journal="j")),
    ],
)
def test_each_key_has_its_place_in_the_model(source, expected):
    assert accepted(workload, f"{{{source}, {MIX}}}") == expected


def test_the_name_of_a_journal_knows_the_iteration_and_nothing_else_of_the_run():
    found = accepted(workload, f"{{operations: 1, journal: 'j-{{{{ iteration }}}}', {MIX}}}").workload.journal
    assert found == "j-{{ iteration }}"
    assert found.names == {"iteration"}
    problems = read(workload, f"{{operations: 1, journal: 'j-{{{{ worker }}}}', {MIX}}}").problems
    assert [problem.code for problem in problems] == ["out-of-place-name"]


def test_a_mix_weighs_its_operations_whose_steps_know_worker_and_operation():
    step = "{name: w, http: {service: a, body: '{{ worker }}{{ operation }}'}}"
    source = f"{{operations: 1, mix: [{{weight: 2.5, step: {step}}}]}}"
    (found,) = accepted(workload, source).workload.mix
    assert (found.weight, found.step.name, found.step.action.body) == (2.5, "w", "{{ worker }}{{ operation }}")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{operations: 1, duration: 1s, " + MIX + "}", ("one-of", 2, 18)),
        ("{" + MIX + "}", ("one-of", 2, 2)),
        ("{operations: 1}", ("missing-key", 2, 2)),
        ("{operations: 1, mix: []}", ("empty-list", 2, 23)),
        ("{operations: 1, mix: [{weight: 1}]}", ("missing-key", 2, 24)),
        ("{operations: 1, mix: [{weight: 0, step: {name: r, http: {service: a}}}]}", ("wrong-value", 2, 33)),
        ("{operations: 1, mix: [{step: {name: r, sleep: 1s}}]}", ("one-of", 2, 31)),
        ("{operations: 0, " + MIX + "}", ("wrong-value", 2, 15)),
        ("{operations: 1, workers: 101, " + MIX + "}", ("wrong-value", 2, 27)),
        ("{operations: 1, workers: 0, " + MIX + "}", ("wrong-value", 2, 27)),
        ("{operations: 1, rate: 0, " + MIX + "}", ("wrong-value", 2, 24)),
        ("{operations: 1, rate: 1, think: 1s, " + MIX + "}", ("one-of", 2, 27)),
        ("{operations: 1, vars: {}, " + MIX + "}", ("empty-list", 2, 24)),
        ("{operations: 1, vars: {a-b: uuid}, " + MIX + "}", ("wrong-value", 2, 25)),
        ("{operations: 1, journal: '', " + MIX + "}", ("wrong-type", 2, 27)),
    ],
)
def test_a_workload_that_does_not_fit_is_refused_where_it_stands(source, found):
    assert found in read(workload, source).found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("integer", IntegerGenerator()),
        ("{integer: {min: -3, max: 3}}", IntegerGenerator(min=-3, max=3)),
        ("float", FloatGenerator()),
        ("{float: {min: -1.5, max: 2}}", FloatGenerator(min=-1.5, max=2.0)),
        ("boolean", BooleanGenerator()),
        ("text", TextGenerator()),
        ("{text: {min: 1, max: 3, alphabet: ab}}", TextGenerator(min=1, max=3, alphabet="ab")),
        ("identifier", IdentifierGenerator()),
        ("{identifier: {max: 5}}", IdentifierGenerator(max=5)),
        ("{one_of: [1, a, null, {b: [2]}]}", OneOfGenerator(values=(1, "a", None, {"b": [2]}))),
        ("{list: {of: {list: {of: uuid}}, min: 1, max: 2}}",
         ListGenerator(of=ListGenerator(of=UuidGenerator()), min=1, max=2)),
        ("table_definition", TableDefinitionGenerator()),
        ("{table_definition: {columns: 3}}", TableDefinitionGenerator(columns=3)),
        ("sequence", SequenceGenerator()),
        ("{sequence: {start: 0, step: 5}}", SequenceGenerator(start=0, step=5)),
        ("uuid", UuidGenerator()),
        ("{choice_weighted: [{value: a, weight: 3}, {value: null}]}",
         ChoiceWeightedGenerator(choices=(WeightedChoice(value="a", weight=3.0), WeightedChoice(value=None)))),
    ],
)  # fmt: skip
def test_each_generator_has_its_place_in_the_model(source, expected):
    assert accepted(generator, source) == expected


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("intger", ("wrong-value", 2, 2)),
        ("one_of", ("wrong-value", 2, 2)),
        ("{uuid: {}}", ("unknown-key", 2, 3)),
        ("{}", ("one-of", 2, 2)),
        ("{integer: {}, float: {}}", ("one-of", 2, 16)),
        ("{integer: {min: 2, max: 1}}", ("contradiction", 2, 21)),
        ("{integer: {min: 2147483648}}", ("contradiction", 2, 13)),
        ("{integer: {max: 1.5}}", ("wrong-type", 2, 18)),
        ("{float: {min: 2}}", ("contradiction", 2, 11)),
        ("{text: {min: 30}}", ("contradiction", 2, 10)),
        ("{text: {alphabet: ''}}", ("wrong-type", 2, 20)),
        ("{identifier: {max: 0}}", ("wrong-value", 2, 21)),
        ("{one_of: []}", ("empty-list", 2, 11)),
        ("{one_of: ['{{ captured }}']}", ("known-too-late", 2, 12)),
        ("{list: {max: 1}}", ("missing-key", 2, 9)),
        ("{list: {of: integer, min: 11}}", ("contradiction", 2, 23)),
        ("{table_definition: {columns: 0}}", ("wrong-value", 2, 31)),
        ("{sequence: {step: 0}}", ("wrong-value", 2, 20)),
        ("{choice_weighted: []}", ("empty-list", 2, 20)),
        ("{choice_weighted: [{weight: 1}]}", ("missing-key", 2, 21)),
        ("{choice_weighted: [{value: 1, weight: 0}]}", ("wrong-value", 2, 40)),
        ("[1]", ("wrong-type", 2, 2)),
    ],
)
def test_a_generator_that_does_not_fit_is_refused_where_it_stands(source, found):
    assert found in read(generator, source).found


@given(low=st.integers(-(2**63), 2**63 - 1), high=st.integers(-(2**63), 2**63 - 1))
def test_bounds_are_accepted_exactly_when_something_lies_between(low, high):
    reading = read(generator, f"{{integer: {{min: {low}, max: {high}}}}}")
    assert reading.codes == ([] if low <= high else ["contradiction"])


def test_generated_values_have_names_that_templates_can_use():
    assert accepted(generators, "{a_1: uuid}") == {"a_1": UuidGenerator()}
    assert read(generators, "{1a: uuid}").codes == ["wrong-value"]
