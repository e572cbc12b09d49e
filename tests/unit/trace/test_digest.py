from __future__ import annotations

import hashlib
import itertools
import json

import pytest

from cleanroom.trace.digest import iteration_digest, outcome_digest, trace_digest
from cleanroom.trace.normalise import NormaliseOptions, normalise
from tests.unit.trace.spans import system

PARTS = {"rule_set": "sha256:r", "trace": "sha256:t", "schedule": "sha256:s", "outcome": "sha256:o"}


def test_the_digest_can_be_recomputed_from_the_definition():
    text = '{"outcome":"sha256:o","rule_set":"sha256:r","schedule":"sha256:s","schema":1,"trace":"sha256:t"}'
    assert iteration_digest(**PARTS) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_every_part_counts():
    digests = {iteration_digest(**{**PARTS, name: "sha256:x"}) for name in PARTS}
    assert len(digests | {iteration_digest(**PARTS)}) == len(PARTS) + 1


def test_parts_cannot_stand_for_one_another():
    found = {iteration_digest(**dict(zip(PARTS, values, strict=True))) for values in itertools.permutations("abcd")}
    assert len(found) == 24


def test_the_trace_digest_is_over_depths_and_spans_alone():
    found = normalise(system(), NormaliseOptions())
    flat = [[span["depth"], {k: v for k, v in span.items() if k != "depth"}] for span in found.to_json()["spans"]]
    text = json.dumps(flat, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert trace_digest(found) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert trace_digest(found) == trace_digest(normalise(system(), NormaliseOptions(drop=("nothing",))))


def test_what_has_no_canonical_form_is_refused():
    with pytest.raises(ValueError):
        outcome_digest({"x": float("nan")})
    assert outcome_digest({"a": 1, "b": 2}) == outcome_digest({"b": 2, "a": 1})
