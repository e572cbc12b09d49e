from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import JUnitXml

from cleanroom.report.junit import JUnitCase, JUnitSuite, render_junit, serialise
from cleanroom.run.record import Trouble
from tests.unit.report import runs

SCHEMA = xmlschema.XMLSchema(str(Path(__file__).parent / "junit.xsd"))


def parse(report):
    return ET.fromstring(render_junit(report))  # noqa: S314 - our own output


def results(root):
    return {
        case.get("name"): next((c.tag for c in case if c.tag in {"failure", "error", "skipped"}), "passed")
        for case in root.iter("testcase")
    }


@pytest.mark.parametrize("kind", ["pass", "fail", "inconclusive", "error", "invalid", "nothing", "gated"])
def test_the_whole_file(kind, snapshot):
    assert render_junit(runs.ALL[kind]()) == snapshot


@pytest.mark.parametrize("kind", runs.ALL)
def test_the_file_obeys_the_schema_and_its_figures_are_those_of_its_cases(kind):
    xml = render_junit(runs.ALL[kind]())
    SCHEMA.validate(xml)
    root = ET.fromstring(xml)  # noqa: S314 - our own output
    for suite in root.iter("testsuite"):
        cases = suite.findall("testcase")
        assert len(cases) == int(suite.get("tests"))
        assert len(suite.findall("testcase/failure")) == int(suite.get("failures"))
        assert len(suite.findall("testcase/error")) == int(suite.get("errors"))
        assert len(suite.findall("testcase/skipped")) == int(suite.get("skipped"))
    assert int(root.get("tests")) == sum(int(s.get("tests")) for s in root.iter("testsuite"))


@pytest.mark.parametrize("kind", sorted(set(runs.ALL) - {"pass"}))
def test_a_run_that_is_no_pass_has_a_red_case(kind):
    root = parse(runs.ALL[kind]())
    assert int(root.get("failures")) + int(root.get("errors")) > 0


def test_a_pass_has_green_cases_only():
    assert set(results(parse(runs.passing())).values()) == {"passed"}


def test_a_suite_without_a_check_is_an_error():
    assert results(parse(runs.make(checks=(), word="pass", code=0, counts={}, verdict={"determinism": None}))) == {
        "the suite was judged": "error"
    }


def test_a_check_is_one_case_over_all_iterations_and_tells_which_broke():
    failure = parse(
        runs.make(checks=((runs.broken(),), (runs.broken(),)), word="fail", code=1, counts={}, verdict={"digest": ""})
    ).find(".//failure")
    assert failure.get("type") == "spans.count"
    assert failure.get("message").endswith("(in 2 of 2 iterations)")
    assert failure.text.startswith("checkout.cleanroom.yaml:41:9\niteration 1: ")
    assert "\niteration 2: " in failure.text


def test_the_case_carries_the_position_in_the_spec():
    case = next(c for c in parse(runs.failing()).iter("testcase") if c.find("failure") is not None)
    assert (case.get("file"), case.get("line"), case.get("classname")) == (runs.FILE, "41", "checkout.happy")


def test_what_could_not_be_judged_is_an_error_and_what_the_spec_allows_is_skipped():
    name = "fault slow-db bites"
    assert results(parse(runs.inconclusive()))[name] == "error"
    assert results(parse(runs.inconclusive(allowed="no kernel support here")))[name] == "skipped"


def test_a_warning_fails_no_case_but_is_told():
    warning = runs.broken(level="warning")
    root = parse(runs.make(checks=(warning,), word="pass", code=0, counts={}))
    assert set(results(root).values()) == {"passed"}
    assert "0 spans" in root.find(".//system-out").text


def test_two_checks_of_one_name_are_two_cases():
    twins = (runs.good(line=22), runs.good(line=23))
    names = list(results(parse(runs.make(checks=twins, word="pass", code=0, counts={}))))
    assert names[:2] == ["step place status", "step place status (2)"]


def test_faults_are_properties_with_their_evidence():
    found = {p.get("name"): p.get("value") for p in parse(runs.passing()).findall("testsuite/properties/property")}
    assert found["cleanroom.seed"] == "42"
    assert found["cleanroom.fault.happy.slow-db#0.iteration-2"].startswith(
        "network.latency on db by nfqueue: verified; rtt_before_ms=0.21"
    )


def test_the_parser_of_a_common_reader_sees_the_same():
    xml = JUnitXml.fromstring(render_junit(runs.failing()).encode())
    assert (xml.tests, xml.failures, xml.errors) == (3, 2, 0)


@pytest.mark.parametrize("code", [2, 3, 4, 5, 130])
def test_every_kind_of_trouble_is_an_error_case(code):
    root = parse(runs.crashed(Trouble(exit_code=code, message="it broke")))
    assert results(root)["trouble: it broke"] == "error"


@settings(max_examples=60)
@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_any_text_anywhere_gives_a_file_that_can_be_read(text):
    case = JUnitCase(
        name=text,
        classname=text,
        result="failure",
        kind=text,
        message=text,
        body=text,
        note=text,
        properties={"p": text},
    )
    suite = JUnitSuite(name=text, file=text, cases=(case,), properties={"q": text}, seconds=1e-5)
    root = ET.fromstring(serialise((suite,)).encode("utf-8"))  # noqa: S314 - our own output
    assert root.get("failures") == "1"
    assert root.find("testsuite").get("time") == "0.000"
