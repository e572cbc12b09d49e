from __future__ import annotations

import copy

import pytest

from cleanroom.trace.outcome import outcome_divergence

OUTCOME = {
    "scenarios": [
        {
            "name": "stored",
            "outcome": "passed",
            "steps": [{"name": "place", "outcome": "passed", "exit_code": 0}, {"name": "read", "outcome": "passed"}],
            "findings": [{"rule": "spans", "at": 1}, {"rule": "spans", "at": 2}],
        }
    ],
    "verdict": "pass",
}


def changed(change):
    outcome = copy.deepcopy(OUTCOME)
    change(outcome["scenarios"][0], outcome)
    return outcome


def test_equal_outcomes_do_not_diverge():
    assert outcome_divergence(OUTCOME, copy.deepcopy(OUTCOME)) is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda s, _: s["steps"][0].update(exit_code=1),
            ("scenario stored > step place", "exit_code", "0", "1", "step"),
        ),
        (
            lambda s, _: s["steps"][0].update(exit_code="0"),
            ("scenario stored > step place", "exit_code", "0", "0", "step"),
        ),
        (
            lambda s, _: s["steps"].pop(),
            ("scenario stored > step read", "", '{"name": "read", "outcome": "passed"}', "(absent)", "step"),
        ),
        (
            lambda s, _: s["steps"].reverse(),
            ("scenario stored", "steps", "place, read", "read, place", "verdict"),
        ),
        (lambda s, _: s.update(outcome="failed"), ("scenario stored", "outcome", "passed", "failed", "verdict")),
        (lambda s, _: s["findings"][1].update(at=3), ("scenario stored > finding 1", "at", "2", "3", "verdict")),
        (lambda _, o: o.update(verdict="fail"), ("", "verdict", "pass", "fail", "verdict")),
        (lambda _, o: o.pop("verdict"), ("", "verdict", "pass", "(absent)", "verdict")),
        (lambda _, o: o.update(more=1), ("", "more", "(absent)", "1", "verdict")),
    ],
    ids=["exit code", "type", "missing step", "order", "outcome", "finding", "verdict", "absent", "extra"],
)
def test_the_first_difference_is_named(change, expected):
    found = outcome_divergence(OUTCOME, changed(change), runs=(0, 3))
    assert (found.left, found.right) == (0, 3)
    assert (found.path, found.attribute, found.left_value, found.right_value, found.classification) == expected


def test_true_is_not_one():
    assert outcome_divergence({"a": True}, {"a": 1}).attribute == "a"
