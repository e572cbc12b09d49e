from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.pipeline.options import RunOptions
from cleanroom.plan.build import build_plan
from cleanroom.plan.model import Plan
from cleanroom.quantity import Duration, Rate, Size
from cleanroom.run.codec import decode, encode
from cleanroom.run.record import (
    CleanupRecord,
    FaultRecord,
    IterationRecord,
    ScenarioRecord,
    ServiceRecord,
    SessionRecord,
    StepRecord,
    Trouble,
)
from cleanroom.spec.fault import ParameterValue
from cleanroom.spec.load import load_spec
from cleanroom.spec.query import HttpAction
from cleanroom.spec.suite import Suite

ROOT = Path(__file__).parents[3]
SPECS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("tests/specs/valid", "examples")
    for path in (ROOT / folder).rglob("*.cleanroom.yaml*")
    if path.name != "unknown-key.cleanroom.yaml"  # invalid on purpose
)
TEXT = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def there_and_back(value: Any, wanted: Any) -> Any:
    return decode(json.loads(json.dumps(encode(value), ensure_ascii=True)), wanted)


def load(path: str) -> tuple[Suite, ...]:
    root = ROOT / ("examples" if path.startswith("examples") else "tests/specs")
    loaded = load_spec(ROOT / path, root=root, variables={}, environment={}, seed=7)
    assert not loaded.problems
    return loaded.suites


def test_there_are_specs():
    assert len(SPECS) >= 2


@pytest.mark.parametrize("path", SPECS)
def test_the_plan_of_a_real_spec_comes_back_as_it_was(path):
    for suite in load(path):
        plan = build_plan(suite, seed=7)
        back = there_and_back(plan, Plan)
        assert back == plan
        assert repr(back.suite.scenarios[0].steps[0].at) == repr(plan.suite.scenarios[0].steps[0].at)
        again = build_plan(back.suite, seed=7)
        assert (again.plan_digest, again.schedule_digest) == (plan.plan_digest, plan.schedule_digest)


@settings(max_examples=50)
@given(
    st.builds(
        SessionRecord,
        suites=st.just(()),
        proof=st.none(),
        cleanup=st.builds(CleanupRecord),
        trouble=st.none() | st.builds(Trouble),
        timings=st.dictionaries(TEXT, st.floats(allow_nan=False)),
    )
)
def test_sessions(record):
    assert there_and_back(record, SessionRecord) == record


@settings(max_examples=50)
@given(
    st.builds(
        ScenarioRecord,
        steps=st.lists(st.builds(StepRecord, breaches=st.just(())), max_size=2).map(tuple),
        faults=st.lists(
            st.builds(
                FaultRecord,
                evidence=st.dictionaries(TEXT, JSON, max_size=3),
                reversal=st.dictionaries(TEXT, JSON, max_size=3),
            ),
            max_size=2,
        ).map(tuple),
        services=st.lists(st.builds(ServiceRecord), max_size=1).map(tuple),
        egress=st.just(()),
        payloads=st.just(()),
        cleanup=st.builds(CleanupRecord),
        timings=st.dictionaries(TEXT, st.floats(allow_nan=False), max_size=2),
    )
)
def test_scenarios(record):
    assert there_and_back(record, ScenarioRecord) == record


@given(JSON)
def test_any_json_of_a_request_comes_back(value):
    action = HttpAction(service="api", json=value, has_json=True)
    assert there_and_back(action, HttpAction) == action


@given(st.dictionaries(st.sampled_from(["type", "ns", "a"]), JSON))
def test_a_json_mapping_that_looks_like_one_of_ours_stays_a_mapping(value):
    record = FaultRecord(id="f", kind="k", occurrence=0, targets=(), evidence={"x": value})
    assert there_and_back(record, FaultRecord) == record


@dataclass(frozen=True)
class Parameters:
    values: Mapping[str, ParameterValue] = field(default_factory=dict)
    raw: bytes = b""
    choice: Literal["a", "b"] = "a"
    pair: tuple[int, str] | None = None


PARAMETER = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    TEXT,
    st.builds(Duration),
    st.builds(Size),
    st.builds(Rate),
)


@given(
    st.builds(
        Parameters,
        values=st.dictionaries(TEXT, PARAMETER, max_size=4),
        raw=st.binary(max_size=9),
        choice=st.sampled_from(["a", "b"]),
        pair=st.none() | st.tuples(st.integers(), TEXT),
    )
)
def test_values_keep_their_types(value):
    back = there_and_back(value, Parameters)
    assert back == value
    assert [type(v) for v in back.values.values()] == [type(v) for v in value.values.values()]


def test_the_job_of_a_cell_comes_back():
    options = RunOptions(
        specs=("a", "b"), root="/w", out="/o", tags=("x",), iterations=3, seed=2**40, variables={"a": "1"},
        registry_auth={"r.example": {"username": "u", "password": "p"}}, secrets=("p",), owner=(1000, 1001),
        fail_on_empty=False, keep=True,
    )  # fmt: skip
    assert there_and_back(options, RunOptions) == options


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "expected Parameters, got list"),
        ({"values": []}, "Parameters.values"),
        ({"values": {"a": {"b": []}}}, "Parameters.values"),
        ({"raw": "not base64!"}, "Parameters.raw"),
        ({"raw": 5}, "Parameters.raw"),
        ({"choice": "c"}, "Parameters.choice: expected one of a, b"),
        ({"choice": []}, "Parameters.choice"),
        ({"pair": [1]}, "Parameters.pair"),
        ({"pair": 5}, "Parameters.pair"),
        ({"pair": ["a", "b"]}, "Parameters.pair"),
        ({"pair": [True, "b"]}, "Parameters.pair"),
    ],
)
def test_what_does_not_fit_is_named(data, words):
    with pytest.raises(ValueError, match=words.replace("[", r"\[")):
        decode(data, Parameters)


@pytest.mark.parametrize(
    "data", [{}, {"name": "a"}, {"name": "a", "outcome": "good"}, {"name": 1, "outcome": "passed"}]
)
def test_what_a_record_lacks_is_an_error(data):
    with pytest.raises(ValueError, match="ScenarioRecord"):
        decode(data, ScenarioRecord)


@given(JSON)
def test_no_json_makes_anything_but_a_value_or_a_value_error(data):
    for wanted in (IterationRecord, Plan, SessionRecord):
        with pytest.raises(ValueError, match=r"."):
            decode(
                {**(data if isinstance(data, dict) else {}), "index": data, "suite": data, "suites": {"a": 1}}, wanted
            )


def test_what_has_no_form_is_refused():
    with pytest.raises(TypeError, match="cannot hold a set"):
        encode({1, 2})


def test_letters_outside_of_ascii_survive():
    assert there_and_back(Trouble(exit_code=4, message="grüße \ud800"), Trouble).message == "grüße \ud800"
