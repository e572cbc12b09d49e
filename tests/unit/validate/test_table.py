from __future__ import annotations

import itertools
import random
import re

import pytest

from cleanroom.quantity import Duration
from cleanroom.spec.comparator import COMPARISONS
from cleanroom.spec.comparator import Comparator as Comparison
from cleanroom.spec.expect import AttributeConditions
from cleanroom.validate.rules import RULES
from cleanroom.validate.spans import judge_spans
from cleanroom.validate.verdict import code_of_check
from tests.unit.validate.builders import cmp, findings, rules, scene, span, want
from tests.unit.validate.cases import CASES, EMPTY, FACTS, ONLY_RUNNER, SPANS, WHOLE, verdict

NUMBERED = [pytest.param(case, id=f"{number} {case.breaks}") for number, case in enumerate(CASES)]
ZERO_OF_SPANS = re.compile(
    r"spans: \[\{.*count: 0\}\]|counts: \{(spans: 0|by_(name|service|kind): \{\S+( /\w*)?: 0\})\}"
)
OF_RUNS = ("outcome",)


def test_the_table_is_as_large_as_was_promised_and_has_every_rule_of_spans():
    assert len(CASES) >= 150
    families = ("spans.", "counts.", "status.", "hermeticity.resource", "hermeticity.forbid", "outcome", "lint.score")
    assert {rule for rule in RULES if rule.startswith(families)} == {case.rule for case in CASES}


@pytest.mark.parametrize("case", NUMBERED)
def test_what_holds_breaks_nothing(case):
    checks = verdict(case.holds)

    assert rules(checks) == []
    assert not any(check.inconclusive for check in checks)


@pytest.mark.parametrize("case", NUMBERED)
def test_its_contrary_breaks_by_the_rule_and_teaches(case):
    found = findings(verdict(case.breaks))

    assert case.rule in {f.rule for f in found}
    for finding in found:
        assert finding.at.line
        assert finding.expected
        assert finding.found
        assert finding.span_ids or finding.near_misses or case.rule in {"spans.count", "counts.spans", "counts.by_name",
                                                                          "outcome", "lint.score"}  # fmt: skip


@pytest.mark.parametrize("where", [EMPTY, ONLY_RUNNER], ids=["nothing", "only the runner"])
@pytest.mark.parametrize("case", NUMBERED)
def test_an_empty_trace_breaks_every_expectation_but_an_explicit_zero(case, where):
    for text in (case.holds, case.breaks):
        if where is ONLY_RUNNER and (text.startswith(OF_RUNS) or "cleanroom." in text):
            continue
        broken = bool(rules(verdict(text, where)))
        assert broken is not bool(ZERO_OF_SPANS.fullmatch(text)), text


@pytest.mark.parametrize("case", NUMBERED)
def test_a_warning_is_reported_and_does_not_fail(case):
    text = case.breaks
    level = "level: warning, id: w"
    if text.startswith("spans"):
        text = text.replace("[{", f"[{{{level}, ")
    elif text.startswith("outcome"):
        text = f"outcome: {{outcome: failed, {level}}}"
    else:
        text = text.replace("{", f"{{{level}, ", 1)

    for where in (WHOLE, EMPTY):
        checks = verdict(text, where)
        assert {f.level for f in findings(checks)} <= {"warning"}
        assert {int(code_of_check(check)) for check in checks} == {0}
        assert all(" w" in check.name for check in checks)
    assert findings(verdict(text))


@pytest.mark.parametrize("seed", range(5))
def test_judging_does_not_depend_on_the_order_of_spans(seed):
    shuffled = list(SPANS)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 -- no secret
    other = scene(*shuffled, **FACTS)

    for case in CASES:
        assert verdict(case.breaks, other) == verdict(case.breaks)
        assert verdict(case.holds, other) == verdict(case.holds)


VALUES = {
    "a boolean": (True, False),
    "a number": (0, 1, 2.5, 2**63 - 1),
    "text": ("", "a", "1s"),
    "bytes": (b"", b"a"),
    "a list": ((), ("a", 1)),
    "a mapping": ({}, {"a": 1}),
    "null": (None,),
}
OPERANDS = {**VALUES, "a duration": (Duration(10**9),)}
ORDERED = {"a number", "text", "bytes"}


def _incomparable(name, kind, operand_kind, value):
    """Whether the language calls the two incomparable: written from spec.md section 6, not from the code."""
    if name in {"eq", "ne"}:
        if operand_kind == "null":
            return False
        alike = kind == operand_kind
        return not alike or kind == "null"
    if name in {"gt", "gte", "lt", "lte"}:
        return kind != operand_kind or kind not in ORDERED
    if name in {"starts_with", "ends_with"}:
        return not kind == operand_kind == "text"
    if kind == "a list":
        return None if value else False  # decided by the elements
    return not (kind in {"text", "a mapping"} and operand_kind == "text")


PAIRS = [
    (name, kind, operand_kind)
    for name in ("eq", "ne", "gt", "gte", "lt", "lte", "starts_with", "ends_with", "contains", "not_contains")
    for kind, operand_kind in itertools.product(VALUES, OPERANDS)
]


@pytest.mark.parametrize(("name", "kind", "operand_kind"), PAIRS, ids=lambda part: part)
def test_incomparable_types_break_with_that_reason_whatever_the_comparator(name, kind, operand_kind):
    for value, operand in itertools.product(VALUES[kind], OPERANDS[operand_kind]):
        wanted = _incomparable(name, kind, operand_kind, value)
        if wanted is None or (kind == operand_kind == "a mapping" and value.keys() != operand.keys()):
            continue
        told = " ".join(f.found for f in findings(_judged(value, **{name: operand})))
        said = any(reason in told for reason in ("cannot compare", "cannot look for", "have no order"))
        assert said is wanted, (value, operand, told)


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize(
    ("name", "operand", "takes"),
    [
        ("between", (0, 1), ("a number",)),
        ("between", ("a", "b"), ("text",)),
        ("in", (0, 2), ("a number",)),
        ("in", ("x", "y"), ("text",)),
        ("not_in", (5, 6), ("a number",)),
        ("not_in", (False,), ("a boolean",)),
        ("matches", "a", ("text",)),
        ("length", 1, ("text", "bytes", "a list", "a mapping")),
        ("any", cmp(eq="a"), ("a list",)),
        ("all", cmp(eq="a"), ("a list",)),
        ("none", cmp(eq="zzz"), ("a list",)),
        ("approx", {"value": 1, "tolerance": 1}, ("a number",)),
    ],
    ids=str,
)
def test_a_value_of_another_type_breaks_with_that_reason(name, operand, takes, kind):
    for value in VALUES[kind]:
        told = " ".join(f.found for f in findings(_judged(value, **{f"{name}_": operand})))
        assert ("cannot " in told) is (kind not in takes), (value, told)


@pytest.mark.parametrize("kind", VALUES)
def test_type_and_exists_take_values_of_every_type(kind):
    for value in VALUES[kind]:
        names = ("string", "integer", "number", "boolean", "array", "object", "null", "bytes", "duration")
        holding = [name for name in names if not rules(_judged(value, type=name))]
        assert len(holding) == (2 if isinstance(value, int) and not isinstance(value, bool) else 1)
        assert rules(_judged(value, exists=True)) == []
        assert rules(_judged(value, exists=False)) == ["spans.attributes"]


def test_no_comparator_is_left_out():
    seen = {name for name, *_ in PAIRS} | {
        "between", "in", "not_in", "matches", "length", "any", "all", "none", "approx", "type", "exists",
    }  # fmt: skip
    assert seen == set(COMPARISONS)


def _judged(value, **tests):
    where = scene(span(1, attrs={"k": value}))
    comparator: Comparison = cmp(**tests)
    return judge_spans(where, (want("GET /", attributes=AttributeConditions(all={"k": comparator})),))


@pytest.mark.parametrize("text", ["egress: none", "leaks: none", "services: closed"])
def test_facts_beside_the_spans_hold_of_what_ran_and_of_nothing_else(text):
    assert rules(verdict(f"hermeticity: {{{text}}}")) == []
    assert rules(verdict(f"hermeticity: {{{text}}}", EMPTY)) == [f"hermeticity.{text.partition(':')[0]}"]
