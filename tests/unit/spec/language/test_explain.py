from __future__ import annotations

import pytest

from cleanroom.spec.language.explain import Explanation, closest, explain, render_explanations

RULES = {"a rule of the judge": {"spans.count": "as many spans were selected as the spec wants"}}


def titles(name, language):
    return [one.title for one in explain(name, language, RULES)]


@pytest.mark.parametrize(
    "name",
    ["ready", "services.<name>.ready", "services.db.ready", "services.db.ready[]", "services.db.ready[0]", "db.ready"],
)
def test_a_key_is_found_by_its_name_its_path_and_a_path_of_a_spec(name, language):
    assert titles(name, language) == ["services.<name>.ready"]


def test_a_path_that_goes_on_finds_the_key_inside(language):
    assert titles("services.db.ready[0].tcp", language) == ["services.<name>.ready[].tcp"]


def test_every_match_is_listed_with_its_path(language):
    assert titles("kind", language) == ["expect.spans[].kind"]
    assert titles("expect", language) == ["expect", "scenarios[].expect"]


def test_the_same_key_in_several_places_is_explained_once_with_all_of_its_paths(language):
    (found,) = explain("id", language, RULES)
    assert found.title == "id of the fault container.kill"
    told = " ".join(found.lines)
    assert "also at: id of the fault network.loss," in " ".join(told.split())
    assert "id of the fault network.other-9" in told


def test_expect_stands_for_a_scenario_s_too(language):
    assert titles("scenarios[].expect.spans", language) == ["expect.spans"]
    assert titles("nothing.expect.spans", language) == []


def test_a_service_is_explained_with_its_keys(language):
    (found,) = explain("services.db", language, RULES)
    text = "\n".join(found.lines)
    assert found.title == "services.<name>"
    assert "A container." in text
    assert "required: image" in text
    assert "stop_grace: text (default 2s). How long it has." in text


def test_a_fault_is_explained_with_its_parameters(language):
    (found,) = explain("network.loss", language, RULES)
    assert found.title == "the fault network.loss"
    assert "required: percent" in found.lines
    assert any(
        "percent: a whole number from 1 to 100 (not carried out by run yet). How many." in x for x in found.lines
    )


def test_a_parameter_is_found_by_the_path_of_its_fault(language):
    assert titles("network.loss.percent", language) == ["percent of the fault network.loss"]


def test_a_key_tells_type_default_example_and_problems(language):
    (found,) = explain("stop_grace", language, RULES)
    assert found.lines == (
        "How long it has.",
        "takes:    text",
        "default:  2s",
        "example:  stop_grace: 5s",
        "problems: impossible, wrong-type",
    )


def test_a_key_tells_what_excludes_it_and_what_run_cannot_do(language):
    (found,) = explain("services.db.ready.log", language, RULES)
    assert "one of:   tcp, log" in found.lines
    assert "Read and checked; run cannot carry it out in this version." in found.lines


def test_a_required_key_says_so(language):
    (found,) = explain("image", language, RULES)
    assert "required: yes" in found.lines
    assert "problems: missing-key, wrong-type" in found.lines


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("approx", "approx: a comparator"),
        ("unknown-key", "unknown-key: a problem of a spec"),
        ("spans.count", "spans.count: a rule of the judge"),
        ("server", "server: a word of expect.spans[].kind"),
    ],
)
def test_comparators_problems_rules_and_words_are_explained(name, title, language):
    assert titles(name, language) == [title]


@pytest.mark.parametrize("name", ["", ".", "[]", "redy", "services.db.redy", "services.db.image.tcp", "<name>"])
def test_nothing_is_found_for_what_the_language_does_not_have(name, language):
    assert titles(name, language) == []


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("redy", "ready"),
        ("network.los", "network.loss"),
        ("aprox", "approx"),
        ("unknwon-key", "unknown-key"),
        ("spans.cuont", "spans.count"),
        ("qqqqqq", ""),
    ],
)
def test_the_nearest_name_is_offered(name, close, language):
    assert closest(name, language, RULES) == close


def test_explanations_are_safe_for_a_terminal():
    shown = render_explanations([Explanation(title="a\x1b[31mb", lines=("x\x07",)), Explanation(title="c", lines=())])
    assert shown == "ab\n  x\ufffd\n\nc\n"
