from __future__ import annotations

from types import MappingProxyType

import pytest

from cleanroom.plan.build import build_plan
from cleanroom.quantity import Duration
from cleanroom.run.record import FaultRecord, ScenarioRecord, StepRecord
from cleanroom.spec.comparator import Comparator
from cleanroom.spec.fault import AtManual, AtOffset, Fault
from cleanroom.validate.sweep import judge_sweeps
from tests.unit.run.worlds import AT, MS, latency, order, shop


def planned(*values: str, parameter: str = "delay", **bound: float):
    given = {"fault": "a", "parameter": parameter, "values": values}
    if bound:
        given["slope"] = Comparator(tests=tuple(bound.items()))
    sweep = Fault(
        id="sweep", kind="composite.sweep", moment=AtOffset(offset=Duration(0)),
        parameters=MappingProxyType(given), at=AT,
    )  # type: ignore[arg-type]  # fmt: skip
    return build_plan(shop(order(chaos=(latency("a", moment=AtManual()), sweep))))


def record(name: str, ms: int, **changed: object) -> ScenarioRecord:
    step = StepRecord(name="place", type="exec", outcome="passed", start_ns=0, end_ns=ms * MS)
    held = {"drawn": True, "injected": True, "verified": True, "reverted": True, "window": (1, 2), "targets": ("db",)}
    faults = (
        FaultRecord(id="sweep", kind="composite.sweep", occurrence=0, **{**held, **changed}),  # type: ignore[arg-type]
        FaultRecord(id="a", kind="network.latency", occurrence=0, within="sweep#0", **held),  # type: ignore[arg-type]
    )
    return ScenarioRecord(name=name, outcome="passed", steps=(step,), faults=faults)


def records(**changed: object) -> list[ScenarioRecord]:
    return [record("order [delay=100ms]", 210), record("order [delay=300ms]", 610, **changed)]


def test_a_slope_within_its_bound_is_told_with_its_points():
    (check,) = judge_sweeps(planned("100ms", "300ms", lte=2.5), records())
    assert (check.findings, check.inconclusive) == ((), "")
    assert check.note == "2 (0.1: 0.210 s, 0.3: 0.610 s)"


def test_a_slope_beyond_its_bound_is_a_finding():
    (check,) = judge_sweeps(planned("100ms", "300ms", lte=1.5), records())
    assert [(finding.rule, finding.expected, finding.found) for finding in check.findings] == [
        ("fault.slope", "a slope <= 1.5", "2 (0.1: 0.210 s, 0.3: 0.610 s)")
    ]


@pytest.mark.parametrize(
    ("plan", "given", "why"),
    [
        (planned("100ms", "300ms", lte=9), records()[:1], "there is no record of order [delay=300ms]"),
        (planned("100ms", "300ms", lte=9), records(verified=False), "no effect could be measured"),
        (planned("100ms", lte=9), records()[:1], "a slope needs two different values"),
        (
            planned("uniform", "normal", parameter="distribution", lte=9),
            [record("order [distribution=uniform]", 1), record("order [distribution=normal]", 1)],
            "the values of distribution are no quantities",
        ),
    ],
)
def test_what_is_no_line_has_no_slope(plan, given, why):
    (check,) = judge_sweeps(plan, given)
    assert why in check.inconclusive


def test_without_a_bound_nothing_is_judged():
    assert judge_sweeps(planned("100ms", "300ms"), records()) == ()
