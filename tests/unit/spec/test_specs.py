from __future__ import annotations

import pytest
from syrupy.extensions.json import JSONSnapshotExtension

from cleanroom.plan.plain import plain
from cleanroom.spec.load import discover, load_spec, render_problems
from tests.unit.spec.headers import ROOT, declared, found


def load(path):
    return load_spec(path, root=ROOT, variables={}, environment={})


def specs(folder):
    paths = discover([folder], ROOT)
    # The name of a test is that of its snapshot's file, so it holds no slash.
    return [pytest.param(path, id=path.relative_to(ROOT).as_posix().split(".")[0].replace("/", "-")) for path in paths]


@pytest.fixture
def models(snapshot):
    return snapshot.use_extension(JSONSnapshotExtension)


@pytest.mark.parametrize("path", specs("invalid"))
def test_every_problem_of_the_file_is_told_in_one_pass_in_order_and_in_the_words_that_the_file_expects(path):
    expected = declared(path)
    assert expected
    assert found(path) == expected


@pytest.mark.parametrize("path", specs("invalid"))
def test_each_problem_shows_its_line_with_a_caret_under_the_column(path):
    problems = load(path).problems
    rendered = render_problems(problems)
    for problem in problems:
        assert f"{problem.at}: error[{problem.code}]: {problem.message}" in rendered
        if not problem.excerpt:
            assert problem.code in ("outside", "unreadable", "not-utf8", "too-large")
            continue
        lines = (ROOT / problem.at.file).read_text(encoding="utf-8").split("\n")
        source, caret = problem.excerpt.split("\n")
        if len(lines[problem.at.line - 1]) <= len(source):
            assert caret == " " * (problem.at.column - 1) + "^"


@pytest.mark.parametrize("path", [*specs("valid"), *specs("language")])
def test_a_valid_file_becomes_the_model_that_was_reviewed(path, models):
    loaded = load(path)
    assert not loaded.problems, render_problems(loaded.problems)
    assert [plain(suite) for suite in loaded.suites] == models
