from __future__ import annotations

import re
from pathlib import Path

import pytest

from cleanroom.telemetry.registry import (
    COMMON,
    REGISTRY,
    ROOT,
    check_attributes,
    check_event,
    check_parent,
    render_registry,
    rule_for,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "spans.md"


def test_the_document_is_what_the_registry_says():
    assert DOCUMENT.read_text(encoding="utf-8") == render_registry(), "write docs/spans.md again, its head says how"


def test_the_document_names_every_span_and_attribute():
    text = render_registry()
    for rule in REGISTRY:
        assert f"## `{rule.name}`" in text
        for attribute in (*rule.attributes, *COMMON):
            assert f"| `{attribute.key}` |" in text


def test_every_parent_is_a_span_of_the_registry():
    names = {rule.name for rule in REGISTRY} | {ROOT}
    assert len(names) == len(REGISTRY) + 1
    assert {parent for rule in REGISTRY for parent in rule.parents} <= names


def test_every_name_is_reserved_and_keys_are_unique():
    for rule in REGISTRY:
        assert rule.name.startswith("cleanroom.")
        keys = [attribute.key for attribute in (*rule.attributes, *COMMON)]
        assert len(keys) == len(set(keys))


def test_no_code_sends_a_span_that_the_registry_lacks():
    root = Path(__file__).parents[3] / "cleanroom"
    opened = re.compile(r'\.(?:span|start)\(\s*f?"(cleanroom\.[^"]*)"')
    found = {name for path in root.rglob("*.py") for name in opened.findall(path.read_text(encoding="utf-8"))}
    for name in found:
        # A part that is put in at run time may be any word of the registry's names.
        shape = re.compile(".+".join(re.escape(part) for part in re.split(r"\{[^}]*\}", name)))
        assert any(shape.fullmatch(rule.name) for rule in REGISTRY), f"{name} is not in the registry"


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("cleanroom.iteration", "cleanroom.iteration"),
        ("cleanroom.step:two\nlines, a dot.", "cleanroom.step:<name>"),
        ("cleanroom.chaos.network.latency", "cleanroom.chaos.<family>.<fault>"),
        ("cleanroom.chaos.resource.cpu_stress", "cleanroom.chaos.<family>.<fault>"),
    ],
)
def test_patterns_cover_their_names(name, rule):
    assert rule_for(name).name == rule


@pytest.mark.parametrize(
    "name",
    ["", "cleanroom", "cleanroom.run", "cleanroom.step:", "cleanroom.iterations", "cleanroom.chaos.network", "GET /",
     "cleanroomxiteration", "cleanroom.chaos.a.b.c"],
)  # fmt: skip
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="not in the registry"):
        rule_for(name)


@pytest.mark.parametrize(
    "attributes",
    [{"outcome": "passed", "degraded": False}, {"cleanroom.suite": "s", "cleanroom.iteration": 0}, {}],
)
def test_attributes_of_the_registry_pass(attributes):
    check_attributes("cleanroom.scenario", attributes)


@pytest.mark.parametrize(
    "attributes",
    [{"surprise": 1}, {"outcome": "green"}, {"outcome": 1}, {"degraded": 1}, {"cleanroom.iteration": True}, {"": ""}],
)
def test_other_attributes_are_refused(attributes):
    with pytest.raises(ValueError, match="scenario"):
        check_attributes("cleanroom.scenario", attributes)


def test_faults_carry_their_parameters_and_evidence():
    name = "cleanroom.chaos.network.latency"
    check_attributes(name, {"parameter.delay": 500, "evidence.rtt_ms": 500.5, "evidence.hosts": ("a", "b")})
    check_event(name, "effect_verified")
    for broken in ({"parameter.": 1}, {"parameters": 1}, {"evidence": 1}):
        with pytest.raises(ValueError, match="not in the registry"):
            check_attributes(name, broken)
    with pytest.raises(ValueError, match="event 'slept'"):
        check_event(name, "slept")


def test_parents_are_held_to_the_registry():
    check_parent("cleanroom.iteration", "")
    check_parent("cleanroom.cleanup", "cleanroom.scenario")
    check_parent("cleanroom.retry.attempt", "cleanroom.step:x")
    for name, parent in [
        ("cleanroom.iteration", "cleanroom.scenario"),
        ("cleanroom.scenario", ""),
        ("cleanroom.recovery", "cleanroom.scenario"),
    ]:
        with pytest.raises(ValueError, match="the registry has it under"):
            check_parent(name, parent)
