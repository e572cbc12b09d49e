"""What every renderer takes: a run as it was recorded and judged, with its secrets masked."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from cleanroom import __version__
from cleanroom.canonical import digest
from cleanroom.report.masking import masked
from cleanroom.run.record import FaultRecord, IterationRecord, ScenarioRecord, SessionRecord, SuiteRecord, Trouble
from cleanroom.spec.source import Problem
from cleanroom.validate.judge import iteration_troubles, session_troubles
from cleanroom.validate.model import Check, RunVerdict, SuiteVerdict

COUNTS = ("passed", "failed", "known", "inconclusive")
"""The figures of a run's checks, in the order of the reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One run to be reported; times in nanoseconds since the epoch.

    Every string in the record, the verdict and the problems is masked when the value is made, so that no renderer can
    show a secret; raw telemetry bodies apart, which `traces` masks once they are text.
    """

    session: SessionRecord
    verdict: RunVerdict
    repro: str
    """The one line that reproduces the run."""
    seed: int | None = None
    """None where the run ended before a plan was drawn."""
    started_ns: int = 0
    ended_ns: int = 0
    secrets: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    """What is wrong with the specs, when that is why nothing ran."""
    version: str = __version__

    def __post_init__(self) -> None:
        for name in ("session", "verdict", "repro", "problems"):
            object.__setattr__(self, name, masked(getattr(self, name), self.secrets))

    @property
    def schedule_digest(self) -> str:
        """The suite's schedule digest; a digest over all of them, by file, for several suites; empty without any."""
        plans = sorted((s.plan for s in self.session.suites), key=lambda plan: (plan.suite.file, plan.suite.name))
        if len(plans) == 1:
            return plans[0].schedule_digest
        parts = [{"file": p.suite.file, "name": p.suite.name, "schedule": p.schedule_digest} for p in plans]
        return digest([dict(part) for part in parts]) if parts else ""

    @property
    def counterexamples(self) -> tuple[str, ...]:
        """The lines that run each smallest failing example again, each once."""
        found = [s.property.example for p in self.pairs for _, s in p.scenarios() if s.property and s.property.broken]
        base = self.repro.partition(" --example ")[0]
        return tuple(dict.fromkeys(f"{base} --example {shlex.quote(example)}" for example in found))

    @property
    def empty(self) -> bool:
        """Whether nothing matched what was asked for: no suite, and nothing went wrong either."""
        asked = self.session.pass_rates or any(not skipped.unchosen for skipped in self.session.skipped)
        return not (asked or self.session.suites or self.verdict.suites or self.problems or self.troubles)

    @property
    def troubles(self) -> tuple[Place, ...]:
        """What kept something from being judged, outermost first, each message once."""
        found = [Place(where="", trouble=trouble) for trouble in session_troubles(self.session)]
        for suite in self.session.suites:
            name = suite.plan.suite.name
            found += [Place(where=name, trouble=suite.trouble)] if suite.trouble is not None else []
            for iteration in suite.iterations:
                where = f"{name}, iteration {iteration.index + 1}"
                found += [Place(where=where, trouble=trouble) for trouble in iteration_troubles(iteration)]
        once: dict[tuple[str, str], Place] = {}
        for place in found:
            once.setdefault((place.trouble.message, str(place.trouble.at)), place)
        return tuple(once.values())

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Every suite with its record and its verdict; either may be missing in a run that broke off."""
        verdicts = {(v.file, v.name): v for v in self.verdict.suites}
        found = [Pair(record=r, verdict=verdicts.pop(_key(r), None)) for r in self.session.suites]
        return (*found, *(Pair(record=None, verdict=verdict) for verdict in verdicts.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A trouble and where it struck (empty for the whole run)."""

    where: str
    trouble: Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One check over all iterations: `judged` holds (0-based iteration, check) in order, the same check in each."""

    scenario: str
    """Empty for the suite's own checks."""
    judged: tuple[tuple[int, Check], ...]

    @property
    def check(self) -> Check:
        """The check as the first iteration has it: its rule, name and position are those of all."""
        return self.judged[0][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """One occurrence of a fault in one iteration."""

    iteration: int
    scenario: str
    fault: FaultRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One suite: what happened and what was judged of it."""

    record: SuiteRecord | None
    verdict: SuiteVerdict | None

    @property
    def name(self) -> str:
        """The suite's name."""
        if self.verdict is not None:
            return self.verdict.name
        return self.record.plan.suite.name if self.record is not None else ""

    @property
    def file(self) -> str:
        """The spec file, relative to the workspace."""
        if self.verdict is not None:
            return self.verdict.file
        return self.record.plan.suite.file if self.record is not None else ""

    @property
    def iterations(self) -> tuple[IterationRecord, ...]:
        """The iterations that were recorded."""
        return self.record.iterations if self.record is not None else ()

    @property
    def cases(self) -> tuple[Case, ...]:
        """Every check, once over all iterations, in order of scenario and check; determinism is last."""
        if self.verdict is None:
            return ()
        found: dict[tuple[str, str, str, str], list[tuple[int, Check]]] = {}
        for iteration in self.verdict.iterations:
            every = [(s.name, check) for s in iteration.scenarios for check in s.checks]
            for scenario, check in [*every, *(("", check) for check in iteration.checks)]:
                key = (scenario, check.rule, check.name, str(check.at))
                found.setdefault(key, []).append((iteration.index, check))
        cases = [Case(scenario=key[0], judged=tuple(judged)) for key, judged in found.items()]
        if self.verdict.determinism is not None:
            cases.append(Case(scenario="", judged=((0, self.verdict.determinism),)))
        return tuple(cases)

    @property
    def required(self) -> bool:
        """Whether the run fails when the suite does."""
        return self.verdict.required if self.verdict is not None else True

    @property
    def tier(self) -> str:
        """The suite's tier; empty where there is no record of it."""
        return self.record.plan.suite.tier if self.record is not None else ""

    @property
    def faults(self) -> tuple[Struck, ...]:
        """Every occurrence of every fault, in order of iteration."""
        return tuple(
            Struck(iteration=i.index, scenario=s.name, fault=fault)
            for i in self.iterations
            for s in i.scenarios
            for fault in s.faults
        )

    def scenarios(self) -> Iterator[tuple[int, ScenarioRecord]]:
        """Yield (0-based iteration, scenario) of everything that was recorded."""
        for iteration in self.iterations:
            yield from ((iteration.index, scenario) for scenario in iteration.scenarios)


def _key(record: SuiteRecord) -> tuple[str, str]:
    return record.plan.suite.file, record.plan.suite.name
