from __future__ import annotations

import ast
from pathlib import Path

import cleanroom.validate
from cleanroom.validate.rules import ALWAYS, RULES

SOURCES = sorted(Path(cleanroom.validate.__file__).parent.rglob("*.py"))
TESTS = sorted(Path(__file__).parent.rglob("test_*.py"))


def test_every_rule_that_the_code_names_is_in_the_registry():
    for path in (p for p in SOURCES if p.name != "rules.py"):
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.keyword) and n.arg == "rule"]
        named = {k.value.value for k in calls if isinstance(k.value, ast.Constant)}
        assert named <= set(RULES), path.name


def test_every_rule_of_the_registry_is_given_out_by_the_code_and_explained():
    text = "\n".join(p.read_text() for p in SOURCES if p.name != "rules.py")
    # Made of a family and a key of the spec: counts.<what>, step.<what>, hermeticity.<key>.
    composed = {"counts", "step", "hermeticity", "resilience", "resources", "steady_state", "invariants"}
    for rule, meaning in RULES.items():
        assert f'"{rule}"' in text or rule.partition(".")[0] in composed, rule
        assert meaning


def test_every_rule_is_broken_by_some_test():
    text = "\n".join(p.read_text() for p in TESTS)
    composed = {"counts", "step", "resilience"}
    silent = {"run.incomplete", "telemetry.late", "fault.verified"}  # these are inconclusive, never broken
    for rule in set(RULES) - silent:
        assert f'"{rule}"' in text or rule.partition(".")[0] in composed, rule


def test_what_is_always_judged_is_in_the_registry():
    assert set(RULES) >= ALWAYS
