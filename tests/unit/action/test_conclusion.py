from __future__ import annotations

import pytest

from cleanroom.action.conclusion import conclude, exit_code
from cleanroom.report.json_report import report_json
from cleanroom.run.record import Trouble
from tests.unit.report import runs

ALL = ("failure", "inconclusive", "nondeterminism")


def only_nondeterminism():
    document = report_json(runs.failing())
    document["reasons"] = ["nondeterminism"]
    return document


@pytest.mark.parametrize(
    ("document", "code", "fail_on", "expected"),
    [
        (report_json(runs.passing()), 0, ALL, 0),
        (report_json(runs.failing()), 1, ALL, 1),
        (report_json(runs.failing()), 1, ("failure",), 1),
        (report_json(runs.failing()), 1, ("nondeterminism",), 1),
        (report_json(runs.failing()), 1, ("inconclusive",), 0),
        (report_json(runs.failing()), 1, (), 0),
        (only_nondeterminism(), 1, ("failure",), 0),
        (only_nondeterminism(), 1, ("nondeterminism",), 1),
        (report_json(runs.inconclusive()), 6, ALL, 6),
        (report_json(runs.inconclusive()), 6, ("failure", "nondeterminism"), 0),
        (report_json(runs.inconclusive(allowed="known")), 0, ALL, 0),
    ],
)
def test_fail_on_decides_about_judgements(document, code, fail_on, expected):
    assert exit_code(document, code, fail_on) == expected


@pytest.mark.parametrize("code", [2, 3, 4, 5, 130])
def test_a_run_that_could_not_be_judged_fails_whatever_is_asked(code):
    document = report_json(runs.crashed(Trouble(exit_code=code, message="x")))
    assert exit_code(document, code, ()) == code
    assert exit_code(None, code, ()) == code


def test_a_report_that_passes_does_not_outweigh_a_run_that_ended_in_trouble():
    passing = report_json(runs.passing())
    assert conclude(passing, 4) == "error"
    assert exit_code(passing, 4, ()) == 4
    assert conclude(passing, 1) == "error"
    assert exit_code(passing, 1, ALL) == 1


@pytest.mark.parametrize("document", [None, report_json(runs.nothing())])
def test_a_run_of_nothing_fails_unless_that_is_allowed(document):
    assert conclude(document, 0) == "empty"
    assert exit_code(document, 0, ALL) == 6
    assert exit_code(document, 0, ALL, fail_on_empty=False) == 0


def test_an_inconclusive_report_without_an_open_check_is_inconclusive_all_the_same():
    document = {**report_json(runs.passing()), "verdict": "inconclusive"}
    assert exit_code(document, 6, ("inconclusive",)) == 6
