from __future__ import annotations

import pytest

from cleanroom.action.inputs import DEFAULT_SPECS, raw_secrets, read_inputs
from cleanroom.action.main import options_of
from cleanroom.errors import UsageError
from cleanroom.quantity import Duration
from cleanroom.run.pass_rate import PassRate


@pytest.fixture
def environ(tmp_path):
    """The environment of a step; inputs by name, hyphens as the runner leaves them."""

    def make(**inputs):
        given = {f"INPUT_{name.upper().replace('_', '-')}": value for name, value in inputs.items()}
        return {"GITHUB_WORKSPACE": str(tmp_path), "GITHUB_REPOSITORY": "org/shop", **given}

    return make


def test_empty_inputs_are_unset_ones(environ, tmp_path):
    inputs = read_inputs(environ(specs="", iterations="", seed="  ", fail_on="", summary=""))
    assert inputs.specs == (DEFAULT_SPECS,)
    assert inputs.iterations is None
    assert inputs.seed is None
    assert inputs.fail_on == {"failure", "inconclusive", "nondeterminism"}
    assert inputs.summary
    assert inputs.report_dir == tmp_path / "cleanroom-report"


def test_lists_take_newlines_and_commas_and_globs_keep_their_braces(environ):
    inputs = read_inputs(environ(specs="a.yaml, b/{c,d}.yaml\ne.yaml\n\n", tags="smoke,slow"))
    assert inputs.specs == ("a.yaml", "b/{c,d}.yaml", "e.yaml")
    assert inputs.tags == ("smoke", "slow")


def test_what_decides_about_a_run_as_a_whole(environ):
    limits = {"tier": "smoke", "tier_timeouts": "smoke=60s, full=5m", "max_failures": "3", "budget": "1m"}
    inputs = read_inputs(environ(min_pass_rate="85\nslow=70", **limits))
    assert (inputs.tier, inputs.max_failures, inputs.budget) == ("smoke", 3, Duration(60 * 10**9))
    assert inputs.pass_rates == (PassRate(least=8500), PassRate(least=7000, tag="slow"))
    assert inputs.tier_timeouts == {"smoke": Duration(60 * 10**9), "full": Duration(300 * 10**9)}
    assert options_of(inputs).pass_rates == inputs.pass_rates
    assert options_of(inputs).budget == inputs.budget
    none = read_inputs(environ(tier="", tier_timeouts="", min_pass_rate="", max_failures="", budget=""))
    assert (none.tier, none.max_failures, none.budget, none.pass_rates) == (None, None, None, ())


@pytest.mark.parametrize(("text", "value"), [("true", True), ("TRUE", True), ("False", False), ("false", False)])
def test_booleans_are_those_of_the_toolkit(environ, text, value):
    assert read_inputs(environ(summary=text)).summary is value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("summary", "yes"),
        ("annotations", "1"),
        ("iterations", "0"),
        ("iterations", "101"),
        ("iterations", "five"),
        ("tier", "nightly"),
        ("tier_timeouts", "smoke"),
        ("tier_timeouts", "nightly=1s"),
        ("tier_timeouts", "smoke=1s, smoke=2s"),
        ("tier_timeouts", "smoke=0"),
        ("min_pass_rate", "0"),
        ("min_pass_rate", "smoke"),
        ("max_failures", "0"),
        ("budget", "soon"),
        ("budget", "0"),
        ("seed", "-1"),
        ("seed", "18446744073709551616"),
        ("seed", "٣"),
        ("engine", "docker"),
        ("image_cache", "on"),
        ("fail_on", "failure, never"),
        ("fail_on", "errors"),
        ("variables", "no equals"),
        ("variables", "a=1\na=2"),
        ("variables", "1a=2"),
        ("allow_env", "A*"),
        ("allow_env", "ACTIONS_RUNTIME_TOKEN"),
        ("allow_env", "GITHUB_TOKEN"),
        ("allow_env", "INPUT_REGISTRY-AUTH"),
        ("registry_auth", "no-colon"),
        ("specs", "../other/*.yaml"),
        ("specs", "/etc/*.yaml"),
        ("report_dir", "../out"),
        ("report_dir", "/tmp"),
        ("report_dir", "."),
        ("report_dir", ".cleanroom"),
        ("report_dir", "a:b"),
    ],
)
def test_a_wrong_input_is_refused_by_name(environ, name, text):
    with pytest.raises(UsageError, match=f"input {name.replace('_', '-')}"):
        read_inputs(environ(**{name: text}))


def test_a_seed_may_be_drawn(environ):
    assert read_inputs(environ(seed="random")).random_seed
    assert read_inputs(environ(seed=str(2**64 - 1))).seed == 2**64 - 1


def test_never_fails_on_nothing(environ):
    assert read_inputs(environ(fail_on="never")).fail_on == frozenset()


def test_paths_of_a_job_container_and_absolute_ones_are_mapped(environ, tmp_path):
    inputs = read_inputs(environ(specs=f"/__w/shop/shop/a.yaml\n{tmp_path}/b.yaml", report_dir="/__w/shop/shop/out/r"))
    assert inputs.specs == ("a.yaml", "b.yaml")
    assert inputs.relative(inputs.report_dir) == "out/r"


def test_a_link_out_of_the_workspace_is_no_report_directory(environ, tmp_path, tmp_path_factory):
    (tmp_path / "out").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(UsageError, match="not inside the workspace"):
        read_inputs(environ(report_dir="out/report"))


def test_credentials_are_read_and_never_shown(environ):
    given = environ(registry_auth="reg.example:5000=me:p:w=1\nyou:secret")
    inputs = read_inputs(given)
    assert [(a.registry, a.username, a.password) for a in inputs.registry_auth] == [
        ("reg.example:5000", "me", "p:w=1"),
        ("", "you", "secret"),
    ]
    assert "p:w=1" not in repr(inputs)
    assert {"p:w=1", "secret", "you:secret"} <= set(inputs.secrets)
    assert {"p:w=1", "secret"} <= set(raw_secrets(given))


def test_a_broken_line_of_credentials_is_masked_and_named_by_number_only(environ):
    given = environ(registry_auth="a=b:c\nhunter2 without a colon")
    with pytest.raises(UsageError, match="line 2") as caught:
        read_inputs(given)
    assert "hunter2" not in str(caught.value)
    assert "hunter2 without a colon" in raw_secrets(given)


def test_specs_see_the_variables_they_are_allowed_and_no_other(environ):
    given = {**environ(allow_env="COLOUR"), "COLOUR": "red", "OTHER": "x", "CLEANROOM_VAR_a": "1", "CLEANROOM_JOB": "j"}
    assert dict(read_inputs(given).environment) == {"COLOUR": "red", "CLEANROOM_VAR_a": "1"}


def test_without_a_workspace_the_message_says_what_to_do():
    with pytest.raises(UsageError, match="GITHUB_WORKSPACE"):
        read_inputs({})
