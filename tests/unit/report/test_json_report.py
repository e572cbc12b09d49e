from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from cleanroom.report.json_report import render_json, report_json
from tests.unit.report import runs

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "report.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def strict(text):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_schema_is_a_schema_and_refuses_what_is_not_in_it():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    document = report_json(runs.passing())
    assert VALIDATOR.is_valid(document)
    assert not VALIDATOR.is_valid({**document, "verdict": "green"})
    assert not VALIDATOR.is_valid({**document, "surprise": 1})
    assert not VALIDATOR.is_valid({key: value for key, value in document.items() if key != "isolation"})


@pytest.mark.parametrize("kind", runs.ALL)
def test_every_kind_of_run_obeys_the_schema(kind):
    assert [error.message for error in VALIDATOR.iter_errors(strict(render_json(runs.ALL[kind]())))] == []


def test_findings_stand_with_their_iteration_and_position():
    document = report_json(runs.failing())
    first, second = document["suites"][0]["scenarios"][0]["iterations"]
    assert first["findings"] == []
    (finding,) = second["findings"]
    assert (finding["rule"], finding["file"], finding["line"], finding["column"]) == ("spans.count", runs.FILE, 41, 9)
    assert finding["near_misses"] == ["INSERT order (db), 1 span"]
    assert second["iteration"] == 2


def test_faults_carry_evidence_window_and_recovery():
    fault = report_json(runs.passing())["suites"][0]["scenarios"][0]["iterations"][0]["faults"][0]
    assert fault["evidence"]["rtt_during_ms"] == 500.4
    assert int(fault["window"]["end_ns"]) - int(fault["window"]["start_ns"]) == 2 * 10**9
    assert fault["recovery"] == {"strategy": "heal", "duration_ms": 120.0, "success": True}


def test_egress_names_the_service_and_sums_over_iterations():
    attempts = report_json(runs.failing())["isolation"]["egress"]
    assert [(a["service"], a["destination"], a["count"]) for a in attempts] == [
        ("api", "203.0.113.7", 3),
        ("api", "", 2),
    ]


def test_a_run_that_broke_off_says_why_and_has_no_suite_that_passes():
    document = report_json(runs.crashed())
    assert document["trouble"][0]["exit_code"] == 4
    assert document["trouble"][0]["remedy"] == "start it, and run again"
    assert [suite["verdict"] for suite in document["suites"]] == ["inconclusive"]
    assert document["empty"] is False


def test_only_a_run_of_nothing_is_empty():
    assert {kind: report_json(make())["empty"] for kind, make in runs.ALL.items()} == {
        kind: kind == "nothing" for kind in runs.ALL
    }


def test_a_seed_of_64_bits_stays_exact():
    assert report_json(runs.passing(seed=2**63 + 1))["seed"] == str(2**63 + 1)


def test_secrets_are_masked_in_keys_and_values_and_plans_stay():
    report = runs.hostile()
    marked = runs.failing(secrets=("order.id", "checkout.cleanroom"), repro="again checkout.cleanroom.yaml")
    text = render_json(marked)
    assert "attributes.***" in text
    assert marked.repro == "again ***.yaml"
    assert render_json(report) == render_json(runs.hostile())
