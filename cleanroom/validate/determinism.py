"""`determinism.identical`: all iterations have one digest, or the first difference is named (spec.md section 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from cleanroom.canonical import digest
from cleanroom.spec.determinism import Determinism
from cleanroom.text import one_line, truncate
from cleanroom.trace.difference import differences
from cleanroom.trace.divergence import Classification, Divergence, first_divergence
from cleanroom.trace.normalise import NormalisedTrace
from cleanroom.trace.proposal import Again, Rules, Watch
from cleanroom.validate.model import Check, Finding, IterationDigests
from cleanroom.validate.variation import Blame

NAME = "the iterations are identical"
_MAX_SHOWN = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One iteration as determinism sees it."""

    index: int
    digests: IterationDigests
    trace: NormalisedTrace
    facts: Mapping[tuple[str, str], str]
    """(where, what) → value, in order: every step outcome and every verdict, which the outcome digest is made of."""
    outputs: Mapping[tuple[str, str], str] = field(default_factory=lambda: MappingProxyType({}))
    """(where, stdout or stderr) → text under the rules, in order; only where the spec compares it. In no digest."""
    again: Callable[[Rules], NormalisedTrace] | None = None
    """Normalises the iteration anew under the spec's rules and these, to try a proposal."""

    def compared(self, wanted: Determinism) -> tuple[str, ...]:
        """Return what must be the same in each iteration; the drawn faults always are part of it."""
        whole = {"trace", "steps"} <= set(wanted.compare)
        found = [self.digests.digest] if whole else [self.digests.schedule]
        found += [self.digests.trace] if "trace" in wanted.compare else []
        found += [self.digests.outcome] if "steps" in wanted.compare else []
        found += [digest([[*at, text] for at, text in self.outputs.items()])] if "output" in wanted.compare else []
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Varied:
    """What the iterations varied: index → (nuisance, its setting), and what of it was asked for and not found."""

    iterations: Mapping[int, tuple[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    unshown: str = ""


NOTHING_VARIED = Varied()


def judge_determinism(
    wanted: Determinism,
    runs: Sequence[Run],
    planned: int,
    watch: Watch | None = None,
    varied: Varied = NOTHING_VARIED,
) -> tuple[Check | None, Divergence | None]:
    """Return the check and, where the iterations differ, the first divergence; `watch` is what expectations look at.

    No check where there is nothing to compare by the spec: one iteration planned, or `identical: false`. Iterations
    that ended in trouble have no digest; fewer than `planned` to compare is inconclusive, unless those differ.
    """
    if planned == 1 or not wanted.identical:
        return None, None
    rule_sets = {run.digests.rule_set for run in runs}
    if len(rule_sets) > 1:
        why = f"digests under different rule sets cannot be compared: {', '.join(sorted(rule_sets))}"
        return _check(wanted, inconclusive=why), None
    emptied = next((run for run in runs if _emptied(run.trace)), None)
    if emptied is not None:
        globs = ", ".join(wanted.normalize.drop_spans)
        why = (
            f"drop_spans: [{globs}] leaves no span of a service in iteration {emptied.index + 1}: nothing was compared"
        )
        return _check(wanted, inconclusive=why), None
    divergence = _first(wanted, runs, watch)
    if divergence is not None:
        found = _finding(wanted, runs, divergence)
        told = [blame_line(blame) for blame in blames(wanted, runs, varied.iterations)]
        return _check(wanted, finding=replace(found, found=". ".join((*told, found.found)))), divergence
    few = f"only {len(runs)} of {planned} iterations could be compared" if len(runs) < planned else ""
    return _check(wanted, inconclusive=varied.unshown or few), None


def _emptied(trace: NormalisedTrace) -> bool:
    return trace.left_out > 0 and all(span.of_runner for span in trace.spans)


def _first(wanted: Determinism, runs: Sequence[Run], watch: Watch | None) -> Divergence | None:
    """Where the first iteration that differs parts from the first one; traces are looked at before outcomes."""
    differing = [run for run in runs[1:] if run.compared(wanted) != runs[0].compared(wanted)]
    if not differing:
        return None
    found = None
    if "trace" in wanted.compare:
        found = first_divergence(tuple(run.trace for run in runs), again=_again(runs), watch=watch)
    if found is None:
        return _of_facts(wanted, runs[0], differing[0])
    other = next((run for run in runs[1:] if _besides(wanted, run) != _besides(wanted, runs[0])), None)
    if other is not None and found.proposal:
        # Equal traces would not make the iterations equal.
        also = _of_facts(wanted, runs[0], other)
        obstacle = f"{also.path}, {also.attribute}, differs as well, which no rule takes away"
        found = replace(found, proposal="", rules=None, obstacle=obstacle)
    return replace(found, left=runs[found.left].index, right=runs[found.right].index)


def blames(wanted: Determinism, runs: Sequence[Run], varied: Mapping[int, tuple[str, str]]) -> tuple[Blame, ...]:
    """Return what is to be said of each varied iteration that differs from the control, the first run.

    A nuisance is to blame for sure where no iteration that had another, or none, differs in the same place, and where
    there is one to show that.
    """
    if not runs or not varied or runs[0].index in varied:
        return ()
    control = runs[0]
    placed = {run.index: _place(wanted, control, run) for run in runs[1:]}
    found = []
    for index, place in placed.items():
        if index not in varied or place is None:
            continue
        nuisance, setting = varied[index]
        others = {other for other in placed if other != index and varied.get(other, ("",))[0] != nuisance}
        same = [other for other in others if (there := placed[other]) is not None and there[:2] == place[:2]]
        doubt = "" if others else "no iteration without it shows whether it would be the same"
        if same:
            doubt = f"iteration {', '.join(str(other + 1) for other in sorted(same))} differs there as well, without it"
        path, attribute, *values = place
        found.append(
            Blame(
                nuisance=nuisance, setting=setting, iteration=index, path=path, attribute=attribute,
                values=(values[0], values[1]), sure=not doubt, doubt=doubt,
            )
        )  # fmt: skip
    return tuple(found)


def blame_line(blame: Blame) -> str:
    """Return a blame in one sentence, without a full stop."""
    at = f"{blame.path}" + (f", {blame.attribute}" if blame.attribute else "")
    parts = f"{at}: {' / '.join(one_line(value, _MAX_SHOWN) or 'nothing' for value in blame.values)}"
    if blame.sure:
        return f"{blame.nuisance} broke equality: iteration {blame.iteration + 1} ({blame.setting}) differs at {parts}"
    return f"iteration {blame.iteration + 1} ({blame.setting}) differs at {parts}, perhaps not by that: {blame.doubt}"


def _place(wanted: Determinism, control: Run, run: Run) -> tuple[str, str, str, str] | None:
    """Return where a run first differs from the control: path, attribute and both values."""
    if run.compared(wanted) == control.compared(wanted):
        return None
    if "trace" in wanted.compare:
        difference = next(differences(control.trace.spans, run.trace.spans), None)
        if difference is not None:
            return difference.path, difference.attribute, *difference.values
    found = _of_facts(wanted, control, run)
    return found.path, found.attribute, found.left_value, found.right_value


def _besides(wanted: Determinism, run: Run) -> dict[tuple[str, str], str]:
    """Return what is compared besides the trace."""
    return {**(run.facts if "steps" in wanted.compare else {}), **run.outputs}


def _again(runs: Sequence[Run]) -> Again | None:
    known = [run.again for run in runs if run.again is not None]
    return (lambda number, rules: known[number](rules)) if len(known) == len(runs) else None


def _of_facts(wanted: Determinism, left: Run, right: Run) -> Divergence:
    ours, theirs = _besides(wanted, left), _besides(wanted, right)
    outputs = {*left.outputs, *right.outputs}
    for where, what in dict.fromkeys((*ours, *theirs)):
        one, other = ours.get((where, what), "absent"), theirs.get((where, what), "absent")
        if one != other:
            return Divergence(
                left=left.index,
                right=right.index,
                path=where,
                attribute=what,
                left_value=truncate(one, _MAX_SHOWN),
                right_value=truncate(other, _MAX_SHOWN),
                classification=_class_of(what, of_output=(where, what) in outputs),
                obstacle="what steps and expectations came to is no noise",
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


def _class_of(what: str, *, of_output: bool) -> Classification:
    if of_output:
        return "step output"
    return "verdict" if what == "verdict" else "step"


def _finding(wanted: Determinism, runs: Sequence[Run], divergence: Divergence) -> Finding:
    groups: dict[str, list[int]] = {}
    whole = set(wanted.compare) == {"trace", "steps"}
    for run in runs:
        # Several parts are one by a digest of their own; the run's digest is the one that is published.
        parts = run.compared(wanted)
        groups.setdefault(parts[0] if whole else digest([*parts]), []).append(run.index + 1)
    which = "; ".join(
        f"{each[:19]}… in iteration {', '.join(str(number) for number in numbers)}" for each, numbers in groups.items()
    )
    at = f"{divergence.path}" + (f", {divergence.attribute}" if divergence.attribute else "")
    difference = (
        f"iterations {divergence.left + 1} and {divergence.right + 1} part ({divergence.classification}) at {at}: "
        f"{divergence.left_value or 'nothing'} / {divergence.right_value or 'nothing'}"
    )
    remedy = f"make it the same, or declare that it may differ: normalize: {{{divergence.proposal}}}"
    if not divergence.proposal:
        remedy = f"make it the same; no rule is proposed: {divergence.obstacle}" if divergence.obstacle else ""
    return Finding(
        rule="determinism.identical",
        at=wanted.at,
        expected=f"{len(runs)} iterations with one digest" + ("" if whole else f" of {', '.join(wanted.compare)}"),
        found=f"{difference}. {len(groups)} digests: {which}",
        remedy=remedy,
    )


def _check(wanted: Determinism, *, finding: Finding | None = None, inconclusive: str = "") -> Check:
    return Check(
        rule="determinism.identical",
        name=NAME,
        at=wanted.at,
        findings=(finding,) if finding is not None else (),
        inconclusive=inconclusive,
    )
