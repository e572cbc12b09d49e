from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cleanroom.errors import SpecError
from cleanroom.spec.clnrm.expectations import expectations
from cleanroom.spec.clnrm.load import import_clnrm
from cleanroom.spec.clnrm.report import Findings
from cleanroom.spec.clnrm.writing import clnrm_spec
from cleanroom.spec.load import load_spec

HEAD = '[meta]\nname = "n"\nversion = "1"\n'
STEP = '[[steps]]\nname = "s"\ncommand = ["echo", "a"]\n'


@pytest.fixture
def load(tmp_path):
    def load(text):
        path = tmp_path / "x.clnrm.toml"
        path.write_text(text)
        return import_clnrm(path)

    return load


def suite_of(imported, folder):
    path = folder / "x.cleanroom.yaml"
    path.write_text(clnrm_spec(imported, "x.clnrm.toml"))
    loaded = load_spec(path, root=folder, variables={}, environment={})
    assert loaded.problems == ()
    return loaded.suites[0]


def expect(text, load):
    return load(HEAD + STEP + text).parts["expect"]


def test_steps_that_name_no_service_run_in_one_container(load, tmp_path):
    imported = load(HEAD + STEP + STEP)
    assert imported.parts["services"]["shell"]["image"] == "alpine:latest"
    (scenario,) = imported.parts["scenarios"]
    assert [step["name"] for step in scenario["steps"]] == ["s", "s (2)"]
    assert scenario["steps"][0]["exec"] == {"service": "shell", "command": ["echo", "a"]}
    assert any("each had a fresh one" in line for line in imported.changed)
    assert suite_of(imported, tmp_path).name == "n"


def test_a_scenario_runs_in_its_service_with_words_of_its_own(load, tmp_path):
    imported = load(
        HEAD + '[vars]\nwho = "you"\n[service.App]\nimage = "x:1"\nargs = ["serve"]\nenv = { A = 1 }\n'
        '[[scenario]]\nname = "hi"\nservice = "App"\nrun = "say \'hello {{ who }}\' {{ vars.who }} {{ other }}"\n'
    )
    assert imported.parts["services"] == {"app": {"image": "x:1", "command": ["serve"], "environment": {"A": "1"}}}
    (step,) = imported.parts["scenarios"][0]["steps"]
    assert step["exec"] == {"service": "app", "command": ["say", "hello you", "you", "{{", "other", "}}"]}
    assert "service.App.args: the container was started without it" in imported.never_evaluated
    suite = suite_of(imported, tmp_path)
    assert suite.scenarios[0].steps[0].action.command[-3:] == ("{{", "other", "}}")


def test_what_a_step_expects_is_checked(load, tmp_path):
    imported = load(
        HEAD + '[[steps]]\nname = "s"\ncommand = ["x"]\nexpected_output_regex = "^a"\nexpected_exit_code = 3\n'
        'env = { A = "b" }\nworkdir = "/w"\ncontinue_on_failure = true\nretry = 3\n'
    )
    (step,) = imported.parts["scenarios"][0]["steps"]
    assert step["expect"] == {"stdout": {"matches": "^a"}, "exit_code": 3}
    assert step["exec"]["env"] == {"A": "b"}
    assert step["exec"]["working_dir"] == "/w"
    assert step["continue_on_failure"] is True
    assert "steps[0].expected_exit_code: any code but 0 was a failure" in imported.never_evaluated
    assert any(line.startswith("steps[0].retry: ") for line in imported.not_taken)
    suite_of(imported, tmp_path)


def test_the_later_form_is_read_too(load, tmp_path):
    imported = load(
        '[test]\nname = "t"\n[containers.app]\nimage = "i"\nhealthcheck = "check it"\n'
        '[[steps]]\nname = "s"\ncontainer = "app"\nexec = ["x"]\n'
        'assert = { exit_code = 0, stdout_contains = "a", stdout_not_contains = "b", stdout_regex = "[", huh = 1 }\n'
    )
    assert imported.name == "t"
    assert imported.parts["services"]["app"]["ready"] == [{"exec": "check it"}]
    (step,) = imported.parts["scenarios"][0]["steps"]
    assert step["expect"] == {"exit_code": 0, "stdout": {"contains": "a", "not_contains": "b"}}
    lost = [line.split(": ")[0] for line in imported.not_taken]
    assert lost == ["steps[0].assert.stdout_regex", "steps[0].assert.huh"]
    suite_of(imported, tmp_path)


EXPECTATIONS = [
    (
        '[[expect.span]]\nname = "a"\nparent = "b"\nkind = "Server"',
        {"spans": [{"name": "a", "parent": "b", "kind": "server"}]},
    ),
    (
        '[[expect.span]]\nname = "a"\nattrs.all = { k = "v" }\nattrs.any = ["x=y"]',
        {"spans": [{"name": "a", "attributes": {"all": {"k": "v"}, "any": {"x": "y"}}}]},
    ),
    (
        '[[expect.span]]\nname = "a"\nevents.any = ["e"]\nevents.all = ["f"]',
        {"spans": [{"name": "a", "events": {"any": ["e"], "all": ["f"]}}]},
    ),
    (
        '[[expect.span]]\nname = "a"\nduration_ms = { min = 0.5, max = 20 }',
        {"spans": [{"name": "a", "duration": {"gte": "0.5ms", "lte": "20ms"}}]},
    ),
    (
        '[expect.graph]\nmust_include = [["a", "b"]]\nmust_not_cross = [["a", "c"]]\nacyclic = true',
        {"graph": {"edges": [["a", "b"]], "no_edges": [["a", "c"]], "acyclic": True}},
    ),
    (
        "[expect.counts]\nspans_total = { gte = 1, lte = 3 }\nerrors_total = { eq = 0 }\nevents_total = { gte = 2 }",
        {"counts": {"spans": {"gte": 1, "lte": 3}, "errors": 0, "events": {"gte": 2}}},
    ),
    (
        "[expect.counts.by_name]\na = { eq = 2, gte = 9 }",
        {"counts": {"by_name": {"a": 2}}},
    ),
    (
        '[[expect.window]]\nouter = "a"\ncontains = ["b"]',
        {"windows": [{"outer": "a", "contains": ["b"]}]},
    ),
    (
        '[expect.order]\nmust_precede = [["a", "b"]]\nmust_follow = [["d", "c"]]',
        {"order": [{"first": "a", "then": "b", "by": "end_start"}, {"first": "c", "then": "d", "by": "end_start"}]},
    ),
    (
        '[expect.status]\nall = "OK"\nby_name = { "a*" = "error" }',
        {"status": {"all": "ok", "by_name": {"a*": "error"}}},
    ),
    (
        (
            "[expect.hermeticity]\n"
            "no_external_services = true\n"
            'resource_attrs.must_match = { k = "v" }\n'
            'span_attrs.forbid_keys = ["x"]'
        ),
        {"hermeticity": {"egress": "none", "leaks": "none", "resource": {"k": "v"}, "forbid_attributes": ["x"]}},
    ),
]


@pytest.mark.parametrize(("text", "ours"), EXPECTATIONS)
def test_expectations_are_taken(load, tmp_path, text, ours):
    imported = load(HEAD + STEP + text)
    assert imported.parts["expect"] == ours
    assert imported.not_taken == ()
    suite_of(imported, tmp_path)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[[expect.span]]\nname = "a"', "expect.span[0] (a)"),
        ("[expect.graph]\nacyclic = true", "expect.graph.acyclic"),
        ('[expect.graph]\nmust_not_cross = [["a", "b"]]', "expect.graph.must_not_cross"),
        ("[expect.counts]\nerrors_total = { eq = 0 }", "expect.counts.errors_total"),
        ('[expect.status]\nall = "OK"', "expect.status.all"),
        ('[expect.order]\nmust_precede = [["a", "b"]]', "expect.order.must_precede (a, b)"),
        ("[assertions]\nx = true", "assertions"),
        ("[otel_validation]\nenabled = true", "otel_validation"),
        ("[determinism]\nseed = 1", "determinism.seed"),
        ('[matrix]\na = ["b"]', "matrix"),
        ("[limits]\nmemory_mb = 1", "limits"),
        ("[expect.chaos]\nno_crashes = true", "expect.chaos"),
    ],
)
def test_what_was_never_evaluated_there_is_said(load, text, key):
    assert key in [line.split(": ")[0] for line in load(HEAD + STEP + text).never_evaluated]


@pytest.mark.parametrize(
    "text",
    [
        '[expect.graph]\nmust_include = [["a", "b"]]',
        "[expect.counts]\nspans_total = { gte = 1 }",
        '[[expect.window]]\nouter = "a"\ncontains = ["b"]',
    ],
)
def test_what_was_evaluated_there_is_not_said_to_be_otherwise(load, text):
    assert load(HEAD + STEP + text).never_evaluated == ()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[[expect.span]]\nname = "clnrm.run"', "expect.span[0] (clnrm.run)"),
        ('[expect.graph]\nmust_include = [["clnrm.run", "x"]]', "expect.graph.must_include[0] (clnrm.run -> x)"),
        ("[[expect.graph]]\nparent = 'a'", "expect.graph"),
        ("[expect.counts]\nspans_total = { gte = 'x' }", "expect.counts.spans_total"),
        ("[services.db]\nplugin = 'surrealdb'", "services.db"),
        ("[expect.suite]\nzero_failures = true", "expect.suite"),
        ("[expect.counts]\nminimum_spans = 3", "expect.counts.minimum_spans"),
    ],
)
def test_what_cannot_be_taken_is_named(load, text, key):
    assert key in [line.split(": ")[0] for line in load(HEAD + STEP + text).not_taken]


def test_without_an_expectation_that_can_be_taken_nothing_may_get_out_or_stay(load, tmp_path):
    imported = load(HEAD + STEP)
    assert imported.parts["expect"] == {"hermeticity": {"egress": "none", "leaks": "none"}}
    assert suite_of(imported, tmp_path).unavailable == ()


@pytest.mark.parametrize(
    ("text", "place", "remedy"),
    [
        ("a = { b = 1,\n  c = 2 }\n", "x.clnrm.toml:1:", "TOML has no line break inside"),
        ("[a]\nb = \n", "x.clnrm.toml:2:", "correct the line"),
        ("[a]\n[a]\n", "x.clnrm.toml:2:", "correct the line"),
        ("a = 1", "no steps that can run", "[[steps]]"),
        (HEAD + "[[steps]]\nname = 's'\ncommand = []\n", "no steps that can run", "[[steps]]"),
    ],
)
def test_a_file_that_cannot_be_imported_says_where_and_what_to_do(load, text, place, remedy):
    with pytest.raises(SpecError) as caught:
        load(text)
    assert place in str(caught.value)
    assert remedy in caught.value.remedy
    assert caught.value.exit_code == 3


def test_a_template_is_refused(tmp_path):
    path = tmp_path / "x.clnrm.toml.tera"
    path.write_text("{% for %}")
    with pytest.raises(SpecError, match="template"):
        import_clnrm(path)


VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["span", "graph", "counts", "window", "order", "status", "hermeticity", "other"])
INNER = st.sampled_from(
    [
        "name",
        "parent",
        "kind",
        "attrs",
        "events",
        "duration_ms",
        "all",
        "any",
        "min",
        "must_include",
        "acyclic",
        "by_name",
        "spans_total",
        "eq",
        "outer",
        "contains",
        "must_precede",
        "resource_attrs",
        "must_match",
        "span_attrs",
        "forbid_keys",
    ]
)
TABLES = st.recursive(
    VALUES, lambda inner: st.dictionaries(INNER, inner, max_size=4) | st.lists(inner, max_size=2), max_leaves=8
)


def says_something(value):
    """Whether a value is more than nothing, or a list or table of nothing."""
    if isinstance(value, dict):
        return any(says_something(item) for item in value.values())
    return any(says_something(item) for item in value) if isinstance(value, list) else value is not False


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(KEYS, TABLES, max_size=4))
def test_any_expectation_is_taken_or_named(expect):
    findings = Findings()
    made = expectations(expect, findings)
    for key, value in expect.items():
        said = [*findings.lost, *findings.unchecked, *findings.altered]
        ours = {"span": "spans", "window": "windows"}.get(key, key)
        assert ours in made or not says_something(value) or any(line.startswith(f"expect.{key}") for line in said)
