"""How steeply a system gets slower with the parameter of a sweep: a line through one point for each of its values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import linear_regression, mean

from cleanroom.plan.model import Plan
from cleanroom.plan.sweep import sweep_of
from cleanroom.quantity import Duration, Rate, Size
from cleanroom.run.record import ScenarioRecord
from cleanroom.spec.comparator import Comparator, describe, judge
from cleanroom.spec.fault import Fault
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.source import Position
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.occurrence import occurrences

RULE = "fault.slope"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """One case: the parameter in its base unit, and the mean duration of the steps in seconds."""

    value: float
    seconds: float


def judge_sweeps(plan: Plan, records: Iterable[ScenarioRecord]) -> tuple[Check, ...]:
    """Judge the slope of every sweep that has a bound on it; a case without evidence makes it inconclusive."""
    by_name = {record.name: record for record in records}
    groups: dict[Position, list[Scenario]] = {}
    for scenario in plan.suite.scenarios:
        sweep = sweep_of(scenario)
        if sweep is not None and "slope" in sweep.parameters:
            groups.setdefault(sweep.at, []).append(scenario)
    return tuple(_judge(plan, cases, by_name) for cases in groups.values())


def _judge(plan: Plan, cases: list[Scenario], records: dict[str, ScenarioRecord]) -> Check:
    sweep = sweep_of(cases[0])
    assert sweep is not None  # noqa: S101 - they are grouped so
    bound = sweep.parameters["slope"]
    assert isinstance(bound, Comparator)  # noqa: S101 - the shape of `slope`
    name = f"slope of {sweep.id} over {sweep.parameters['parameter']}"
    why = next(_doubts(plan, cases, records), "")
    points = [] if why else [_point(plan, case, records[case.name]) for case in cases]
    whole = [point for point in points if point is not None]
    if not why and len(whole) < len(points):
        why = f"the values of {sweep.parameters['parameter']} are no quantities"
    if not why and len({point.value for point in whole}) < 2:  # noqa: PLR2004 - a line
        why = "a slope needs two different values"
    leave = sweep.allow_inconclusive or cases[0].allow_inconclusive
    if why:
        return Check(rule=RULE, name=name, at=sweep.at, inconclusive=why, allowed=leave)
    slope = linear_regression([p.value for p in whole], [p.seconds for p in whole]).slope
    told = ", ".join(f"{p.value:g}: {p.seconds:.3f} s" for p in whole)
    verdict = judge(bound, slope)
    if verdict.holds:
        return Check(rule=RULE, name=name, at=sweep.at, note=f"{slope:.4g} ({told})")
    finding = Finding(
        rule=RULE, at=sweep.at, expected=f"a slope {describe(bound)}", found=f"{slope:.4g} ({told})",
        remedy="the steps get slower with the fault more than they may: look for what is asked again and again",
    )  # fmt: skip
    return Check(rule=RULE, name=name, at=sweep.at, findings=(finding,))


def _doubts(plan: Plan, cases: list[Scenario], records: dict[str, ScenarioRecord]) -> Iterator[str]:
    """Yield why the cases do not make a line."""
    for case in cases:
        record = records.get(case.name)
        if record is None:
            yield f"there is no record of {case.name}"
            continue
        if record.outcome not in ("passed", "degraded"):
            yield f"{case.name} was {record.outcome}"
        for one in occurrences(plan.timeline(case.name), record.faults):
            if not one.event.drawn:
                yield f"{one.event.fault.id} was not drawn in {case.name}"
            elif one.unproven:
                yield f"{one.event.fault.id} of {case.name}: {one.unproven}"


def _point(plan: Plan, case: Scenario, record: ScenarioRecord) -> _Point | None:
    sweep = sweep_of(case)
    took = [step.end_ns - step.start_ns for step in record.steps if step.outcome != "skipped"]
    if sweep is None or not took:
        return None
    value = _base(_varied(plan, case, sweep))
    return None if value is None else _Point(value=value, seconds=mean(took) / 10**9)


def _varied(plan: Plan, case: Scenario, sweep: Fault) -> object:
    """Return the parameter's value in this case, as the plan has read it."""
    event = next(event for event in plan.timeline(case.name) if event.fault.id == sweep.id)
    return event.inner[0].parameters[str(sweep.parameters["parameter"])]


def _base(value: object) -> float | None:
    match value:
        case Duration():
            return value.seconds
        case Size():
            return float(value.bytes)
        case Rate():
            return float(value.bits)
        case bool():
            return None
        case int() | float():
            return float(value)
        case _:
            return None
