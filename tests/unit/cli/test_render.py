from __future__ import annotations

import argparse
import json

import pytest

from cleanroom.cli import render, validate
from tests.unit.pipeline.specs import spec


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def go(module, *words):
        parser = argparse.ArgumentParser()
        module.add_parser(parser.add_subparsers())
        arguments = parser.parse_args(words)
        return arguments.call(arguments), capsys.readouterr().out

    return go


SOURCE = "vars: {v: '17'}\nmatrix: {n: [1, 2]}\nout: '{{ vars.v }}'\nlate: '{{ captured.id }}'\n"


def test_render_prints_a_document_for_each_instance(call, tmp_path):
    (tmp_path / "a.cleanroom.yaml").write_text(SOURCE)
    code, out = call(render, "render", "a.cleanroom.yaml", "--var", "v=18")
    document = "vars:\n  v: '17'\nmatrix:\n  n:\n  - 1\n  - 2\nout: '18'\nlate: '{{ captured.id }}'\n"
    assert code == 0
    assert out == f"# a.cleanroom.yaml (n=1)\n{document}---\n# a.cleanroom.yaml (n=2)\n{document}"


def test_render_prints_json_for_programs(call, tmp_path):
    (tmp_path / "a.cleanroom.yaml").write_text("a: '{{ seed }}'\nb: '{{ captured.id }}'\n")
    code, out = call(render, "render", "--format", "json", "--seed", "3")
    assert code == 0
    assert json.loads(out) == [{"file": "a.cleanroom.yaml", "instance": {}, "spec": {"a": 3, "b": "{{ captured.id }}"}}]


@pytest.mark.parametrize("option", ["--tags", "--iterations"])
def test_render_takes_no_option_that_it_would_ignore(call, tmp_path, option):
    (tmp_path / "a.cleanroom.yaml").write_text(SOURCE)
    with pytest.raises(SystemExit):
        call(render, "render", option, "1")


def test_validate_names_instances_and_what_run_cannot_carry_out(call, tmp_path):
    spec(tmp_path, "a.cleanroom.yaml", "a", more="limits: {containers: 3}\nmatrix: {n: [1]}")
    spec(tmp_path, "b.cleanroom.yaml", "b")
    code, out = call(validate, "validate")
    assert code == 0
    assert out == (
        "a.cleanroom.yaml: a (n=1): valid (2 scenarios)\n"
        "  run cannot carry out 1 thing in it yet:\n"
        '    a.cleanroom.yaml:14:10: "containers" in limits is part of the language, '
        "and run cannot carry it out in this version\n"
        "b.cleanroom.yaml: valid (2 scenarios)\n"
    )
