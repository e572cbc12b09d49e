from __future__ import annotations

import pytest

from cleanroom.spec.pattern import Pattern
from cleanroom.spec.runner_span import RUNNER_SPANS, span_names, unselectable
from cleanroom.telemetry.registry import REGISTRY

NAMES = span_names(["place"], ["network.latency"])


def test_the_names_are_those_of_the_registry():
    assert set(RUNNER_SPANS) == {rule.name for rule in REGISTRY}
    assert len(RUNNER_SPANS) == len(REGISTRY)


@pytest.mark.parametrize(
    "name",
    ["cleanroom.*", "cleanroom.step:place", "cleanroom.step:*", "cleanroom.chaos.network.*", "cleanroom.cleanup"],
)
def test_patterns_that_can_select(name):
    assert unselectable(Pattern(name), NAMES) is None


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("cleanroom.scenarios", "cleanroom.scenario"),
        ("cleanroom.step:plac", "cleanroom.step:place"),
        ("cleanroom.zzzz", ""),
    ],
)
def test_patterns_that_can_select_nothing_name_the_nearest(name, close):
    assert unselectable(Pattern(name), NAMES) == close


@pytest.mark.parametrize("pattern", [Pattern("web"), Pattern("cleanroom.zzzz", regex=True)])
def test_patterns_of_services_are_none_of_ours(pattern):
    assert unselectable(pattern, NAMES) is None


@pytest.mark.parametrize(
    ("general", "specific", "covers"),
    [("a*", "ab", True), ("a*", "a*", True), ("a*", "ab*", False), ("ab", "a*", False), ("*", "cleanroom.x", False)],
)
def test_what_one_pattern_certainly_covers_of_another(general, specific, covers):
    assert Pattern(general).covers(Pattern(specific)) is covers


def test_a_regular_expression_covers_the_names_it_is_found_in():
    assert Pattern("^GET", regex=True).covers(Pattern("GET /"))
    assert not Pattern("^GET", regex=True).covers(Pattern("POST /"))
