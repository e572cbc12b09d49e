from __future__ import annotations

import pytest

from cleanroom.spec.checks.service import check_services, declared_services
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.shapes.place import Place
from cleanroom.spec.shapes.service import LONGEST_NAME, services
from cleanroom.spec.shapes.suite import SUITE
from cleanroom.spec.suite import Suite
from tests.unit.spec.shapes.reading import FILE, node_of


def check(source, rest=""):
    """Return what is found in services written on line 3, and in the lines after them."""
    document = node_of(f"services:\n  {source}\n{rest}")
    log = ProblemLog(FILE)
    place = Place(log)
    read = {key: SUITE.keys[key].shape(document.get(key), place) for key in ("limits",) if document.get(key)}
    found = tuple(services(document.get("services"), place.key("services")).values())
    assert not log.sorted()
    check_services(Suite(name="x", file=FILE, services=found, **read), document, log)
    return [(problem.code, problem.at.line, problem.at.column) for problem in log.sorted()], log


@pytest.mark.parametrize(
    ("source", "cycle"),
    [
        ("{a: {image: i, depends_on: [a]}}", "a -> a"),
        (
            "{a: {image: i, depends_on: [b]}, b: {image: i, depends_on: [c]}, c: {image: i, depends_on: [a]}}",
            "a -> b -> c -> a",
        ),
        (
            "{z: {image: i, depends_on: [a]}, a: {image: i, depends_on: [b]}, b: {image: i, depends_on: [a]}}",
            "a -> b -> a",
        ),
    ],
)
def test_a_cycle_is_named_in_its_order(source, cycle):
    found, log = check(source)
    assert [code for code, *_ in found] == ["dependency-cycle"]
    assert log.sorted()[0].message.endswith(cycle)


def test_services_that_share_a_dependency_are_no_cycle():
    assert check("{a: {image: i, depends_on: [b, c]}, b: {image: i, depends_on: [c]}, c: {image: i}}")[0] == []


def test_an_unknown_dependency_is_told_the_nearest_name():
    found, log = check("{cache: {image: i}, db: {image: i, depends_on: [cahce]}}")
    assert found == [("unknown-service", 3, 52)]
    assert log.sorted()[0].suggestion == "did you mean cache?"


def test_a_replica_is_not_called_as_a_service_is():
    found, log = check("{db-2: {image: i}, db: {image: i, replicas: 3}}")
    assert found == [("duplicate-service", 3, 48)]
    assert log.sorted()[0].got == "the service is at x.cleanroom.yaml:3:5"
    assert check("{db-2: {image: i}, db: {image: i, replicas: 1}}")[0] == []
    assert check("{db-4: {image: i}, db: {image: i, replicas: 3}}")[0] == []


def test_the_name_of_a_replica_is_not_too_long():
    name = "d" * (LONGEST_NAME - 2)
    assert check(f"{{{name}: {{image: i, replicas: 9}}}}")[0] == []
    assert [code for code, *_ in check(f"{{{name}: {{image: i, replicas: 10}}}}")[0]] == ["wrong-value"]


def test_services_are_declared_by_their_own_name_and_those_of_their_replicas():
    document = node_of("services: {db: {image: 5, replicas: 2}, one: {image: i, replicas: 1}, broken: x}")
    assert declared_services(document) == ("db", "db-1", "db-2", "one", "broken")
    assert declared_services(node_of("services: [a]")) == ()
    assert declared_services(node_of("services: {db: {replicas: 1000000000}}")) == ("db",)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{a: {mock: {openapi: o, hosts: [h, h]}}}", ("duplicate-host", 3, 39)),
        ("{a: {mock: {openapi: o, hosts: [h]}}, b: {mock: {openapi: o, hosts: [H]}}}", ("duplicate-host", 3, 73)),
        ("{a: {mock: {openapi: o, hosts: [a]}}}", ("duplicate-host", 3, 36)),
        ("{a: {mock: {openapi: o, hosts: [b-2]}}, b: {image: i, replicas: 2}}", ("duplicate-host", 3, 36)),
    ],
)
def test_one_answers_to_each_name(source, found):
    assert check(source)[0] == [found]


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("tmpfs: {/d: 1k}, volumes: [{name: v, target: /d}]", True),
        ("tmpfs: {/d/: 1k}, volumes: [{name: v, target: /d}]", True),
        ("files: {/d: x}, volumes: [{name: v, target: /d/}]", True),
        ("volumes: [{name: v, target: /d}, {name: w, target: /d}]", True),
        ("tmpfs: {/d: 1k}, files: {/e/x: y}, volumes: [{name: v, target: /d/y}]", False),
    ],
)
def test_one_thing_is_at_each_path(source, is_found):
    whole = f"{{a: {{image: i, {source}}}}}"
    at = whole.rindex("target: ") + len("target: ") + 4
    assert check(whole)[0] == ([("duplicate-target", 3, at)] if is_found else [])


@pytest.mark.parametrize(
    ("path", "is_hidden"), [("/d/x", True), ("/d//a/x", True), ("/d", True), ("/dd/x", False), ("/x", False)]
)
def test_a_file_under_a_tmpfs_would_never_be_seen(path, is_hidden):
    found, _ = check(f"{{a: {{image: i, tmpfs: {{/d/: 1k}}, files: {{{path}: y}}}}}}")
    assert [code for code, *_ in found] == (["contradiction"] if is_hidden else [])


@pytest.mark.parametrize(("limit", "found"), [(3, [("impossible", 4, 23)]), (4, [])])
def test_the_services_alone_keep_the_limit_of_containers(limit, found):
    source = "{a: {image: i, replicas: 3}, b: {image: i}, c: {mock: {openapi: o}}}"
    assert check(source, f"limits: {{containers: {limit}}}")[0] == found


def test_a_contract_is_about_services_that_exist():
    found, _ = check("{api: {image: i}}", "contracts: {openapi: a, services: [api, ap]}")
    assert found == [("unknown-service", 4, 42)]
