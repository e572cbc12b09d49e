"""What surrounded the services, for every report: clocks that were altered, as measured, and what iterations varied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cleanroom.canonical import Json
from cleanroom.report.model import Pair
from cleanroom.run.record import ClockRecord
from cleanroom.validate.variation import Blame, varied_iterations

_SECOND = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class AlteredClock:
    """One service's clock in one scenario of one iteration (0-based)."""

    iteration: int
    scenario: str
    service: str
    clock: ClockRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class VariedIteration:
    """An iteration (0-based) that varied something, and what came of it."""

    iteration: int
    nuisance: str
    setting: str
    blame: Blame | None

    @property
    def result(self) -> str:
        """`the same`, `broke equality` or `differs, perhaps not by that`."""
        if self.blame is None:
            return "the same"
        return "broke equality" if self.blame.sure else "differs, perhaps not by that"


def altered_clocks(pair: Pair) -> tuple[AlteredClock, ...]:
    """Return every altered clock, by iteration, scenario and service."""
    return tuple(
        AlteredClock(iteration=index, scenario=scenario.name, service=service.name, clock=service.clock)
        for index, scenario in pair.scenarios()
        for service in scenario.services
        if service.clock is not None
    )


def varied(pair: Pair) -> Iterator[VariedIteration]:
    """Yield every iteration that varied something and was compared."""
    if pair.record is None or pair.verdict is None:
        return
    blames = {blame.iteration: blame for blame in pair.verdict.blames}
    compared = {verdict.index for verdict in pair.verdict.iterations if verdict.digests is not None}
    for index, (nuisance, setting) in sorted(varied_iterations(pair.record.plan).items()):
        if index in compared:
            yield VariedIteration(iteration=index, nuisance=nuisance, setting=setting, blame=blames.get(index))


def clock_words(clock: ClockRecord) -> str:
    """Return what a clock was set to and what it was measured to say."""
    if clock.setting == "frozen":
        return "frozen: it stood still"
    if clock.setting == "rate":
        return f"{clock.asked}: it ran {clock.rate:g} times as fast"
    where = "ahead of" if clock.offset_ns >= 0 else "behind"
    return f"{clock.asked}: {abs(clock.offset_ns) / _SECOND:.6f} s {where} the machine's"


def clock_json(clock: ClockRecord | None) -> Json:
    """Return a service's clock; null for the machine's own."""
    if clock is None:
        return None
    return {
        "setting": clock.setting,
        "asked": clock.asked,
        "offset_ns": str(clock.offset_ns),
        "slack_ns": str(clock.slack_ns),
        "rate": clock.rate,
        "corrected": not clock.untimed,
    }


def varied_json(pair: Pair) -> list[Json]:
    """Return what each iteration varied, and where it first differs from the control; iterations count from 1."""
    return [
        {
            "iteration": one.iteration + 1,
            "nuisance": one.nuisance,
            "setting": one.setting,
            "result": one.result,
            "path": one.blame.path if one.blame is not None else "",
            "attribute": one.blame.attribute if one.blame is not None else "",
            "control": one.blame.values[0] if one.blame is not None else "",
            "value": one.blame.values[1] if one.blame is not None else "",
            "doubt": one.blame.doubt if one.blame is not None else "",
        }
        for one in varied(pair)
    ]
