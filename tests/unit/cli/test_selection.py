from __future__ import annotations

import pytest

from cleanroom.cli.main import build_parser
from cleanroom.cli.selection import options_of
from cleanroom.pipeline.options import RunOptions


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    (tmp_path / "specs").mkdir()
    monkeypatch.chdir(tmp_path)


def chosen(*words: str, **more: object) -> RunOptions:
    return options_of(build_parser().parse_args(["plan", *words]), out="", **more)


def test_without_arguments_everything_below_here_is_meant(tmp_path):
    options = chosen()
    assert (options.specs, options.root, options.seed, options.random_seed) == ((".",), str(tmp_path), None, False)


def test_paths_are_relative_to_the_caller_and_resolved_against_the_root(tmp_path, monkeypatch):
    assert chosen("specs/a.yaml", str(tmp_path / "b.yaml"), "x/*.yaml").specs == ("specs/a.yaml", "b.yaml", "x/*.yaml")
    monkeypatch.chdir(tmp_path / "specs")
    assert chosen("a.yaml", "--root", "..").specs == ("specs/a.yaml",)
    assert chosen("--root", "..").specs == ("specs",)


def test_seeds():
    assert (chosen("--seed", "7").seed, chosen("--seed", "7").random_seed) == (7, False)
    assert (chosen("--seed", "random").seed, chosen("--seed", "random").random_seed) == (None, True)


def test_tags_and_variables_may_be_given_more_than_once():
    options = chosen("--tags", "a,b", "--tags", "c", "--var", "x=1", "--var", "y=a=b", "--var", "z=")
    assert options.tags == ("a", "b", "c")
    assert options.variables == {"x": "1", "y": "a=b", "z": ""}


def test_templates_may_read_what_is_allowed_and_what_bears_our_name_but_not_our_own(monkeypatch):
    for name in ("MINE", "OTHER", "SECRET", "CLEANROOM_SPEC", "CLEANROOM_JOB", "CLEANROOM_CELL", "CLEANROOM_IMAGE"):
        monkeypatch.setenv(name, "1")
    found = chosen("--allow-env", "MINE,OTHER").environment
    assert {n for n in found if not n.startswith("CLEANROOM_")} == {"MINE", "OTHER"}
    assert "CLEANROOM_SPEC" in found
    assert not {"CLEANROOM_JOB", "CLEANROOM_CELL", "CLEANROOM_IMAGE"} & set(found)
