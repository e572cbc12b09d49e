from __future__ import annotations

import base64
import json

from cleanroom.report.traces import trace_files
from tests.unit.report import runs


def files(**record):
    scenario = runs.scenario_record(**record)
    report = runs.make(checks=(runs.good(),), word="pass", code=0, counts={}, iterations=1, scenarios=(scenario,))
    return dict(trace_files(report))


def test_each_request_is_a_line_of_otlp_json():
    (content,) = files(payloads=(runs.payload(), runs.payload())).values()
    lines = content.decode().splitlines()
    assert len(lines) == 2
    span = json.loads(lines[0])["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert (span["name"], span["startTimeUnixNano"]) == ("GET /orders", "1700000000000000000")


def test_a_request_that_is_no_otlp_is_kept_apart():
    found = files(payloads=(runs.payload(), runs.payload(b"\xff\x00 no")))
    assert sorted(found) == ["traces/checkout-happy-1.jsonl", "traces/checkout-happy-1.undecodable.jsonl"]
    kept = json.loads(found["traces/checkout-happy-1.undecodable.jsonl"])
    assert base64.b64decode(kept["body_base64"]) == b"\xff\x00 no"
    assert kept["error"]


def test_a_scenario_that_sent_nothing_has_no_file():
    assert files(payloads=()) == {}


def test_names_that_files_cannot_have_stay_apart():
    one, two = (files(name=name) for name in ("a/b:c", "a?b|c"))
    assert set(one).isdisjoint(two)
    assert all(name.startswith("traces/checkout-a-b-c-") for name in [*one, *two])
