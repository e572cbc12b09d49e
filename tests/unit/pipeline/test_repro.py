from __future__ import annotations

import shlex

import pytest

from cleanroom.cli.gates import gates_of
from cleanroom.cli.main import build_parser
from cleanroom.cli.selection import options_of
from cleanroom.pipeline.job import decode_job, encode_job
from cleanroom.pipeline.repro import repro_line
from cleanroom.pipeline.suites import load_plans
from cleanroom.quantity import Duration
from cleanroom.run.pass_rate import PassRate
from tests.unit.pipeline.specs import options, spec


@pytest.mark.parametrize("more", ["", "determinism: {seed: random}", "determinism: {seed: 7}"])
def test_the_line_gives_the_same_plan_again(more, tmp_path, monkeypatch):
    spec(tmp_path, "my specs/a.cleanroom.yaml", more=more, word="{{ vars.who }}-{{ seed }}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINE", "1")
    asked = options(
        tmp_path, specs=("my specs",), variables={"who": "me & you"}, tags=("fast",), iterations=3,
        environment={"MINE": "1", "CLEANROOM_Y": "2"},
    )  # fmt: skip
    loaded = load_plans(asked)
    words = shlex.split(repro_line(loaded.options, loaded))
    assert words[:2] == ["cleanroom", "run"]
    assert "CLEANROOM_Y" not in words
    arguments = build_parser().parse_args(words[1:])
    again = load_plans(options_of(arguments, out=""))
    assert [p.plan_digest for p in again.plans] == [p.plan_digest for p in loaded.plans]


def test_the_line_has_what_chooses_decides_and_ends_early(tmp_path):
    asked = options(
        tmp_path, tier="full", tier_timeouts={"smoke": Duration(60 * 10**9)}, max_failures=3,
        pass_rates=(PassRate(least=8550), PassRate(least=10000, tag="a b")), budget=Duration(600 * 10**9),
    )  # fmt: skip
    words = shlex.split(repro_line(asked, None))
    arguments = build_parser().parse_args(words[1:])
    again = options_of(arguments, out="", **gates_of(arguments))
    for name in ("tier", "tier_timeouts", "max_failures", "pass_rates", "budget"):
        assert getattr(again, name) == getattr(asked, name)
    assert decode_job(encode_job(asked)) == asked


def test_seeds_that_the_specs_say_are_left_to_them(tmp_path):
    spec(tmp_path, "a.cleanroom.yaml", "a", more="determinism: {seed: 7}")
    spec(tmp_path, "b.cleanroom.yaml", "b")
    loaded = load_plans(options(tmp_path))
    assert "--seed" not in repro_line(loaded.options, loaded)
    loaded = load_plans(options(tmp_path, seed=9))
    assert "--seed 9" in repro_line(loaded.options, loaded)


def test_secrets_are_left_out(tmp_path):
    line = repro_line(options(tmp_path, variables={"token": "hunter22"}, secrets=("hunter22",)), None)
    assert "hunter22" not in line
    assert "--var 'token=***'" in line


def test_without_a_plan_there_is_the_seed_that_was_asked_for(tmp_path):
    assert repro_line(options(tmp_path, seed=3), None) == "cleanroom run . --seed 3"
    assert repro_line(options(tmp_path), None) == "cleanroom run ."
