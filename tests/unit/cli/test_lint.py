from __future__ import annotations

import argparse
import json

import pytest

from cleanroom.cli import lint
from cleanroom.errors import UsageError

GOOD = """\
cleanroom: 1
meta: {name: good, description: greets}
services: {api: {build: {context: .}}}
scenarios:
  - name: greet
    steps: [{name: a, http: {service: api}}]
    expect: {status: {all: {ne: error}}}
"""
NOTED = GOOD.replace(", description: greets", "")
WEAK = GOOD + "determinism: {iterations: 1}\n"


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")


def call(*words):
    parser = argparse.ArgumentParser()
    lint.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["lint", *words])
    return arguments.call(arguments)


def test_a_good_spec_passes(tmp_path, capsys):
    (tmp_path / "a.cleanroom.yaml").write_text(GOOD)
    assert call("--strict") == 0
    assert capsys.readouterr().out == "0 warnings, 0 notes in 1 file\n"


def test_a_warning_is_exit_code_1_and_is_shown_with_its_line(tmp_path, capsys):
    (tmp_path / "a.cleanroom.yaml").write_text(WEAK)
    assert call() == 1
    assert capsys.readouterr().out == (
        "a.cleanroom.yaml:8:27: warning[single-iteration]: "
        "one iteration shows that it can work, not that it does so again\n"
        "  8 | determinism: {iterations: 1}\n"
        "    |                           ^\n"
        "  what to do: use at least two iterations; five is the default\n\n"
        "1 warning, 0 notes in 1 file\n"
    )


def test_a_note_is_exit_code_1_only_when_strict(tmp_path, capsys):
    (tmp_path / "a.cleanroom.yaml").write_text(NOTED)
    assert call() == 0
    assert "note[missing-description]" in capsys.readouterr().out
    assert call("--strict") == 1


def test_an_invalid_spec_is_exit_code_3_and_hides_no_finding_of_the_others(tmp_path, capsys):
    (tmp_path / "a.cleanroom.yaml").write_text(WEAK)
    (tmp_path / "b.cleanroom.yaml").write_text("cleanroom: 1\n")
    assert call() == 3
    captured = capsys.readouterr()
    assert "single-iteration" in captured.out
    assert "b.cleanroom.yaml:1:1: error[missing-key]" in captured.err


def test_json(tmp_path, capsys):
    (tmp_path / "a.cleanroom.yaml").write_text(WEAK)
    assert call("--format", "json") == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["rule"], finding["level"], finding["line"], finding["column"]) == (
        "single-iteration",
        "warning",
        8,
        27,
    )


def test_workflow_commands_are_escaped(tmp_path, capsys):
    (tmp_path / "a,b.cleanroom.yaml").write_text(NOTED.replace("{api: {build: {context: .}}}", '{api: {image: "x%y"}}'))
    call("--format", "github")
    out = capsys.readouterr().out
    assert "::notice file=a%2Cb.cleanroom.yaml,line=2,col=1,title=cleanroom lint%3A missing-description::" in out
    assert "the image x%25y names" in out


def test_templates_are_rendered_and_linted(tmp_path, capsys):
    (tmp_path / "a.cleanroom.yaml.j2").write_text(
        GOOD + "{% if true %}\ndeterminism: {iterations: {{ 1 }}}\n{% endif %}\n"
    )
    assert call() == 1
    assert "a.cleanroom.yaml.j2:9:" in capsys.readouterr().out


def test_values_from_templates_are_judged_as_rendered(tmp_path, capsys):
    text = GOOD.replace("services", 'vars: {tag: ""}\nservices').replace(
        "{build: {context: .}}", '{image: "redis{{ vars.tag }}"}'
    )
    (tmp_path / "a.cleanroom.yaml").write_text(text)
    assert call() == 1
    assert "unpinned-image" in capsys.readouterr().out
    assert call("--var", "tag=:7") == 0
    assert "image-by-tag" in capsys.readouterr().out


def test_a_pattern_that_matches_nothing_is_an_error():
    with pytest.raises(UsageError, match="no spec matches"):
        call("nothing")


def test_what_lint_does_not_look_at_is_no_argument(tmp_path):
    (tmp_path / "a.cleanroom.yaml").write_text(GOOD)
    for words in (("--tags", "a"), ("--iterations", "2")):
        with pytest.raises(SystemExit):
            call(*words)
    with pytest.raises(UsageError, match="--seed random"):
        call("--seed", "random")
