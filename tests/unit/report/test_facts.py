from __future__ import annotations

import json
from types import MappingProxyType

import pytest

from cleanroom.report.facts import RunFacts, read_facts, render_facts, report_of
from tests.unit.report.runs import passing


def test_what_is_read_is_what_was_written():
    report = passing()
    facts = read_facts(render_facts(report, ("journal/session.json",)))
    assert facts == RunFacts(
        version=report.version, repro=report.repro, seed=42, started_ns=report.started_ns, ended_ns=report.ended_ns,
        timings=MappingProxyType(dict(report.session.timings)), masked=("journal/session.json",),
    )  # fmt: skip
    assert report_of(report.session, report.verdict, facts) == report


def test_a_run_without_a_seed_has_none_again():
    assert read_facts(render_facts(passing(seed=None), ())).seed is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema": 2}, "its schema is 2, expected 1"), ({"seed": 42}, "expected text, got int"),
        ({"seed": "many"}, "invalid literal"), ({"timings": []}, "wrong type"), ({"masked": None}, "wrong type"),
        ({"timings": {"a": "b"}}, "could not convert"), ({"repro": None}, "expected text, got NoneType"),
    ],
)  # fmt: skip
def test_facts_that_were_never_written_are_refused(change, told):
    whole = {**json.loads(render_facts(passing(), ())), **change}
    with pytest.raises(ValueError, match=told):
        read_facts(json.dumps(whole))


@pytest.mark.parametrize("text", ["", "[]", "1", "{}", "[" * 100_000])
def test_a_text_that_is_no_facts_is_refused(text):
    with pytest.raises(ValueError):
        read_facts(text)
