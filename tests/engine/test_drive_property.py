"""Properties on a real service: one that holds does so five times over, one that does not shrinks and fails again."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.engine.runs import ROOT, cleanroom

SPECS = ROOT / "tests" / "specs" / "drive" / "property"
CONTROL = SPECS / "control-rounding.cleanroom.yaml"
SMALLEST = {"cents": 1001, "customer": "a"}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    return cleanroom(str(SPECS), out=tmp_path_factory.mktemp("property"))


def turns(ran, suite):
    return ran.suite(suite)["scenarios"][0]["iterations"]


def found(ran, suite):
    return [f for turn in turns(ran, suite) for f in turn["findings"] if f["rule"] == "property.counterexample"]


def test_a_property_that_holds_passes_with_one_digest_in_all_five_iterations(ran):
    suite = ran.suite("property holds")
    assert suite["verdict"] == "pass", ran.said
    assert suite["digest"]
    properties = [turn["property"] for turn in turns(ran, "property holds")]
    assert len(properties) == 5
    assert all(p == properties[0] for p in properties)
    assert properties[0]["broken"] == ""
    assert 1 < properties[0]["tried"] <= 20


def test_a_defect_above_a_threshold_shrinks_to_the_smallest_example(ran):
    assert ran.code == 1, ran.said
    findings = found(ran, "property control-rounding")
    assert len(findings) == 2
    for turn in turns(ran, "property control-rounding"):
        assert json.loads(turn["property"]["example"]) == SMALLEST, turn["property"]
        assert "the oracle says '1191'" in turn["property"]["broken"]
    assert ran.suite("property control-rounding")["digest"]


def test_the_example_stands_in_every_report_with_the_line_that_runs_it_again(ran):
    line = f"--example {shlex.quote(json.dumps(SMALLEST))}"
    assert line in ran.stdout.decode()
    for name in ("summary.md", "junit.xml"):
        assert "1001" in (ran.out / name).read_text()
    assert "1001" in "".join(p.read_text() for p in (ran.out / "journal").rglob("record.json"))


def test_the_line_fails_in_the_same_way(ran, tmp_path):
    again = cleanroom(str(CONTROL), "--example", json.dumps(SMALLEST), out=tmp_path / "again")
    assert again.code == 1, again.said
    first, second = found(ran, "property control-rounding")[0], found(again, "property control-rounding")[0]
    assert (first["found"], first["rule"]) == (second["found"], second["rule"])
    assert [turn["property"]["tried"] for turn in turns(again, "property control-rounding")] == [1, 1]


def test_examples_with_environments_of_their_own_know_nothing_of_each_other(ran):
    suite = ran.suite("property apart")
    assert suite["verdict"] == "pass", ran.said
    assert suite["digest"]
    first, second = (turn["property"] for turn in turns(ran, "property apart"))
    assert first == second
    assert (first["broken"], first["tried"]) == ("", 3)


def test_the_same_examples_in_one_environment_break_each_other(ran):
    assert ran.suite("property control-shared")["verdict"] == "fail"
    assert len(found(ran, "property control-shared")) == 2


def test_what_fails_in_a_fresh_environment_shrinks_to_the_smallest_that_does(ran):
    (turn,) = turns(ran, "property control-apart")
    assert json.loads(turn["property"]["example"]) == {"n": 10}, turn["property"]
    assert len(found(ran, "property control-apart")) == 1


def test_an_example_that_nobody_generates_is_refused(tmp_path):
    for example, told in (('{"cent": 1}', b"no scenario generates cent"), ("[1]", b"expected a JSON object")):
        refused = cleanroom(str(CONTROL), "--example", example, out=tmp_path / "out")
        assert refused.code == 2
        assert told in refused.stderr
