"""The JSON Schema against the specs of the repository: all valid ones pass, nearly all malformed ones do not."""

from __future__ import annotations

import re

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tests.unit.spec.language.corpus import ROOT, SCHEMA, SPECS, VALIDATOR, data_of, specs

STRUCTURAL = frozenset({
    "unknown-key", "misplaced-key", "missing-key", "wrong-type", "wrong-value", "one-of", "empty-expect", "empty-list",
    "empty-comparator", "unknown-fault", "unknown-comparator",
})  # fmt: skip
"""Codes of what a schema could see. Duplicate keys are gone once a file is data; other duplicates are references."""
PASSED = {
    "approx-of-attribute.cleanroom.yaml": "what a tolerance may be depends on the value beside it",
    "bad-regex.cleanroom.yaml": "no schema says what a regular expression is in Python",
    "clock-impossible.cleanroom.yaml": "a pattern knows no calendar",
    "during-of-nothing.cleanroom.yaml": "a reference to a fault by its id",
    "fairness-group.cleanroom.yaml": "what groups operations is declared by the workload",
    "merge-of-text.cleanroom.yaml": "merges are resolved before a file is data",
    "meta-lines.cleanroom.yaml": "a pattern for printable text on one line would say nothing to a reader",
    "mock-record-nobody.cleanroom.yaml": "one value of a key needs another key",
    "no-services.cleanroom.yaml": "the mistake is in the Compose file",
    "nul.cleanroom.yaml": "a character that no text carries is gone once a file is data",
    "only-an-id.cleanroom.yaml": "a key is there, and none that checks anything",
    "only-each.cleanroom.yaml": "a key is there, and none that checks anything",
    "scope-of-one-figure.cleanroom.yaml": "a key is there, and none that checks anything",
    "scope-only.cleanroom.yaml": "a key is there, and none that checks anything",
    "version-float.cleanroom.yaml": "to JSON 1.0 is 1",
    "wrong-result.cleanroom.yaml": "the values are templates",
}
"""Malformed specs that the schema lets pass, each with the reason."""
_EXPECT = re.compile(r"# expect: (\S+) at \d+:\d+")


def named(paths):
    return [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in paths]


def structural():
    for path in specs(SPECS / "invalid"):
        codes = set(_EXPECT.findall(path.read_text(encoding="utf-8", errors="replace")))
        if codes and codes <= STRUCTURAL and data_of(path) is not None:
            yield path


def valid():
    """Every spec that is meant to be valid: one example shows that a key that nobody knows is refused."""
    found = specs(SPECS / "valid", SPECS / "language", ROOT / "examples")
    return [path for path in found if path.name != "unknown-key.cleanroom.yaml"]


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", named(valid()))
def test_a_valid_spec_is_accepted(path):
    error = best_match(VALIDATOR.iter_errors(data_of(path)))
    assert error is None, f"{error.json_path}: {error.message}"


def test_malformed_specs_are_refused_but_for_those_that_are_named():
    malformed = list(structural())
    passed = {path.name for path in malformed if VALIDATOR.is_valid(data_of(path))}
    assert passed == set(PASSED)
    assert malformed
    assert len(passed) <= len(malformed) / 10
