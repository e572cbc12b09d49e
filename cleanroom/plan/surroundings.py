"""What surrounds services besides their spec: the clocks that they are given, and what each iteration varies.

Everything is drawn here from named streams (stream.py), so that a seed fixes it; the run only carries it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from cleanroom.errors import SpecError, UsageError
from cleanroom.plan.model import Plan
from cleanroom.plan.stream import Stream, stream_digest
from cleanroom.spec.clock_setting import ClockAt, ClockRate, ClockSetting, FrozenClock, RealClock
from cleanroom.spec.determinism import Nuisance
from cleanroom.spec.service import Service
from cleanroom.spec.suite import Suite

ZONES: Final = (
    "America/St_Johns", "Asia/Kathmandu", "Asia/Kolkata", "Australia/Adelaide", "Pacific/Auckland", "Pacific/Honolulu",
)  # fmt: skip
"""Time zones that are never UTC: most of them no whole number of hours from it, some with a summer time."""
LOCALE: Final = "tr_TR.UTF-8"
"""Decimal commas, other names of days and months, and an i whose capital letter is not I; the image's kit has it."""
ONE_CPU: Final = "1"
_HOST_DIGITS: Final = 8
WHOLE: Final = "suite"
"""The scene of an environment that all scenarios of a suite share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """The nuisance that one iteration of a scenario varies, and what it is set to."""

    nuisance: Nuisance
    order: tuple[str, ...] = ()
    """The order in which services start, one after another."""
    hostnames: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    value: str = ""
    """The time zone, the locale or the number of CPUs."""
    pick: int = 0
    """Which of the CPUs, counted around: a drawn number."""

    @property
    def words(self) -> str:
        """What it is set to, for people: `timezone Asia/Kathmandu`."""
        told = self.value or ", ".join(self.order) or ", ".join(f"{k}={v}" for k, v in sorted(self.hostnames.items()))
        return f"{self.nuisance} {told}"


def clock_of(suite: Suite, service: Service) -> ClockSetting:
    """Return what a service's clock is set to: its own setting, else that of `determinism.freeze_clock`."""
    if service.clock is not None:
        return service.clock
    everybody = suite.determinism.freeze_clock
    return RealClock() if everybody is None else ClockAt(at=everybody)


def clock_faults(plan: Plan, scene: str) -> Mapping[str, frozenset[str]]:
    """Return which faults alter the clock of each container that has any, in a scenario or in the whole `suite`."""
    found: dict[str, set[str]] = {}
    pending = [event for s in plan.scenarios if scene in (s.scenario, WHOLE) for event in s.events]
    while pending:
        event = pending.pop()
        pending.extend(event.inner)
        if event.fault.kind.startswith("clock."):
            for target in event.targets:
                found.setdefault(target, set()).add(event.fault.kind)
    return {name: frozenset(kinds) for name, kinds in found.items()}


def nuisances(suite: Suite, scenario: str = "") -> tuple[Nuisance, ...]:
    """Return what varies, in the order of its iterations: `determinism.vary`, and then the scenario's own."""
    common = suite.determinism.vary
    own = next((s.vary for s in suite.scenarios if s.name == scenario), ())
    return (*common, *(nuisance for nuisance in own if nuisance not in common))


def varied(suite: Suite) -> bool:
    """Whether any iteration varies anything."""
    return any(nuisances(suite, scenario.name) for scenario in suite.scenarios)


def variation(plan: Plan, scenario: str, iteration: int) -> Variation | None:
    """Return what `iteration` (0-based) of a scenario varies; None for the control, and beyond the last nuisance.

    In a shared environment the scenario is none of the plan's, and only what `determinism.vary` names varies.
    """
    chosen = nuisances(plan.suite, scenario)
    if not 1 <= iteration <= len(chosen):
        return None
    nuisance = chosen[iteration - 1]
    # Not the scenario's name: what the suite varies is the same in all scenarios of an iteration.
    stream = Stream(stream_digest(plan.seed, "", f"vary/{nuisance}", iteration))
    match nuisance:
        case "start_order":
            return Variation(nuisance=nuisance, order=_order(plan.start_order, stream))
        case "hostname":
            names = {s.name: f"h{stream.part(s.name).name[:_HOST_DIGITS]}" for s in plan.suite.services}
            return Variation(nuisance=nuisance, hostnames=MappingProxyType(names))
        case "timezone":
            taken = {service.timezone for service in plan.suite.services}
            return Variation(nuisance=nuisance, value=stream.choice([zone for zone in ZONES if zone not in taken]))
        case "locale":
            return Variation(nuisance=nuisance, value=LOCALE)
        case "cpus":
            return Variation(nuisance=nuisance, value=ONE_CPU, pick=stream.below(2**32))


def _order(waves: tuple[tuple[str, ...], ...], stream: Stream) -> tuple[str, ...]:
    """Return all services one after another, each after what it depends on, and never in order of name in a wave."""
    found: list[str] = []
    for number, wave in enumerate(waves):
        drawn = stream.part(str(number)).sample(wave, len(wave))
        found += drawn if len(wave) == 1 or drawn != wave else wave[::-1]
    return tuple(found)


def start_waves(plan: Plan, scenario: str, iteration: int) -> tuple[tuple[str, ...], ...]:
    """Return the order in which services start: in waves, each at once.

    Where the order is to vary they start one after another in every iteration, so that it is their order alone that
    differs from the control, in which a wave starts in order of name.
    """
    if "start_order" not in nuisances(plan.suite, scenario):
        return plan.start_order
    chosen = variation(plan, scenario, iteration)
    if chosen is not None and chosen.order:
        return tuple((name,) for name in chosen.order)
    return tuple((name,) for wave in plan.start_order for name in wave)


def check_clocks(suite: Suite) -> None:
    """Refuse with `SpecError` what has to know the time of spans whose clock does not tell it."""
    settings = {service.name: clock_of(suite, service) for service in suite.services}
    stuck = [name for name, setting in settings.items() if isinstance(setting, FrozenClock | ClockRate)]
    altered = [name for name, setting in settings.items() if not isinstance(setting, RealClock)]
    if stuck and suite.determinism.normalize.siblings == "by_start":
        raise SpecError(
            f"{suite.determinism.at}: siblings cannot be put in order of start (by_start): the clock of {stuck[0]} is "
            "frozen or has another rate",
            remedy="take `siblings: by_start` out, or give the service a clock that only has an offset",
        )
    if suite.environment != "suite" or len(suite.scenarios) == 1:
        return
    if stuck:
        raise SpecError(
            f"{suite.file}: the scenarios share their services, and the clock of {stuck[0]} does not tell in which of "
            "them a span started",
            remedy="take `environment: suite` out, or give the service a clock that only has an offset",
        )
    for scenario in suite.scenarios:
        if altered and scenario.expect is not None and (scenario.expect.metrics or scenario.expect.logs):
            raise SpecError(
                f"{scenario.at}: scenario {scenario.name!r} expects metrics or logs of its own time, and the clock of "
                f"{altered[0]}, which it shares with the others, is altered",
                remedy="write them under the suite's `expect`, or take `environment: suite` out",
            )


def check_variations(suite: Suite, iterations: int, waves: tuple[tuple[str, ...], ...]) -> None:
    """Refuse what cannot be varied: too few iterations (`UsageError`), or nothing that could differ (`SpecError`)."""
    for scenario in suite.scenarios:
        chosen = nuisances(suite, scenario.name)
        if chosen and iterations <= len(chosen):
            raise UsageError(
                f"{suite.name}: scenario {scenario.name!r} varies {', '.join(chosen)}, and there are {iterations} "
                "iterations, the first of which is the control",
                remedy=f"run it {len(chosen) + 1} times or more, or vary less",
            )
        at = suite.determinism.at if suite.determinism.vary else scenario.at
        if "start_order" in chosen and all(len(wave) == 1 for wave in waves):
            raise SpecError(
                f"{at}: start_order cannot vary: no two services of {suite.name} could start in another order",
                remedy="take start_order out of `vary`",
            )
        if chosen and not suite.services:
            raise SpecError(f"{at}: nothing can vary: {suite.name} has no service", remedy="take `vary` out")
        if scenario.vary and suite.environment == "suite":
            raise SpecError(
                f"{scenario.at}: scenario {scenario.name!r} shares its services with the others, and cannot vary alone",
                remedy="write `vary` under determinism, or take `environment: suite` out",
            )
