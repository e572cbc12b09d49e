"""The mutation audit: which changes of a recorded run a spec would let through, and what would catch them.

Every scenario's recording is mutated, and judged by the spec as it stands. A mutant whose normal form is the recorded
one (and which stands in the same fault windows) is equivalent: no behaviour changed, so it is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cleanroom.canonical import digest
from cleanroom.errors import UsageError
from cleanroom.plan.model import Plan
from cleanroom.run.record import IterationRecord
from cleanroom.spec.scenario import Scenario
from cleanroom.trace.digest import trace_digest
from cleanroom.trace.model import Span, Trace
from cleanroom.trace.normalise import normalise
from cleanroom.trace.rules import NormaliseOptions
from cleanroom.validate.fingerprint import normalise_options
from cleanroom.validate.judge import judge_iteration
from cleanroom.validate.model import Check
from cleanroom.validate.mutation import PER_OPERATOR, Mutant, mutants
from cleanroom.validate.proposal import Proposal, candidates, merged, parse, together
from cleanroom.validate.scenario import judge_expect, judge_scenario
from cleanroom.validate.scene import Scene, Scenes, build_scenes
from cleanroom.validate.stage import moment
from cleanroom.validate.verdict import all_checks, is_broken, is_open


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One mutant of one scenario: equivalent, caught by checks, or a survivor with what would catch it."""

    scenario: str
    mutant: Mutant
    equivalent: bool = False
    caught_by: tuple[str, ...] = ()
    """The names of the checks that broke."""
    proposal: Proposal | None = None
    """For a survivor: an expectation that holds on the recording, in every iteration, and breaks on the mutant."""

    @property
    def survived(self) -> bool:
        """Whether the spec let a change of behaviour through."""
        return not self.equivalent and not self.caught_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """All mutants of a suite's recording, judged, in a stable order."""

    suite: str
    file: str
    seed: int
    judged: tuple[Judged, ...]
    proposals: tuple[tuple[str, Proposal], ...] = ()
    """(scenario, one block that says all that is proposed for it)."""

    @property
    def counted(self) -> int:
        """The number of mutants that behave otherwise than what was recorded."""
        return sum(not one.equivalent for one in self.judged)

    @property
    def survivors(self) -> tuple[Judged, ...]:
        """The mutants that the spec would let through."""
        return tuple(one for one in self.judged if one.survived)

    @property
    def score(self) -> float | None:
        """The part of the counted mutants that the spec catches, in percent; None when there is nothing to count."""
        return self._percent(len(self.survivors))

    @property
    def score_with_proposals(self) -> float | None:
        """The score that the spec would have with all proposals in it."""
        return self._percent(sum(one.proposal is None for one in self.survivors))

    def _percent(self, missed: int) -> float | None:
        return 100.0 * (self.counted - missed) / self.counted if self.counted else None


def audit_suite(plan: Plan, iterations: Sequence[IterationRecord], *, per_operator: int = PER_OPERATOR) -> Audit:
    """Audit the spec of `plan` against recorded iterations: the first is mutated, proposals must hold in all of them.

    Raises `UsageError` when nothing was recorded, or when the spec does not hold on the recording itself.
    """
    if not iterations:
        raise UsageError(f"{plan.suite.name}: the journal holds no iteration of this suite, so nothing can be mutated")
    for iteration in iterations:
        _must_hold(plan, iteration)
    stages = [build_scenes(plan, iteration) for iteration in iterations]
    options = normalise_options(plan, iterations[0])
    judged: list[Judged] = []
    proposals: list[tuple[str, Proposal]] = []
    for index, record in enumerate(iterations[0].scenarios):
        scenario = next(s for s in plan.suite.scenarios if s.name == record.name)
        recorded = tuple(_scene_of(scenes, record.name) for scenes in stages)
        bench = _Bench(
            plan=plan, scenario=scenario, whole=stages[0].whole, scene=stages[0].scenarios[index], options=options,
            recorded=recorded,
        )  # fmt: skip
        found, block = _audit_scenario(bench, per_operator)
        judged += found
        proposals += [(scenario.name, block)] if block is not None else []
    return Audit(
        suite=plan.suite.name,
        file=plan.suite.file,
        seed=plan.seed,
        judged=tuple(judged),
        proposals=tuple(proposals),
    )


def _must_hold(plan: Plan, iteration: IterationRecord) -> None:
    """Raise `UsageError` unless the spec passes on what was recorded: else every mutant would pass for caught."""
    judged = judge_iteration(plan, iteration)
    number = iteration.index + 1
    if judged.troubles:
        raise UsageError(
            f"{plan.suite.name}: iteration {number} of the journal is not whole: {judged.troubles[0].message}",
            remedy="audit the journal of a run that passed",
        )
    checks = [check for _, check in all_checks(judged.verdict)]
    broken = next((check for check in checks if _catches(check)), None)
    if broken is not None:
        why = broken.findings[0].found if broken.findings else broken.inconclusive
        raise UsageError(
            f"{plan.suite.name}: the spec does not hold on iteration {number} of the journal itself: "
            f"{broken.name}: {why}",
            remedy="audit the journal of a run that passed",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """What the mutants of one scenario are judged on."""

    plan: Plan
    scenario: Scenario
    scene: Scene
    whole: Scene
    options: NormaliseOptions
    recorded: tuple[Scene, ...]
    """The scenario's scene in every iteration."""

    @property
    def mutable(self) -> tuple[Span, ...]:
        """The service spans but for traffic of the runner's own, of which no two runs have the same amount."""
        return tuple(s for s in self.scene.service_spans if s.trace_id not in self.options.excluded_traces)


def _audit_scenario(bench: _Bench, per_operator: int) -> tuple[list[Judged], Proposal | None]:
    windows = {fault: state.windows for fault, state in bench.scene.faults.items() if state.windows}
    recorded = _behaviour(bench, bench.scene)
    judged: list[Judged] = []
    accepted = _Accepted()
    for mutant in mutants(
        bench.mutable, bench.scene.trace, windows=windows, seed=bench.plan.seed, per_operator=per_operator
    ):
        scene, whole = _mutated(bench, mutant)
        one = Judged(scenario=bench.scenario.name, mutant=mutant)
        if _behaviour(bench, scene) == recorded:
            judged.append(replace(one, equivalent=True))
            continue
        caught = tuple(dict.fromkeys(check.name for check in _checks(bench, scene, whole) if _catches(check)))
        proposal = None if caught else _proposal(bench, mutant, scene, accepted)
        judged.append(replace(one, caught_by=caught, proposal=proposal))
    return judged, accepted.block(bench)


def _mutated(bench: _Bench, mutant: Mutant) -> tuple[Scene, Scene]:
    """Return the scenario's scene and the iteration's with the mutant's spans in the place of the recorded ones."""
    gone = {id(span) for span in mutant.recorded}

    def swapped(scene: Scene) -> Scene:
        kept = [span for span in scene.trace.spans if id(span) not in gone]
        if len(kept) + len(mutant.recorded) != len(scene.trace.spans):
            raise AssertionError("the scenes of an iteration do not share their spans")
        return replace(scene, trace=Trace.of((*kept, *mutant.spans)))

    return swapped(bench.scene), swapped(bench.whole)


def _behaviour(bench: _Bench, scene: Scene) -> tuple[str, str]:
    """Return the digest of the normal form, and of which spans stand where in the windows of faults."""
    moments = sorted(
        [span.service, span.name, fault, moment(span, state.windows)]
        for fault, state in scene.faults.items()
        for span in scene.service_spans
        if span.trace_id not in bench.options.excluded_traces
    )
    return trace_digest(normalise(scene.trace, bench.options)), digest([[*each] for each in moments])


def _checks(bench: _Bench, scene: Scene, whole: Scene) -> Iterator[Check]:
    yield from judge_scenario(bench.plan, bench.scenario, scene).checks
    yield from judge_expect(whole, bench.plan.suite.expect, of_suite=True)


def _catches(check: Check) -> bool:
    return is_broken(check) or is_open(check)


class _Accepted:
    """What is proposed for a scenario so far; no two of them say different things of one key."""

    def __init__(self) -> None:
        self.single: list[Proposal] = []

    def add(self, proposal: Proposal) -> bool:
        """Accept a proposal unless it does not go with the others; says whether it did."""
        near = [known.written for known in self.single if together(known.written, proposal.written)]
        # Only what speaks of the same spans can contradict it, so the block is not read again as a whole each time.
        written = merged([*near, proposal.written])
        if written is None or parse(written) is None:
            return False
        self.single.append(proposal)
        return True

    def block(self, bench: _Bench) -> Proposal | None:
        """Return one block that says all of it, tried out as a whole; None when nothing was accepted."""
        if not self.single:
            return None
        written = merged([known.written for known in self.single])
        expect = parse(written) if written is not None else None
        if written is None or expect is None:
            raise AssertionError("proposals that go together two by two do not go together")
        block = Proposal(written=written, expect=expect)
        if not _holds(block, bench):
            raise AssertionError("proposals that hold one by one do not hold together")
        return block


def _proposal(bench: _Bench, mutant: Mutant, scene: Scene, accepted: _Accepted) -> Proposal | None:
    """Return an accepted proposal that catches the mutant, or a new one, which is accepted; None where none does."""
    for known in accepted.single:
        if _breaks(known, scene):
            return known
    for written in candidates(mutant, bench.scene.trace, bench.options.excluded_traces):
        expect = parse(written)
        if expect is None:
            continue
        proposal = Proposal(written=written, expect=expect)
        if _breaks(proposal, scene) and _holds(proposal, bench) and accepted.add(proposal):
            return proposal
    return None


def _breaks(proposal: Proposal, scene: Scene) -> bool:
    return any(is_broken(check) for check in judge_expect(scene, proposal.expect))


def _holds(proposal: Proposal, bench: _Bench) -> bool:
    """Whether it holds in every recorded iteration, so that no run to run noise is written into a spec."""
    return not any(_catches(check) for scene in bench.recorded for check in judge_expect(scene, proposal.expect))


def _scene_of(scenes: Scenes, name: str) -> Scene:
    return next(scene for scene in scenes.scenarios if scene.scenarios[0].name == name)
