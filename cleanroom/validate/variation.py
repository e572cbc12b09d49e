"""`vary`: whether what was to vary did, and which nuisance broke equality (spec.md section 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cleanroom.plan.model import Plan
from cleanroom.plan.surroundings import Variation, nuisances, variation
from cleanroom.run.record import IterationRecord, ScenarioRecord
from cleanroom.spec.instant import parse_instant

Found = Mapping[str, Mapping[str, str]]
"""Service → what its process was found to have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """A varied iteration that differs from the control, and where it first does."""

    nuisance: str
    """As the spec names it; of several scenarios that vary different ones, all of them."""
    setting: str
    """What it was set to, for people."""
    iteration: int
    """0-based."""
    path: str
    attribute: str
    values: tuple[str, str]
    """In the control, and in this iteration."""
    sure: bool
    """Whether it is the nuisance: another iteration, without it, is not different in the same place."""
    doubt: str = ""
    """Why it is not sure."""


def varied_iterations(plan: Plan) -> Mapping[int, tuple[str, str]]:
    """Return, for each iteration (0-based) that varies anything, the nuisances' names and what they are set to."""
    found: dict[int, tuple[str, str]] = {}
    for index in range(plan.iterations):
        chosen = dict.fromkeys(
            (one.nuisance, one.words)
            for scenario in _scenes(plan)
            if (one := variation(plan, scenario, index)) is not None
        )
        if chosen:
            found[index] = (
                ", ".join(dict.fromkeys(name for name, _ in chosen)),
                ", ".join(words for _, words in chosen),
            )
    return found


def _scenes(plan: Plan) -> tuple[str, ...]:
    return tuple(scenario.name for scenario in plan.suite.scenarios)


def unshown(plan: Plan, iterations: Sequence[IterationRecord]) -> str:
    """Return the first nuisance that was asked for and not found in the processes, in words; empty: all were found."""
    if not any(nuisances(plan.suite, name) for name in _scenes(plan)):
        return ""
    records = {(iteration.index, record.name): record for iteration in iterations for record in iteration.scenarios}
    for (index, name), record in sorted(records.items()):
        chosen, control = variation(plan, name, index), records.get((0, name))
        if chosen is None or control is None:
            continue
        why = _unshown(chosen, _found(control), _found(record))
        if why:
            return f"iteration {index + 1} was to vary {chosen.words}, and {why}"
    return ""


def _found(record: ScenarioRecord) -> Found:
    return {service.name: service.surroundings for service in record.services if service.surroundings}


def _unshown(chosen: Variation, control: Found, here: Found) -> str:
    both = sorted(control.keys() & here.keys())
    if not both:
        return "no service ran for long enough to be looked at"
    what = chosen.nuisance
    if what == "start_order":
        began = sorted(here, key=lambda name: parse_instant(here[name]["started_at"]).ns)
        wanted = [name for name in chosen.order if name in here]
        return "" if began == wanted else f"the services started in the order {', '.join(began)}"
    for name in both:
        was, found = control[name].get(what, ""), here[name].get(what, "")
        wanted_text = chosen.hostnames.get(name, "") or chosen.value
        if found == was or found != wanted_text:
            return f"service {name} has {found or 'none'} (the control {was or 'none'})"
    return ""
