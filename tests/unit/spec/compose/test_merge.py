from __future__ import annotations

import pytest

from cleanroom.spec.load import load_spec

SPEC = """
cleanroom: 1
compose: {compose}
{more}
scenarios:
  - {{name: s, steps: [{{name: t, exec: {{service: a, command: [x]}}}}]}}
"""


@pytest.fixture
def load(project):
    def load(compose_file, compose="{file: compose.yaml}", more=""):
        if compose_file:
            project.write("compose.yaml", compose_file)
        project.write("x.cleanroom.yaml", SPEC.format(compose=compose, more=more))
        return load_spec(project.root / "x.cleanroom.yaml", root=project.root, variables={}, environment={})

    return load


def problems(loaded):
    return [(str(problem.at), problem.code) for problem in loaded.problems]


def test_the_services_of_a_compose_file_are_the_suites(load):
    loaded = load(
        "services: {a: {image: i, environment: {T: '{{ x }}'}}, b: {image: j, depends_on: [a], ports: ['1']}}"
    )
    assert loaded.problems == ()
    services = {service.name: service for service in loaded.suites[0].services}
    assert sorted(services) == ["a", "b"]
    assert services["a"].environment == {"T": "{{ x }}"}
    assert services["b"].depends_on == ("a",)
    assert services["a"].at.file == "compose.yaml"


def test_they_stand_beside_the_specs_own(load):
    loaded = load("services: {b: {image: i, depends_on: [a]}}", more="services: {a: {image: j}}")
    assert loaded.problems == ()
    assert [service.name for service in loaded.suites[0].services] == ["a", "b"]


def test_a_name_of_both_is_an_error(load):
    loaded = load("services: {a: {image: i}}", more="services: {a: {image: j}}")
    assert problems(loaded) == [("x.cleanroom.yaml:3:12", "duplicate-service")]


def test_what_cannot_be_taken_is_an_error_in_the_compose_file_with_its_line(load):
    loaded = load("services:\n  a:\n    image: i\n    privileged: true\n")
    assert problems(loaded) == [("compose.yaml:4:5", "not-taken")]
    assert loaded.problems[0].excerpt.startswith("    privileged: true\n")
    assert "services.a.privileged" in loaded.problems[0].suggestion


@pytest.mark.parametrize("name", ["services.a.privileged", "privileged", "services.a", "a.privileged"])
def test_what_is_ignored_is_none(load, name):
    loaded = load("services: {a: {image: i, privileged: true}}", f"{{file: compose.yaml, ignore: [{name}]}}")
    assert loaded.problems == ()
    assert len(loaded.suites) == 1


@pytest.mark.parametrize("name", ["services.a.privilege", "rivileged", "b", "services.b.privileged"])
def test_an_ignore_that_names_nothing_is_an_error(load, name):
    loaded = load("services: {a: {image: i, privileged: true}}", f"{{file: compose.yaml, ignore: [{name}]}}")
    assert problems(loaded) == [("compose.yaml:1:26", "not-taken"), ("x.cleanroom.yaml:2:40", "unknown-name")]


def test_an_item_is_ignored_by_the_key_of_its_list(load):
    loaded = load("services: {a: {image: i, links: ['a:b']}}", "{file: compose.yaml, ignore: [links]}")
    assert [code for _, code in problems(loaded)] == []


def test_a_broken_compose_file_is_reported_where_it_is_broken(load):
    assert ("compose.yaml:2:1", "yaml-syntax") in problems(load("services: {a: \n"))


def test_a_value_that_the_language_refuses_is_shown_in_the_compose_file(load):
    loaded = load("services:\n  a:\n    image: i\n    stop_signal: what\n")
    assert problems(loaded) == [("compose.yaml:4:18", "wrong-value")]
    assert loaded.problems[0].excerpt.startswith("    stop_signal: what\n")


def test_only_the_wanted_services_are_taken(load):
    text = "services: {a: {image: i}, b: {image: j, profiles: [p]}, c: {image: k, privileged: true}}"
    named = load(text, "{file: compose.yaml, services: [a, b]}")
    assert [service.name for service in named.suites[0].services] == ["a", "b"]
    profile = load(text, "{file: compose.yaml, profiles: [p], ignore: [privileged]}")
    assert [service.name for service in profile.suites[0].services] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("compose", "code"),
    [
        ("{file: none.yaml}", "missing-path"),
        ("{file: ../compose.yaml}", "outside"),
        ("{files: compose.yaml}", "missing-key"),
        ("{file: [a]}", "wrong-type"),
    ],
)
def test_a_compose_that_means_no_file_or_no_service_is_an_error(load, project, compose, code):
    (project.root.parent / "compose.yaml").write_text("services: {a: {image: i}}")
    assert code in [found for _, found in problems(load("services: {a: {image: i}}", compose))]


def test_a_wanted_service_that_is_not_there_is_reported_where_it_is_wanted(load):
    loaded = load("services: {a: {image: i}}", "{file: compose.yaml, services: [a, z]}")
    assert problems(loaded) == [("x.cleanroom.yaml:2:45", "unknown-service")]


@pytest.mark.parametrize(
    ("compose_file", "compose", "found"),
    [
        ("", "{file: nothing.yaml}", [("x.cleanroom.yaml:2:17", "missing-path")]),
        ("", "{file: ../x.yaml}", [("x.cleanroom.yaml:2:17", "outside")]),
        ("", "compose.yaml", [("x.cleanroom.yaml:2:10", "wrong-type")]),
        ("services: [", "{file: compose.yaml}", [("compose.yaml:1:12", "yaml-syntax")]),
        ("services: {}", "{file: compose.yaml}", [("compose.yaml:1:11", "empty-list")]),
        (
            "services: {b: {image: i}}", "{file: compose.yaml, services: [bb]}",
            [("x.cleanroom.yaml:2:42", "unknown-service")],
        ),
    ],
)  # fmt: skip
def test_nothing_is_said_of_services_that_could_be_those_that_were_not_taken(load, compose_file, compose, found):
    assert problems(load(compose_file, compose)) == found
