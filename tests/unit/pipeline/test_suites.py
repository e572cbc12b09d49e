from __future__ import annotations

import pytest

from cleanroom.errors import ExitCode, InconclusiveError, UsageError
from cleanroom.pipeline.suites import (
    MAX_SEED,
    InvalidSpecsError,
    check_machine,
    load_plans,
    load_runnable,
    render_specs,
)
from tests.unit.pipeline.specs import options, spec

RANDOM = "determinism: {seed: random}"


def test_every_spec_becomes_a_plan_in_order_of_file(tmp_path):
    spec(tmp_path, "b.cleanroom.yaml", "b")
    spec(tmp_path, "a/z.cleanroom.yaml", "z")
    loaded = load_plans(options(tmp_path))
    assert [s.file for s in loaded.suites] == ["a/z.cleanroom.yaml", "b.cleanroom.yaml"]
    assert [p.seed for p in loaded.plans] == [42, 42]


def test_the_problems_of_all_files_are_told_at_once(tmp_path):
    for name in ("one", "two"):
        spec(tmp_path, f"{name}.cleanroom.yaml", name, more="colour: red\nflavour: sweet")
    spec(tmp_path, "good.cleanroom.yaml", "good")
    with pytest.raises(InvalidSpecsError) as caught:
        load_plans(options(tmp_path))
    assert caught.value.exit_code is ExitCode.INVALID_SPEC
    assert [(p.at.file, p.code) for p in caught.value.problems] == [
        ("one.cleanroom.yaml", "unknown-key"), ("one.cleanroom.yaml", "unknown-key"),
        ("two.cleanroom.yaml", "unknown-key"), ("two.cleanroom.yaml", "unknown-key"),
    ]  # fmt: skip
    for words in ("one.cleanroom.yaml:14:1", "two.cleanroom.yaml:15:1", "colour", "flavour", "4 problems"):
        assert words in caught.value.message


def test_tags_choose_scenarios_and_a_suite_s_own_count_for_all_of_them(tmp_path):
    spec(tmp_path, "a.cleanroom.yaml", "a")
    spec(tmp_path, "b.cleanroom.yaml", "b", tags="nightly")

    def chosen(*tags: str) -> list[tuple[str, list[str]]]:
        return [(s.name, [c.name for c in s.scenarios]) for s in load_plans(options(tmp_path, tags=tags)).suites]

    both = ["it answers", "it survives"]
    assert chosen() == [("a", both), ("b", both)]
    assert chosen("fast") == [("a", ["it answers"]), ("b", ["it answers"])]
    assert chosen("nightly") == [("b", both)]
    assert chosen("slow", "nightly") == [("a", ["it survives"]), ("b", both)]
    assert chosen("none") == []


def test_two_suites_of_one_name_are_refused(tmp_path):
    spec(tmp_path, "a.cleanroom.yaml", "shop")
    spec(tmp_path, "b.cleanroom.yaml", "shop")
    with pytest.raises(UsageError, match=r"'shop': a\.cleanroom\.yaml and b\.cleanroom\.yaml") as caught:
        load_plans(options(tmp_path))
    assert caught.value.remedy


def test_iterations_and_seed_of_the_call_win(tmp_path):
    spec(tmp_path, "a.cleanroom.yaml", more="determinism: {iterations: 3, seed: 7}")
    (own,) = load_plans(options(tmp_path)).plans
    (asked,) = load_plans(options(tmp_path, iterations=2, seed=9)).plans
    assert [(p.iterations, p.seed) for p in (own, asked)] == [(3, 7), (2, 9)]


@pytest.mark.parametrize("by_call", [True, False])
def test_a_random_seed_is_drawn_once_for_plans_and_templates_and_stays(by_call, tmp_path, monkeypatch):
    drawn = iter([123, 456])
    monkeypatch.setattr(
        "cleanroom.pipeline.suites.secrets.randbelow", lambda most: next(drawn) if most == MAX_SEED else 0
    )
    for name in ("a", "b"):
        spec(tmp_path, f"{name}.cleanroom.yaml", name, more="" if by_call else RANDOM, word="{{ seed }}")
    loaded = load_plans(options(tmp_path, random_seed=by_call))
    assert [p.seed for p in loaded.plans] == [123, 123]
    assert (loaded.options.seed, loaded.options.random_seed) == (123, False)
    assert "echo 123" in str(loaded.suites[0].scenarios[0].steps[0].action)
    assert load_plans(loaded.options).plans == loaded.plans


def test_random_seeds_differ(tmp_path):
    spec(tmp_path, "a.cleanroom.yaml", more=RANDOM)
    assert len({load_plans(options(tmp_path)).plans[0].seed for _ in range(5)}) > 1


def test_variables_reach_templates(tmp_path):
    spec(tmp_path, "a.cleanroom.yaml", word="{{ vars.who }}-{{ env('CLEANROOM_X') }}")
    given = options(tmp_path, variables={"who": "me"}, environment={"CLEANROOM_X": "x"})
    assert "echo me-x" in str(load_plans(given).suites[0].scenarios[0].steps[0].action)


@pytest.mark.parametrize("load", [load_plans, render_specs])
def test_a_variable_that_no_spec_reads_is_a_usage_error_with_the_name_that_was_meant(load, tmp_path):
    spec(tmp_path, "a.cleanroom.yaml", "a", more='vars: {where: "{{ vars.region }}"}')
    with pytest.raises(UsageError, match="no spec reads the variable 'regoin'") as caught:
        load(options(tmp_path, variables={"region": "eu", "regoin": "us"}))
    assert "did you mean region?" in str(caught.value)


def test_what_matches_nothing_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        load_plans(options(tmp_path, specs=("nowhere.cleanroom.yaml",)))


def test_only_a_run_refuses_what_it_cannot_carry_out_and_says_so_once(tmp_path):
    spec(tmp_path, "a.cleanroom.yaml", "a", more="limits: {containers: 3}\nmatrix: {n: [1, 2]}")
    spec(tmp_path, "b.cleanroom.yaml", "b", tags="plain")
    assert [p.suite.name for p in load_plans(options(tmp_path)).plans] == ["a (n=1)", "a (n=2)", "b"]
    with pytest.raises(InvalidSpecsError) as caught:
        load_runnable(options(tmp_path))
    assert caught.value.exit_code is ExitCode.INVALID_SPEC
    assert [(p.code, p.at.file, p.at.line) for p in caught.value.problems] == [
        ("not-available", "a.cleanroom.yaml", 14)
    ]
    assert [p.suite.name for p in load_runnable(options(tmp_path, tags=("plain",))).plans] == ["b"]


def test_a_template_of_a_whole_file_is_found_and_loaded(tmp_path):
    spec(tmp_path, "a.cleanroom.yaml.j2", "a", word="{{ 1 + 1 }}")
    (suite,) = load_plans(options(tmp_path)).suites
    assert (suite.file, "echo 2" in str(suite.scenarios[0].steps[0].action)) == ("a.cleanroom.yaml.j2", True)


def test_rendering_asks_for_no_valid_spec_and_tells_the_problems_of_all_templates(tmp_path):
    (tmp_path / "a.cleanroom.yaml").write_text("colour: '{{ seed }}'\n")
    (rendered,) = render_specs(options(tmp_path, seed=3))
    assert rendered.instances[0].document.get("colour").value == 3
    (tmp_path / "b.cleanroom.yaml").write_text("colour: '{{ sed }}'\n")
    with pytest.raises(InvalidSpecsError, match="did you mean seed"):
        render_specs(options(tmp_path))


@pytest.mark.parametrize("place", ["determinism", "scenario"])
def test_a_machine_with_one_cpu_varies_none(tmp_path, place):
    """Of the plans, whoever asks for it: one that varies something else runs there."""
    suite, one = ("[hostname, cpus]", "") if place == "determinism" else ("[hostname]", ", vary: [cpus]")
    (tmp_path / "a.cleanroom.yaml").write_text(
        "cleanroom: 1\nmeta: {name: a}\nservices: {db: {image: i}}\n"
        f"scenarios: [{{name: s, steps: [{{name: x, sleep: 1ms}}]{one}}}]\n"
        f"determinism: {{iterations: 3, vary: {suite}}}\n",
        encoding="utf-8",
    )
    plans = load_plans(options(tmp_path)).plans
    check_machine(plans, 2)
    with pytest.raises(InconclusiveError, match="a varies cpus, and this machine has one CPU") as caught:
        check_machine(plans, 1)
    assert caught.value.exit_code == ExitCode.INCONCLUSIVE
    assert "take cpus out of `vary`" in caught.value.remedy


def test_a_machine_with_one_cpu_varies_everything_else(tmp_path):
    spec(
        tmp_path,
        "b.cleanroom.yaml",
        more="determinism: {iterations: 4, vary: [hostname, timezone, locale]}",
    )
    plans = load_plans(options(tmp_path)).plans
    assert [plan.suite.determinism.vary for plan in plans] == [("hostname", "timezone", "locale")]
    check_machine(plans, 1)
