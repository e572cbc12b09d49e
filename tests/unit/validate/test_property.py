from __future__ import annotations

from dataclasses import replace

from cleanroom.run.record import PropertyRecord, Trouble
from cleanroom.spec.generator import IntegerGenerator
from cleanroom.spec.property import Property
from cleanroom.validate.property import judge_property
from tests.unit.validate.builders import AT, record, scenario

WANTED = replace(scenario(), property=Property(given={"n": IntegerGenerator()}, at=AT))


def judged(found, **kw):
    (check,) = judge_property(WANTED, record(property=found, **kw))
    return check


def test_a_scenario_without_a_property_is_not_judged_by_one():
    assert judge_property(scenario(), record()) == ()


def test_a_property_that_holds_says_for_how_many_examples():
    check = judged(PropertyRecord(example='{"n": 0}', broken="", tried=50))
    assert (check.findings, check.inconclusive, check.note) == ((), "", "it held for 50 examples")


def test_the_smallest_example_that_fails_is_a_finding_with_the_way_to_see_it_again():
    (finding,) = judged(PropertyRecord(example='{"n": 1001}', broken="too much", tried=9)).findings
    assert (finding.rule, finding.at) == ("property.counterexample", AT)
    assert finding.found == '{"n": 1001} (the smallest that fails): too much'
    assert """--example '{"n": 1001}'""" in finding.remedy
    (cut,) = judged(PropertyRecord(example='{"n": 1}', broken="x", tried=9, shrunk_out=True)).findings
    assert "in the time for shrinking" in cut.found


def test_examples_that_could_not_be_run_are_no_counterexample():
    trouble = Trouble(exit_code=4, message="the engine is gone")
    check = judged(None, outcome="error", trouble=trouble)
    assert (check.findings, check.inconclusive) == ((), "the engine is gone")
    assert judged(None).inconclusive == "no example was run"
