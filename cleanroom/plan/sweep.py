"""A scenario that sweeps becomes one scenario for each value, with an environment of its own (spec.md section 8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import cast

from cleanroom.errors import SpecError
from cleanroom.spec.fault import Fault, ParameterValue
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.suite import Suite

KIND = "composite.sweep"


def swept(suite: Suite) -> Suite:
    """Return the suite with a scenario for each value of a sweep, called `name [delay=100ms]`; raises `SpecError`.

    The cases share the position of their scenario, and each has the sweep with its one value.
    """
    if not any(sweep_of(scenario) for scenario in suite.scenarios):
        return suite
    scenarios = tuple(case for scenario in suite.scenarios for case in _cases(suite, scenario))
    seen: set[str] = set()
    for scenario in scenarios:
        if scenario.name in seen:
            raise SpecError(
                f"{scenario.at}: two scenarios are called {scenario.name!r}", remedy="give one of them another name"
            )
        seen.add(scenario.name)
    return replace(suite, scenarios=scenarios)


def sweep_of(scenario: Scenario) -> Fault | None:
    """Return the scenario's sweep; a scenario has one at most."""
    return next((fault for fault in scenario.chaos if fault.kind == KIND), None)


def _cases(suite: Suite, scenario: Scenario) -> Iterator[Scenario]:
    sweep = sweep_of(scenario)
    if sweep is None:
        yield scenario
        return
    if suite.environment == "suite":
        raise SpecError(
            f"{sweep.at}: fault {sweep.id!r} sweeps, and each of its values needs an environment of its own",
            remedy="take `environment: suite` out",
        )
    values = sweep.parameters["values"]
    assert isinstance(values, tuple)  # noqa: S101 - the shape of `values`
    for value in values:
        given: dict[str, ParameterValue] = {**sweep.parameters, "values": cast("ParameterValue", (value,))}
        one = replace(sweep, parameters=MappingProxyType(given))
        chaos = tuple(one if fault is sweep else fault for fault in scenario.chaos)
        suffix = f" [{sweep.parameters['parameter']}={value}]"
        # A plan that is made of a plan's suite is the same plan.
        done = len(values) == 1 and scenario.name.endswith(suffix)
        yield replace(scenario, name=scenario.name if done else scenario.name + suffix, chaos=chaos)
