from __future__ import annotations

import re
from pathlib import Path

import pytest

from cleanroom.spec.load import discover, load_suite, render_problems
from cleanroom.spec.suite import Suite

ROOT = Path(__file__).parents[2] / "specs"
_EXPECT = re.compile(r"# expect: (\S+) at (\d+):(\d+)")


def load(path):
    return load_suite(path, root=ROOT, variables={}, environment={})


def specs(folder):
    found = discover([folder], ROOT)
    return [pytest.param(path, id=path.name.split(".")[0]) for path in found]


@pytest.mark.parametrize("path", specs("invalid"))
def test_every_problem_of_the_file_is_found_in_one_pass_and_in_order(path):
    text = path.read_text(encoding="utf-8")
    expected = [(code, int(line), int(column)) for code, line, column in _EXPECT.findall(text)]
    problems = load(path)
    assert isinstance(problems, tuple)
    found = [(problem.code, problem.at.line, problem.at.column) for problem in problems]
    assert expected
    assert sorted(found, key=lambda f: (f[1], f[2], f[0])) == found
    assert found == sorted(expected, key=lambda f: (f[1], f[2], f[0]))


@pytest.mark.parametrize("path", specs("invalid"))
def test_each_problem_shows_its_line_with_a_caret_under_the_column(path):
    problems = load(path)
    rendered = render_problems(problems)
    lines = path.read_text(encoding="utf-8").split("\n")
    for problem in problems:
        assert f"{problem.at}: error[{problem.code}]: {problem.message}" in rendered
        assert problem.at.file == f"invalid/{path.name}"
        source, caret = problem.excerpt.split("\n")
        assert source in lines[problem.at.line - 1]
        assert caret == " " * (problem.at.column - 1) + "^"


@pytest.mark.parametrize("path", specs("valid"))
def test_a_valid_file_loads(path):
    suite = load(path)
    assert isinstance(suite, Suite), render_problems(suite)
    assert suite.file == f"valid/{path.name}"
