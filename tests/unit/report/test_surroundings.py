"""Altered clocks and what iterations varied, in every report: of three iterations the second differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import xmlschema

from cleanroom.errors import ExitCode
from cleanroom.plan.build import build_plan
from cleanroom.report.console import render_console
from cleanroom.report.junit import render_junit
from cleanroom.report.model import RunReport
from cleanroom.report.summary import render_summary
from cleanroom.report.surroundings import clock_json, clock_words, varied, varied_json
from cleanroom.run.record import ClockRecord
from cleanroom.spec.determinism import Determinism
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.variation import Blame, varied_iterations
from tests.unit.plan import suites
from tests.unit.report import runs

OFFSET = ClockRecord(setting="offset", asked="offset -48h", offset_ns=-48 * 3600 * 10**9 + 1250, slack_ns=900)
FROZEN = ClockRecord(setting="frozen", asked="frozen", offset_ns=-(10**9), slack_ns=900, rate=0.0)
FAST = ClockRecord(setting="rate", asked="rate 3", offset_ns=4 * 10**9, slack_ns=900, rate=3.001)
PLAN = build_plan(
    replace(
        suites.suite(suites.scenario("happy")), determinism=Determinism(iterations=3, vary=("timezone", "hostname"))
    ),
    seed=42,
    iterations=3,
)
WORDS = varied_iterations(PLAN)


def blame(**fields: Any) -> Blame:
    values = {
        "nuisance": "timezone",
        "setting": WORDS[1][1],
        "iteration": 1,
        "path": "GET /orders > INSERT orders",
        "attribute": "attributes.order.day",
        "values": ("2025-01-31", "2025-02-01"),
        "sure": True,
    }
    return Blame(**{**values, **fields})


def surrounded(*blames: Blame, clocks: tuple[ClockRecord | None, ...] = (OFFSET, FROZEN, FAST)) -> RunReport:
    """Return a run in which each service had one of the clocks, and the iterations that are blamed differ."""
    api = runs.scenario_record().services[0]
    services = tuple(replace(api, name=f"s{number}", clock=clock) for number, clock in enumerate(clocks))
    found = Finding(rule="determinism.identical", at=runs.at(3), expected="3 iterations, one digest", found="2 digests")
    report = runs.make(
        checks=(runs.good(),),
        word="fail" if blames else "pass",
        code=ExitCode.FINDINGS if blames else ExitCode.PASS,
        counts={"passed": 3, "failed": len(blames), "inconclusive": 0},
        iterations=3,
        scenarios=(runs.scenario_record(services=services),) * 3,
        verdict={
            "blames": blames,
            "determinism": Check(
                rule="determinism.identical",
                name="the iterations are identical",
                at=runs.at(3),
                findings=(found,) if blames else (),
            ),
        },
    )
    suite = replace(report.session.suites[0], plan=PLAN)
    return replace(report, session=replace(report.session, suites=(suite,)))


RUNS = {
    "blamed": surrounded(blame()),
    "doubted": surrounded(blame(sure=False, doubt="iteration 3, without it, differs in the same place")),
    "the same": surrounded(),
}
RENDERED = {"console": render_console, "summary": render_summary, "junit": render_junit}


@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize("report", RENDERED)
def test_the_whole_report(report: str, kind: str, snapshot: Any):
    assert RENDERED[report](RUNS[kind]) == snapshot


@pytest.mark.parametrize("kind", RUNS)
def test_the_junit_file_obeys_its_schema(kind: str):
    xmlschema.XMLSchema(str(Path(__file__).parent / "junit.xsd")).validate(render_junit(RUNS[kind]))


@pytest.mark.parametrize(
    ("kind", "results"),
    [
        ("blamed", ["broke equality", "the same"]),
        ("doubted", ["differs, perhaps not by that", "the same"]),
        ("the same", ["the same", "the same"]),
    ],
)
def test_each_varied_iteration_has_its_result(kind: str, results: list[str]):
    (pair,) = RUNS[kind].pairs
    found = list(varied(pair))
    assert [one.iteration for one in found] == [1, 2]
    assert [one.nuisance for one in found] == ["timezone", "hostname"]
    assert [one.result for one in found] == results


def test_the_report_for_programs_has_all_of_a_blame():
    (pair,) = RUNS["blamed"].pairs
    assert varied_json(pair)[0] == {
        "iteration": 2,
        "nuisance": "timezone",
        "setting": WORDS[1][1],
        "result": "broke equality",
        "path": "GET /orders > INSERT orders",
        "attribute": "attributes.order.day",
        "control": "2025-01-31",
        "value": "2025-02-01",
        "doubt": "",
    }


@pytest.mark.parametrize(
    ("clock", "words", "corrected"),
    [
        (OFFSET, "offset -48h: 172799.999999 s behind the machine's", True),
        (replace(OFFSET, offset_ns=5 * 10**8, asked="at noon"), "at noon: 0.500000 s ahead of the machine's", True),
        (FROZEN, "frozen: it stood still", False),
        (FAST, "rate 3: it ran 3.001 times as fast", False),
    ],
)
def test_a_clock_is_told_as_it_was_measured(clock: ClockRecord, words: str, corrected: bool):
    assert clock_words(clock) == words
    told = clock_json(clock)
    assert isinstance(told, dict)
    assert told["corrected"] is corrected
    assert told["offset_ns"] == str(clock.offset_ns)


def test_the_machines_own_clock_is_not_told_of():
    plain = surrounded(clocks=(None,))
    assert clock_json(None) is None
    assert "clock " not in render_console(plain)
    assert "Altered clocks" not in render_summary(plain)
    assert "cleanroom.clock" not in render_junit(plain)
