"""A whole run, judged: record in, verdict out (spec.md section 6, "Exit code of a run")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from cleanroom.canonical import digest
from cleanroom.errors import ExitCode
from cleanroom.plan.model import Plan
from cleanroom.run.record import IterationRecord, ScenarioRecord, SessionRecord, SuiteRecord, Trouble
from cleanroom.trace.normalise import NormalisedTrace, normalise
from cleanroom.trace.proposal import Rules
from cleanroom.validate import wording
from cleanroom.validate.determinism import Run, Varied, blames, judge_determinism
from cleanroom.validate.faults import unreverted
from cleanroom.validate.fingerprint import fingerprint, normalise_options
from cleanroom.validate.gates import decide, judge_gates, reasons_of
from cleanroom.validate.hermeticity import left_behind
from cleanroom.validate.model import IterationVerdict, RunVerdict, ScenarioVerdict, SuiteVerdict
from cleanroom.validate.scenario import absent, judge_expect, judge_scenario
from cleanroom.validate.scene import build_scenes
from cleanroom.validate.sweep import judge_sweeps
from cleanroom.validate.variation import unshown, varied_iterations
from cleanroom.validate.verdict import (
    all_checks,
    code_of,
    code_of_check,
    code_of_checks,
    figures,
    is_open,
    word_of,
    worst,
)
from cleanroom.validate.watched import Watched


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedIteration:
    """An iteration's verdict and, where nothing kept it from being digested, what determinism compares."""

    verdict: IterationVerdict
    run: Run | None
    troubles: tuple[Trouble, ...]


def judge_iteration(plan: Plan, iteration: IterationRecord) -> JudgedIteration:
    """Judge every planned scenario of one iteration, the suite's own `expect` on all its spans, and digest it."""
    troubles = iteration_troubles(iteration)
    scenes = build_scenes(plan, iteration)
    by_name = {record.name: scene for record, scene in zip(iteration.scenarios, scenes.scenarios, strict=True)}
    why = troubles[0].message if troubles else "the run ended before it"
    scenarios: tuple[ScenarioVerdict, ...] = tuple(
        judge_scenario(plan, scenario, by_name[scenario.name]) if scenario.name in by_name else absent(scenario, why)
        for scenario in plan.suite.scenarios
    )
    slopes = judge_sweeps(plan, iteration.scenarios)
    checks = (*judge_expect(scenes.whole, plan.suite.expect, of_suite=True), *slopes)
    complete = not troubles and len(by_name) == len(plan.suite.scenarios)
    print_of = None
    if complete:
        print_of = replace(
            fingerprint(plan, iteration, scenes.whole, scenarios, checks), again=partial(_anew, plan, iteration)
        )
    return JudgedIteration(
        verdict=IterationVerdict(
            index=iteration.index,
            scenarios=scenarios,
            checks=checks,
            digests=print_of.digests if print_of is not None else None,
        ),
        run=print_of,
        troubles=troubles,
    )


def _anew(plan: Plan, iteration: IterationRecord, rules: Rules) -> NormalisedTrace:
    """Normalise an iteration under further rules; decoded again, so that its spans need not be kept for it."""
    trace = build_scenes(plan, iteration).whole.trace
    return normalise(trace, rules.added_to(normalise_options(plan, iteration)))


def iteration_troubles(iteration: IterationRecord) -> tuple[Trouble, ...]:
    """Return what kept the iteration, or a scenario of it, from being judged; faults that stayed count among it."""
    found = [iteration.trouble] if iteration.trouble is not None else []
    for record in iteration.scenarios:
        found += [record.trouble] if record.trouble is not None else []
        found += [_stayed(record)] if unreverted(record.faults) else []
    return tuple(found)


def judge_suite(record: SuiteRecord) -> SuiteVerdict:
    """Judge all iterations of a suite and compare them."""
    judged = tuple(judge_iteration(record.plan, iteration) for iteration in record.iterations)
    return conclude_suite(record, judged)


def conclude_suite(record: SuiteRecord, judged: Sequence[JudgedIteration]) -> SuiteVerdict:
    """Draw the suite's verdict from its judged iterations, in order of index."""
    plan = record.plan
    runs = tuple(j.run for j in judged if j.run is not None)
    own = (record.trouble,) if record.trouble is not None else ()
    troubles = (*own, *(t for j in judged for t in j.troubles))
    varied = Varied(iterations=varied_iterations(plan), unshown=unshown(plan, record.iterations))
    wanted = plan.suite.determinism
    check, divergence = judge_determinism(wanted, runs, plan.iterations, Watched(plan.suite), varied)
    # Each iteration must have evidence of its own: one that judged nothing is not covered by the others.
    codes = [code_of_checks(c for _, c in all_checks(j.verdict)) for j in judged] or [ExitCode.INCONCLUSIVE]
    codes += [code_of_check(check)] if check is not None else []
    codes += [ExitCode.INCONCLUSIVE] if _missing_iterations(plan, judged) else []
    code = worst((*codes, *(code_of(t.exit_code) for t in troubles)))
    digests = {run.digests.digest for run in runs}
    return SuiteVerdict(
        name=plan.suite.name,
        file=plan.suite.file,
        verdict=word_of(code),
        exit_code=code,
        required=plan.suite.required,
        iterations=tuple(j.verdict for j in judged),
        determinism=check,
        divergence=divergence,
        blames=blames(wanted, runs, varied.iterations) if divergence is not None else (),
        digest=next(iter(digests)) if len(digests) == 1 and len(runs) == plan.iterations else "",
        trouble=_tell(troubles) or _why_inconclusive(plan, judged),
    )


def judge_session(record: SessionRecord, suites: Sequence[SuiteVerdict] | None = None) -> RunVerdict:
    """Judge a whole run; `suites` are the verdicts where the caller has drawn them already.

    A run of no suite is inconclusive, and a run whose isolation is unproven is engine trouble, never a pass.
    """
    verdicts = tuple(suites) if suites is not None else tuple(judge_suite(suite) for suite in record.suites)
    gates = judge_gates(record, verdicts)
    decisions = decide(record, verdicts, gates)
    codes = [decision.code for decision in decisions]
    codes += [ExitCode.INCONCLUSIVE] if len(verdicts) != len(record.suites) or not verdicts else []
    codes += [code_of(trouble.exit_code) for trouble in session_troubles(record)]
    code = worst(codes)
    return RunVerdict(
        verdict=word_of(code),
        exit_code=code,
        suites=verdicts,
        gates=gates,
        reasons=reasons_of(decisions),
        digest=_run_digest(verdicts),
        counts=figures(verdicts),
    )


def session_troubles(record: SessionRecord) -> tuple[Trouble, ...]:
    """Return what went wrong outside the suites: trouble, interruption, isolation without proof, leftovers."""
    found = [record.trouble] if record.trouble is not None else []
    if record.interrupted:
        found.append(Trouble(exit_code=ExitCode.INTERRUPTED, message="the run was asked to stop"))
    ran = any(suite.iterations for suite in record.suites)
    if ran and (record.proof is None or not record.proof.vectors):
        message = "services ran, and there is no proof that their network was isolated"
        found.append(Trouble(exit_code=ExitCode.ENGINE, message=message))
    elif record.proof is not None and record.proof.ways_out:
        ways = wording.listing(f"{v.protocol} {v.destination} port {v.port}" for v in record.proof.vectors if v.open)
        message = f"the network was not isolated: {wording.plural(record.proof.ways_out, 'way')} out ({ways})"
        found.append(Trouble(exit_code=ExitCode.ENGINE, message=message))
    if not record.cleanup.success:
        message = f"the run left behind: {wording.listing(left_behind(record.cleanup))}"
        found.append(Trouble(exit_code=ExitCode.ENGINE, message=message))
    return tuple(found)


def _stayed(record: ScenarioRecord) -> Trouble:
    stuck = unreverted(record.faults)
    faults = wording.listing(f"{f.id} ({f.kind}){f': {f.reason}' if f.reason else ''}" for f in stuck)
    return Trouble(
        exit_code=ExitCode.ENGINE,
        message=f"scenario {record.name}: not taken back: {faults}",
        remedy="what was measured after this fault cannot be trusted; `cleanroom doctor` says what this machine can do",
        at=stuck[0].at,
    )


def _missing_iterations(plan: Plan, judged: Sequence[JudgedIteration]) -> str:
    if len(judged) >= plan.iterations:
        return ""
    return f"only {len(judged)} of {wording.plural(plan.iterations, 'iteration')} ran"


def _tell(troubles: Sequence[Trouble]) -> str:
    def words(trouble: Trouble) -> str:
        where = f"{trouble.at}: " if trouble.at.line else ""
        return f"{where}{trouble.message}" + (f"\n  what to do: {trouble.remedy}" if trouble.remedy else "")

    return "\n".join(dict.fromkeys(words(trouble) for trouble in troubles))


def _why_inconclusive(plan: Plan, judged: Sequence[JudgedIteration]) -> str:
    """Why a suite without a broken or open check is no pass all the same."""
    if missing := _missing_iterations(plan, judged):
        return missing
    for one in judged:
        checks = [c for _, c in all_checks(one.verdict)]
        if code_of_checks(checks) is ExitCode.INCONCLUSIVE and not any(is_open(c) for c in checks):
            return f"nothing was judged in iteration {one.verdict.index + 1}: no step and no expectation said anything"
    return ""


def _run_digest(suites: Sequence[SuiteVerdict]) -> str:
    """Return the digest of a single suite, one over all by file for several; empty where one has none."""
    if not suites or not all(suite.digest for suite in suites):
        return ""
    if len(suites) == 1:
        return suites[0].digest
    ordered = sorted(suites, key=lambda s: (s.file, s.name, s.digest))
    return digest([{"file": s.file, "name": s.name, "digest": s.digest} for s in ordered])
