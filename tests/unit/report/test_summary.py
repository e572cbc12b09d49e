from __future__ import annotations

import re

import pytest

from cleanroom.report.summary import render_summary
from tests.unit.report import runs


def outside_code(markdown):
    """The page without its fenced blocks and code spans: what a reader renders as markup."""
    page = re.sub(r"^ *(`{3,})[a-z]*\n.*?^ *\1$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    page = re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", page)
    return re.sub(r"\\[^\w\s]", "", page)


@pytest.mark.parametrize("kind", ["pass", "fail", "inconclusive", "error", "invalid", "nothing", "gated"])
def test_the_whole_page(kind, snapshot):
    assert render_summary(runs.ALL[kind]()) == snapshot


def test_hostile_text_brings_no_markup_mention_or_link():
    page = outside_code(render_summary(runs.hostile()))
    assert "&lt;img" in page
    assert "<img" not in page
    assert "</failure>" not in page
    assert "@octocat" not in page
    assert " #1 " not in page
    assert "http://" not in page
    assert "www." not in page
    assert "](javascript" not in page
    assert "\x1b" not in page


def test_every_row_of_a_table_has_the_cells_of_its_head():
    width = 0
    rows = 0
    for line in render_summary(runs.hostile()).split("\n"):
        if not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line))
        assert cells == (width or cells)
        width, rows = cells, rows + 1
    assert rows > 10


def test_no_line_of_the_page_is_a_workflow_command():
    assert not [line for line in render_summary(runs.hostile()).splitlines() if line.lstrip().startswith("::")]


def test_a_page_too_long_says_what_it_left_out_and_keeps_the_verdict():
    many = tuple(runs.broken(found=f"{number} spans " + "é" * 900, at=runs.at(number + 1)) for number in range(90))
    report = runs.make(checks=many, word="fail", code=1, counts={"failed": 90})
    page = render_summary(report, budget=20_000)
    assert len(page.encode()) <= 20_000
    assert page.lstrip().startswith("## cleanroom: fail")
    assert "report.json" in page.rstrip().split("\n")[-1]


def test_a_summary_stays_far_below_the_limit_of_the_runner():
    many = tuple(
        runs.broken(found="x" * 1400 + str(n), at=runs.at(n + 1), near_misses=("y" * 900,) * 5) for n in range(900)
    )
    assert len(render_summary(runs.make(checks=many, word="fail", code=1, counts={})).encode()) <= 900 * 1024


def test_the_worst_suite_comes_first():
    page = render_summary(runs.failing())
    assert page.index("### Findings") < page.index("### Suites") < page.index("### Phases")


def test_secrets_are_masked():
    report = runs.failing(repro="cleanroom run --var token=hunter2-secret", secrets=("hunter2-secret",))
    assert "hunter2" not in render_summary(report)
    assert "token=***" in render_summary(report)
