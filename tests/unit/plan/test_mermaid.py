from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from cleanroom.plan.build import build_plan
from cleanroom.plan.mermaid import plan_mermaid
from cleanroom.quantity import Duration
from cleanroom.spec.fault import AtManual, AtStep
from tests.unit.plan.suites import MS, fault, scenario, suite

# What Mermaid's grammar of Gantt charts takes: a statement per line, and no `:`, `;`, `#` or `%%` inside of a name.
LINE = re.compile(
    r"```mermaid|```|gantt|    (?:title [^#;:%{}]+|dateFormat x|axisFormat %M m %S\.%L s|section [^#;:%{}]+"
    r"|[^#;:%{}]+ :(?:milestone, )?(?:active|done), [a-z]\d+(?:x\d+)?, \d+, \d+)"
)


def test_each_scenario_is_a_chart_with_every_occurrence():
    late = fault("late", moment=AtStep(moment="during", step="place", offset=Duration(200 * MS)), duration=Duration(MS))
    flush = fault("f", kind="cache.flush", parameters={})
    plan = build_plan(suite(scenario("one", fault("slow", duration=Duration(10**10)), late, flush), scenario("two")))
    text = plan_mermaid(plan)
    assert text.count("```mermaid\n") == 2
    assert "network.latency on db (slow 0) :active, f0x0, 2000, 12000\n" in text
    assert "    section Faults during step place\n    network.latency on db (late 0) :active, f1x0, 200, 201\n" in text
    assert "cache.flush on db (f 0) :milestone, active, f0x1, 2000, 2000\n" in text
    assert "step place :done, s0, 0, 1000\n" in text


def test_what_is_not_drawn_is_shown_as_such():
    text = plan_mermaid(build_plan(suite(scenario("one", fault("slow", probability=0.0, moment=AtManual())))))
    assert "network.latency on db (slow 0, not drawn) :done" in text
    assert "section Faults by hand" in text


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_no_name_breaks_the_chart(name, fault_name):
    plan = build_plan(suite(scenario(name, fault(fault_name))))
    text = plan_mermaid(plan)
    assert all(LINE.fullmatch(line) for line in text.rstrip("\n").split("\n")), text
    assert text == plan_mermaid(build_plan(suite(scenario(name, fault(fault_name)))))
