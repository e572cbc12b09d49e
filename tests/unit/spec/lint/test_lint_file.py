from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom.spec.lint.check import lint_file
from cleanroom.spec.lint.registry import RULES

ROOT = Path(__file__).parents[4]
SPECS = sorted(
    path
    for folder in ("examples", "benchmarks", "tests/specs", "tests/e2e")
    for path in (ROOT / folder).rglob("*.cleanroom.*")
    if path.name.endswith((".yaml", ".yml", ".j2"))
)


def linted(path):
    return lint_file(path, root=ROOT, variables={}, environment={})


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_spec_of_the_repository_has_problems_or_can_be_linted(path):
    result = linted(path)
    assert result.file == path.relative_to(ROOT).as_posix()
    assert not (result.problems and result.findings)
    lines = path.read_text(errors="replace").splitlines()
    for finding in result.findings:
        assert finding.rule in RULES
        assert 1 <= finding.at.line <= len(lines)


@pytest.mark.parametrize("name", ["quickstart/quickstart", "hello/hello"])
def test_the_examples_that_people_copy_have_no_weakness(name):
    result = linted(ROOT / "examples" / f"{name}.cleanroom.yaml")
    assert not result.problems
    assert [finding for finding in result.findings if finding.level == "warning"] == []
