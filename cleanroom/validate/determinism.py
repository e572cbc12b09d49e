"""`determinism.identical`: all iterations have one digest, or the first difference is named (spec.md section 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cleanroom.spec.determinism import Determinism
from cleanroom.trace.divergence import Divergence, first_divergence
from cleanroom.trace.normalise import NormalisedTrace
from cleanroom.validate.model import Check, Finding, IterationDigests

NAME = "the iterations are identical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One iteration as determinism sees it."""

    index: int
    digests: IterationDigests
    trace: NormalisedTrace
    facts: Mapping[tuple[str, str], str]
    """(where, what) → value, in order: every step outcome and every verdict, which the outcome digest is made of."""


def judge_determinism(wanted: Determinism, runs: Sequence[Run], planned: int) -> tuple[Check | None, Divergence | None]:
    """Return the check and, where the iterations differ, the first divergence.

    No check where there is nothing to compare by the spec: one iteration planned, or `identical: false`. Iterations
    that ended in trouble have no digest; fewer than `planned` to compare is inconclusive, unless those differ.
    """
    if planned == 1 or not wanted.identical:
        return None, None
    rule_sets = {run.digests.rule_set for run in runs}
    if len(rule_sets) > 1:
        why = f"digests under different rule sets cannot be compared: {', '.join(sorted(rule_sets))}"
        return _check(wanted, inconclusive=why), None
    divergence = _first(runs)
    if divergence is not None:
        return _check(wanted, finding=_finding(wanted, runs, divergence)), divergence
    if len(runs) < planned:
        return _check(wanted, inconclusive=f"only {len(runs)} of {planned} iterations could be compared"), None
    return _check(wanted), None


def _first(runs: Sequence[Run]) -> Divergence | None:
    """Where the first iteration that differs parts from the first one; traces are looked at before outcomes."""
    differing = [run for run in runs[1:] if run.digests.digest != runs[0].digests.digest]
    if not differing:
        return None
    found = first_divergence(tuple(run.trace for run in runs))
    if found is not None:
        return replace(found, left=runs[found.left].index, right=runs[found.right].index)
    return _of_facts(runs[0], differing[0])


def _of_facts(left: Run, right: Run) -> Divergence:
    for where, what in dict.fromkeys((*left.facts, *right.facts)):
        ours, theirs = left.facts.get((where, what), "absent"), right.facts.get((where, what), "absent")
        if ours != theirs:
            return Divergence(
                left=left.index,
                right=right.index,
                path=where,
                attribute=what,
                left_value=ours,
                right_value=theirs,
                classification="verdict" if what == "verdict" else "step",
            )
    parts = [p for p in ("trace", "schedule", "outcome") if getattr(left.digests, p) != getattr(right.digests, p)]
    part = parts[0] if parts else "digest"
    return Divergence(
        left=left.index,
        right=right.index,
        path=f"{part} digest",
        attribute="",
        left_value=getattr(left.digests, part),
        right_value=getattr(right.digests, part),
        classification="value",
    )


def _finding(wanted: Determinism, runs: Sequence[Run], divergence: Divergence) -> Finding:
    groups: dict[str, list[int]] = {}
    for run in runs:
        groups.setdefault(run.digests.digest, []).append(run.index + 1)
    which = "; ".join(
        f"{digest[:19]}… in iteration {', '.join(str(number) for number in numbers)}"
        for digest, numbers in groups.items()
    )
    at = f"{divergence.path}" + (f", {divergence.attribute}" if divergence.attribute else "")
    difference = (
        f"iterations {divergence.left + 1} and {divergence.right + 1} part ({divergence.classification}) at {at}: "
        f"{divergence.left_value or 'nothing'} / {divergence.right_value or 'nothing'}"
    )
    remedy = f"make it the same, or declare that it may differ: normalize: {{{divergence.proposal}}}"
    return Finding(
        rule="determinism.identical",
        at=wanted.at,
        expected=f"{len(runs)} iterations with one digest",
        found=f"{difference}. {len(groups)} digests: {which}",
        remedy=remedy if divergence.proposal else "",
    )


def _check(wanted: Determinism, *, finding: Finding | None = None, inconclusive: str = "") -> Check:
    return Check(
        rule="determinism.identical",
        name=NAME,
        at=wanted.at,
        findings=(finding,) if finding is not None else (),
        inconclusive=inconclusive,
    )
