"""What the judges of time share: how a time is told, which ends are not known, and what it means to find nothing.

A span whose end is before its start was timed by a clock that ran backwards. Its start is taken as it is; its end is
not known, so an expectation that leans on that end breaks with this reason (spec.md section 6 on altered clocks).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from cleanroom.spec.expect import SpanExpectation
from cleanroom.spec.expectation import Expectation
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.timing import SelectedExpectation, SpanSelector
from cleanroom.trace.model import Span
from cleanroom.validate import wording
from cleanroom.validate.conditions import UNTIMED_REMEDY
from cleanroom.validate.evidence import remedy
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene
from cleanroom.validate.select import Selection, cause, missed, named, narrowing, near_misses, select

BACKWARDS = "its end is before its start, so when it ended is not known"
BACKWARDS_REMEDY = "the clock that timed the span ran backwards: time spans by a monotonic clock, as SDKs do"
_UNITS = (("s", 10**9), ("ms", 10**6), ("us", 10**3))


def lapse(ns: int) -> str:
    """Return a length of time without loss, in the unit that reads best: `1.000001s`, `250ms`, `3ns`."""
    for unit, size in _UNITS:
        if abs(ns) >= size:
            whole, rest = divmod(abs(ns), size)
            digits = f"{rest:0{len(str(size)) - 1}d}".rstrip("0")
            return f"{'-' if ns < 0 else ''}{whole}{'.' if digits else ''}{digits}{unit}"
    return f"{ns}ns"


def ran_backwards(span: Span) -> bool:
    """Whether the clock that timed the span went back during it: its end is then not known."""
    return span.end_ns < span.start_ns


def examples(told: Iterable[str]) -> str:
    """Return the first three of `told`; the finding has said how many there are, and no more words are made."""
    return "; ".join(islice(told, wording.MAX_EXAMPLES))


def check(wanted: Expectation, rule: str, words: str, *findings: Finding, part: str = "") -> Check:
    """Return a check of one expectation about time; its name is the expectation's id and `part`, or all in `words`."""
    return Check(rule=rule, name=f"{rule} {wanted.id}{part}" if wanted.id else words, at=wanted.at, findings=findings)


def broken(wanted: Expectation, rule: str, expected: str, found: str, spans: Iterable[Span]) -> Finding:
    """Return the finding of an expectation that `spans` break; one of them that ran backwards explains itself."""
    every = tuple(spans)
    return Finding(
        rule=rule,
        level=wanted.level,
        at=wanted.at,
        expected=expected,
        found=found,
        span_ids=wording.ids(every),
        remedy=BACKWARDS_REMEDY if any(ran_backwards(span) for span in every) else "",
    )


def untimed(scene: Scene, wanted: Expectation, rule: str, expected: str, spans: Iterable[Span]) -> tuple[Finding, ...]:
    """Return a finding when any of `spans` was timed by a clock that says nothing (spec.md section 6)."""
    every = tuple(spans)
    odd = tuple({id(span): span for span in every if span.untimed}.values())
    if not odd:
        return ()
    told = examples(f"{wording.placed(scene, span)}: {span.untimed}" for span in odd)
    return (
        Finding(
            rule=rule,
            level=wanted.level,
            at=wanted.at,
            expected=expected,
            found=f"{wording.plural(len(odd), 'span')} of which no time can be judged: {told}",
            span_ids=wording.ids(odd),
            remedy=UNTIMED_REMEDY,
        ),
    )


def absent(
    scene: Scene, wanted: Expectation, rule: str, expected: str, patterns: Iterable[Pattern]
) -> tuple[Finding, ...]:
    """Return a finding when one of `patterns` names no span at all: a missing side breaks (spec.md section 6)."""
    gone = tuple(pattern for pattern in dict.fromkeys(patterns) if not named(scene, pattern))
    if not gone:
        return ()
    missing = not scene.service_spans and any(not pattern.of_runner for pattern in gone)
    lookalike = SpanExpectation(name=gone[0])
    selection = select(scene, lookalike)
    groups = missed(scene, lookalike, selection)
    return (
        Finding(
            rule=rule,
            level=wanted.level,
            at=wanted.at,
            expected=expected,
            found=", and ".join(f'no span "{pattern}"' for pattern in gone),
            near_misses=near_misses(lookalike, groups),
            remedy=remedy(missing=missing) or cause(scene, lookalike, selection, groups),
            telemetry_missing=missing,
        ),
    )


def as_expectation(selector: SpanSelector) -> SpanExpectation:
    """Return the expectation of spans that selects as `selector` does."""
    return SpanExpectation(
        name=selector.name,
        service=selector.service,
        kind=selector.kind,
        scope=selector.scope,
        where=selector.where,
        during=selector.during,
        before=selector.before,
        after=selector.after,
    )


def subject(wanted: SelectedExpectation) -> str:
    """Return which spans are meant, in words."""
    return wording.selectors(as_expectation(wanted.spans))


def selected(
    scene: Scene, wanted: SelectedExpectation, rule: str, words: str, expected: str, at_least: int = 1
) -> Selection | Check:
    """Return the selected spans, in order of start, or the check when there are too few or their fault left no time."""
    meant = as_expectation(wanted.spans)
    selection = select(scene, meant)
    if selection.unusable:
        open_check = check(wanted, rule, words)
        return Check(
            rule=rule,
            name=open_check.name,
            at=wanted.at,
            inconclusive=selection.unusable,
            allowed=selection.allowed,
        )
    timeless = untimed(scene, wanted, rule, expected, (*selection.untimed, *selection.spans))
    if timeless:
        return check(wanted, rule, words, *timeless)
    number = len(selection.spans)
    if number >= at_least:
        return selection
    missing = not selection.of_runner and not scene.service_spans
    groups = missed(scene, meant, selection)
    finding = Finding(
        rule=rule,
        level=wanted.level,
        at=wanted.at,
        expected=expected if at_least == 1 else f"{expected}, of at least {at_least} spans",
        found=f"{wording.plural(number, 'span')}: {narrowing(scene, meant, selection)}",
        near_misses=near_misses(meant, groups),
        span_ids=wording.ids(selection.spans),
        remedy=remedy(missing=missing) or cause(scene, meant, selection, groups),
        telemetry_missing=missing,
    )
    return check(wanted, rule, words, finding)
