"""What decides a run: its required suites, the pass rates that were asked for, and what was to run and did not.

A pass rate stands in for the scenarios that it covers: their findings, and what of them is inconclusive, decide by the
rate alone. Everything else decides as without one: an error, the suite's own expectations, determinism.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cleanroom.errors import ExitCode
from cleanroom.plan.model import Plan
from cleanroom.run.pass_rate import WHOLE, PassRate
from cleanroom.run.record import SessionRecord
from cleanroom.validate.model import Gate, GateState, Reason, SuiteVerdict
from cleanroom.validate.tally import Counted, tally, tally_skipped
from cleanroom.validate.verdict import all_checks, code_of_check, is_evidence, worst


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing that decides the run's exit code, and what it is in the words of `fail-on`."""

    code: ExitCode
    reason: Reason


def judge_gates(record: SessionRecord, verdicts: Sequence[SuiteVerdict]) -> tuple[Gate, ...]:
    """Judge every pass rate on the scenarios of required suites; one that has nothing to count is missed."""
    if not record.pass_rates:
        return ()
    plans = {(suite.plan.suite.file, suite.plan.suite.name): suite.plan for suite in record.suites}
    required = [(v, plans[v.file, v.name]) for v in verdicts if v.required and (v.file, v.name) in plans]
    counted = [c for verdict, plan in required for c in tally(verdict, plan)]
    counted += [c for skipped in record.skipped if skipped.required for c in tally_skipped(skipped)]
    return tuple(_judge(rate, counted) for rate in record.pass_rates)


def _judge(rate: PassRate, every: Sequence[Counted]) -> Gate:
    """Judge one rate: met or missed only where what is not known could not change that."""
    words = [c.word for c in every if not rate.tag or rate.tag in c.tags]
    passed, failed, open_ = words.count("passed"), words.count("failed"), words.count("open")
    total = passed + failed + open_
    state: GateState = "not judged"
    if not total or (passed + open_) * WHOLE < rate.least * total:
        state = "missed"
    elif passed * WHOLE >= rate.least * total:
        state = "met"
    return Gate(
        name=f"pass rate of tag {rate.tag}" if rate.tag else "pass rate",
        tag=rate.tag,
        wanted=f"at least {rate.percent} of the scenarios pass",
        state=state,
        passed=passed,
        failed=failed,
        not_judged=open_,
        known=words.count("known"),
    )


def decide(record: SessionRecord, verdicts: Sequence[SuiteVerdict], gates: Sequence[Gate]) -> tuple[Decision, ...]:
    """Return everything of suites, gates and skipped suites that decides the run.

    A suite that is not required decides by an error only.
    """
    plans = {(suite.plan.suite.file, suite.plan.suite.name): suite.plan for suite in record.suites}
    found: list[Decision] = []
    for verdict in verdicts:
        plan = plans.get((verdict.file, verdict.name))
        if not verdict.required and verdict.verdict != "error":
            found.append(Decision(ExitCode.PASS, "failure"))
        elif plan is None:
            found.append(_decision(verdict.exit_code))
        else:
            found += _of_suite(verdict, plan, gates)
    codes = {"met": ExitCode.PASS, "missed": ExitCode.FINDINGS, "not judged": ExitCode.INCONCLUSIVE}
    found += [_decision(codes[gate.state]) for gate in gates]
    missing = [s for s in record.skipped if s.required and not s.unchosen]
    uncovered = [s for s in missing if not all(_covered(c.tags, gates) for c in tally_skipped(s))]
    found += [_decision(ExitCode.INCONCLUSIVE) for _ in uncovered]
    return tuple(found)


def _of_suite(verdict: SuiteVerdict, plan: Plan, gates: Sequence[Gate]) -> list[Decision]:
    covered = {c.scenario for c in tally(verdict, plan) if _covered(c.tags, gates)}
    found: list[Decision] = []
    if verdict.determinism is not None:
        found.append(_decision(code_of_check(verdict.determinism), "nondeterminism"))
    for iteration in verdict.iterations:
        every = all_checks(iteration)
        if not any(is_evidence(check) for _, check in every):
            found.append(_decision(ExitCode.INCONCLUSIVE))
        found += [_decision(code_of_check(check)) for scenario, check in every if scenario not in covered]
    if len(verdict.iterations) < plan.iterations:
        found.append(_decision(ExitCode.INCONCLUSIVE))
    own = worst((ExitCode.PASS, *(decision.code for decision in found)))
    if (verdict.verdict == "error" or not covered) and own is not verdict.exit_code:
        # Nothing above may be milder than what the suite itself came to.
        found.append(_decision(verdict.exit_code))
    return found


def _covered(tags: frozenset[str], gates: Sequence[Gate]) -> bool:
    return any(not gate.tag or gate.tag in tags for gate in gates)


def _decision(code: ExitCode, reason: Reason = "failure") -> Decision:
    return Decision(code, "inconclusive" if code is ExitCode.INCONCLUSIVE else reason)


def reasons_of(decisions: Sequence[Decision]) -> tuple[Reason, ...]:
    """Return what fails a run that could be judged, in the words of `fail-on`, in order of the alphabet."""
    judged = (ExitCode.FINDINGS, ExitCode.INCONCLUSIVE)
    return tuple(sorted({decision.reason for decision in decisions if decision.code in judged}))
