from __future__ import annotations

import pytest

from cleanroom.quantity import Duration, Size
from cleanroom.spec.contract import Contract
from cleanroom.spec.determinism import Determinism
from cleanroom.spec.environment import Cleanup, EnvironmentLimits, Network
from cleanroom.spec.otel import Otel
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.shapes.place import Place, RefusedError
from cleanroom.spec.shapes.record import records_in
from cleanroom.spec.shapes.suite import SUITE, belongs, read_suite
from cleanroom.spec.suite import ComposeSource, Report
from tests.unit.spec.shapes.reading import FILE, Reading, node_of

MINIMAL = "cleanroom: 1\nservices: {db: {image: i}}\nscenarios: [{name: one, steps: [{name: wait, sleep: 1s}]}]\n"


def read(source, *, file=FILE):
    log = ProblemLog(file)
    try:
        value = read_suite(node_of(source), Place(log, "", belongs()))
    except RefusedError:
        value = None
    return Reading(value=value, problems=log.sorted(), deferred=log.unavailable())


def suite(source):
    reading = read(MINIMAL + source)
    assert not reading.problems
    return reading.value


def test_a_suite_has_the_defaults_of_the_language():
    read = suite("")
    assert (read.name, read.description, read.tags, read.tier, read.required) == ("x", "", (), "full", True)
    assert (read.environment, read.compose, read.contracts, read.expect) == ("scenario", None, None, None)
    assert (read.limits, read.network, read.cleanup, read.report) == (
        EnvironmentLimits(), Network(), Cleanup(), Report(),
    )  # fmt: skip
    assert (read.otel, read.determinism) == (Otel(), Determinism())


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        ("meta: {name: checkout}", "name", "checkout"),
        ("meta: {description: it lives}", "description", "it lives"),
        ("meta: {tags: [a, b]}", "tags", ("a", "b")),
        ("meta: {tier: weekly}", "tier", "weekly"),
        ("meta: {required: false}", "required", False),
        ("environment: suite", "environment", "suite"),
        ("limits: {memory: 1GiB}", "limits", EnvironmentLimits(memory=Size(2**30))),
        ("network: {mtu: 9000}", "network", Network(mtu=9000)),
        ("cleanup: {timeout: 1s}", "cleanup", Cleanup(timeout=Duration(10**9))),
        ('report: {redact: ["*x*"]}', "report", Report(redact=("*x*",))),
        ("compose: {file: c.yaml}", "compose", ComposeSource(file="c.yaml")),
        (
            "compose: {file: c.yaml, services: [a], profiles: [p], ignore: [networks]}",
            "compose",
            ComposeSource(file="c.yaml", services=("a",), profiles=("p",), ignore=("networks",)),
        ),
        ("contracts: {openapi: a, services: [db]}", "contracts", Contract(openapi="a", services=("db",))),
        ("otel: {collector: embedded}", "otel", Otel(collector="embedded")),
        ("determinism: {iterations: 2}", "determinism", Determinism(iterations=2)),
    ],
)
def test_each_key_has_its_place_in_the_model(source, name, expected):
    assert getattr(suite(source), name) == expected


def test_variables_and_a_matrix_leave_no_trace_in_the_model():
    assert suite("vars: {a: null, b: [1], c: {d: e}}\nmatrix: {n: [1, 2]}") == suite("")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("meta: {name: n, description: d, tags: [t]}", []),
        ("environment: suite\nvars: {a: 1}\nmatrix: {n: [1]}\ncompose: {file: c}", []),
        ("network: {egress: none}", []),
        ("meta: {tier: smoke}", []),
        ("meta: {required: true}", []),
        ("report: {redact: [a]}", ['"redact" in report']),
        ("contracts: {openapi: a, services: [db]}", ['"contracts"']),
    ],
)
def test_run_refuses_what_it_cannot_carry_out(source, words):
    reading = read(MINIMAL + source)
    assert [problem.message.split(" is part of")[0] for problem in reading.deferred] == words


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("meta: {tier: nightly}", ("wrong-value", 5, 15)),
        ("meta: {required: 1}", ("wrong-type", 5, 19)),
        ("meta: {tags: [a, a]}", ("duplicate-tag", 5, 19)),
        ("meta: {name: 5}", ("wrong-type", 5, 15)),
        ("meta: {title: x}", ("unknown-key", 5, 9)),
        ("environment: both", ("wrong-value", 5, 15)),
        ("vars: [a]", ("wrong-type", 5, 8)),
        ("matrix: {a: 1}", ("wrong-type", 5, 14)),
        ("report: {redact: x}", ("wrong-type", 5, 19)),
        ("compose: compose.yaml", ("wrong-type", 5, 11)),
        ("compose: {services: [a]}", ("missing-key", 5, 11)),
        ("compose: {file: c, services: []}", ("empty-list", 5, 31)),
        ("compose: {file: c, profiles: [p, p]}", ("duplicate-profile", 5, 35)),
        ("compose: {file: c, ignore: [k, k]}", ("duplicate-key", 5, 33)),
        ("contracts: {openapi: a}", ("missing-key", 5, 13)),
        ("contracts: {services: [db]}", ("missing-key", 5, 13)),
        ("contracts: {openapi: a, services: []}", ("empty-list", 5, 36)),
        ("ready_timeout: 5s", ("misplaced-key", 5, 2)),
        ("version: 2", ("unknown-key", 5, 2)),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands(source, found):
    assert read(MINIMAL + source).found == [found]


@pytest.mark.parametrize(
    ("line", "replacement", "found"),
    [
        ("cleanroom: 1\n", "", ("missing-key", 2, 2)),
        ("cleanroom: 1", "cleanroom: 2", ("wrong-value", 2, 13)),
        ("cleanroom: 1", 'cleanroom: "1"', ("wrong-value", 2, 13)),
        ("cleanroom: 1", "cleanroom: true", ("wrong-value", 2, 13)),
        ("services: {db: {image: i}}\n", "", ("missing-key", 2, 2)),
        ("[{name: one, steps: [{name: wait, sleep: 1s}]}]", "[]", ("empty-list", 4, 13)),
    ],
)
def test_a_suite_without_its_parts_is_refused(line, replacement, found):
    assert line in MINIMAL
    assert found in read(MINIMAL.replace(line, replacement)).found


def test_services_may_come_from_a_compose_file_alone():
    source = MINIMAL.replace("services: {db: {image: i}}", "compose: {file: compose.yaml}")
    assert read(source).problems == ()


def test_every_place_of_the_language_has_one_name():
    places = [record.place for record in records_in(SUITE)]
    assert sorted(places) == sorted(set(places))


def test_a_key_is_known_to_belong_where_a_record_has_it():
    assert belongs()["replicas"] == ("services.<name>",)
    assert belongs()["services"] == ("", "compose", "contracts", "expect.hermeticity")
