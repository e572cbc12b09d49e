from __future__ import annotations

import re
from pathlib import Path

import pytest

from cleanroom.plan.build import build_plan
from cleanroom.spec.load import load_suite
from cleanroom.spec.suite import Suite

ROOT = Path(__file__).resolve().parents[2]
SPECS = sorted(
    path.relative_to(ROOT)
    for folder in ("examples", "benchmarks")
    for path in (ROOT / folder).rglob("*.cleanroom.yaml")
)
BROKEN = Path("examples/controls/unknown-key.cleanroom.yaml")
GOOD = [path for path in SPECS if path != BROKEN]
REQUIREMENTS = sorted((ROOT / "examples").rglob("requirements.txt"))


def load(path: Path) -> Suite:
    suite = load_suite(path, root=ROOT, variables={}, environment={})
    assert isinstance(suite, Suite), "\n".join(f"{problem.at}: {problem.message}" for problem in suite)
    return suite


def faults(path: Path) -> list[str]:
    plan = build_plan(load(path))
    return [event.fault.kind for scenario in plan.scenarios for event in scenario.events if event.drawn]


def test_the_examples_are_all_here():
    assert [path.name.partition(".")[0] for path in SPECS] == [
        "bench",
        "egress",
        "prevented-fault",
        "random-attribute",
        "silent",
        "unknown-key",
        "wrong-expectation",
        "hello",
        "quickstart",
    ]


@pytest.mark.parametrize("path", GOOD, ids=str)
def test_an_example_loads_and_plans_the_same_twice(path):
    first, second = build_plan(load(path)), build_plan(load(path))
    assert first.plan_digest == second.plan_digest
    assert first.suite.expect is not None


@pytest.mark.parametrize("path", GOOD, ids=str)
def test_an_example_is_named_after_its_file(path):
    assert load(path).name == path.name.partition(".")[0]


def test_the_broken_example_is_refused_at_its_line_with_what_was_meant():
    problems = load_suite(BROKEN, root=ROOT, variables={}, environment={})
    assert not isinstance(problems, Suite)
    line = (ROOT / BROKEN).read_text().splitlines().index("scenarious:") + 1
    assert ("unknown-key", line, "did you mean scenarios?") in [(p.code, p.at.line, p.suggestion) for p in problems]


def test_the_quickstart_kills_a_database_and_slows_one_down_five_times():
    path = Path("examples/quickstart/quickstart.cleanroom.yaml")
    assert faults(path) == ["container.kill", "network.latency"]
    assert build_plan(load(path)).iterations == 5


def test_the_benchmark_disturbs_nothing():
    assert faults(Path("benchmarks/bench.cleanroom.yaml")) == []


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.parent.name)
def test_an_image_of_an_example_pins_every_package(path):
    lines = path.read_text().splitlines()
    assert len(lines) > 10
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line)] == []


def test_services_leave_spans_to_the_stock_instrumentation():
    sources = sorted((ROOT / "examples").rglob("*.py"))
    assert {path.name for path in sources} == {"hello.py", "orders.py"}
    imports = re.compile(r"^\s*(import|from) opentelemetry", re.MULTILINE)
    assert [path.name for path in sources if imports.search(path.read_text())] == []
